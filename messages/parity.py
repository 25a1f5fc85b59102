"""Messages of the Parity page."""

from collections.abc import Mapping
from typing import Protocol

from analysis import NOTABLE_SHARE, CriterionVerdict, Judgement, Phase, PhaseStart
from domain import FLEETS, FleetName
from messages import fleet_requests, live, numbers, steps, times, verdicts
from messages.i18n import _, full_stop, lazy

PARITY_TITLE = lazy("Parity")
DEFAULT_CRITERIA = lazy("Default margins. Set your own under [[criteria]].")
CRITICAL = lazy("gate")
PHASE_TITLE = lazy("Phase")
CRITERION_TITLE = lazy("Criterion")
INTERVAL_TRACE_EXPLAINED = lazy("95% CI (anytime-valid) of the difference per minute. Grey: margin.")
WOULD_CHANGE_TITLE = lazy("Headroom")
EXCLUDED_TITLE = lazy("Excluded data")
NOTHING_EXCLUDED = lazy("nothing")
ESTIMATE = lazy("difference")
LOWER = lazy("lower bound")
UPPER = lazy("upper bound")
NO_DATA_YET = lazy("No final minutes with requests of both fleets yet.")
WINDOW_LATENCY_TITLE = lazy("Whole-window latency")
WINDOW_LATENCY_EXPLAINED = lazy("Percentiles over all responses of the window as one period, not averages of minutes.")
WINDOW_LATENCY_ANSWERS = lazy("responses")
WINDOW_LATENCY_TOO_FEW = lazy("too few responses")
WINDOW_LATENCY_PARTIAL = lazy("Longest part of the phase that is available as one period.")
WINDOW_LATENCY_TOO_YOUNG = lazy("Phase too short: its first five minutes must be over and final.")


class PhaseCountsLike(Protocol):
    """Requests of each fleet in a phase, and how many of them failed; None if that is unknown."""

    @property
    def requests(self) -> Mapping[FleetName, int | None]: ...
    @property
    def errors(self) -> Mapping[FleetName, int | None]: ...


def table_head(baseline: str, canary: str) -> tuple[str, ...]:
    return (
        _("criterion"),
        baseline,
        canary,
        _("difference (95% CI)"),
        _("margin"),
        _("verdict"),
        _("time to decision"),
    )


def numerator(rate: float | None, events: int | None, requests: int | None) -> str:
    """The counts behind a rate, and their quotient if `rate`, the mean weighted by minute, is displayed as another number; empty if nothing was counted.

    "133 of 720,549"; "weighted by minute; 39,413 of 107,135 are 36.8%".
    """
    if not requests or events is None:
        return ""
    counts = _("{events} of {requests}").format(events=numbers.count(events), requests=numbers.count(requests))
    quotient = numbers.percent(events / requests)
    if rate is None or quotient == numbers.percent(rate):
        return counts
    return _("weighted by minute; {counts} are {percent}").format(counts=counts, percent=quotient)


def unexplained(judgement: Judgement, labels: Mapping[FleetName, str]) -> str:
    """The requests without a counted response that are not errors, if there are notably many; else ""."""
    fleets = max(
        (
            (
                (labels["baseline"], result.baseline_unexplained or 0, result.baseline_requests or 0),
                (labels["canary"], result.canary_unexplained or 0, result.canary_requests or 0),
            )
            for result in judgement.criteria
        ),
        key=lambda fleets: fleets[0][1] + fleets[1][1],
    )
    if not any(count and count >= NOTABLE_SHARE * requests for _label, count, requests in fleets):
        return ""
    counts = " · ".join(f"{label} {numerator(None, count, requests)}" for label, count, requests in fleets)
    return _("Response not counted: {counts} requests. {explained}").format(counts=counts, explained=live.UNEXPLAINED)


def summary(
    judgement: Judgement,
    share: float | None,
    length_s: int,
    labels: Mapping[FleetName, str],
    counts: PhaseCountsLike | None = None,
    *,
    ended: str = "",
) -> str:
    """The opening, and one sentence per deciding criterion, unless the opening says that a fleet has no requests to judge.

    `counts`: of the whole phase; by default the judged requests. `ended`: see `about`.
    """
    results = (result for result in verdicts.deciding_criteria(judgement) if not result.missing)
    sentences = (verdicts.sentence(result, labels) for result in results)
    return " ".join((opening(judgement, about(share, length_s, ended=ended), labels, counts), *sentences))


def excluded_minutes(result: CriterionVerdict) -> str:
    """ "3 min still provisional · 5 min without requests"."""
    reasons = (verdicts.excluded(reason, minutes) for reason, minutes in (result.excluded or {}).items() if minutes)
    return " · ".join(reasons) or str(NOTHING_EXCLUDED)


def opening(
    judgement: Judgement, phase: str, labels: Mapping[FleetName, str], counts: PhaseCountsLike | None = None
) -> str:
    """ "50:50 for 6h 10m · 1.2M requests per fleet."; or the number of one fleet, and why that of the other is not known or is 0.

    `phase`: `about` a phase, or the length of the window. `counts`: of the whole phase; by default the judged requests.
    """
    start = phase[:1].upper() + phase[1:]
    requests = counts.requests if counts and not judgement.missing else judged_requests(judgement)
    if requests.get("baseline") and requests.get("canary"):
        baseline, canary = numbers.count(requests["baseline"]), numbers.count(requests["canary"])
        text = (
            _("{about} · {baseline} requests per fleet.")
            if baseline == canary
            else _("{about} · {baseline} and {canary} requests.")
        )
        return text.format(about=start, baseline=baseline, canary=canary)
    counted = " ".join(
        _("{fleet}: {count} requests.").format(fleet=labels[fleet], count=numbers.count(count))
        for fleet, count in requests.items()
        if count
    )
    sentences = (counted, fleet_requests.missing_explained(judgement.missing, labels))
    return f"{start}. {' '.join(filter(None, sentences))}"


