"""Messages for sign-offs: signatures under the evidence of a phase, and the ledger that they are in."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo

from domain.decision import Decision
from domain.sign_offs import Ledger, LedgerEntry, MarginChange, SignOff
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
    lazy("evidence"),
)
NAME = lazy("Name")
COMMENT = lazy("Comment (the reason, unless the decision is CONTINUE)")
SIGN = lazy("Sign")
SIGNED = lazy("Signed.")
BUILDING = lazy("Building the evidence …")
FILE = lazy("Signed evidence file")
FILE_EXPLAINED = lazy("The evidence of a running phase changes every minute: keep the file that was signed.")
ONLY_APPROVERS = lazy("Only approvers can sign.")
NO_APPROVERS = lazy("No user can sign: [sign_in] has no approvers.")
COMPARE = lazy("Compare the ledger with the one in an earlier evidence file: docs/sign_off.md#the-ledger.")
REFUSALS: Mapping[str, LazyText] = {
    "no_phase": lazy("Only the evidence of a phase can be signed."),
    "no_data": lazy("Not signed: there is no current data."),
    "no_name": lazy("Not signed: a name is required."),
    "no_reason": lazy("Not signed: unless the decision is CONTINUE, a reason is required."),
}


def refused(why: str, decided: Decision) -> str:
    """Why a signature was refused. `decided`: the decision of the evidence, which may not be the one on the page."""
    if why != "changed":
        return str(REFUSALS[why])
    shown = f"{decision.SIGNS[decided]} {decision.WORDS[decided]}"
    return _("Not signed: the decision is now {decision}. Check its reasons, then sign again.").format(decision=shown)


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


def margin_notes(
    changes: Iterable[MarginChange], recorded_since: int | None, phase_start: int, zone: tzinfo, *, now: datetime
) -> Iterator[str]:
    """The changes after the phase began, or since when they are known. Times in epoch seconds."""
    yield from (margin_change(change, zone, now=now) for change in changes)
    if recorded_since is None:
        yield _("Whether margins changed after the phase began is unknown: they were not recorded.")
    elif recorded_since > phase_start:
        at = times.clock_of(recorded_since, zone, now=now)
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


def problems(ledger: Ledger) -> list[str]:
    """What is wrong with each row of the ledger that has a problem, and the next step; nothing without any."""
    found = [problem(entry) for entry in ledger.problems]
    return [*found, str(COMPARE)] if found else []


def intact(ledger: Ledger) -> str:
    """That nothing is wrong; "" if something is, or without any sign-off."""
    if ledger.problems or not ledger.entries:
        return ""
    n = len(ledger.entries)
    return plural("{n} sign-off in the ledger, unchanged.", "{n} sign-offs in the ledger, unchanged.", n)
