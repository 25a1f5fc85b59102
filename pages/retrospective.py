"""Retrospective: what happened, and what did it cost? The whole migration on one axis, read from the archive alone."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from charts.base.palette import Theme
from collector.backfill import BackfillStatus
from domain import Window, utc_now
from messages import live as live_words
from messages import retrospective as words
from messages import states, times
from messages.errors import sources
from reports.retrospective.render import missing_data
from reports.retrospective.summary import opening
from services.retrospective import MigrationOutline, Retrospective
from ui import app_context, events, layout
from ui.app_context import AppContext
from ui.components import heartbeat, overlay_chart
from ui.controls import query_param, query_params, segmented_control, set_query
from ui.retrospective import notes, view
from ui.retrospective.download import report_button
from ui.retrospective.tables import before_after_table, impact_list, phases_table
from ui.retrospective.view import judge_phase, outline_view, retrospect_view
from ui.url import format_time, parse_range, range_from_drag

REFRESH_S = 60  # only while the archive is being filled


def render() -> None:
    """The page: one fragment, refreshed while the archive is still being filled."""
    here = app_context.get_app_context()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.DEMO_MARK()))
    st.fragment(partial(_content, here))()


def _content(app: AppContext) -> None:
    now = utc_now()
    source = query_param("source", app.source_names)
    heartbeat(REFRESH_S if _backfill_status(app, source) else 0, now=now.timestamp())
    try:
        told = outline_view(app, source, now=now)
    except ArchiveError as error:
        _head(app, source, None, None, now)
        layout.error_page(words.RETROSPECTIVE_TITLE, [sources.format_archive_problem(error.kind, error.detail)])
        return
    window = None
    if told is not None:
        chosen = parse_range(query_params(), zone=app.migration.zone)
        window = (chosen.overlap(told.window) if chosen else None) or told.window
    _head(app, source, told, window, now)
    _backfill_progress(app, source)
    if told is None or window is None:
        st.html(Markup("<div class='empty'>{}</div>").format(words.EMPTY()))
        return
    try:
        _results(app, told, window, now)
    except ArchiveError as error:
        layout.error_page(words.RETROSPECTIVE_TITLE, [sources.format_archive_problem(error.kind, error.detail)])


def _results(app: AppContext, outline: MigrationOutline, window: Window, now: datetime) -> None:
    """The chart first, then what takes longer to count."""
    sentence = opening(app.migration, outline, now=now)
    st.html(Markup("<p class='aloud'>{}</p>").format(sentence))
    _chart(app, outline, window, sentence, now)
    with st.spinner(words.COUNTING()):
        found = retrospect_view(app, outline)
    st.html(impact_list(app.migration, found, now=now))
    if unknown := missing_data(app.migration, found, now=now):
        st.html(Markup("<p class='note'>{}</p>").format(" ".join(unknown)))
    report_button(app, found)
    _phases(app, found, now)
    st.html(before_after_table(app.migration, found, now=now))
    notes.notes_section(app, outline, now=now)


def _head(app: AppContext, source: str, outline: MigrationOutline | None, window: Window | None, now: datetime) -> None:
    zone = app.migration.zone
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(app.migration.name), width="content")
        if len(app.source_names) > 1:
            segmented_control("source", live_words.SOURCE(), app.source_names, source, states.source_name)
        if outline is not None and window not in (None, outline.window):
            label = times.span(window.starts_at, window.ends_at, zone, now=now)
            st.button(
                live_words.leave_window(label),
                key="leave_window",
                on_click=set_query,
                kwargs={"from_": None, "to": None},
            )


def _backfill_status(app: AppContext, source: str) -> BackfillStatus | None:
    """How far the past is kept; None once all is there that can be had."""
    found = app.collector.backfill_status(source)
    return found if found and found.state != "done" else None


def _backfill_progress(app: AppContext, source: str) -> None:
    if found := _backfill_status(app, source):
        st.progress(
            min(found.available / found.total, 1.0) if found.total else 0.0, words.filling(found.available, found.total)
        )


def _chart(app: AppContext, outline: MigrationOutline, window: Window, sentence: str, now: datetime) -> None:
    theme: Theme = "dark" if layout.is_dark() else "light"
    inside = tuple(
        event for event in outline.events if event.ts < window.end and (event.until or event.ts) >= window.start
    )
    events.kind_filter(inside)
    kinds = events.selected_kinds()
    shown = events.filter_by_kind(inside, kinds)
    drawn, bucket_s = view.timeline_chart(app, outline, window, shown, theme, sentence)
    if drawn is None:
        st.html(Markup("<div class='empty'>{}</div>").format(words.NO_DATA()))
        return
    overlay_chart(drawn, key="chart_course", on_range=partial(_on_range, app, window))
    st.html(Markup("<p class='note'>{} {}</p>").format(words.DRAG_HINT(), words.bucket_note(bucket_s)))
    events.events_table(app.migration, inside, kinds, now=now)


def _on_range(app: AppContext, window: Window, ends: list[str]) -> None:
    if not ends:
        set_query(from_=None, to=None)
        return
    offset = window.ends_at.astimezone(app.migration.zone).utcoffset()
    found = range_from_drag(ends, utc_offset_s=int(offset.total_seconds()) if offset else 0)
    if found is not None:
        set_query(from_=format_time(found.start), to=format_time(found.end))


def _phases(app: AppContext, retrospective: Retrospective, now: datetime) -> None:
    """The table at once, and the verdicts as they are reached."""
    place = st.empty()
    verdicts = dict.fromkeys(one.phase.window for one in retrospective.phase_rows)
    place.html(phases_table(app.migration, retrospective, verdicts, now=now))
    for chapter in retrospective.phase_rows:
        verdicts[chapter.phase.window] = judge_phase(app, retrospective.outline.source, chapter.phase).judgement
        place.html(phases_table(app.migration, retrospective, verdicts, now=now))
