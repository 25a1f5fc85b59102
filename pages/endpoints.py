"""Endpoints: is every route equal, or does the total hide one that is broken? The worst first, from the access logs."""

from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st

from analysis.endpoints.endpoints import WORST_FIRST
from archive import ArchiveError
from charts.base.frame import chart_frame
from charts.route_scatter import route_scatter_figure
from domain import Migration, Window, utc_now
from messages import endpoints as text
from messages import numbers, times
from reports.endpoints_csv import routes_csv
from reports.formats import slug
from services.endpoints import EndpointsView
from services.log_details import LogDetails
from ui import layout
from ui.app_context import AppContext, get_app_context
from ui.chart_payload import chart_payload
from ui.components import heartbeat, overlay_chart, page_actions
from ui.controls import (
    follow_link,
    leave_range_button,
    query_params,
    search_input,
    segmented_control,
    selectbox,
    set_query,
    window_control,
)
from ui.endpoints import details, ingest_progress, route, table, trace, view
from ui.endpoints.latency import heatmap_section
from ui.endpoints.url import (
    DEFAULT_WINDOW,
    MAPS,
    MAX_PARAM_LENGTH,
    STATUSES,
    WINDOW_CHOICES,
    EndpointsParams,
    parse_endpoints_params,
)
from ui.language import fragment
from ui.parity.view import current_phase
from ui.style import theme

REFRESH_S = 60
INGEST_REFRESH_S = 3


def render() -> None:
    app = get_app_context()
    layout.demo_banner(app.migration)
    with suppress(ArchiveError):  # shown by the fragment
        now = utc_now()
        if _params(app, now).trace is None:
            window = _window(app, _params(app, now), now)
            ingest_progress.request_ingest(app, window)
            ingest_progress.wait_for_ingest(app, window)
    fragment(partial(_content, app))


def _params(app: AppContext, now: datetime) -> EndpointsParams:
    return parse_endpoints_params(query_params(), zone=app.migration.zone, now=now)


def _window(app: AppContext, params: EndpointsParams, now: datetime) -> Window:
    phase = current_phase(app, now=now).window if params.window_choice == "phase" else Window.last(60, now=now)
    return params.window(phase, now=now)


def _content(app: AppContext) -> None:
    """Refreshed more often while logs are being counted."""
    now, interval_s = utc_now(), REFRESH_S
    params = _params(app, now)
    with suppress(ArchiveError):
        if params.trace is None and ingest_progress.is_ingesting(app, _window(app, params, now)):
            interval_s = INGEST_REFRESH_S
    heartbeat(interval_s, now=now.timestamp())
    page_actions(str(text.COPIED), follow_link)
    with layout.archive_state(app.migration, app.archive, str(text.ENDPOINTS_TITLE)):
        if params.trace is not None and app.trace_lookups:
            trace.trace_page(app, app.trace_lookups, params.trace, now=now)
            return
        window = _window(app, params, now)
        ingest_progress.request_ingest(app, window)
        _results(app, params, window, now)
        if app.trace_lookups and params.route is None:
            trace.entry_section(app, now=now)


def _results(app: AppContext, params: EndpointsParams, window: Window, now: datetime) -> None:
    counting = ingest_progress.is_ingesting(app, window)
    with st.spinner(str(text.JUDGING), show_time=False):
        judged = view.endpoints_view(app, window, params.filters, counting=counting, now=now)
    _head(app, params, judged, window, now)
    layout.retention_note(app.migration, window, now)
    ingest_progress.progress_section(app, window)
    if judged is None:
        ingest_progress.empty_state(app, window)
        return
    if not judged.endpoints.routes:
        layout.empty_state(str(text.NO_MATCHING_REQUESTS))
        return
    span = _span(app.migration, params, judged.window, now)
    endpoint = next((endpoint for endpoint in judged.endpoints.routes if endpoint.route == params.route), None)
    log_details = details.details_view(app, window, params.filters, judged.endpoints, counting=counting, now=now)
    if endpoint:
        route_view = view.route_view(app, window, endpoint.route, params.filters, counting=counting, now=now)
        route.route_detail(app, endpoint, route_view, window, span, details=log_details, now=now)
    else:
        _overview(app, judged, params, span, log_details)
        heatmap = view.latency_view(app, window, params.filters, counting=counting, now=now)
        heatmap_section(heatmap, chart_frame(app.migration, window, theme=theme()))
        layout.note(view.ingest_summary(judged))


def _span(migration: Migration, params: EndpointsParams, window: Window, now: datetime) -> str:
    span = times.span(window.starts_at, window.ends_at, migration.zone, now=now)
    is_range = params.fixed_window or params.window_choice == "phase"
    return text.window_text("" if is_range else params.window_choice, span)


