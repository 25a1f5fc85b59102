"""The newest data of both fleets: for the charts of the Live page, and for one line per metric of `watch`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pandas as pd

import analysis
from analysis import Comparison, EarlierLine, ExpectedShare, LatestValues, SampleRatio, TimeGrid
from analysis.deployments.waits import WaitingDeployment
from analysis.parity.estimates import RunningEstimate, running_estimate
from analysis.series.fleet_requests import FleetRequests
from analysis.series.sample_ratio import LOOK_BACK_S
from analysis.series.shares import ShareStep
from archive import Archive, ArchiveProblem, MetricsResult
from domain import FLEETS, Event, FleetName, Margin, Migration, Traffic, Window
from domain.series import PERCENTILES, is_request_count
from domain.weight_changes import WeightChange
from domain.window import HOUR_S, MINUTE_S, merge_windows
from services.alarms import AlarmStatus
from services.criteria import SilentCriterion, own_comparisons, read_criteria, read_criteria_by_source
from services.fleet_requests import fleet_requests, requests_unread
from services.freshness import provisional_from, result_provisional_from
from sources.base import Problem

PanelName = Literal["error_rate", "latency", "slow", "requests"]
LEAD_IN_S = 300  # the error rate is counted over five minutes
MAX_UNMERGED_MINUTES, MERGED_PERIOD_S = 1440, 600
MAX_POLL_AGE_S = 90  # metrics are polled once a minute
WATCH_WINDOW_MINUTES = LOOK_BACK_S // MINUTE_S
MAX_WATCH_EVENTS = 3


@dataclass(frozen=True, slots=True)
class PanelData:
    """One comparison of both fleets, and its newest final values. `margin`, `estimate`: of the criterion that judges it; None without one.

    `components`: the newest components of the error rate (fractions of the same requests); `multi_group`: some minutes had several target
    groups of one fleet; `alb_5xx`: 5xx that the load balancer made itself, a minute, for all of its target groups, in the time of `latest`,
    to be compared with `requests_per_minute` of both fleets.
    """

    comparison: Comparison
    margin: Margin | None
    latest: LatestValues | None
    components: Mapping[str, LatestValues]
    multi_group: bool
    alb_5xx: float | None = None
    requests_per_minute: float = 0.0
    estimate: RunningEstimate | None = None


@dataclass(frozen=True, slots=True)
class LastWeek:
    """The same time a week before: a line for each panel with values. `is_missing`: the source has not answered for all of `window` and its lead-in.

    `own`: a line for each criterion of one's own with values, by name; `own_missing`: their sources that have not answered for all of `window`.
    """

    window: Window
    lines: Mapping[PanelName, EarlierLine]
    is_missing: bool
    own: Mapping[str, EarlierLine] = field(default_factory=dict)
    own_missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveData:
    """What the Live page shows of one window. `missing`: the fleets without requests in it, and why; `steps`: see `share_steps`.

    `own`: the criteria of one's own, by name; `own_missing`: their sources that have not answered for all of it.
    """

    window: Window
    result: MetricsResult
    panels: Mapping[PanelName, PanelData]
    missing: tuple[FleetRequests, ...] = ()
    steps: tuple[ShareStep, ...] = ()
    own: Mapping[str, PanelData] = field(default_factory=dict)
    own_missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrafficStatus:
    """The current weights and the observed share since they last changed. Without weights: `observed_share`, that of the canary (0–1)."""

    traffic: Traffic | None
    read_at: int | None
    sample_ratio: SampleRatio | None
    observed_share: float | None = None


def as_of(archive: Archive, source: str, now: datetime) -> datetime:
    """The time of the newest poll, so that a page changes with the data and not with the clock; `now` if that poll is too old."""
    states = archive.events.source_states()
    polled_at = max(
        (state.checked_at for state in states if (state.source, state.role) == (source, "metrics")), default=0
    )
    return datetime.fromtimestamp(polled_at, UTC) if 0 <= now.timestamp() - polled_at < MAX_POLL_AGE_S else now


def live_data(
    archive: Archive,
    migration: Migration,
    source: str,
    window: Window,
    *,
    percentiles: Sequence[str],
    slow_s: float,
    trace: pd.DataFrame | None = None,
) -> LiveData:
    """The comparisons of a window. `percentiles`: of the latency panel, first the one that is compared; `slow_s`: the threshold of the slow
    panel; `trace`: the judge's (analysis.TRACE_COLUMNS) of the phase or range that the window belongs to."""
    steps = share_steps(archive, window)
    canary_share = steps[0][1] if len(steps) == 1 and steps[0][0] <= window.start else None
    result = archive.metrics.read(with_lead_in(window), source)
    before = min(result_provisional_from(migration, result), window.end)
    slow = (criterion.metric for criterion in migration.criteria if criterion.slow_threshold_s == slow_s)
    metrics = {"error_rate": "error_rate", "latency": f"latency_{percentiles[0]}", "slow": next(slow, "")}
    panels = {
        name: replace(
            _panel_data(comparison, migration.margin_of(metrics.get(name, "")), before=before),
            estimate=running_estimate(trace, metrics.get(name, ""), window) if trace is not None else None,
        )
        for name, comparison in _comparisons(result, percentiles, slow_s).items()
    }
    shown, answered_until = replace(result, window=window), window.end if result.last_asked_at is None else before
    if latest := panels["requests"].latest:
        newest = _requests_in(result, source, latest, canary_share)
        panels["requests"] = replace(panels["requests"], latest=_with_zeros(latest, newest))
    requests = panels["requests"].comparison.values
    missing = tuple(
        of_fleet
        for of_fleet in fleet_requests(shown, source, final_until=answered_until, canary_share=canary_share)
        if not of_fleet.is_counted and np.isnan(requests[of_fleet.fleet]).all()
    )
    own = read_criteria_by_source(archive, migration, window)
    own_missing = tuple(name for name, part in own.items() if part.missing)
    return LiveData(window, result, panels, missing, steps, _own_panels(migration, window, own, trace), own_missing)


