"""The sign-offs under a phase, as rows of a table and as JSON (docs/sign_off.md)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import Any

from domain import Window
from domain.sign_offs import Ledger, LedgerEntry
from messages import sign_offs as text
from messages import times
from reports.judgement_json import evaluation_json, iso_time, pick, window_json
from services.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class SignOffRow:
    """A signature in words. `problem`: of its row in the ledger, "" if there is none."""

    name: str
    how: str
    clock: str
    decision: str
    margins: str
    changes: tuple[str, ...]
    sentence: str
    evidence_sha256: str
    problem: str


def sign_off_rows(entries: Sequence[LedgerEntry], zone: tzinfo, *, now: datetime) -> list[SignOffRow]:
    """The newest first."""
    return [
        SignOffRow(
            sign_off.name,
            text.how(sign_off),
            times.clock_of(sign_off.signed_at, zone, now=now),
            text.decided(sign_off),
            text.margins(sign_off),
            tuple(
                text.margin_notes(sign_off.margin_changes, sign_off.margins_since, sign_off.phase_start, zone, now=now)
            ),
            sign_off.sentence,
            sign_off.evidence_sha256,
            text.problem(entry) if entry.problem else "",
        )
        for entry in reversed(entries)
        if (sign_off := entry.sign_off)
    ]


def signed_in_short(entries: Sequence[LedgerEntry], zone: tzinfo, *, now: datetime) -> list[str]:
    """A line for each signature, the oldest first."""
    return [
        " · ".join(filter(None, (text.in_short(row.name, row.clock, row.decision), row.problem)))
        for row in reversed(sign_off_rows(entries, zone, now=now))
    ]


def phase_window(evaluation: Evaluation) -> Window:
    """That of the phase; without one, what was judged."""
    return evaluation.phase.window if evaluation.phase else evaluation.window


def signed_evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation with the signatures under its phase; `ledger`: null if it was not read."""
    ledger = evaluation.ledger
    return {
        **evaluation_json(evaluation),
        "sign_offs": sign_offs_json(ledger.of_window(phase_window(evaluation))) if ledger else [],
        "ledger": ledger_state_json(ledger) if ledger else None,
    }


def sign_offs_json(entries: Sequence[LedgerEntry]) -> list[dict[str, Any]]:
    """Signatures, the oldest first."""
    return [
        {
            **pick(sign_off, "sequence", "name", "email", "verified"),
            "signed_at": iso_time(sign_off.signed_at),
            **pick(sign_off, "decision", "verdict", "sentence", "evidence_sha256"),
            "window": window_json(sign_off.window),
            "margins": dict(sign_off.margins),
            "margin_changes": [{**asdict(change), "at": iso_time(change.at)} for change in sign_off.margin_changes],
            "margins_since": iso_time(sign_off.margins_since),
            "hash": entry.row.hash,
            "problem": entry.problem,
        }
        for entry in entries
        if (sign_off := entry.sign_off)
    ]


def ledger_state_json(ledger: Ledger) -> dict[str, Any]:
    """Of all sign-offs of the migration: whether any row was changed."""
    return {
        "intact": not ledger.problems,
        "sign_offs": len(ledger.entries),
        "last_hash": ledger.last_hash,
        "problems": [
            {"sequence": entry.row.sequence, "code": entry.problem, "sentence": text.problem(entry)}
            for entry in ledger.problems
        ],
    }
