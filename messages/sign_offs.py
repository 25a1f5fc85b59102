"""Messages for sign-offs: signatures under the evidence of a phase, and the ledger that they are in."""

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo

from domain.decision import Decision
from domain.sign_offs import Ledger, LedgerEntry, MarginChange, SignOff, needs_reason
from messages import decision, times, verdicts
from messages.i18n import LazyText, _, comma_list, lazy, plural

TITLE = lazy("Sign-offs")
EXPLAINED = lazy(
    "Signatures under the evidence of this phase. They cannot be changed or removed: each contains the hash of the one before."
)
NONE = lazy("The evidence of this phase is not signed.")
FORM = lazy("Sign the evidence")
HEAD = (
    lazy("signed by"),
    lazy("when"),
    lazy("decision"),
    lazy("margins"),
    lazy("comment"),
    lazy("evidence (SHA-256)"),
)
NAME = lazy("Name")
COMMENT = lazy("Comment (optional)")
SIGN = lazy("Sign")
SIGNED = lazy("Signed.")
BUILDING = lazy("Building the evidence …")
FILE = lazy("Signed evidence file")
FILE_EXPLAINED = lazy("The evidence of a running phase changes every minute: keep the file that was signed.")
ONLY_APPROVERS = lazy("Only approvers can sign.")
REFUSALS: Mapping[str, LazyText] = {
    "no_phase": lazy("Only the evidence of a phase can be signed."),
    "no_data": lazy("Not signed: there is no current data."),
    "changed": lazy("Not signed: the decision has changed. Check it, then sign."),
    "no_name": lazy("Not signed: a name is required."),
    "no_reason": lazy("Not signed: unless the decision is CONTINUE, a reason is required."),
}


def comment_label(decided: Decision) -> str:
    """The label of the comment, which is required unless the decision is to continue."""
    if not needs_reason(decided):
        return str(COMMENT)
    return _("Reason (required: the decision is {decision})").format(decision=decision.WORDS[decided])


def how(sign_off: SignOff) -> str:
    """How the name is known."""
    if not sign_off.verified:
        return _("name typed, not verified")
    return sign_off.email or _("signed in")


def decided(sign_off: SignOff) -> str:
    """ "■ HOLD"."""
    return f"{decision.SIGNS[sign_off.decision]} {decision.WORDS[sign_off.decision]}"


def margins(sign_off: SignOff) -> str:
    """ "error rate ±0.5 pp, p95 ±20 ms"."""
    return comma_list(f"{verdicts.metric_name(metric)} ±{margin}" for metric, margin in sign_off.margins)


def margin_notes(sign_off: SignOff, zone: tzinfo, *, now: datetime) -> Iterator[str]:
    """What changed after the phase began, or since when that is known."""
    yield from (margin_change(change, zone, now=now) for change in sign_off.margin_changes)
    if sign_off.margins_since is None:
        yield _("Whether margins changed after the phase began is unknown: they were not recorded.")
    elif sign_off.margins_since > sign_off.phase_start:
        at = times.clock_of(sign_off.margins_since, zone, now=now)
        yield _("Margins are recorded since {time}; whether they changed before is unknown.").format(time=at)


def margin_change(change: MarginChange, zone: tzinfo, *, now: datetime) -> str:
    """ "Changed after the phase began: error rate ±0.5 pp → ±1 pp, 14:03 JST"."""
    before, after = (f"±{margin}" if margin else _("not judged") for margin in (change.before, change.after))
    return _("Changed after the phase began: {metric} {before} → {after}, {time}").format(
        metric=verdicts.metric_name(change.metric),
        before=before,
        after=after,
        time=times.clock_of(change.at, zone, now=now),
    )


def in_short(name: str, clock: str, decided: str) -> str:
    """ "Signed by Mika, 14:03 JST: ■ HOLD"."""
    return _("Signed by {name}, {time}: {decision}").format(name=name, time=clock, decision=decided)


def problem(entry: LedgerEntry) -> str:
    """What is wrong with a row of the ledger; "" if nothing is."""
    text = {
        None: "",
        "changed": _("Sign-off {number} was changed after it was signed."),
        "unlinked": _("The sign-offs before number {number} were replaced after it was signed."),
        "missing": _("A sign-off before number {number} was removed."),
    }[entry.problem]
    return text.format(number=entry.row.sequence)


def intact(ledger: Ledger) -> str:
    return plural(
        "{n} sign-off in the ledger, unchanged.", "{n} sign-offs in the ledger, unchanged.", len(ledger.entries)
    )