def _own_panels(
    migration: Migration, window: Window, results: Mapping[str, MetricsResult], trace: pd.DataFrame | None
) -> dict[str, PanelData]:
    """The comparison of each criterion of one's own. `results`: by source."""
    panels = {}
    for criterion, comparison in own_comparisons(migration, window, results):
        before = min(result_provisional_from(migration, results[criterion.series_source]), window.end)
        panels[criterion.name] = replace(
            _panel_data(comparison, criterion.margin, before=before),
            estimate=running_estimate(trace, criterion.metric, window) if trace is not None else None,
        )
    return panels


def last_week(
    archive: Archive, migration: Migration, source: str, window: Window, *, percentile: str, slow_s: float
) -> LastWeek:
    """What `live_data` compares, both fleets together, in the week before `window`."""
    earlier = window.week_before(migration.zone)
    result = archive.metrics.read(with_lead_in(earlier), source)
    shift_s = window.end - earlier.end
    lines = {
        name: line
        for name, comparison in _comparisons(result, (percentile,), slow_s).items()
        if (line := analysis.earlier_line(comparison, shift_s=shift_s))
    }
    results = read_criteria_by_source(archive, migration, earlier)
    own = {
        criterion.name: line
        for criterion, comparison in own_comparisons(migration, earlier, results)
        if (line := analysis.earlier_line(comparison, shift_s=shift_s))
    }
    own_missing = tuple(name for name, part in results.items() if part.missing)
    return LastWeek(earlier, lines, bool(result.missing), own, own_missing)


def missing_parts(archive: Archive, migration: Migration, source: str, window: Window) -> tuple[Window, ...]:
    """Final time of `window` without an answer of some requests of `source`, or of a criterion of one's own. Raises ArchiveError."""
    requests = archive.metrics.read(window, source, series_filter=is_request_count)
    results = (requests, *read_criteria(archive, migration, window))
    return merge_windows(gap for result in results for gap in result.missing)


def with_lead_in(window: Window) -> Window:
    """What is read to show `window`."""
    return Window(window.start - LEAD_IN_S, window.end)


