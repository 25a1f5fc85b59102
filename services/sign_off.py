"""A signature under the evidence of a phase: what it says, and why it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal

from analysis import Judgement
from archive import Archive
from archive.sign_offs import Margins, PastMargins
from domain.decision import Decision
from domain.sign_offs import (
    MAX_EMAIL_CHARS,
    MAX_NAME_CHARS,
    MAX_SENTENCE_CHARS,
    LedgerRow,
    MarginChange,
    SignOff,
    needs_reason,
    one_line,
)
from services.evaluation import Evaluation

# changed: the decision is not the one that was shown to who signs.
SignOffRefusal = Literal["no_phase", "no_data", "changed", "no_name", "no_reason"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What is signed with. `verified`: the name and the e-mail address are those of a sign-in; else the name was typed."""

    name: str
    sentence: str = ""
    email: str = ""
    verified: bool = False


def judged_margins(judgement: Judgement) -> Margins:
    """The margins of the judged metrics, as configured."""
    return tuple((result.metric, str(result.criterion.margin)) for result in judgement.criteria)


def margin_changes(
    history: Sequence[PastMargins], margins: Margins, *, since: int, now: int
) -> tuple[MarginChange, ...]:
    """The changes after `since` up to `margins`, which are in force at `now` (epoch seconds).

    Before the first row of `history` nothing is known: the first margins count as those of `since`.
    """
    seen = [(past.first_seen, past.margins) for past in history] + [(now, margins)]
    known_before = [item for item in seen if item[0] <= since]
    steps = [*known_before[-1:], *(item for item in seen if item[0] > since)]
    return tuple(
        MarginChange(at, metric, before.get(metric, ""), after.get(metric, ""))
        for (_, first), (at, second) in pairwise(steps)
        for before, after in [(dict(first), dict(second))]
        for metric in dict.fromkeys((*before, *after))
        if before.get(metric) != after.get(metric)
    )


def phase_margin_changes(
    archive: Archive, evaluation: Evaluation, *, now: datetime
) -> tuple[tuple[MarginChange, ...], int | None]:
    """The changes of the margins since the phase began, and since when margins are recorded. Raises ArchiveError."""
    history = archive.sign_offs.margin_history()
    start = evaluation.phase.window.start if evaluation.phase else evaluation.window.start
    margins = judged_margins(evaluation.judgement)
    changes = margin_changes(history, margins, since=start, now=int(now.timestamp()))
    return changes, history[0].first_seen if history else None


def refusal(evaluation: Evaluation, signature: Signature, *, shown: Decision | None) -> SignOffRefusal | None:
    """Why a signature is refused; None if it is not. `shown`: the decision that was read by who signs, None if that was of another phase."""
    decision = evaluation.decision.decision
    if evaluation.phase is None:
        return "no_phase"
    if decision == "no_data":
        return "no_data"
    if decision != shown:
        return "changed"
    if not one_line(signature.name, MAX_NAME_CHARS):
        return "no_name"
    return "no_reason" if needs_reason(decision) and not one_line(signature.sentence, MAX_SENTENCE_CHARS) else None


def sign(
    archive: Archive, evaluation: Evaluation, signature: Signature, *, evidence_sha256: str, now: datetime
) -> LedgerRow:
    """Adds a signature under the evidence of `evaluation`, which is of a phase, to the ledger. Raises ArchiveError."""
    phase = evaluation.phase
    assert phase is not None
    changes, recorded_since = phase_margin_changes(archive, evaluation, now=now)
    return archive.sign_offs.add(
        SignOff(
            migration="",  # which the archive fills in
            phase=phase.number,
            phase_start=phase.window.start,
            window=evaluation.window,
            decision=evaluation.decision.decision,
            verdict=evaluation.judgement.verdict,
            margins=judged_margins(evaluation.judgement),
            margin_changes=changes,
            margins_since=recorded_since,
            evidence_sha256=evidence_sha256,
            name=one_line(signature.name, MAX_NAME_CHARS),
            email=one_line(signature.email, MAX_EMAIL_CHARS),
            verified=signature.verified,
            signed_at=int(now.timestamp()),
            sentence=one_line(signature.sentence, MAX_SENTENCE_CHARS),
        )
    )
