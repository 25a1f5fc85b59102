"""What the Live page shows, worked out once a minute and shared by all its viewers."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import streamlit as st

import analysis
from archive import MetricsResult
from charts.base.frame import ChartFrame
from charts.base.palette import Theme
from charts.comparison import comparison_figure
from domain import Event, Margin, Migration, Traffic, Window
from domain.series import is_request_count
from messages import live as words
from messages import numbers
from ui.app_context import AppContext
from ui.chart_payload import chart_frame, chart_payload
from ui.events import filter_by_kind
from ui.url import LiveParams

PanelName = Literal["error_rate", "latency", "slow", "requests"]
PANELS: tuple[PanelName, ...] = ("error_rate", "latency", "slow", "requests")
LEAD_IN_S = (
    300  # unanswered requests are counted over five minutes: the first minute of a window needs the four before it
)
SAMPLE_RATIO_MINUTES = 60
MAX_POLL_AGE_S = 90  # the keeper asks once a minute


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart, drawn: `drawing` is what ui.components.overlay_chart takes, None where there is nothing to draw. `parts` are the newest parts
    of the error rate by name (fractions); `mixed` tells that some minutes had several target groups of one fleet; `alb_5xx` is the load balancer's
    own 5xx per request of both fleets in the reading's minute."""

    name: PanelName
    chart: bytes | None
    quantity: analysis.Quantity
    latest: analysis.LatestValues | None
    components: dict[str, analysis.LatestValues]
    multi_group: bool
    alb_5xx: float | None = None


@dataclass(frozen=True, slots=True)
class LiveView:
    """A page's worth of numbers. `brought` is without its frame's weight for the page: times, gaps, resolution and problems."""

    window: Window
    panels: dict[PanelName, Panel]
    result: MetricsResult
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class TrafficView:
    """The weights now and the share that was seen since they last changed. `ratio` is None where nothing was told; `seen` (0–1) is the canary's
    share where nobody can tell the weights."""

    traffic: Traffic | None
    read_at: int | None
    sample_ratio: analysis.SampleRatio | None
    sample_ratio_window: Window
    observed_share: float | None = None


def as_of(app: AppContext, source: str, now: datetime) -> datetime:
    """What the page is of: the newest round of questions, so that all on it changes with the answers, once a minute, and not with the clock as well.

    The clock itself where nobody has asked for longer.
    """
    asked = (
        one.checked_at for one in app.archive.events.source_states() if (one.source, one.role) == (source, "metrics")
    )
    newest = max(asked, default=0)
    return datetime.fromtimestamp(newest, UTC) if 0 <= now.timestamp() - newest < MAX_POLL_AGE_S else now


def live_view(app: AppContext, params: LiveParams, window: Window, *, slow_s: float, theme: Theme) -> LiveView:
    """The charts of a window, from the archive alone. Worked out once for everybody who looks at the same."""
    archive = app.archive
    read = Window(window.start - LEAD_IN_S, window.end)
    return _cached_live_view(
        app,
        params.source,
        window,
        params.percentile,
        slow_s,
        theme,
        archive.metrics.cache_key(read, params.source),
        filter_by_kind(archive.events.read(window), params.event_kinds),
    )