def _comparisons(result: MetricsResult, percentiles: Sequence[str], slow_s: float) -> dict[PanelName, Comparison]:
    grid = analysis.finest_grid(result.frame, result.window, result.unknown)
    is_long = result.window.end - result.window.start > MAX_UNMERGED_MINUTES * MINUTE_S + LEAD_IN_S
    counts = _merged_counts(result) if is_long else grid
    return {
        "error_rate": analysis.error_rate(counts),
        "latency": analysis.latency(grid, *percentiles),
        "slow": analysis.slow_share(counts, slow_s),
        "requests": analysis.requests(counts),
    }


def share_steps(archive: Archive, window: Window) -> tuple[ShareStep, ...]:
    """From when on the canary was configured with which share, up to the end of `window`; the first holds at its start if it is known."""
    initial = archive.events.initial_share()
    known = [(initial.since, initial.share)] if initial else []
    steps = [*known, *((change.ts, change.after) for change in archive.events.weight_changes())]
    before = [step for step in steps if step[0] <= window.start]
    return tuple(before[-1:] + [step for step in steps if window.start < step[0] < window.end])


def _merged_counts(result: MetricsResult) -> TimeGrid:
    """Counts of a long window in longer periods, which merge exactly; percentiles do not."""
    period_s = max((period_s for _part, period_s in result.periods), default=MERGED_PERIOD_S)
    return analysis.time_grid(result.frame, result.window, result.unknown, period_s=max(period_s, MERGED_PERIOD_S))


def _requests_in(
    result: MetricsResult, source: str, values: LatestValues, canary_share: float | None
) -> tuple[FleetRequests, ...]:
    """The requests of both fleets in the time of `values`."""
    of_values = replace(result, window=Window(values.start, values.end))
    return fleet_requests(of_values, source, final_until=values.end, canary_share=canary_share)


def _with_zeros(latest: LatestValues, fleets: Iterable[FleetRequests]) -> LatestValues:
    """`latest` requests, with 0 for a fleet that is known to have had none: sources report no such minute."""
    none = {requests.fleet for requests in fleets if requests.state == "none"}
    baseline, canary = latest.baseline, latest.canary
    return replace(
        latest,
        baseline=0.0 if baseline is None and "baseline" in none else baseline,
        canary=0.0 if canary is None and "canary" in none else canary,
    )


def traffic_status(
    archive: Archive, *, until: int, sample_ratio: Callable[[Window, ExpectedShare], SampleRatio]
) -> TrafficStatus:
    """The current weights, and the observed share before `until` (epoch seconds, a whole minute).

    `sample_ratio(window, expected)`: `read_sample_ratio`, or a cached form of it.
    """
    window, latest = Window(until - LOOK_BACK_S, until), archive.events.latest_traffic()
    if latest is None:
        return TrafficStatus(None, None, None, sample_ratio(window, ExpectedShare(0.5)).observed_share)
    traffic, read_at = latest
    # Includes changes after `until`: then the current weights served none of these minutes.
    changes = archive.events.weight_changes(Window(until - binding_s(traffic), until + HOUR_S))
    expected = expected_share(traffic, changes)
    return TrafficStatus(traffic, read_at, sample_ratio(window, expected) if expected else None)


