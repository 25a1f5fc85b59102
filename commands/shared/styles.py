"""Colours of tables and text: of the sixteen that every terminal has, so that they follow its theme."""

from analysis import Verdict
from domain.decision import Decision

GOOD, WARN, BAD, FAINT, BASELINE, CANARY = "green", "yellow", "bold red", "dim", "blue", "magenta"
VERDICT_STYLES: dict[Verdict, str] = {
    "parity": GOOD,
    "improvement": GOOD,
    "regression": BAD,
    "undecided": WARN,
    "not enough data": FAINT,
}
DECISION_STYLES: dict[Decision, str] = {
    "continue": GOOD,
    "wait": WARN,
    "hold": WARN,
    "roll_back": BAD,
    "no_data": BAD,
}
