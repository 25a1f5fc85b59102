"""Retrospective: what happened, and what did it cost? The whole migration on one axis, read from the archive alone."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from charts.base.palette import Theme
from collector.backfill import Backfilled
from domain import Window, utc_now
from messages import live as live_words
from messages import retrospective as words
from messages import states, times
from messages.errors import sources
from reports.retrospective.render import missing
from reports.retrospective.summary import opening
from services.retrospective import Outline, Retrospect
from ui import app_context, events, layout
from ui.app_context import House
from ui.components import heartbeat, overlay_chart
from ui.controls import parameter, parameters, put, switch
from ui.retrospective import notes, view
from ui.retrospective.download import report_button
from ui.retrospective.tables import before_after_table, cost_list, phases_table
from ui.retrospective.view import judged, outline_view, retrospect_view
from ui.url import dragged, read_range, written

REFRESH_S = 60  # only while the archive is being filled


def render() -> None:
    """The page: one fragment, refreshed while the archive is still being filled."""
    here = app_context.house()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.demo_mark()))
    st.fragment(partial(_board, here))()


def _board(here: House) -> None:
    now = utc_now()
    source = parameter("source", here.source_names)
    heartbeat(REFRESH_S if _filling(here, source) else 0, now=now.timestamp())
    try:
        told = outline_view(here, source, now=now)
    except ArchiveError as error:
        _head(here, source, None, None, now)
        layout.trouble(words.RETROSPECTIVE_TITLE, [sources.say_archive(error.kind, error.detail)])
        return
    window = None
    if told is not None:
        chosen = read_range(parameters(), zone=here.migration.zone)
        window = (chosen.overlap(told.window) if chosen else None) or told.window
    _head(here, source, told, window, now)
    _progress(here, source)
    if told is None or window is None:
        st.html(Markup("<div class='empty'>{}</div>").format(words.nothing()))
        return
    try:
        _tell(here, told, window, now)
    except ArchiveError as error:
        layout.trouble(words.RETROSPECTIVE_TITLE, [sources.say_archive(error.kind, error.detail)])


def _tell(here: House, told: Outline, window: Window, now: datetime) -> None:
    """The chart first, then what takes longer to count."""
    sentence = opening(here.migration, told, now=now)
    st.html(Markup("<p class='aloud'>{}</p>").format(sentence))
    _chart(here, told, window, sentence, now)
    with st.spinner(words.counting()):
        found = retrospect_view(here, told)
    st.html(cost_list(here.migration, found, now=now))
    if unknown := missing(here.migration, found, now=now):
        st.html(Markup("<p class='note'>{}</p>").format(" ".join(unknown)))
    report_button(here, found)
    _phases(here, found, now)
    st.html(before_after_table(here.migration, found, now=now))
    notes.section(here, told, now=now)


def _head(here: House, source: str, told: Outline | None, window: Window | None, now: datetime) -> None:
    zone = here.migration.zone
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(here.migration.name), width="content")
        if len(here.source_names) > 1:
            switch("source", live_words.source(), here.source_names, source, states.source_name)
        if told is not None and window not in (None, told.window):
            label = times.span(window.starts_at, window.ends_at, zone, now=now)
            st.button(
                live_words.leave_window(label), key="leave_window", on_click=put, kwargs={"from_": None, "to": None}
            )


def _filling(here: House, source: str) -> Backfilled | None:
    """How far the past is kept; None once all is there that can be had."""
    found = here.keeper.backfilled(source)
    return found if found and found.state != "done" else None


def _progress(here: House, source: str) -> None:
    if found := _filling(here, source):
        st.progress(
            min(found.there / found.whole, 1.0) if found.whole else 0.0, words.filling(found.there, found.whole)
        )


def _chart(here: House, told: Outline, window: Window, sentence: str, now: datetime) -> None:
    theme: Theme = "dark" if layout.is_dark() else "light"
    inside = tuple(
        event for event in told.events if event.ts < window.end and (event.until or event.ts) >= window.start
    )
    events.choice(inside)
    kinds = events.chosen_kinds()
    shown = events.shown(inside, kinds)
    drawn, bucket_s = view.course_drawing(here, told, window, shown, theme, sentence)
    if drawn is None:
        st.html(Markup("<div class='empty'>{}</div>").format(words.no_numbers_here()))
        return
    overlay_chart(drawn, key="chart_course", on_range=partial(_dragged, here, window))
    st.html(Markup("<p class='note'>{} {}</p>").format(words.drag(), words.buckets(bucket_s)))
    events.listing(here.migration, inside, kinds, now=now)


def _dragged(here: House, window: Window, ends: list[str]) -> None:
    if not ends:
        put(from_=None, to=None)
        return
    offset = window.ends_at.astimezone(here.migration.zone).utcoffset()
    found = dragged(ends, utc_offset_s=int(offset.total_seconds()) if offset else 0)
    if found is not None:
        put(from_=written(found.start), to=written(found.end))


def _phases(here: House, found: Retrospect, now: datetime) -> None:
    """The table at once, and the verdicts as they are reached."""
    place = st.empty()
    verdicts = dict.fromkeys(one.phase.window for one in found.chapters)
    place.html(phases_table(here.migration, found, verdicts, now=now))
    for chapter in found.chapters:
        verdicts[chapter.phase.window] = judged(here, found.outline.source, chapter.phase).judgement
        place.html(phases_table(here.migration, found, verdicts, now=now))
