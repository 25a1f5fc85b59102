"""Colours of tables and text: of the sixteen that every terminal has, so that they follow its theme."""

from analysis import Verdict

GOOD, WARN, BAD, FAINT, BASELINE, CANARY = "green", "yellow", "bold red", "dim", "blue", "magenta"
VERDICT_STYLES: dict[Verdict, str] = {
    "parity": GOOD,
    "improvement": GOOD,
    "regression": BAD,
    "undecided": WARN,
    "not enough data": FAINT,
}
