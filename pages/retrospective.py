"""Retrospective: what happened, and what was the impact? The whole migration on one axis, from the archive alone."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from domain import Window, utc_now
from messages import retrospective as text
from messages.endpoints import COPIED
from messages.i18n import current_language
from messages.states import source_name
from reports.retrospective.render import missing_data
from reports.retrospective.summary import incident_marks, opening
from reports.templating import render as render_html
from services.retrospective import EvaluationsByWindow, MigrationOutline, read_outline
from ui import events, layout
from ui.app_context import AppContext, get_app_context
from ui.batches.handover import handover_section
from ui.batches.view import batches_in
from ui.chart_note import chart_note_form, choose_note_time
from ui.components import heartbeat, overlay_chart, page_actions
from ui.controls import follow_link, leave_range_button, query_param, query_params, set_range, source_control
from ui.drain import drain_section
from ui.language import fragment
from ui.live.probe import probe_results
from ui.retrospective.download import csv_button, report_button
from ui.retrospective.notes import notes_section
from ui.retrospective.phases import phases_section
from ui.retrospective.steps import steps_section
from ui.retrospective.tables import before_after_table, impact_list
from ui.retrospective.view import TimelineOptions, known_phase_evaluations, retrospective_view, timeline_chart
from ui.sources import filling_progress, is_unavailable
from ui.style import theme
from ui.url import parse_range

REFRESH_S = 60  # only during the backfill


def render() -> None:
    app = get_app_context()
    layout.demo_banner(app.migration)
    fragment(partial(_content, app))


def _content(app: AppContext) -> None:
    now, source = utc_now(), query_param("source", app.source_names)
    filling = filling_progress(app, source)
    heartbeat(REFRESH_S if filling else 0, now=now.timestamp())
    page_actions(str(COPIED), follow_link)
    with layout.archive_state(app.migration, app.archive, str(text.RETROSPECTIVE_TITLE)):
        _page(app, source, now, filling)


def _page(app: AppContext, source: str, now: datetime, filling: tuple[int, int] | None) -> None:
    """`filling`: of how many periods, how many are archived; None if all are."""
    read = partial(read_outline, app.archive, app.migration, source, now=now)
    outline = app.archive.last_view("outline", source, None, read)
    selected = parse_range(query_params(), zone=app.migration.zone)
    selected = selected.overlap(outline.window) if selected and outline else None
    _head(app, source, selected if outline and selected != outline.window else None, now)
    if filling:
        available, total = filling
        st.progress(min(available / total, 1.0) if total else 0.0, text.filling(available, total))
    if outline is None:
        unavailable = is_unavailable(app, source)
        layout.empty_state(text.source_unavailable(source_name(source)) if unavailable else str(text.EMPTY))
        return
    _results(app, outline, selected or outline.window, now, is_filling=filling is not None)


def _head(app: AppContext, source: str, selected: Window | None, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.page_title(app.migration, str(text.RETROSPECTIVE_TITLE))
        source_control(app.source_names, source)
        if selected:
            leave_range_button(app.migration, selected, now)


def _results(app: AppContext, outline: MigrationOutline, window: Window, now: datetime, *, is_filling: bool) -> None:
    """The chart first, because the rest takes longer; above it, the place of the numbers."""
    sentence = opening(app.migration, outline, now=now)
    st.html(Markup("<p class='headline'>{}</p>").format(sentence))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        report_button(app, outline)
        csv_button(app, outline)
        st.html(Markup("<a class='add-note' href='#notes'>{}</a>").format(text.ADD_NOTE), width="content")
    tiles = st.empty()
    tiles.html(render_html("retrospective.tiles_loading", n=5 if app.migration.slo else 4))
    evaluations = known_phase_evaluations(app, outline, now=now)
    _chart(app, outline, window, sentence, evaluations, now=now)
    with st.spinner(str(text.COUNTING)):
        retrospective = retrospective_view(app, outline)
    if missing := missing_data(app.migration, retrospective, now=now):
        layout.note(" ".join(missing))
    phases_section(app, retrospective, evaluations, tiles, is_filling=is_filling)
    st.html(impact_list(app.migration, retrospective, now=now))
    st.html(before_after_table(app.migration, retrospective, now=now))
    if batches := batches_in(app, outline.window, "retrospective"):
        handover_section(app.migration, batches.jobs, now)
    probe_results(app, now=now)
    drain_section(app, outline.source, now=now)
    steps_section(app, now=now)
    notes_section(app, outline, now=now)


def _chart(
    app: AppContext,
    outline: MigrationOutline,
    window: Window,
    sentence: str,
    evaluations: EvaluationsByWindow,
    *,
    now: datetime,
) -> None:
    window_events = tuple(
        event for event in outline.events if event.ts < window.end and (event.until or event.ts) >= window.start
    )
    events.kind_filter(window_events)
    kinds = events.selected_kinds()
    shown = events.filter_by_kind(window_events, kinds)
    marks = incident_marks(outline, evaluations)
    options = TimelineOptions(window, shown, theme(), sentence, current_language(), marks)
    chart, bucket_s = timeline_chart(app, outline, options)
    if chart is None:
        layout.empty_state(str(text.NO_DATA))
        return
    overlay_chart(
        chart,
        key="chart_timeline",
        on_range=partial(set_range, app.migration, window),
        on_note=partial(choose_note_time, app.migration, window),
    )
    with st.container():
        chart_note_form(app)
    layout.note(f"{text.DRAG_HINT} {text.bucket_note(bucket_s)}")
    events.events_table(app.migration, window_events, kinds, now=now)
