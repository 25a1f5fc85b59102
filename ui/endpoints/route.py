"""One route of the Endpoints page: its verdict by criterion, how long answers took, its error codes, its course, and lines of it."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import streamlit as st
from markupsafe import Markup

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.route import Code, Route
from charts.base.frame import Frame
from charts.base.palette import Theme
from charts.route import route_figure, times_figure
from domain import FLEETS, FleetName
from domain.log_counts import NO_STATUS
from messages import numbers, times
from messages import route as words
from messages import verdicts as said
from services.endpoints import LogsJudged, RouteJudged, fleet_of
from ui import layout, verdicts
from ui.app_context import House
from ui.chart_payload import drawing
from ui.components import overlay_chart
from ui.endpoints.view import MARKS


def detail(here: House, told: LogsJudged, one: Endpoint, judged: RouteJudged, *, span: str, now: datetime) -> None:
    """The whole part of the page below its head."""
    verdict = one.judgement.verdict
    st.html(
        Markup("<div class='job-head'><h2>{}</h2><b class='{}'>{} {}</b><small>{}</small></div>{}").format(
            one.route,
            verdicts.TONES[verdict],
            said.SIGNS[verdict],
            said.headline(one.judgement),
            span,
            verdicts.table(here.migration, one.judgement),
        )
    )
    theme: Theme = "dark" if layout.is_dark() else "light"
    left, right = st.columns([3, 2])
    with left:
        _times(here, one, judged.route, theme)
    right.html(_codes(here, judged.route))
    _course(here, told, one, judged.route, theme, span)
    st.html(_lines(here, words.failed_title(), judged.failed, now) + _lines(here, words.slowest_title(), judged.slowest, now))  # fmt: skip


def _times(here: House, one: Endpoint, found: Route, theme: Theme) -> None:
    title = words.distribution_title()
    st.html(Markup("<div class='panel-head'><h2>{}</h2></div>").format(title))
    if not any(len(each.ms) for each in found.distributions.values()):
        st.html(Markup("<div class='empty'>{}</div>").format(words.no_answers()))
        return
    labels = _labels(here)
    curves = list[tuple[str, float | None, float | None]]()
    for fleet in FLEETS:
        p50, p95 = (one.sides[fleet].percentiles[name] for name in ("p50", "p95"))
        curves.append((labels[fleet], p50.value_s if p50 else None, p95.value_s if p95 else None))
    alternative = f"{title}. {words.distribution_alternative(curves)}"
    overlay_chart(drawing(times_figure(found.distributions, labels, theme), alternative), key="times", on_range=_stay)


def _course(here: House, told: LogsJudged, one: Endpoint, found: Route, theme: Theme, span: str) -> None:
    zone = here.migration.zone
    at = told.window.ends_at.astimezone(zone)
    frame = Frame(
        labels=_labels(here),
        window=told.window,
        utc_offset_s=int((at.utcoffset() or timedelta()).total_seconds()),
        zone=times.zone_name(at),
        provisional_from=told.window.end,
        theme=theme,
    )
    block_s = found.courses["baseline"].block_s
    st.html(
        Markup("<div class='panel-head'><h2>{}</h2><span class='note'>{}</span></div>").format(
            words.course_title(), words.course_block(block_s)
        )
    )
    figure = route_figure(found.courses, frame, words.course_panels())
    overlay_chart(drawing(figure, words.course_alternative(one.route, span)), key="course", on_range=_stay)


def _stay(_ends: list[str]) -> None:
    """These charts have no zoom."""


def _labels(here: House) -> dict[FleetName, str]:
    return {fleet: here.migration.fleets[fleet].label for fleet in FLEETS}


def _codes(here: House, found: Route) -> Markup:
    """Three lists: what only one side has, and what both have."""
    labels = _labels(here)
    lists = Markup("").join(
        Markup("<div><h3>{}</h3><ul>{}</ul></div>").format(
            title, Markup("").join(rows) or Markup("<li class='note'>{}</li>").format(words.code_none())
        )
        for title, rows in (
            (words.codes_only(labels["canary"]), [_of_one(one, "canary", labels) for one in found.only("canary")]),
            (
                words.codes_only(labels["baseline"]),
                [_of_one(one, "baseline", labels) for one in found.only("baseline")],
            ),
            (words.codes_both(), [_of_both(one, labels) for one in found.both]),
        )
    )
    return Markup("<div class='panel-head'><h2>{}</h2></div><div class='codes'>{}</div><p class='note'>{}</p>").format(
        words.codes_title(), lists, words.codes_note()
    )


def _of_one(one: Code, fleet: FleetName, labels: dict[FleetName, str]) -> Markup:
    other: FleetName = "canary" if fleet == "baseline" else "baseline"
    return Markup("<li><b>{}</b> {} <small>{}</small></li>").format(
        words.code(one.seen, one.target),
        words.code_requests(one.requests[fleet]),
        words.code_expected(labels[other], one.expected[other]),
    )


def _of_both(one: Code, labels: dict[FleetName, str]) -> Markup:
    said_of = " · ".join(words.code_on(labels[fleet], one.requests[fleet]) for fleet in FLEETS)
    return Markup("<li><b>{}</b> {} <small>{}</small></li>").format(
        words.code(one.seen, one.target), said_of, words.code_expected(labels["canary"], one.expected["canary"])
    )


def _lines(here: House, title: str, rows: pa.Table, now: datetime) -> Markup:
    """Lines of the log as a table that opens."""
    fleets, labels, zone = fleet_of(here.migration), _labels(here), here.migration.zone
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
            title, words.no_lines()
        )
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in words.lines_head())
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest log-lines' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class='note'>{}</p></section>"
    ).format(title, title, head, body, words.lines_note())
