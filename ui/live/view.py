"""The data and charts of the Live page, cached for all viewers until new data arrives."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import pandas as pd

from analysis import EarlierLine, ExpectedShare, SampleRatio
from analysis.series.shares import ShareStep
from archive import Archive, ArchiveError
from charts.base.frame import ChartFrame, chart_frame
from charts.base.palette import Theme
from charts.comparison import comparison_figure
from charts.event_lane import event_lane_figure
from domain import Event, Migration, Window
from messages import charts as charts_text
from messages import live as text
from messages import numbers
from services.criteria import criteria_key
from services.freshness import result_provisional_from
from services.live import (
    LastWeek,
    LiveData,
    PanelData,
    PanelName,
    TrafficStatus,
    last_week,
    live_data,
    read_sample_ratio,
    share_steps,
    traffic_status,
    with_lead_in,
)
from ui.app_context import AppContext, cached_view
from ui.chart_payload import chart_payload
from ui.events import filter_by_kind
from ui.url import LiveParams


@dataclass(frozen=True, slots=True)
class LiveView:
    """A window's data and its charts, as ui.components.overlay_chart takes them; None if a panel has no data. `own_charts`: of criteria of
    one's own, by name; `lane`: None without events;
    `last_week`: None unless it was asked for.
    """

    data: LiveData
    charts: Mapping[PanelName, bytes | None]
    lane: bytes | None = None
    last_week: LastWeek | None = None
    own_charts: Mapping[str, bytes | None] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not any(self.charts.values())


@dataclass(frozen=True, slots=True)
class LiveChartOptions:
    """`percentiles`: of the latency chart, first the one that is compared; `slow_s`: the threshold of the chart of slow answers; `with_last_week`:
    whether the same time a week before is behind each line."""

    percentiles: tuple[str, ...]
    slow_s: float
    theme: Theme
    language: str
    with_last_week: bool = False


def live_view(
    app: AppContext,
    params: LiveParams,
    window: Window,
    options: LiveChartOptions,
    *,
    trace: pd.DataFrame,
    trace_key: Hashable,
) -> LiveView:
    """The charts of a window. `trace`: the judge's (analysis.TRACE_COLUMNS), identified by its key. Reads the archive alone; raises ArchiveError."""
    archive = app.archive
    windows = [window, window.week_before(app.migration.zone)] if options.with_last_week else [window]
    cache_key = (
        *(
            archive.current_key(partial(archive.metrics.cache_key, with_lead_in(part), params.source))
            for part in windows
        ),
        *(archive.current_key(partial(criteria_key, archive, app.migration, part)) for part in windows),
    )
    events = filter_by_kind(known_events(archive, window), params.event_kinds)
    steps = share_steps(archive, window)
    return _cached_live_view(
        app, params.source, window, options, trace, events=events, steps=steps, cache_key=(cache_key, trace_key)
    )


def known_events(archive: Archive, window: Window) -> tuple[Event, ...]:
    """The events of a window; none of one that begins after the archive was lost, as the page says. Raises ArchiveError."""
    try:
        return archive.events.read(window)
    except ArchiveError:
        if archive.outage is None:
            raise
        return ()


@cached_view(max_entries=48, ttl=timedelta(minutes=5))
def _cached_live_view(
    app: AppContext,
    source: str,
    window: Window,
    options: LiveChartOptions,
    _trace: pd.DataFrame,
    *,
    events: tuple[Event, ...],
    steps: tuple[ShareStep, ...],
    cache_key: Hashable,
) -> LiveView:
    migration, percentiles, slow_s = app.migration, options.percentiles, options.slow_s
    data = live_data(app.archive, migration, source, window, percentiles=percentiles, slow_s=slow_s, trace=_trace)
    earlier = None
    if options.with_last_week:
        earlier = last_week(app.archive, migration, source, window, percentile=percentiles[0], slow_s=slow_s)
    provisional = result_provisional_from(migration, data.result)
    frame = chart_frame(migration, window, provisional_from=provisional, theme=options.theme)
    charts: dict[PanelName, bytes | None] = {}
    for name, panel in data.panels.items():
        title = text.panel_title(name, percentiles=percentiles, threshold=numbers.threshold(slow_s))
        alt_text = text.alternative(title, text.panel_explained(name), events_marked=len(events))
        charts[name] = None
        if not panel.comparison.empty:
            comparison = replace(panel.comparison, last_week=earlier.lines.get(name) if earlier else None)
            figure = comparison_figure(
                comparison, frame, estimate=panel.estimate, margin=panel.margin, steps=data.steps, events=events
            )
            charts[name] = chart_payload(figure, alt_text, with_notes=True)
    own_lines = earlier.own if earlier else {}
    own_charts = {name: _own_chart(name, panel, frame, events, own_lines.get(name)) for name, panel in data.own.items()}
    lane = (
        chart_payload(event_lane_figure(frame, events), charts_text.events_alternative(len(events))) if events else None
    )
    return LiveView(data, charts, lane, earlier, own_charts)


def _own_chart(
    name: str, panel: PanelData, frame: ChartFrame, events: tuple[Event, ...], last_week: EarlierLine | None
) -> bytes | None:
    if panel.comparison.empty:
        return None
    comparison = replace(panel.comparison, last_week=last_week)
    figure = comparison_figure(comparison, frame, estimate=panel.estimate, margin=panel.margin, events=events)
    alt_text = text.alternative(name, str(text.OWN_EXPLAINED), events_marked=len(events))
    return chart_payload(figure, alt_text, with_notes=True)


def traffic_view(app: AppContext, source: str, *, until: int) -> TrafficStatus:
    """The weights and the observed share up to `until` (epoch seconds, a whole minute)."""
    return traffic_status(app.archive, until=until, sample_ratio=partial(_sample_ratio, app, source))


def _sample_ratio(app: AppContext, source: str, window: Window, expected: ExpectedShare) -> SampleRatio:
    cache_key = app.archive.current_key(partial(app.archive.metrics.cache_key, window, source))
    return _cached_sample_ratio(app, source, window, expected, cache_key)


@cached_view(max_entries=16, ttl=timedelta(minutes=5))
def _cached_sample_ratio(
    app: AppContext, source: str, window: Window, expected: ExpectedShare, cache_key: Hashable
) -> SampleRatio:
    return read_sample_ratio(app.archive, source, window, expected)


def slow_choices(migration: Migration) -> dict[str, float]:
    """The slow thresholds by their URL values: `{"100ms": 0.1, "1s": 1.0}`."""
    return {numbers.threshold(seconds).replace(" ", ""): seconds for seconds in migration.slow_thresholds_s}


def default_slow(migration: Migration) -> str:
    """The first threshold with a criterion, else the middle one."""
    choices = slow_choices(migration)
    judged = {criterion.slow_threshold_s for criterion in migration.criteria}
    return next((name for name, seconds in choices.items() if seconds in judged), list(choices)[len(choices) // 2])
