"""What the Live page shows, worked out once a minute and shared by all its viewers."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import streamlit as st

import analysis
from archive import Brought
from charts.base.frame import Frame
from charts.base.palette import Theme
from charts.comparison import overlay_figure
from domain import Event, Margin, Migration, Traffic, Window
from domain.series import of_requests
from messages import live as words
from messages import numbers
from ui.app_context import House
from ui.chart_payload import drawing, frame_of
from ui.events import shown
from ui.url import LiveAddress

PanelName = Literal["error_rate", "latency", "slow", "requests"]
PANELS: tuple[PanelName, ...] = ("error_rate", "latency", "slow", "requests")
LEAD_IN_S = (
    300  # unanswered requests are counted over five minutes: the first minute of a window needs the four before it
)
RATIO_MINUTES = 60
ROUND_S = 90  # the keeper asks once a minute


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart, drawn: `drawing` is what ui.components.overlay_chart takes, None where there is nothing to draw. `parts` are the newest parts
    of the error rate by name (fractions); `mixed` tells that some minutes had several target groups of one fleet; `alb_5xx` is the load balancer's
    own 5xx per request of both fleets in the reading's minute."""

    name: PanelName
    drawing: bytes | None
    quantity: analysis.Quantity
    reading: analysis.Reading | None
    parts: dict[str, analysis.Reading]
    mixed: bool
    alb_5xx: float | None = None


@dataclass(frozen=True, slots=True)
class LiveView:
    """A page's worth of numbers. `brought` is without its frame's weight for the page: times, gaps, resolution and problems."""

    window: Window
    panels: dict[PanelName, Panel]
    brought: Brought
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class TrafficView:
    """The weights now and the share that was seen since they last changed. `ratio` is None where nothing was told; `seen` (0–1) is the canary's
    share where nobody can tell the weights."""

    traffic: Traffic | None
    seen_at: int | None
    ratio: analysis.SampleRatio | None
    ratio_window: Window
    seen: float | None = None


def moment(house: House, source: str, now: datetime) -> datetime:
    """What the page is of: the newest round of questions, so that all on it changes with the answers, once a minute, and not with the clock as well.

    The clock itself where nobody has asked for longer.
    """
    asked = (one.checked_at for one in house.archive.states() if (one.source, one.role) == (source, "metrics"))
    newest = max(asked, default=0)
    return datetime.fromtimestamp(newest, UTC) if 0 <= now.timestamp() - newest < ROUND_S else now


def live_view(house: House, address: LiveAddress, window: Window, *, slow_s: float, theme: Theme) -> LiveView:
    """The charts of a window, from the archive alone. Worked out once for everybody who looks at the same."""
    archive = house.archive
    read = Window(window.start - LEAD_IN_S, window.end)
    return _live_view(
        house,
        address.source,
        window,
        address.percentile,
        slow_s,
        theme,
        archive.version(read, address.source),
        shown(archive.events(window), address.kinds),
    )


def traffic_view(house: House, source: str, *, until: int) -> TrafficView:
    """The weights and the observed share in the hour up to `until` (epoch seconds, a whole minute)."""
    archive = house.archive
    window, found = Window(until - RATIO_MINUTES * 60, until), archive.traffic()
    if found is None:
        return TrafficView(None, None, None, window, _sample_ratio(house, source, window, 0.5).seen)
    traffic, seen_at = found
    # Also the changes after `until`: then none of these minutes were served by the weights of now.
    steps = [change.ts for change in archive.split_changes(Window(window.start, until + 3600))]
    if steps:
        # The minute of the change belongs to neither split, and listeners take some seconds to hear of it.
        start = (max(steps) // 60 + 2) * 60
        window = Window(min(start, until - 60), until)
    told = traffic.told.get("canary")
    ratio = None if told is None else _sample_ratio(house, source, window, float(told))
    return TrafficView(traffic, seen_at, ratio, window)


def _sample_ratio(house: House, source: str, window: Window, told: float) -> analysis.SampleRatio:
    return _sample_ratio_of(house, source, window, told, house.archive.version(window, source))


@st.cache_resource(max_entries=48, ttl=timedelta(minutes=5), show_spinner=False)
def _live_view(
    _house: House,
    source: str,
    window: Window,
    percentile: str,
    slow_s: float,
    theme: Theme,
    version: Hashable,
    events: tuple[Event, ...],
) -> LiveView:
    migration, archive = _house.migration, _house.archive
    brought = archive.read(Window(window.start - LEAD_IN_S, window.end), source)
    minutes = analysis.finest_minutes(brought.frame, brought.window, brought.unknown)
    frame = frame_of(migration, window, brought, theme)
    overlays: dict[PanelName, tuple[analysis.Overlay, Margin | None]] = {
        "error_rate": (analysis.error_rate(minutes), migration.margin_of("error_rate")),
        "latency": (analysis.latency(minutes, percentile), migration.margin_of(f"latency_{percentile}")),
        "slow": (analysis.slow(minutes, slow_s), _slow_margin(migration, slow_s)),
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
def _sample_ratio_of(
    _house: House, source: str, window: Window, told: float, version: Hashable
) -> analysis.SampleRatio:
    brought = _house.archive.read(window, source, only=of_requests)
    return analysis.sample_ratio(analysis.minutes(brought.frame, window), told, window, unread=brought.unread)


def _panel(
    name: PanelName, title: str, overlay: analysis.Overlay, frame: Frame, margin: Margin | None, events: Sequence[Event]
) -> Panel:
    before = min(frame.provisional_from, frame.window.end)
    reading = analysis.newest(overlay, before=before)
    # The parts tell of now: unanswered requests are counted over five minutes as it is.
    parts = {
        part: found
        for part in overlay.parts
        if (found := analysis.newest(analysis.part(overlay, part), before=before, pooled_s=0)) is not None
    }
    drawn = None
    if not overlay.empty:
        figure = overlay_figure(overlay, frame, margin=margin, events=events)
        drawn = drawing(figure, words.alternative(title, words.panel_explained(name), events_marked=len(events)))
    mixed = bool(overlay.mixed is not None and overlay.mixed.any())
    return Panel(name, drawn, overlay.quantity, reading, parts, mixed, _alb_5xx(overlay, reading))


def _alb_5xx(overlay: analysis.Overlay, reading: analysis.Reading | None) -> float | None:
    if overlay.unattributed is None or reading is None:
        return None
    (found,) = overlay.unattributed[overlay.ts == reading.at]
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
