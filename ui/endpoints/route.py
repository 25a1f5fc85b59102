"""One route of the Endpoints page: its criteria, latency distribution, status codes, timeline, and log lines."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
import streamlit as st
from markupsafe import Markup

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.route import RouteDetail, StatusCount
from charts.base.frame import chart_frame
from charts.route import route_cdf_figure, route_timeline_figure
from domain import FLEETS, FleetName, Window
from domain.log_counts import NO_STATUS
from messages import numbers, times
from messages import route as text
from reports.templating import render
from services.endpoints import RouteView, fleet_by_target_group
from ui import layout
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.verdicts import criteria_table


def route_detail(app: AppContext, endpoint: Endpoint, view: RouteView, window: Window, span: str) -> None:
    """The page below its head. `span`: the window in words."""
    head = render("endpoints.route_head", endpoint=endpoint, span=span)
    st.html(head + criteria_table(app.migration, endpoint.judgement))
    left, right = st.columns([3, 2])
    labels = app.migration.labels
    with left:
        _latency_section(endpoint, view.route, labels)
    right.html(_status_codes(view.route, labels))
    _timeline_section(app, endpoint, view.route, window, span)


def _latency_section(endpoint: Endpoint, route: RouteDetail, labels: Mapping[FleetName, str]) -> None:
    layout.panel_title(str(text.DISTRIBUTION_TITLE))
    if not any(len(distribution.ms) for distribution in route.distributions.values()):
        layout.empty_state(str(text.NO_ANSWERS))
        return
    curves = list[tuple[str, float | None, float | None]]()
    for fleet in FLEETS:
        p50, p95 = (endpoint.fleets[fleet].percentiles[name] for name in ("p50", "p95"))
        curves.append((labels[fleet], p50.value_s if p50 else None, p95.value_s if p95 else None))
    alt_text = f"{text.DISTRIBUTION_TITLE}. {text.distribution_alternative(curves)}"
    figure = route_cdf_figure(route.distributions, labels, layout.theme())
    overlay_chart(chart_payload(figure, alt_text), key="route_latency")


def _timeline_section(app: AppContext, endpoint: Endpoint, route: RouteDetail, window: Window, span: str) -> None:
    frame = chart_frame(app.migration, window, theme=layout.theme())
    layout.panel_title(str(text.TIMELINE_TITLE), note=text.timeline_bucket(route.timelines["baseline"].block_s))
    figure = route_timeline_figure(route.timelines, frame, text.timeline_panels())
    overlay_chart(chart_payload(figure, text.timeline_alternative(endpoint.route, span)), key="route_timeline")


def _status_codes(route: RouteDetail, labels: Mapping[FleetName, str]) -> Markup:
    """The error codes that only one fleet returned, and those that both did."""
    both = [
        _code_row(code, " · ".join(text.code_on(labels[fleet], code.requests[fleet]) for fleet in FLEETS), labels)
        for code in route.on_both
    ]
    lists = [
        (text.codes_only(labels["canary"]), _codes_only_on(route, "canary", labels)),
        (text.codes_only(labels["baseline"]), _codes_only_on(route, "baseline", labels)),
        (text.CODES_BOTH, both),
    ]
    return render("endpoints.status_codes", lists=lists)


def _codes_only_on(route: RouteDetail, fleet: FleetName, labels: Mapping[FleetName, str]) -> list[tuple[str, str, str]]:
    other: FleetName = "canary" if fleet == "baseline" else "baseline"
    return [_code_row(code, text.code_requests(code.requests[fleet]), labels, other) for code in route.only_on(fleet)]


def _code_row(
    code: StatusCount, requests: str, labels: Mapping[FleetName, str], expected_on: FleetName = "canary"
) -> tuple[str, str, str]:
    expected = text.code_expected(labels[expected_on], code.expected[expected_on])
    return text.code(code.client, code.target), requests, expected


def log_lines(app: AppContext, view: RouteView, now: datetime) -> Markup:
    """The newest failed requests, and the slowest ones."""
    return Markup("").join(
        render("endpoints.log_lines", title=title, rows=_log_rows(app, lines, now))
        for title, lines in ((text.FAILED_TITLE, view.failed), (text.SLOWEST_TITLE, view.slowest))
    )


def _log_rows(app: AppContext, lines: pa.Table, now: datetime) -> list[tuple[str, ...]]:
    fleets, migration = fleet_by_target_group(app.migration), app.migration
    symbols = {fleet: render("endpoints.symbol", fleet=fleet) for fleet in FLEETS}
    rows: list[tuple[str, ...]] = []
    for line in lines.to_pylist():
        fleet = fleets.get(line["target_group"])
        target_status = None if line["target_status"] == NO_STATUS else line["target_status"]
        rows.append(
            (
                times.clock_s(datetime.fromtimestamp(line["ts"], UTC), migration.zone, now=now),
                f"{symbols[fleet]} {migration.fleets[fleet].label}" if fleet else line["target_group"] or numbers.NONE,
                line["target"],
                f"{line['method']} {line['host']}{line['path']}",
                text.code(line["elb_status"], target_status),
                numbers.milliseconds(line["latency_ms"] / 1000) if line["latency_ms"] >= 0 else numbers.NONE,
            )
        )
    return rows
