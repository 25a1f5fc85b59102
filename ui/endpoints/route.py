"""One route of the Endpoints page: its criteria, timeline, status codes, log lines, and latency."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
import streamlit as st
from markupsafe import Markup

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.route import RouteDetail
from charts.base.frame import ChartFrame, chart_frame
from charts.route import route_timeline_figure
from domain import FLEETS, FleetName, Window
from domain.log_counts import NO_STATUS
from messages import numbers, times
from messages import route as text
from reports.templating import render
from services.endpoints import RouteView, fleet_by_target_group
from services.log_details import LogDetails
from ui import layout
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.endpoints.details import answers_section
from ui.endpoints.latency import heatmap_section, percentiles_section
from ui.style import theme
from ui.verdicts import criteria_table


def route_detail(
    app: AppContext,
    endpoint: Endpoint,
    view: RouteView,
    window: Window,
    span: str,
    *,
    details: LogDetails,
    now: datetime,
) -> None:
    """The page below its head: what is wrong, since when, with which codes, for whom, and then the distributions. `span`: the window in words."""
    chips = [(result.verdict, text.criterion(result)) for result in endpoint.judgement.criteria]
    st.html(render("endpoints.route_head", endpoint=endpoint, span=span, chips=chips))
    frame = chart_frame(app.migration, window, theme=theme())
    _timeline_section(endpoint, view.route, frame, span)
    labels = app.migration.labels
    st.html(answers_section(details, endpoint.route, labels))
    st.html(_status_codes(view.route, labels) + _log_lines(app, view, now))
    percentiles_section(endpoint, view.route, labels)
    heatmap_section(view.route.heatmap, frame)
    st.html(criteria_table(app.migration, endpoint.judgement))


def _timeline_section(endpoint: Endpoint, route: RouteDetail, frame: ChartFrame, span: str) -> None:
    layout.panel_title(str(text.TIMELINE_TITLE), note=text.timeline_bucket(route.timelines["baseline"].block_s))
    figure = route_timeline_figure(route.timelines, frame, text.timeline_panels())
    overlay_chart(chart_payload(figure, text.timeline_alternative(endpoint.route, span)), key="route_timeline")


def _status_codes(route: RouteDetail, labels: Mapping[FleetName, str]) -> Markup:
    """The error codes of both fleets, and how many the canary would have at the baseline's rate."""
    rows = [
        (
            text.code(code.client, code.target),
            [numbers.count(code.requests[fleet]) for fleet in FLEETS],
            text.expected(code.expected["canary"]) if code.requests["baseline"] else numbers.NONE,
            next((text.codes_only(labels[fleet]) for fleet in FLEETS if code in route.only_on(fleet)), ""),
        )
        for code in route.codes
    ]
    return render("endpoints.status_codes", head=text.codes_head(labels), rows=rows)


def _log_lines(app: AppContext, view: RouteView, now: datetime) -> Markup:
    """The newest failed requests, and the slowest ones."""
    return Markup("").join(
        render("endpoints.log_lines", title=title, rows=_log_rows(app, lines, now))
        for title, lines in ((text.FAILED_TITLE, view.failed), (text.SLOWEST_TITLE, view.slowest))
    )


def _log_rows(app: AppContext, lines: pa.Table, now: datetime) -> list[tuple[FleetName | None, tuple[str, ...]]]:
    """The fleet of each line, and its cells; the second is the fleet's label."""
    fleets, migration = fleet_by_target_group(app.migration), app.migration
    rows: list[tuple[FleetName | None, tuple[str, ...]]] = []
    for line in lines.to_pylist():
        fleet = fleets.get(line["target_group"])
        target_status = None if line["target_status"] == NO_STATUS else line["target_status"]
        cells = (
            times.clock_s(datetime.fromtimestamp(line["ts"], UTC), migration.zone, now=now),
            migration.fleets[fleet].label if fleet else line["target_group"] or numbers.NONE,
            line["target"],
            f"{line['method']} {line['host']}{line['path']}",
            text.code(line["elb_status"], target_status),
            numbers.milliseconds(line["latency_ms"] / 1000) if line["latency_ms"] >= 0 else numbers.NONE,
        )
        rows.append((fleet, cells))
    return rows
