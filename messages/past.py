"""Messages of a fixed range on the Live page: what happened in it, and how long ago it was."""

from collections.abc import Iterable, Mapping
from datetime import tzinfo

from analysis import CriterionVerdict, Judgement, PhaseOutcome, Verdict
from analysis.parity.incidents import OUTAGE_SHARE, Incident
from domain import FleetName
from messages import decision, incidents, numbers, verdicts
from messages.i18n import _, comma_list, lazy

BACK = lazy("Back to live")
WHOLE_RELEASE = lazy("Whole release")
NO_DATA = lazy("No data in this range")
NO_LOGS = lazy("Access logs are not configured: routes not judged.")
NO_PROCESSED_LOGS = lazy(
    "Access logs of this range are not processed: routes not judged. Open Endpoints to process them."
)


def not_kept(until: str, keep: str) -> str:
    """`until`: the first time that is kept; `keep`: as configured."""
    return _('Not kept before {until}: keep = "{keep}".').format(until=until, keep=keep)


def viewing(span: str, ago: str) -> str:
    """ "VIEWING 10 Nov 14:40–16:20 JST (16 d ago)"."""
    return _("VIEWING {span} ({ago})").format(span=span, ago=ago)


def ended(ago: str) -> str:
    """`ago`: "3 min ago"."""
    return _("ended {ago}").format(ago=ago)


def now(decision: str) -> str:
    return _("Now: {decision}").format(decision=decision)


def of_release(decision: str) -> str:
    return _("Whole release: {decision}").format(decision=decision)


def incident(item: Incident, labels: Mapping[FleetName, str], zone: tzinfo) -> str:
    """ "ECS unavailable 10 Nov 15:19–15:34 JST, 100 % errors"."""
    span = incidents.span(item, zone)
    if item.own is None:
        return _("Both fleets failing {span}").format(span=span)
    label, share = labels[item.own], item.failed_share(item.own)
    if item.p95_s is not None:
        p95 = numbers.milliseconds(item.p95_s[item.own])
        return _("{label} slow {span}, p95 {value}").format(label=label, span=span, value=p95)
    if share is None:
        return _("{label} without requests {span}").format(label=label, span=span)
    text = _("{label} unavailable {span}, {share} errors")
    if share < OUTAGE_SHARE:
        text = _("{label} failing {span}, {share} errors")
    return text.format(label=label, span=span, share=numbers.percent(share))


def why_not_judged(result: CriterionVerdict, labels: Mapping[FleetName, str]) -> str:
    if result.reason == "one_side_gone" and result.gone:
        return _("{fleets} reported no data at the end.").format(
            fleets=comma_list(labels[fleet] for fleet in result.gone)
        )
    return verdicts.reason(result, labels)


def not_judged(reasons: Iterable[str]) -> str:
    return _("Criteria not judged. {reasons}").format(reasons=" ".join(reasons))


def routes_of_part(minutes: int, all_minutes: int) -> str:
    return _("Routes judged by the access logs of {minutes} of {all_minutes} min.").format(
        minutes=numbers.count(minutes), all_minutes=numbers.count(all_minutes)
    )


def one_sided(label: str) -> str:
    """Of a phase in which one fleet alone had weight."""
    return _("{label} only: nothing to compare").format(label=label)


def verdict(judgement: Judgement, outcome: PhaseOutcome | None) -> tuple[Verdict, str]:
    """Without an incident: the weightiest verdict on a criterion, as in "p95 regressed", "error rate inconclusive when rolled back", "parity".

    `outcome`: of a phase; None for a range.
    """
    texts: dict[Verdict, str] = {
        "regression": _("{metrics} regressed"),
        "undecided": _("{metrics} inconclusive in this range"),
        "not enough data": _("{metrics}: insufficient data"),
    }
    for name, text in texts.items():
        if found := [verdicts.metric(item.criterion) for item in judgement.criteria if item.verdict == name]:
            metrics = ", ".join(found)
            if name == "undecided" and outcome:
                return name, decision.inconclusive(outcome, metrics)
            return name, text.format(metrics=metrics)
    return judgement.verdict, verdicts.label(judgement.verdict)
