"""Messages for verdicts: labels, signs, reasons, intervals, and a sentence per criterion."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from analysis import CriterionVerdict, Judgement, Verdict
from domain import Criterion, FleetName, Window
from domain.decision import gate_criteria
from domain.window import HOUR_S
from messages import fleet_requests, numbers, times
from messages.i18n import _, lazy

# Shapes, so that verdicts do not differ by colour alone.
SIGNS: dict[Verdict, str] = {
    "parity": "●",
    "regression": "▲",
    "improvement": "▼",
    "undecided": "◐",
    "not enough data": "○",
}


def label(verdict: Verdict) -> str:
    return {
        "parity": _("parity"),
        "regression": _("regression"),
        "improvement": _("improvement"),
        "undecided": _("inconclusive"),
        "not enough data": _("insufficient data"),
    }[verdict]


def metric(criterion: Criterion) -> str:
    """ "error rate", "p95", "slow > 300 ms"; the name of a criterion of one's own."""
    if criterion.is_own:
        return criterion.name
    if criterion.slow_threshold_s is not None:
        return _("slow > {threshold}").format(threshold=numbers.threshold(criterion.slow_threshold_s))
    return metric_name(criterion.metric)


def metric_name(metric: str) -> str:
    """That of a criterion that is not configured any more: one of one's own, and a slow one, as it was configured."""
    names = {"error_rate": _("error rate"), "unanswered_rate": _("no response"), "target_5xx_rate": _("target 5xx")}
    return names.get(metric, metric.removeprefix("latency_"))


EXPRESSIONS = lazy(
    "Mackerel expressions are evaluated here, by minute: no point is a gap, not 0; diff and divide have a gap if either side has one, and for "
    "a division by zero; sum, avg, max and min use the series that have a value; a role has the hosts that are in it now."
)


def method_of(criterion: Criterion) -> str:
    """How a criterion of one's own is judged."""
    by_counts = _("{name}: judged as counts, events of a total in each minute; missing events are 0.")
    by_minutes = _(
        "{name}: judged by the differences of paired minutes, all with the same weight; minutes without both values are excluded."
    )
    return (by_counts if criterion.quantity == "rate" else by_minutes).format(name=criterion.name)


def value(criterion: Criterion, number: float | None) -> str:
    """A rate in %, a latency in ms, a value of one's own as a number."""
    format_value = {"rate": numbers.percent, "latency": numbers.milliseconds, "value": numbers.plain_value}
    return format_value[criterion.quantity](number)


def difference(criterion: Criterion, number: float | None) -> str:
    """A difference of rates in percentage points, of latencies in ms, of values of one's own as a number."""
    format_difference = {"rate": numbers.points, "latency": numbers.signed_milliseconds, "value": numbers.signed_value}
    return format_difference[criterion.quantity](number)


def reason(result: CriterionVerdict, labels: Mapping[FleetName, str], zone: tzinfo = UTC) -> str:
    if result.missing:
        return fleet_requests.missing(result.missing, labels)
    return {
        "inside_margin": _("CI within the margin."),
        "beyond_margin": _("CI outside the margin."),
        "recent_change": _("Changed at {time}: CI outside the margin since then.").format(
            time=_dated(result.changed_at or 0, zone)
        ),
        "significantly_worse": _("Worse, possibly within the margin."),
        "significantly_better": _("Better, possibly within the margin."),
        "inconclusive": _("CI crosses the margin."),
        "not_measured": _("No source reports this metric for both fleets."),
        "one_side_gone": _("{fleets} stopped reporting in recent minutes; check targets.").format(
            fleets=_(" and ").join(labels[fleet] for fleet in result.gone) or _("One fleet")
        ),
        "unread": _("Latest counts unavailable. See Data sources on Live."),
        "few_minutes": _("Too few minutes."),
        "resemblance": _("Autocorrelated minutes: {minutes:,} count as {effective}.").format(
            minutes=result.minutes, effective=numbers.count(max(result.effective_minutes or 0, 1))
        ),
        "incident": _("CI within the margin, but not with the canary's own incidents."),
        "ratio": _("CI within the margin, but more than {ratio:g} times the baseline's rate.").format(
            ratio=result.criterion.max_ratio or 1
        ),
        "no_events": _("No errors on either fleet; not comparable."),
    }[result.reason]


def _dated(ts: int, zone: tzinfo) -> str:
    """A time of the phase: "14:05 JST"."""
    local = datetime.fromtimestamp(ts, zone)
    return times.clock(local, zone, now=local)


