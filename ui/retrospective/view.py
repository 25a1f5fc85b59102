"""The data and the chart of the Retrospective page, cached for all viewers until new data arrives."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from analysis.retrospective.timeline import Timeline
from charts.base.frame import chart_frame
from charts.base.palette import Theme
from charts.timeline import IncidentMark, timeline_figure
from domain import Event, Window
from messages import retrospective as text
from services.evaluation import Evaluation
from services.retrospective import (
    MigrationOutline,
    Retrospective,
    build_retrospective,
    known_evaluations,
    read_timeline,
)
from ui.app_context import AppContext, cached_view
from ui.chart_payload import chart_payload
from ui.controls import page_checkpoint


@dataclass(frozen=True, slots=True)
class TimelineOptions:
    """What is drawn besides the data. `sentence`: the migration in words, for the alternative text."""

    window: Window
    events: tuple[Event, ...]
    theme: Theme
    sentence: str
    language: str
    incidents: tuple[IncidentMark, ...] = ()


def retrospective_view(app: AppContext, outline: MigrationOutline) -> Retrospective:
    """Raises ArchiveError."""

    def read() -> Retrospective:
        return _cached_retrospective(app, outline, app.archive.metrics.cache_key(outline.window, outline.source))

    return app.archive.last_view("retrospective", outline.source, None, read)


def known_phase_evaluations(app: AppContext, outline: MigrationOutline, *, now: datetime) -> dict[Window, Evaluation]:
    """The evaluations that need no computation, by window of the phase. Raises ArchiveError."""
    read = partial(known_evaluations, app.archive, app.migration, outline, now=now)
    return app.archive.last_view("phase evaluations", outline.source, None, read)


def timeline_chart(app: AppContext, outline: MigrationOutline, options: TimelineOptions) -> tuple[bytes | None, int]:
    """The chart for ui.components.overlay_chart, None without data; and the length of its buckets in seconds. Raises ArchiveError."""

    def read() -> tuple[bytes | None, int]:
        cache_key = app.archive.metrics.cache_key(options.window, outline.source)
        return _cached_timeline_chart(app, outline, options, cache_key)

    return app.archive.last_view("timeline", (outline.source, options), None, read)


def _outline_hash(outline: MigrationOutline) -> int:
    """Thousands of events take Streamlit's own hash a second. Events are equal whatever their change."""
    return hash((outline, outline.share_steps))


_HASH_FUNCS: dict[str | type, Callable[[Any], int]] = {MigrationOutline: _outline_hash, TimelineOptions: hash}


@cached_view(max_entries=8, ttl=timedelta(hours=1), hash_funcs=_HASH_FUNCS)
def _cached_retrospective(app: AppContext, outline: MigrationOutline, cache_key: Hashable) -> Retrospective:
    whole = _cached_timeline(app, outline.source, outline.window, cache_key)
    return build_retrospective(app.archive, app.migration, outline, whole=whole, checkpoint=page_checkpoint())


@cached_view(max_entries=8, ttl=timedelta(hours=1))
def _cached_timeline(app: AppContext, source: str, window: Window, cache_key: Hashable) -> Timeline:
    return read_timeline(app.archive, app.migration, source, window)


@cached_view(max_entries=24, ttl=timedelta(hours=1), hash_funcs=_HASH_FUNCS)
def _cached_timeline_chart(
    app: AppContext, outline: MigrationOutline, options: TimelineOptions, cache_key: Hashable
) -> tuple[bytes | None, int]:
    timeline = _cached_timeline(app, outline.source, options.window, cache_key)
    if timeline.empty:
        return None, timeline.bucket_s
    frame = chart_frame(app.migration, options.window, theme=options.theme)
    figure = timeline_figure(timeline, outline.share_steps, frame, options.events, options.incidents)
    alt_text = text.chart_alternative(options.sentence)
    return chart_payload(figure, alt_text, with_notes=True), timeline.bucket_s
