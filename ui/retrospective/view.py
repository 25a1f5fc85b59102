"""What the Retrospective page shows, worked out when the archive has learnt more and shared by all its viewers."""

from collections.abc import Hashable
from datetime import datetime, timedelta

import streamlit as st

from analysis import Phase
from charts.base.palette import Theme
from charts.timeline import timeline_figure
from domain import Event, Window, utc_now
from messages import retrospective as words
from reports.retrospective.render import timeline_frame
from services.parity import WindowJudgement, evidence_window, judge_window
from services.retrospective import (
    MigrationOutline,
    Retrospective,
    build_outline,
    build_retrospective,
    outline_end,
    read_timeline,
)
from ui.app_context import AppContext
from ui.chart_payload import chart_payload


def outline_view(app: AppContext, source: str, *, now: datetime) -> MigrationOutline | None:
    """When what happened, up to the newest settled ten minutes; None where the archive holds nothing of the source."""
    return build_outline(app.archive, source, end=outline_end(app.migration, now))


def retrospect_view(app: AppContext, outline: MigrationOutline) -> Retrospective:
    """Everything that is counted. Worked out anew only when the archive has learnt more of this time, or something else happened in it."""
    return _cached_retrospective(app, outline, app.archive.metrics.cache_key(outline.window, outline.source))


def timeline_chart(
    app: AppContext, outline: MigrationOutline, window: Window, events: tuple[Event, ...], theme: Theme, sentence: str
) -> tuple[bytes | None, int]:
    """The chart of `window` with `events` as ui.components.overlay_chart takes it, None without numbers; and the seconds of a point."""
    return _cached_timeline_chart(
        app, outline, window, events, theme, sentence, app.archive.metrics.cache_key(window, outline.source)
    )


def judge_phase(app: AppContext, source: str, phase: Phase) -> WindowJudgement:
    """What the judge says of a phase; that of a closed one is remembered until more of it is answered."""
    return judge_window(app.archive, app.migration, source, evidence_window(phase), now=utc_now())


@st.cache_resource(max_entries=8, ttl=timedelta(hours=1), show_spinner=False)
def _cached_retrospective(_app: AppContext, outline: MigrationOutline, cache_key: Hashable) -> Retrospective:
    return build_retrospective(_app.archive, _app.migration, outline)


@st.cache_resource(max_entries=24, ttl=timedelta(hours=1), show_spinner=False)
def _cached_timeline_chart(
    _app: AppContext,
    outline: MigrationOutline,
    window: Window,
    events: tuple[Event, ...],
    theme: Theme,
    sentence: str,
    cache_key: Hashable,
) -> tuple[bytes | None, int]:
    found = read_timeline(_app.archive, _app.migration, outline.source, window)
    if found.empty:
        return None, found.bucket_s
    figure = timeline_figure(found, outline.share_steps, timeline_frame(_app.migration, window, theme), events)
    return chart_payload(figure, words.chart_alternative(sentence)), found.bucket_s
