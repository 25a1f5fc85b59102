"""A fixed range on the Live page: the band that says which, what happened in it, and one line about now."""

from collections.abc import Hashable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import streamlit as st

from domain import Window
from messages import decision, times
from messages import hero as hero_text
from messages import past as text
from reports.templating import render
from services.criteria import criteria_key
from services.decision import regressed_routes
from services.endpoints import EndpointsView
from services.evaluation import Evaluation, evaluate_window
from ui import layout
from ui.app_context import AppContext, cached_view
from ui.controls import set_query
from ui.endpoints.view import last_day_so_far
from ui.hero import loading_hero
from ui.layout import format_ago
from ui.live.view import LiveView
from ui.past import finding, past_hero, show_past_in_tab

MOST = 0.9  # of the minutes of a range: without a note
Endpoints = EndpointsView | Literal["pending"] | None


def past_section(app: AppContext, view: LiveView, source: str, current: Evaluation, *, now: datetime) -> None:
    """The band, and what happened in the range. `current`: the evaluation of now. Raises ArchiveError."""
    migration, window, release = app.migration, view.data.window, app.migration.release
    is_over = migration.is_over
    is_whole = is_over and release is not None and window == release.window(int(now.timestamp()))
    span = times.span(window.starts_at, window.ends_at, migration.zone, now=now)
    with st.container(key="past", horizontal=True, vertical_alignment="center", gap="small"):
        of_now = (text.of_release if is_over else text.now)(_in_short(current))
        st.html(render("past.band", viewing=text.viewing(span, _age(window, now)), now=of_now))
        if not is_whole:
            back = text.WHOLE_RELEASE if is_over else text.BACK
            st.button(str(back), key="back_to_live", on_click=set_query, kwargs={"from_": None, "to": None})
    layout.retention_note(migration, window, now)
    if view.data.result.missing and view.empty:
        show_past_in_tab(migration, span, str(hero_text.LOADING))
        st.html(loading_hero(""))
        return
    endpoints = last_day_so_far(app, window, is_range=True)
    # Of a whole release, the time in which one revision had all of the traffic is not judged.
    evaluation = current if is_whole else _with_routes(window_evaluation(app, source, window, now=now), endpoints)
    _css, sign, sentence = finding(evaluation)
    show_past_in_tab(migration, span, f"{sign} {sentence}")
    st.html(past_hero(evaluation, note=_routes_note(app, window, endpoints)))


def _with_routes(evaluation: Evaluation, endpoints: Endpoints) -> Evaluation:
    circumstances = replace(
        evaluation.circumstances,
        regressed_routes=regressed_routes(endpoints),
        routes="pending" if endpoints == "pending" else "judged",
    )
    return replace(evaluation, circumstances=circumstances)


def _routes_note(app: AppContext, window: Window, endpoints: Endpoints) -> str:
    """Why no route of the range is judged, or only those of a part of it; "" if all are, or will be."""
    if endpoints == "pending":
        return ""
    if endpoints is not None:
        minutes, of_range = endpoints.minutes, endpoints.window.minutes
        return text.routes_of_part(minutes, of_range) if minutes < MOST * of_range else ""
    return str(text.NO_PROCESSED_LOGS if app.sources.logs else text.NO_LOGS)


def window_evaluation(app: AppContext, source: str, window: Window, *, now: datetime) -> Evaluation:
    """The evaluation of a range, cached for all viewers until its data changes. Raises ArchiveError."""
    cache_key = app.archive.current_key(
        lambda: (app.archive.metrics.cache_key(window, source), criteria_key(app.archive, app.migration, window))
    )
    return _cached_evaluation(app, source, window, cache_key, _now=now)


@cached_view(max_entries=16, ttl=timedelta(minutes=15))
def _cached_evaluation(
    app: AppContext, source: str, window: Window, cache_key: Hashable, *, _now: datetime
) -> Evaluation:
    return evaluate_window(app.archive, app.migration, source, window, now=_now)


def _age(window: Window, now: datetime) -> str:
    if window.end > now.timestamp():
        return times.last(window.minutes)
    return text.ended(format_ago(window.end, now))


def _in_short(evaluation: Evaluation) -> str:
    summary = decision.in_short(evaluation.decision, evaluation.judgement, evaluation.outcome)
    return f"{decision.title(evaluation.decision)} · {summary}"