def would_change(result: CriterionVerdict, labels: Mapping[FleetName, str]) -> str:
    """Which interval would change the verdict."""
    criterion = result.criterion
    if result.lower is None or result.upper is None or result.margin is None or result.margin_lower is None:
        return _("Numbers: {reason}").format(reason=reason(result, labels))
    distance = min(result.margin - result.upper, result.lower - result.margin_lower)
    if result.verdict == "parity":
        return _("Headroom: CI is {distance} inside the margin.").format(distance=_unsigned(criterion, distance))
    if result.verdict in ("regression", "improvement"):
        return _("Minutes without a difference, until the CI returns to the margin.")
    return _("Parity needs a CI that ends {distance} earlier; regression needs a CI outside the margin.").format(
        distance=_unsigned(criterion, -distance)
    )


def _unsigned(criterion: Criterion, number: float) -> str:
    return difference(criterion, abs(number)).lstrip("+−±")


def time_to_decision(minutes: int | None) -> str:
    if minutes is None:
        return _("> 4 weeks at current traffic")
    return _("decided") if minutes == 0 else _("~{duration}").format(duration=times.duration(minutes * 60))


def still_needed(result: CriterionVerdict) -> str:
    """The time to a decision; "–" if it cannot be estimated, or the window is over."""
    if result.is_over or (result.verdict == "not enough data" and result.minutes_to_decision is None):
        return numbers.NONE
    return time_to_decision(result.minutes_to_decision)


def still_needed_even(result: CriterionVerdict) -> str:
    """The time to a decision at 50:50 if that is shorter, else ""."""
    now, even = result.minutes_to_decision, result.minutes_to_decision_even
    if not even or (now is not None and even >= now):
        return ""
    return _("~{duration} at 50:50").format(duration=times.duration(even * 60))


def interval(result: CriterionVerdict) -> str:
    """The CI of the difference: "−0.004 … +0.011 pp", "−3 ms … +1.24 s"; "–" if there is none."""
    if result.lower is None or result.upper is None:
        return numbers.NONE
    return numbers.interval(difference(result.criterion, result.lower), difference(result.criterion, result.upper))


def worst_hour(result: CriterionVerdict, zone: tzinfo) -> str:
    """ "Worst hour: 22 Nov 13:00–14:00 JST, +12 ms"; "" if no hour has enough minutes."""
    if result.worst_hour is None:
        return ""
    hour = Window(result.worst_hour, result.worst_hour + HOUR_S)
    return _("Worst hour: {hour}, {difference}").format(
        hour=times.span(hour.starts_at, hour.ends_at, zone),
        difference=difference(result.criterion, result.worst_hour_estimate),
    )


def margin(result: CriterionVerdict) -> str:
    """The configured margin; a relative one with its absolute bounds: "±0.05 pp", "10% (−22 ms … +24 ms)"."""
    configured = result.criterion.margin
    if configured.unit != "%" or result.margin is None or result.margin_lower is None:
        return f"±{configured}"
    lower, upper = (difference(result.criterion, bound) for bound in (result.margin_lower, result.margin))
    return f"{configured} ({numbers.interval(lower, upper)})"


def deciding_criteria(judgement: Judgement) -> tuple[CriterionVerdict, ...]:
    """The criteria that decide."""
    gate = gate_criteria(tuple(result.criterion for result in judgement.criteria))
    return tuple(result for result in judgement.criteria if result.criterion in gate)


def excluded(reason: str, minutes: int) -> str:
    """Minutes that were excluded for a reason: "3 min still provisional"."""
    text = {
        "provisional": _("{duration} still provisional"),
        "other_period": _("{duration} at another resolution, not comparable"),
        "no_traffic": _("{duration} without requests"),
        "one_side_missing": _("{duration} with one fleet missing"),
        "both_sides_missing": _("{duration} without this metric on both fleets"),
        "mixed_groups": _("{duration} served by two target groups of one fleet"),
        "low_samples": _("{duration} with too few responses for this percentile"),
        "unread": _("{duration} with unreadable counts"),
        "warm_up": _("{duration} of warm-up after the start of the phase or a canary release"),
        "incident": _("{duration} of incidents"),
        "in_flight": _("{duration} of in-flight requests at the start"),
        "not_comparable": _("{duration} with a value of 0 and a relative margin, or a share above 100%"),
    }[reason]
    return text.format(duration=times.duration(minutes * 60))


def sentence(result: CriterionVerdict, labels: Mapping[FleetName, str]) -> str:
    """ "ECS − EC2 error rate: 95% CI −0.004 … +0.011 pp, within ±0.05 pp." """
    if result.lower is None or result.upper is None:
        return _("{metric}, {canary}: {reason}").format(
            canary=labels["canary"], metric=metric(result.criterion), reason=reason(result, labels)
        )
    within = result.reason == "inside_margin"
    text = (
        _("{canary} − {baseline} {metric}: 95% CI {interval}, within ±{margin}.")
        if within
        else _("{canary} − {baseline} {metric}: 95% CI {interval}, margin ±{margin}.")
    )
    return text.format(
        canary=labels["canary"],
        baseline=labels["baseline"],
        metric=metric(result.criterion),
        interval=interval(result),
        margin=result.criterion.margin,
    )