def _head(
    app: AppContext, params: EndpointsParams, judged: EndpointsView | None, window: Window, now: datetime
) -> None:
    filters, status = params.filters, params.filters.status
    methods, hosts = (judged.methods, judged.hosts) if judged else ((), ())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.page_title(app.migration, str(text.ENDPOINTS_TITLE))
        choice = None if params.fixed_window else params.window_choice
        window_control(str(text.WINDOW_LABEL), WINDOW_CHOICES, choice, default=DEFAULT_WINDOW, format_func=text.window)
        if params.fixed_window:
            leave_range_button(app.migration, window, now)
        for name, label, options, value, format_func, width in (
            ("method", text.METHOD_LABEL, methods, filters.method, text.method, 150),
            ("host", text.HOST_LABEL, hosts, filters.host, text.host, 220),
            ("status", text.STATUS_LABEL, STATUSES, f"{status}xx" if status else "", text.status, 190),
        ):
            # The chosen value stays an option, even if no request of this window has it.
            choices = tuple(dict.fromkeys(("", *options, value)))
            selectbox(name, str(label), choices, value, format_func, width=width)
        if params.route is not None:
            st.button(str(text.ALL_ROUTES), key="all_routes", on_click=set_query, kwargs={"route": None})
    if params.has_invalid_params:
        layout.warning(str(text.INVALID_PARAMS))
    if params.range_clipped:
        layout.note(str(text.RANGE_CLIPPED))
    if status:
        layout.note(text.status_filter_note(status, judged=status >= 4))


def _overview(
    app: AppContext,
    judged: EndpointsView,
    params: EndpointsParams,
    span: str,
    log_details: LogDetails,
) -> None:
    migration, query = app.migration, query_params()
    if params.route is not None:
        layout.warning(text.no_such_route(params.route))
    st.html(view.headline(migration, judged, span))
    if banner := view.hidden_routes_banner(migration, judged, query):
        st.html(banner)
    shown = table.shown_routes(judged, params)
    _table_controls(migration, params, shown, judged.window)
    if shown.routes:
        st.html(table.routes_table(migration, judged, params, query, theme=theme(), answers=log_details.answers))
        _page_buttons(len(shown.routes), params.page)
    else:
        layout.empty_state(str(text.NO_ROUTES_SHOWN))
        st.button(
            str(text.SHOW_ALL_ROUTES), key="all", on_click=set_query, kwargs={"q": None, "verdict": None, "page": None}
        )
    is_regression = "regression" in (*judged.verdict_counts, judged.endpoints.total.judgement.verdict)
    if why := details.why_section(log_details, migration.labels, is_regression=is_regression):
        st.html(why)
    _map(app, judged, params)


def _table_controls(migration: Migration, params: EndpointsParams, shown: table.ShownRoutes, window: Window) -> None:
    counts = shown.verdict_counts
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        search_input("q", str(text.SEARCH_LABEL), params.search, max_chars=MAX_PARAM_LENGTH)
        segmented_control(
            "verdict",
            str(text.VERDICT_LABEL),
            # The chosen verdict stays an option, even if no route has it.
            ("", *(verdict for verdict in WORST_FIRST if counts.get(verdict) or verdict == params.verdict)),
            params.verdict or "",
            partial(text.verdict_filter, counts=counts),
            page=None,
        )
        st.download_button(
            text.CSV_LABEL,
            data=partial(routes_csv, shown.routes),
            file_name=f"endpoints-{slug(migration.name)}-{window.starts_at:%Y%m%dT%H%M}Z.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            help=str(text.CSV_EXPLAINED),
            disabled=not shown.routes,
        )


def _page_buttons(n_routes: int, page: int) -> None:
    """Which routes the table shows, and the way to the others."""
    if n_routes <= table.PAGE_ROWS:
        return
    first = table.first_row(n_routes, page)
    shown, end = first // table.PAGE_ROWS + 1, min(first + table.PAGE_ROWS, n_routes)
    previous = str(shown - 1) if shown > 2 else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, target, disabled in (
            (text.PREVIOUS_ROUTES, previous, shown == 1),
            (text.NEXT_ROUTES, str(shown + 1), end == n_routes),
        ):
            st.button(str(label), key=str(label), on_click=set_query, kwargs={"page": target}, disabled=disabled)
        layout.note(text.routes_shown(first + 1, end, n_routes))


def _map(app: AppContext, judged: EndpointsView, params: EndpointsParams) -> None:
    """A scatter plot of the routes by traffic and difference."""
    fleets, status = app.migration.fleets, params.filters.status
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.panel_title(str(text.MAP_TITLE), tooltip=str(text.MAP_EXPLAINED))
        segmented_control(
            "map", str(text.MAP_CHOICE_LABEL), list(MAPS), params.map, partial(text.map_choice, status=status)
        )
    points = view.map_points(judged, params.map)
    if not points:
        layout.empty_state(str(text.NOTHING_ON_MAP))
        return
    if len(points) > view.MAX_MAP_POINTS:
        layout.note(text.map_limited(view.MAX_MAP_POINTS, len(points)))
        points = points[: view.MAX_MAP_POINTS]
    unit, format_difference = ("pp", numbers.points) if params.map == "errors" else ("%", numbers.relative)
    margin = app.migration.margin_of(view.AXIS_METRICS[params.map])
    figure = route_scatter_figure(
        points,
        theme(),
        difference_title=text.map_axis(params.map, fleets.baseline.label, fleets.canary.label, status=status),
        traffic_title=str(text.MAP_TRAFFIC),
        suffix=unit,
        margin=margin.value if margin and margin.unit == unit else None,
    )
    worst = max(points, key=lambda point: abs(point.difference))
    summary = text.map_alternative(len(points), worst.route, format_difference(worst.difference / 100))
    overlay_chart(chart_payload(figure, f"{text.MAP_TITLE}. {summary}"), key="routes_map")