def binding_s(traffic: Traffic | None) -> int:
    """For how long, in seconds and whole minutes, an earlier weight change can matter to the observed share: sessions may be bound by it."""
    sticky_s = traffic.split.stickiness_s if traffic and traffic.split else None
    return max(LOOK_BACK_S, -(-(sticky_s or 0) // MINUTE_S) * MINUTE_S)


def expected_share(traffic: Traffic | None, changes: Sequence[WeightChange]) -> ExpectedShare | None:
    """What the weights let expect, after `changes` within the last `binding_s` seconds; None if the weights are not known.

    The minute of a change has both splits, and a listener takes some seconds to apply it: the next one does not count either.
    """
    share = traffic.configured_shares.get("canary") if traffic else None
    if traffic is None or share is None:
        return None
    since = max((change.ts // MINUTE_S + 2 for change in changes), default=0) * MINUTE_S
    sticky = traffic.split is not None and traffic.split.stickiness_s is not None
    earlier = tuple(change.before for change in changes if sticky and change.before is not None)
    return ExpectedShare(float(share), since, sticky, earlier)


def read_sample_ratio(archive: Archive, source: str, window: Window, expected: ExpectedShare) -> SampleRatio:
    """The observed share of the canary in `window` against the expected one."""
    result = archive.metrics.read(window, source, series_filter=is_request_count)
    grid = analysis.time_grid(result.frame, window)
    fleets = fleet_requests(result, source, final_until=window.end, canary_share=expected.share)
    return analysis.sample_ratio(grid, expected, window, unread=requests_unread(result, fleets))


def _panel_data(comparison: Comparison, margin: Margin | None, *, before: int) -> PanelData:
    latest = analysis.latest_values(comparison, before=before)
    components = {
        name: values
        for name in comparison.components
        if (values := analysis.latest_values(analysis.component(comparison, name), before=before))
    }
    multi_group = bool(comparison.multi_group is not None and comparison.multi_group.any())
    panel = PanelData(comparison, margin, latest, components, multi_group)
    if comparison.alb_5xx is None or latest is None:
        return panel
    newest = int(np.searchsorted(comparison.ends, latest.end))
    requests = sum(float(np.nan_to_num(comparison.samples[fleet][newest])) for fleet in FLEETS)
    minutes = (latest.end - latest.start) / MINUTE_S
    return replace(panel, alb_5xx=_mean_alb_5xx(comparison, latest), requests_per_minute=requests / minutes)


def _mean_alb_5xx(comparison: Comparison, latest: LatestValues | None) -> float | None:
    """The load balancer's own 5xx a minute in the time of `latest`."""
    if comparison.alb_5xx is None or latest is None:
        return None
    inside = (comparison.ts >= latest.start) & (comparison.ts < latest.end) & ~np.isnan(comparison.alb_5xx)
    per_minute, lengths_s = comparison.alb_5xx[inside], comparison.lengths_s[inside]
    return float(np.average(per_minute, weights=lengths_s)) if inside.any() else None


def _value_at(values: np.ndarray, ts: np.ndarray, at: int) -> float | None:
    value = float(values[int(np.searchsorted(ts, at))])
    return None if np.isnan(value) else value


@dataclass(frozen=True, slots=True)
class WatchedMetric:
    """Both fleets' values in one minute: rates as fractions (of the five minutes up to its end), latency in seconds. `low_sample`: too few
    samples to judge."""

    quantity: analysis.Quantity
    latest: LatestValues
    low_sample: Mapping[FleetName, bool]


@dataclass(frozen=True, slots=True)
class WatchSnapshot:
    """All metrics in the newest final minute. `minute`: its start (epoch seconds), None if there is none yet.

    `alb_5xx`: 5xx that the load balancer made itself, a minute, for all of its target groups, over the five minutes of the error rate.
    `fleets`: the requests of each fleet in that minute; without one, in the whole window. `alarms`: of provisional minutes, too; None if the
    archive cannot be read. `waits`: of the running deployments. `own`: the newest final values of criteria of one's own, by name; `silent`: those
    that may have been renamed.
    """

    now: datetime
    source: str
    minute: int | None
    data_until: int | None
    metrics: Mapping[str, WatchedMetric]
    alb_5xx: float | None
    configured_shares: Mapping[FleetName, float]
    sample_ratio: SampleRatio | None
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    archive_problem: ArchiveProblem | None
    fleets: tuple[FleetRequests, ...] = ()
    alarms: AlarmStatus | None = None
    waits: tuple[WaitingDeployment, ...] = ()
    own: Mapping[str, WatchedMetric] = field(default_factory=dict)
    silent: tuple[SilentCriterion, ...] = ()


def watched_criteria(
    migration: Migration, window: Window, results: Mapping[str, MetricsResult]
) -> dict[str, WatchedMetric]:
    """The newest final values of each criterion of one's own that has any. `results`: by source."""
    watched = {}
    for criterion, comparison in own_comparisons(migration, window, results):
        before = min(result_provisional_from(migration, results[criterion.series_source]), window.end)
        if latest := analysis.latest_values(comparison, before=before):
            watched[criterion.name] = WatchedMetric(comparison.quantity, latest, dict.fromkeys(FLEETS, False))
    return watched


def watch_snapshot(
    migration: Migration,
    source: str,
    result: MetricsResult,
    traffic: Traffic | None,
    events: Sequence[Event],
    *,
    problems: tuple[Problem, ...] = (),
    now: datetime,
) -> WatchSnapshot:
    """The newest final minute of `result`. `events`: of the last `binding_s` seconds; `problems`: of the other sources."""
    final_until = provisional_from(migration, result.last_asked_at or 0)
    grid = analysis.time_grid(result.frame, result.window, result.unknown)
    error_rate = analysis.error_rate(grid)
    comparisons = {
        "requests": analysis.requests(grid),
        "error_rate": error_rate,
        "unanswered_rate": analysis.component(error_rate, "unanswered"),
        "target_5xx_rate": analysis.component(error_rate, "target_5xx"),
        "unexplained_rate": analysis.component(error_rate, "unexplained"),
        **{f"latency_{percentile}": analysis.latency(grid, percentile) for percentile in PERCENTILES},
    }
    latest = analysis.latest_values(comparisons["requests"], before=final_until)
    minute = latest.start if latest else None
    shares = {fleet: float(share) for fleet, share in traffic.configured_shares.items()} if traffic else {}
    shown = [event for event in events if event.open or (event.until or event.ts) >= result.window.start]
    is_constant = not any(event.kind == "weight" for event in shown)
    canary_share = shares.get("canary") if is_constant else None
    metrics = (
        {}
        if minute is None
        else {name: _watched_metric(comparison, minute) for name, comparison in comparisons.items()}
    )
    if minute is None:
        end = provisional_from(migration, now.timestamp()) if result.last_asked_at is None else final_until
        fleets = fleet_requests(result, source, final_until=end, canary_share=canary_share)
    else:
        requests = metrics["requests"]
        fleets = _requests_in(result, source, requests.latest, canary_share)
        metrics["requests"] = replace(requests, latest=_with_zeros(requests.latest, fleets))
    return WatchSnapshot(
        now=now,
        source=source,
        minute=minute,
        data_until=result.data_until,
        metrics=metrics,
        alb_5xx=_mean_alb_5xx(error_rate, analysis.latest_values(error_rate, before=final_until)),
        configured_shares=shares,
        sample_ratio=_watched_sample_ratio(grid, traffic, events, requests_unread(result, fleets), final_until),
        events=tuple(shown[-MAX_WATCH_EVENTS:]),
        problems=tuple(dict.fromkeys((*result.problems, *problems))),
        archive_problem=result.archive_problem,
        fleets=fleets,
    )


def _watched_metric(comparison: Comparison, ts: int) -> WatchedMetric:
    index = int(np.searchsorted(comparison.ts, ts))
    values = {fleet: _value_at(comparison.values[fleet], comparison.ts, ts) for fleet in FLEETS}
    low_sample = {fleet: bool(comparison.low_sample[fleet][index]) and values[fleet] is not None for fleet in FLEETS}
    latest = LatestValues(ts, int(comparison.ends[index]), values["baseline"], values["canary"])
    return WatchedMetric(comparison.quantity, latest, low_sample)


def _watched_sample_ratio(
    grid: TimeGrid,
    traffic: Traffic | None,
    events: Sequence[Event],
    unread: Iterable[Window],
    final_until: int,
) -> SampleRatio | None:
    """The observed share since the last weight change, without the time that is `unread`."""
    expected = expected_share(traffic, [event.change for event in events if event.kind == "weight" and event.change])
    start, end = int(grid.ts[0]), min(int(grid.ts[-1]) + grid.period_s, final_until)
    if expected is None or start >= end:
        return None
    return analysis.sample_ratio(grid, expected, Window(start, end), unread=unread)