def judged_requests(judgement: Judgement) -> dict[FleetName, int | None]:
    """The requests of each fleet in the minutes that the criterion with most of them used; in all final minutes if none used any."""
    used = [result for result in judgement.criteria if result.minutes]
    if used:
        busiest = max(used, key=lambda result: (result.baseline_requests or 0) + (result.canary_requests or 0))
        return {"baseline": busiest.baseline_requests, "canary": busiest.canary_requests}
    return {requests.fleet: requests.count for requests in judgement.fleets}


def about(share: float | None, length_s: int, *, ended: str = "") -> str:
    """ "50:50 for 6h 10m"; of an unknown share "last 24h", or the time span `ended` of what is over."""
    duration = times.duration(length_s)
    if share is None and ended:
        return ended
    if share is None:
        return _("last {duration}").format(duration=duration)
    return _("{split} for {duration}").format(split=f"{100 - share * 100:g}:{share * 100:g}", duration=duration)


def phase_share(canary_share: float | None) -> str:
    return _("share unknown") if canary_share is None else numbers.configured_share(canary_share)


def phase_name(phase: Phase) -> str:
    """ "2 · 10%"."""
    return f"{phase.number} · {phase_share(phase.canary_share)}"


def phase(phase: Phase, span: str) -> str:
    """ "2 · 50% · 22 Nov 16:20–22:30 JST"."""
    entered = f" ({steps.ENTERED})" if phase.origin == "entered" else ""
    return f"{phase_name(phase)}{entered} · {span}"


def interval_trace_title(metric: str) -> str:
    return _("Difference over time (95% CI): {metric}").format(metric=metric)


def evidence_horizon(started_by: PhaseStart, start: str) -> str:
    """`start`: when the phase's window begins."""
    if started_by == "window":
        return _("Start of this phase unknown: its last 24 hours are judged.")
    if started_by == "first_look":
        return _("Phase started before {start}, when weights were first read: judged from then.").format(start=start)
    return _(
        "The whole phase is judged, except in-flight requests at its start (the minute of the change and the next)."
    )


def phase_counts(counts: PhaseCountsLike, judgement: Judgement, minutes: int, labels: Mapping[FleetName, str]) -> str:
    """Requests and errors of a phase of `minutes`, and what the error rate was judged by; "" if a fleet alone has none, which the opening says."""
    if all(counts.requests[fleet] is None for fleet in FLEETS):
        return _("No data of this phase in the archive.")
    failed = {fleet: numerator(None, counts.errors[fleet], counts.requests[fleet]) for fleet in FLEETS}
    if not all(failed.values()):
        return ""
    sentence = _("Failed in the whole phase: {baseline_label} {baseline}, {canary_label} {canary}.").format(
        baseline=failed["baseline"],
        canary=failed["canary"],
        baseline_label=labels["baseline"],
        canary_label=labels["canary"],
    )
    rate = next((result for result in judgement.criteria if result.metric == "error_rate"), None)
    if rate is None:
        return sentence
    if not rate.minutes:
        return _("{sentence} Nothing judged.").format(sentence=sentence)
    judged = _("Judged: {minutes} of {all_minutes}, failed {baseline} and {canary}.").format(
        minutes=times.duration(rate.minutes * 60),
        all_minutes=times.duration(minutes * 60),
        baseline=numerator(None, rate.baseline_events, rate.baseline_requests),
        canary=numerator(None, rate.canary_events, rate.canary_requests),
    )
    return f"{sentence} {judged}"


def window_latency_head(columns: tuple[str, ...], *, difference: bool) -> tuple[str, ...]:
    return (_("latency"), *columns, *((_("difference"),) if difference else ()))


def window_latency_of_requests(requests: float | None) -> str:
    return _("of {requests} requests").format(requests=numbers.count(requests))


def window_latency_span(source: str, span: str, length_s: int) -> str:
    """ "CloudWatch, for 22 Nov 16:40–22:00 JST (5h 20m)."."""
    return _("{source}, for {span} ({length}).").format(source=source, span=span, length=times.duration(length_s))


def window_latency_groups(fleet: str, groups: int) -> str:
    return _(
        "{groups} target groups of {fleet} served in this window. Percentiles cannot be merged, so each group is listed."
    ).format(groups=groups, fleet=fleet)


def window_latency_unsupported(source: str) -> str:
    return _(
        "{source} stores one value per minute and has no percentiles of a whole window. Choose CloudWatch, or add [aws] to the configuration."
    ).format(source=source)


def window_latency_requested(source: str) -> str:
    return _("Loading from {source}…").format(source=source)


def window_latency_not_retained(source: str) -> str:
    return _("{source} has this time only at a coarser resolution, or not at all.").format(source=source)


def window_latency_empty(source: str) -> str:
    return _("{source} has no responses in this window.").format(source=source)


def distribution_hover(share: str, milliseconds: str) -> str:
    return _("{share}% within {milliseconds} ms").format(share=share, milliseconds=milliseconds)


def distribution_alternative(curves: tuple[tuple[str, float | None, float | None], ...]) -> str:
    """The chart's text alternative; a curve is its name, median and p95 in seconds."""
    curve_texts = (
        _("{name}: median {p50}, p95 {p95}").format(
            name=name, p50=numbers.milliseconds(p50), p95=numbers.milliseconds(p95)
        )
        for name, p50, p95 in curves
    )
    return _("Cumulative share of responses by response time. {curves}").format(
        curves=full_stop("; ".join(curve_texts))
    )
