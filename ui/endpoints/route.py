"""One route of the Endpoints page: its verdict by criterion, how long answers took, its error codes, its course, and lines of it."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import streamlit as st
from markupsafe import Markup

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.route import RouteDetail, StatusCount
from charts.base.frame import ChartFrame
from charts.base.palette import Theme
from charts.route import route_cdf_figure, route_timeline_figure
from domain import FLEETS, FleetName
from domain.log_counts import NO_STATUS
from messages import numbers, times
from messages import route as words
from messages import verdicts as said
from services.endpoints import EndpointsView, RouteView, fleet_by_target_group
from ui import layout, verdicts
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.endpoints.view import MARKS


def route_detail(
    app: AppContext,
    judged_logs: EndpointsView,
    endpoint: Endpoint,
    judged_route: RouteView,
    *,
    span: str,
    now: datetime,
) -> None:
    """The whole part of the page below its head."""
    verdict = endpoint.judgement.verdict
    st.html(
        Markup("<div class='job-head'><h2>{}</h2><b class='{}'>{} {}</b><small>{}</small></div>{}").format(
            endpoint.route,
            verdicts.TONES[verdict],
            said.SIGNS[verdict],
            said.headline(endpoint.judgement),
            span,
            verdicts.criteria_table(app.migration, endpoint.judgement),
        )
    )
    theme: Theme = "dark" if layout.is_dark() else "light"
    left, right = st.columns([3, 2])
    with left:
        _latency_section(app, endpoint, judged_route.route, theme)
    right.html(_status_codes(app, judged_route.route))
    _timeline_section(app, judged_logs, endpoint, judged_route.route, theme, span)
    st.html(_log_lines(app, words.FAILED_TITLE(), judged_route.failed, now) + _log_lines(app, words.SLOWEST_TITLE(), judged_route.slowest, now))  # fmt: skip


def _latency_section(app: AppContext, endpoint: Endpoint, route: RouteDetail, theme: Theme) -> None:
    title = words.DISTRIBUTION_TITLE()
    st.html(Markup("<div class='panel-head'><h2>{}</h2></div>").format(title))
    if not any(len(each.ms) for each in route.distributions.values()):
        st.html(Markup("<div class='empty'>{}</div>").format(words.NO_ANSWERS()))
        return
    labels = _labels(app)
    curves = list[tuple[str, float | None, float | None]]()
    for fleet in FLEETS:
        p50, p95 = (endpoint.fleets[fleet].percentiles[name] for name in ("p50", "p95"))
        curves.append((labels[fleet], p50.value_s if p50 else None, p95.value_s if p95 else None))
    alternative = f"{title}. {words.distribution_alternative(curves)}"
    overlay_chart(
        chart_payload(route_cdf_figure(route.distributions, labels, theme), alternative),
        key="times",
        on_range=_ignore_range,
    )


def _timeline_section(
    app: AppContext, judged_logs: EndpointsView, endpoint: Endpoint, route: RouteDetail, theme: Theme, span: str
) -> None:
    zone = app.migration.zone
    at = judged_logs.window.ends_at.astimezone(zone)
    frame = ChartFrame(
        labels=_labels(app),
        window=judged_logs.window,
        utc_offset_s=int((at.utcoffset() or timedelta()).total_seconds()),
        zone=times.zone_name(at),
        provisional_from=judged_logs.window.end,
        theme=theme,
    )
    block_s = route.timelines["baseline"].block_s
    st.html(
        Markup("<div class='panel-head'><h2>{}</h2><span class='note'>{}</span></div>").format(
            words.TIMELINE_TITLE(), words.timeline_bucket(block_s)
        )
    )
    figure = route_timeline_figure(route.timelines, frame, words.TIMELINE_PANELS())
    overlay_chart(
        chart_payload(figure, words.timeline_alternative(endpoint.route, span)), key="course", on_range=_ignore_range
    )


def _ignore_range(_ends: list[str]) -> None:
    """These charts have no zoom."""


def _labels(app: AppContext) -> dict[FleetName, str]:
    return {fleet: app.migration.fleets[fleet].label for fleet in FLEETS}


def _status_codes(app: AppContext, route: RouteDetail) -> Markup:
    """Three lists: what only one side has, and what both have."""
    labels = _labels(app)
    lists = Markup("").join(
        Markup("<div><h3>{}</h3><ul>{}</ul></div>").format(
            title, Markup("").join(rows) or Markup("<li class='note'>{}</li>").format(words.CODE_NONE())
        )
        for title, rows in (
            (
                words.codes_only(labels["canary"]),
                [_code_of_one_fleet(one, "canary", labels) for one in route.only_on("canary")],
            ),
            (
                words.codes_only(labels["baseline"]),
                [_code_of_one_fleet(one, "baseline", labels) for one in route.only_on("baseline")],
            ),
            (words.CODES_BOTH(), [_code_of_both_fleets(one, labels) for one in route.on_both]),
        )
    )
    return Markup("<div class='panel-head'><h2>{}</h2></div><div class='codes'>{}</div><p class='note'>{}</p>").format(
        words.CODES_TITLE(), lists, words.CODES_NOTE()
    )


def _code_of_one_fleet(code: StatusCount, fleet: FleetName, labels: dict[FleetName, str]) -> Markup:
    other: FleetName = "canary" if fleet == "baseline" else "baseline"
    return Markup("<li><b>{}</b> {} <small>{}</small></li>").format(
        words.code(code.client, code.target),
        words.code_requests(code.requests[fleet]),
        words.code_expected(labels[other], code.expected[other]),
    )


def _code_of_both_fleets(code: StatusCount, labels: dict[FleetName, str]) -> Markup:
    said_of = " · ".join(words.code_on(labels[fleet], code.requests[fleet]) for fleet in FLEETS)
    return Markup("<li><b>{}</b> {} <small>{}</small></li>").format(
        words.code(code.client, code.target), said_of, words.code_expected(labels["canary"], code.expected["canary"])
    )


def _log_lines(app: AppContext, title: str, rows: pa.Table, now: datetime) -> Markup:
    """Lines of the log as a table that opens."""
    fleets, labels, zone = fleet_by_target_group(app.migration), _labels(app), app.migration.zone
    body = Markup("")
    for row in rows.to_pylist():
        fleet = fleets.get(row["target_group"])
        target = None if row["target_status"] == NO_STATUS else row["target_status"]
        cells = (
            f"{times.clock_s(datetime.fromtimestamp(row['ts'], UTC), zone, now=now)}",
            f"{MARKS[fleet]} {labels[fleet]}" if fleet else row["target_group"] or numbers.NONE,
            row["target"],
            f"{row['method']} {row['host']}{row['path']}",
            words.code(row["elb_status"], target),
            numbers.milliseconds(row["latency_ms"] / 1000) if row["latency_ms"] >= 0 else numbers.NONE,
        )
        body += Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in cells))
    if not rows.num_rows:
        return Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(
            title, words.NO_LINES()
        )
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in words.LINES_HEAD())
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest log-lines' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class='note'>{}</p></section>"
    ).format(title, title, head, body, words.LINES_NOTE())