def traffic_view(app: AppContext, source: str, *, until: int) -> TrafficView:
    """The weights and the observed share in the hour up to `until` (epoch seconds, a whole minute)."""
    archive = app.archive
    window, found = Window(until - SAMPLE_RATIO_MINUTES * 60, until), archive.events.latest_traffic()
    if found is None:
        return TrafficView(None, None, None, window, _sample_ratio(app, source, window, 0.5).observed_share)
    traffic, seen_at = found
    # Also the changes after `until`: then none of these minutes were served by the weights of now.
    steps = [change.ts for change in archive.events.weight_changes(Window(window.start, until + 3600))]
    if steps:
        # The minute of the change belongs to neither split, and listeners take some seconds to hear of it.
        start = (max(steps) // 60 + 2) * 60
        window = Window(min(start, until - 60), until)
    told = traffic.configured_shares.get("canary")
    ratio = None if told is None else _sample_ratio(app, source, window, float(told))
    return TrafficView(traffic, seen_at, ratio, window)


def _sample_ratio(app: AppContext, source: str, window: Window, expected_share: float) -> analysis.SampleRatio:
    return _cached_sample_ratio(app, source, window, expected_share, app.archive.metrics.cache_key(window, source))


@st.cache_resource(max_entries=48, ttl=timedelta(minutes=5), show_spinner=False)
def _cached_live_view(
    _app: AppContext,
    source: str,
    window: Window,
    percentile: str,
    slow_s: float,
    theme: Theme,
    cache_key: Hashable,
    events: tuple[Event, ...],
) -> LiveView:
    migration, archive = _app.migration, _app.archive
    brought = archive.metrics.read(Window(window.start - LEAD_IN_S, window.end), source)
    minutes = analysis.finest_grid(brought.frame, brought.window, brought.unknown)
    frame = chart_frame(migration, window, brought, theme)
    overlays: dict[PanelName, tuple[analysis.Comparison, Margin | None]] = {
        "error_rate": (analysis.error_rate(minutes), migration.margin_of("error_rate")),
        "latency": (analysis.latency(minutes, percentile), migration.margin_of(f"latency_{percentile}")),
        "slow": (analysis.slow_share(minutes, slow_s), _slow_margin(migration, slow_s)),
        "requests": (analysis.requests(minutes), None),
    }
    titles = {
        name: words.panel_title(name, percentile=percentile, threshold=numbers.threshold(slow_s)) for name in PANELS
    }
    panels = {
        name: _panel(name, titles[name], overlay, frame, margin, events) for name, (overlay, margin) in overlays.items()
    }
    return LiveView(window, panels, brought, events)


@st.cache_resource(max_entries=16, ttl=timedelta(minutes=5), show_spinner=False)
def _cached_sample_ratio(
    _app: AppContext, source: str, window: Window, expected_share: float, cache_key: Hashable
) -> analysis.SampleRatio:
    brought = _app.archive.metrics.read(window, source, series_filter=is_request_count)
    return analysis.sample_ratio(
        analysis.time_grid(brought.frame, window), expected_share, window, unread=brought.requests_unknown
    )


def _panel(
    name: PanelName,
    title: str,
    comparison: analysis.Comparison,
    frame: ChartFrame,
    margin: Margin | None,
    events: Sequence[Event],
) -> Panel:
    before = min(frame.provisional_from, frame.window.end)
    reading = analysis.latest_values(comparison, before=before)
    # The parts tell of now: unanswered requests are counted over five minutes as it is.
    parts = {
        part: found
        for part in comparison.components
        if (found := analysis.latest_values(analysis.component(comparison, part), before=before, pooled_s=0))
        is not None
    }
    drawn = None
    if not comparison.empty:
        figure = comparison_figure(comparison, frame, margin=margin, events=events)
        drawn = chart_payload(figure, words.alternative(title, words.panel_explained(name), events_marked=len(events)))
    mixed = bool(comparison.multi_group is not None and comparison.multi_group.any())
    return Panel(name, drawn, comparison.quantity, reading, parts, mixed, _alb_5xx(comparison, reading))


def _alb_5xx(comparison: analysis.Comparison, latest: analysis.LatestValues | None) -> float | None:
    if comparison.unattributed is None or latest is None:
        return None
    (found,) = comparison.unattributed[comparison.ts == latest.start]
    return None if np.isnan(found) else float(found)


def _slow_margin(migration: Migration, slow_s: float) -> Margin | None:
    same = (criterion for criterion in migration.criteria if criterion.slow_threshold_s == slow_s)
    return next((criterion.margin for criterion in same), None)


def slow_choices(migration: Migration) -> dict[str, float]:
    """The slow thresholds as an address spells them: `{"100ms": 0.1, "1s": 1.0}`."""
    return {numbers.threshold(seconds).replace(" ", ""): seconds for seconds in migration.slow_thresholds_s}


def default_slow(migration: Migration) -> str:
    """The threshold that has a criterion; else the middle one."""
    choices = slow_choices(migration)
    judged = {criterion.slow_threshold_s for criterion in migration.criteria}
    return next((text for text, seconds in choices.items() if seconds in judged), list(choices)[len(choices) // 2])
