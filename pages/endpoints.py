"""Endpoints: is every route equal, or do totals hide one that is broken? The worst first, from the access logs."""

from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from charts.route_scatter import route_scatter_figure
from domain import Migration, Window, utc_now
from domain.route_templates import OTHER_ROUTE
from messages import endpoints as words
from messages import live as live_words
from messages import numbers, times
from services.endpoints import EndpointsView
from ui import app_context, layout
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import heartbeat, overlay_chart
from ui.controls import query_params, segmented_control, selectbox, set_query, sync_widget
from ui.endpoints import ingest_progress, route, url, view
from ui.parity.view import current_phase

REFRESH_S = 60
INGEST_REFRESH_S = 3


def render() -> None:
    """The page: one fragment, refreshed more often while logs are being counted."""
    here = app_context.get_app_context()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.DEMO_MARK()))
    with suppress(ArchiveError):  # the page that follows says what is wrong with the archive
        window = _window(here, url.parse_endpoints_params(query_params(), zone=here.migration.zone), utc_now())
        ingest_progress.request_ingest(here, window)
        ingest_progress.wait_for_ingest(here, window)
    st.fragment(partial(_content, here))()


def _window(app: AppContext, params: url.EndpointsParams, now: datetime) -> Window:
    phase = current_phase(app, now=now).window if params.window_choice == "phase" else Window.last(60, now=now)
    return params.window(phase, now=now)


def _content(app: AppContext) -> None:
    now = utc_now()
    address, every_s = url.parse_endpoints_params(query_params(), zone=app.migration.zone), REFRESH_S
    with suppress(ArchiveError):
        if ingest_progress.is_ingesting(app, _window(app, address, now)):
            every_s = INGEST_REFRESH_S
    heartbeat(every_s, now=now.timestamp())
    with layout.show_archive_errors(words.ENDPOINTS_TITLE):
        window = _window(app, address, now)
        ingest_progress.request_ingest(app, window)
        _results(app, address, window, now)


def _results(app: AppContext, params: url.EndpointsParams, window: Window, now: datetime) -> None:
    version = view.endpoints_cache_key(app, window, counting=ingest_progress.is_ingesting(app, window), now=now)
    with st.spinner(words.JUDGING(), show_time=False):
        told = view.endpoints_view(app, window, params.filters, version)
    _head(app, params, told, window, now)
    ingest_progress.progress_section(app, window)
    if told is None:
        ingest_progress.empty_state(app, window)
    elif not told.endpoints.routes:
        st.html(Markup("<div class='empty'>{}</div>").format(words.NO_MATCHING_REQUESTS()))
    elif params.route is not None and (
        one := next((each for each in told.endpoints.routes if each.route == params.route), None)
    ):
        found = view.route_view(app, window, one.route, params.filters, version)
        route.route_detail(app, told, one, found, span=_span(app.migration, params, window, now), now=now)
    else:
        _overview(app, told, params, window, now)


def _span(migration: Migration, params: url.EndpointsParams, window: Window, now: datetime) -> str:
    span = times.span(window.starts_at, window.ends_at, migration.zone, now=now)
    return words.window_text(
        "" if params.fixed_window or params.window_choice == "phase" else params.window_choice, span
    )


def _head(
    app: AppContext, params: url.EndpointsParams, judged: EndpointsView | None, window: Window, now: datetime
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(app.migration.name), width="content")
        st.segmented_control(
            words.WINDOW_LABEL(),
            url.WINDOW_CHOICES,
            default=sync_widget("window_choice", None if params.fixed_window else params.window_choice),
            key="window_choice",
            on_change=_on_window_change,
            format_func=words.window,
            label_visibility="collapsed",
        )
        if params.fixed_window:
            label = times.span(window.starts_at, window.ends_at, app.migration.zone, now=now)
            st.button(live_words.leave_window(label), key="leave_window", on_click=set_query, kwargs={"from_": None, "to": None})  # fmt: skip
        chosen = params.filters
        methods, hosts = (judged.methods, judged.hosts) if judged else ((), ())
        for name, label, options, value, say, width in (
            ("method", words.METHOD_LABEL(), methods, chosen.method, words.method, 150),
            ("host", words.HOST_LABEL(), hosts, chosen.host, words.host, 220),
            ("status", words.STATUS_LABEL(), url.STATUSES, f"{chosen.status}xx" if chosen.status else "", words.status, 190),
        ):  # fmt: skip
            # What was chosen stays a choice, though this window may not have it.
            every = tuple(dict.fromkeys(("", *options, value)))
            selectbox(name, label, every, value, say, width=width)
        if params.route is not None:
            st.button(words.ALL_ROUTES(), key="all_routes", on_click=set_query, kwargs={"route": None})
    if params.has_invalid_params:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.INVALID_PARAMS()))
    if chosen.status:
        rate = chosen.status >= 4
        st.html(Markup("<p class='note'>{}</p>").format(words.status_filter_note(chosen.status, judged=rate)))


def _on_window_change() -> None:
    value = st.session_state["window_choice"]
    set_query(window=None if value == url.DEFAULT_WINDOW else value, from_=None, to=None)


def _overview(
    app: AppContext, judged: EndpointsView, params: url.EndpointsParams, window: Window, now: datetime
) -> None:
    migration, said = app.migration, query_params()
    if params.route is not None:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.no_such_route(params.route)))
    st.html(view.headline(migration, judged, _span(migration, params, window, now)))
    if hidden := view.hidden_routes_banner(migration, judged, said):
        st.html(hidden)
    _map(app, judged, params)
    st.html(view.routes_table(migration, judged, params, said))
    many = len(judged.endpoints.routes)
    if many > view.MAX_ROWS:
        label = words.show_worst(view.MAX_ROWS) if params.show_all else words.show_all(many)
        st.button(label, key="every_route", on_click=set_query, kwargs={"all": None if params.show_all else "1"})
    st.html(view.ingest_summary(judged))


def _map(app: AppContext, judged: EndpointsView, params: url.EndpointsParams) -> None:
    fleets, status = app.migration.fleets, params.filters.status
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(words.MAP_EXPLAINED(), words.MAP_TITLE()))  # fmt: skip
        segmented_control(
            "map", words.MAP_CHOICE_LABEL(), list(url.MAPS), params.map, partial(words.map_choice, status=status)
        )
    dots = [dot for dot in view.map_points(judged, params.map) if dot.route != OTHER_ROUTE]
    if not dots:
        st.html(Markup("<div class='empty'>{}</div>").format(words.NOTHING_ON_MAP()))
        return
    margin = app.migration.margin_of("error_rate" if params.map == "errors" else "latency_p95")
    unit = "pp" if params.map == "errors" else "%"
    figure = route_scatter_figure(
        dots,
        "dark" if layout.is_dark() else "light",
        difference_title=words.map_axis(params.map, fleets.baseline.label, fleets.canary.label, status=status),
        traffic_title=words.MAP_TRAFFIC(),
        suffix=unit,
        margin=margin.value if margin and margin.unit == unit else None,
    )
    worst = max(dots, key=lambda dot: abs(dot.difference))
    far = (numbers.points if params.map == "errors" else numbers.relative)(worst.difference / 100)
    alternative = f"{words.MAP_TITLE()}. {words.map_alternative(len(dots), worst.route, far)}"
    overlay_chart(chart_payload(figure, alternative), key="routes_map", on_range=lambda _ends: None)
