"""Messages for the decision: its word, its glyph, and its reasons in sentences."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from itertools import groupby

from analysis import CriterionVerdict, Judgement, PhaseOutcome
from domain import FLEETS, FleetName
from domain.decision import Decision, DecisionReason, ReasonedDecision
from messages import alarms, incidents, states, verdicts
from messages.i18n import LazyText, _, comma_list, lazy, ngettext

TITLE = lazy("Decision")
WORDS: dict[Decision, LazyText] = {
    "continue": lazy("CONTINUE"),
    "wait": lazy("WAIT"),
    "hold": lazy("HOLD"),
    "roll_back": lazy("ROLL BACK"),
    "no_data": lazy("NO DATA"),
}
# Shapes, so that decisions do not differ by colour alone.
SIGNS: dict[Decision, str] = {"continue": "✓", "wait": "◐", "hold": "■", "roll_back": "✕", "no_data": "○"}
OUTCOME = lazy("Outcome")
OUTCOMES: dict[PhaseOutcome | None, LazyText | str] = {
    "advanced": lazy("Advanced"),
    "rolled_back": lazy("Rolled back"),
    "deployed": lazy("Deployed"),
    "running": lazy("Running"),
    None: "–",
}


def title(decided: ReasonedDecision) -> str:
    """ "■ HOLD"."""
    return f"{SIGNS[decided.decision]} {WORDS[decided.decision]}"


def headline(decided: ReasonedDecision, judgement: Judgement, outcome: PhaseOutcome | None = None) -> str:
    """The word and the weightiest reasons: "HOLD · 1 route regressed", "WAIT · about 25 min to go"."""
    return f"{WORDS[decided.decision]} · {in_short(decided, judgement, outcome)}"


def in_short(decided: ReasonedDecision, judgement: Judgement, outcome: PhaseOutcome | None = None) -> str:
    """The reasons with the weightiest code, without their details."""
    if not decided.reasons:
        return verdicts.label(judgement.verdict)
    code, group = next(groupby(decided.reasons, key=lambda reason: reason.code))
    reasons = tuple(group)
    n, subjects = len(reasons), comma_list(dict.fromkeys(_subject(reason, judgement) for reason in reasons))
    if code == "undecided":
        return _waits(reasons)
    if code == "inconclusive":
        return inconclusive(outcome, subjects)
    text = {
        "unavailable": _("no data for this window"),
        "stale": _("data is stale"),
        "unread": _("{subjects} could not be read"),
        "outage": _("the canary did not respond") if _is_over(outcome) else _("the canary is not responding"),
        "gate_regression": _("{subjects} regressed"),
        "fleet_gone": _("a fleet stopped reporting"),
        "regression": _("{subjects} regressed"),
        "route_regression": ngettext("{n} route regressed", "{n} routes regressed", n),
        "incident": ngettext("{n} incident", "{n} incidents", n),
        "alarm": ngettext("{n} alarm", "{n} alarms", n),
        "alert": ngettext("{n} alert firing", "{n} alerts firing", n),
        "sample_ratio": _("split mismatch"),
        "source_down": _("{subjects} unavailable"),
        "routes_unreadable": _("access logs unreadable"),
        "routes_pending": _("routes not judged yet"),
    }[code]
    return text.format(n=n, subjects=subjects)


def more(n: int) -> str:
    return ngettext("and {n} more reason", "and {n} more reasons", n).format(n=n)


def reason(
    item: DecisionReason,
    judgement: Judgement,
    labels: Mapping[FleetName, str],
    zone: tzinfo,
    *,
    outcome: PhaseOutcome | None = None,
    n: int = 1,
) -> str:
    """A reason in a sentence, with the next step. Texts of alerts and routes are external: escape it. `n`: of an incident, the last of so many."""
    subject, is_over = _subject(item, judgement), _is_over(outcome)
    if item.code in ("outage", "incident"):
        return _of_incident(item, judgement, labels, zone, n, is_over=is_over)
    if item.code in ("gate_regression", "regression", "undecided", "inconclusive"):
        return _of_criterion(item, judgement[item.subject], labels, zone, outcome)
    return {
        "unavailable": _("No data for this window. See Data sources."),
        "stale": _("Data is stale: no statement about now. See Data sources."),
        "unread": _("{subject}: latest counts unavailable. See Data sources on Live."),
        "fleet_gone": _("{fleet} had no requests in the last minutes of the phase; weights unchanged.")
        if is_over
        else _("{fleet} has no requests in recent minutes; weights unchanged. Check its targets."),
        "route_regression": _("Route {subject} regressed. See Endpoints."),
        "alarm": _("Alarm: {alarm}. See Live."),
        "alert": _("Alert firing: {subject}."),
        "sample_ratio": _("Split mismatch: observed traffic differs from the weights. See Live."),
        "routes_unreadable": _("Access logs could not be read: routes not judged. See Endpoints."),
        "routes_pending": _("Routes not judged yet."),
        "source_down": _("{subject} is unavailable; retrying. See Data sources on Live."),
    }[item.code].format(
        subject=subject,
        fleet=labels[item.subject] if item.subject in FLEETS else "",
        alarm=_alarm(item.subject, labels),
    )


def _is_over(outcome: PhaseOutcome | None) -> bool:
    return outcome not in (None, "running")


def _of_incident(
    item: DecisionReason, judgement: Judgement, labels: Mapping[FleetName, str], zone: tzinfo, n: int, *, is_over: bool
) -> str:
    incident = next(found for found in judgement.incidents if found.id == item.subject)
    if incident.open and is_over:
        text = ngettext("Incident {incident}.", "{n} incidents, the last {incident}.", n)
    elif item.code == "outage":
        text = _("Incident {incident}. Roll back.")
    elif incident.open:
        text = ngettext(
            "Incident {incident}. Do not continue while it lasts.",
            "{n} incidents, the last {incident}. Do not continue while it lasts.",
            n,
        )
    else:
        text = ngettext(
            "Incident {incident}. Add a note to acknowledge it.",
            "{n} incidents, the last {incident}. A note on each acknowledges it.",
            n,
        )
    return text.format(n=n, incident=incidents.sentence(incident, labels, zone, phase_is_over=is_over))


def _of_criterion(
    item: DecisionReason,
    result: CriterionVerdict,
    labels: Mapping[FleetName, str],
    zone: tzinfo,
    outcome: PhaseOutcome | None,
) -> str:
    metric, about = verdicts.metric(result.criterion), verdicts.reason(result, labels, zone)
    if result.missing:
        return about
    if item.code == "inconclusive":
        return f"{inconclusive(outcome, metric)}: {about}"
    if item.code == "undecided":
        remaining = f" ({verdicts.time_to_decision(item.minutes)})" if item.minutes else ""
        return f"{metric}: {about}{remaining}"
    return _("{metric} regressed: {interval}, margin {margin}. {about}").format(
        metric=metric, interval=verdicts.interval(result), margin=verdicts.margin(result), about=about
    )


def inconclusive(outcome: PhaseOutcome | None, subjects: str) -> str:
    """Of a phase of the past: "p95 inconclusive when rolled back"."""
    return {
        "advanced": _("{subjects} inconclusive when advanced"),
        "rolled_back": _("{subjects} inconclusive when rolled back"),
        "deployed": _("{subjects} inconclusive at the deployment"),
    }.get(outcome or "", _("{subjects} inconclusive when the phase ended")).format(subjects=subjects)


def _waits(reasons: Sequence[DecisionReason]) -> str:
    known = [item.minutes for item in reasons if item.minutes is not None]
    if len(known) == len(reasons) and any(known):
        return verdicts.time_to_decision(max(known))
    return _("inconclusive so far")


def _subject(item: DecisionReason, judgement: Judgement) -> str:
    """The name of what a reason is about."""
    if item.code == "source_down":
        return states.source_name(item.subject)
    result = next((result for result in judgement.criteria if result.metric == item.subject), None)
    return verdicts.metric(result.criterion) if result else item.subject


def _alarm(subject: str, labels: Mapping[FleetName, str]) -> str:
    """Of "error_rate:canary": "ECS error rate"."""
    rule, _separator, fleet = subject.partition(":")
    names = {str(name): text for name, text in alarms.RULES.items()}
    of_fleet = {str(name): label for name, label in labels.items()}
    return f"{of_fleet.get(fleet, fleet)} {names.get(rule, rule)}".strip()
