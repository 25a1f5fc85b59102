"""The Endpoints page's view, worked out once for everybody who looks at the same window, and its parts in HTML."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from analysis.endpoints.endpoints import ALL_ROUTES, PERCENTILES, Endpoint, FleetStats
from analysis.parity.verdicts import Judgement, Verdict
from charts.route_scatter import RoutePoint
from domain import FLEETS, FleetName, Migration, Window
from domain.route_templates import OTHER_ROUTE
from messages import access_log_ingest as said
from messages import endpoints as words
from messages import numbers, verdicts
from services.endpoints import (
    ACCESS_LOGS,
    EndpointsView,
    RequestFilter,
    RouteView,
    judge_logs,
    judge_route,
    last_day,
)
from ui.app_context import AppContext
from ui.endpoints.url import LOG_FILE_S, EndpointsParams, route_link
from ui.url import format_time
from ui.verdicts import TONES

MAX_ROWS = 50
MARKS: dict[FleetName, str] = {"baseline": "●", "canary": "◆"}


def endpoints_cache_key(app: AppContext, window: Window, *, counting: bool, now: datetime) -> Hashable:
    """Another value when the routes of a window may be others; while its logs are being counted, when twice as many files are, and every minute."""
    if not counting:
        return app.archive.change_counter(ACCESS_LOGS)
    found = app.collector.ingest_progress(window)
    return found.files_done.bit_length() if found else 0, int(now.timestamp()) // 60


@st.cache_resource(max_entries=12, ttl=timedelta(hours=1), show_spinner=False)
def endpoints_view(
    _app: AppContext, window: Window, filters: RequestFilter, cache_key: Hashable
) -> EndpointsView | None:
    """What the logs of a window say; None where none of them was counted. Raises ArchiveError."""
    return judge_logs(_app.archive, _app.migration, window, filters)


@st.cache_resource(max_entries=24, ttl=timedelta(hours=1), show_spinner=False)
def route_view(_app: AppContext, window: Window, name: str, filters: RequestFilter, cache_key: Hashable) -> RouteView:
    """A route's own page. Raises ArchiveError."""
    return judge_route(_app.archive, _app.migration, window, name, filters)


def verdict_counts(judged: EndpointsView) -> Mapping[Verdict, int]:
    return Counter(one.judgement.verdict for one in judged.endpoints.routes)


def headline(migration: Migration, judged: EndpointsView, span: str) -> Markup:
    """The page in a sentence."""
    counted, fleets, total = verdict_counts(judged), migration.fleets, judged.endpoints.total
    tone: Verdict = (
        "regression"
        if counted.get("regression")
        else "parity"
        if not counted.keys() - {"parity", "improvement"}
        else "undecided"
        if judged.endpoints.n_judged
        else "not enough data"
    )
    labels = fleets.baseline.label, fleets.canary.label
    requests = (total.fleets[fleet].requests for fleet in FLEETS)
    return Markup("<p class='aloud' role='status'><b class='word {}'>{} {}</b>{} {}.</p>").format(
        TONES[tone],
        verdicts.SIGNS[tone],
        words.headline(counted, judged.endpoints.n_judged),
        words.requests_judged(span, *labels, *requests),
        words.tally(counted),
    )


def hidden_routes_banner(
    migration: Migration, judged: EndpointsView, query_params: Mapping[str, str], *, page: str = ""
) -> Markup:
    """That totals hide a route, plainly; nothing where they hide none."""
    hidden = judged.endpoints.hidden_regressions
    if not hidden:
        return Markup("")
    fleets = migration.fleets
    names = [
        Markup("<a href='{}' target='_self'>{}</a>").format(page + route_link(query_params, one.route), one.route)
        for one in hidden
    ]
    shown = Markup(", ").join(names[: words.MAX_NAMED])
    worst = next(one for one in hidden[0].judgement.criteria if one.verdict == "regression")
    how = verdicts.sentence(worst, baseline=fleets.baseline.label, canary=fleets.canary.label)
    plainly = words.hidden_regressions(len(hidden), verdicts.label(judged.endpoints.total.judgement.verdict))
    return Markup("<div class='trouble hides' role='alert'><b>{}</b> {}{}<br>{}</div>").format(
        plainly, shown, " …" if len(hidden) > words.MAX_NAMED else "", how
    )


def routes_table(
    migration: Migration, judged: EndpointsView, params: EndpointsParams, query_params: Mapping[str, str]
) -> Markup:
    """All of them together, then every route, the worst first."""
    head = words.table_head(status=params.filters.status)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    routes = judged.endpoints.routes if params.show_all else judged.endpoints.routes[:MAX_ROWS]
    rows = Markup("").join(_route_row(one, judged, query_params, head) for one in (judged.endpoints.total, *routes))
    legend = Markup("").join(
        Markup("<b class='{}'>{} {}</b>").format(fleet, MARKS[fleet], migration.fleets[fleet].label) for fleet in FLEETS
    )
    return Markup(
        "<div class='panel-head legend'>{}<span class='note'>{}</span></div><table class='routes'><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    ).format(legend, words.INTERVAL_EXPLAINED(), cells, rows)


def _route_row(
    endpoint: Endpoint, judged: EndpointsView, query_params: Mapping[str, str], head: tuple[str, ...]
) -> Markup:
    cells = [
        (head[1], _fleet_lines(endpoint, lambda side: (numbers.count(side.requests), ""))),
        (head[2], _fleet_lines(endpoint, _errors)),
        *((name, _fleet_lines(endpoint, partial(_percentile, name))) for name in PERCENTILES),
        (head[6], _verdict_cell(endpoint.judgement)),
        (head[7], Markup("{}").format(still_needed(endpoint.judgement))),
    ]  # fmt: skip
    body = Markup("").join(Markup("<td data-head='{}'>{}</td>").format(name, cell) for name, cell in cells)
    return Markup("<tr{}><th scope='row'>{}</th>{}</tr>").format(
        Markup(" class='whole'") if endpoint.route == ALL_ROUTES else "",
        _route_name(endpoint.route, judged, query_params),
        body,
    )


def _route_name(route: str, judged: EndpointsView, query_params: Mapping[str, str]) -> Markup:
    if route == ALL_ROUTES:
        return Markup("{}").format(words.TOTAL())
    if route == OTHER_ROUTE and judged.endpoints.n_folded:
        return Markup("{}").format(words.other_routes(judged.endpoints.n_folded))
    return Markup("<a href='{}' target='_self'>{}</a>").format(route_link(query_params, route), route)


def _fleet_lines(endpoint: Endpoint, format_side: Callable[[FleetStats], tuple[str, str]]) -> Markup:
    """A cell with a line for each fleet."""
    lines = []
    for fleet in FLEETS:
        text, small = format_side(endpoint.fleets[fleet])
        lines.append(
            Markup("<span><i class='{}' aria-hidden='true'>{}</i>{}{}</span>").format(
                fleet, MARKS[fleet], text, Markup(" <small>{}</small>").format(small) if small else ""
            )
        )
    return Markup("").join(lines)


def _errors(side: FleetStats) -> tuple[str, str]:
    return numbers.percent(side.error_rate), words.numerator(side.errors) if side.requests else ""


def _percentile(name: str, side: FleetStats) -> tuple[str, str]:
    found = side.percentiles[name]
    return (
        (numbers.milliseconds(found.value_s), words.interval(found.lower_s, found.upper_s))
        if found
        else (numbers.NONE, "")
    )


def _verdict_cell(judgement: Judgement) -> Markup:
    """A sign and a word, and below it the criteria that it hangs on; all of them for whoever points at it."""
    small = words.deciding_metrics(judgement)
    every = "\n".join(
        f"{verdicts.SIGNS[one.verdict]} {words.metric_interval(verdicts.metric(one.criterion), verdicts.interval(one))}"
        for one in judgement.criteria
    )
    return Markup("<b class='{}' title='{}'>{} {}</b>{}").format(
        TONES[judgement.verdict],
        every,
        verdicts.SIGNS[judgement.verdict],
        verdicts.label(judgement.verdict),
        Markup("<small>{}</small>").format(small) if small else "",
    )


def still_needed(judgement: Judgement) -> str:
    """How much longer it takes until a route is decided; "–" where it is, or nobody can tell."""
    if judgement.verdict not in ("undecided", "not enough data"):
        return numbers.NONE
    deciding = verdicts.deciding_criteria(judgement)
    waits = [one.minutes_to_decision for one in deciding if one.minutes_to_decision != 0]
    if judgement.verdict == "not enough data" and not any(waits):
        return numbers.NONE
    known = [minutes for minutes in waits if minutes is not None]
    return verdicts.time_to_decision(max(known) if waits and len(known) == len(waits) else None)


def map_points(judged: EndpointsView, axis: str) -> list[RoutePoint]:
    """Every route that can be drawn: `shown` is "errors" (in pp) or "p95" (in % of the baseline's)."""
    found = []
    for one in judged.endpoints.routes:
        difference = _difference(one, axis)
        if difference is None:
            continue
        b, c = (one.fleets[fleet] for fleet in FLEETS)
        said_of = numbers.points(difference / 100) if axis == "errors" else numbers.relative(difference / 100)
        hover = words.map_hover(said_of, verdicts.label(one.judgement.verdict), b.requests, c.requests)
        found.append(
            RoutePoint(one.route, one.requests / max(judged.minutes, 1), difference, one.judgement.verdict, hover)
        )
    return found


def _difference(endpoint: Endpoint, axis: str) -> float | None:
    if axis == "errors":
        return None if endpoint.error_difference is None else endpoint.error_difference * 100
    b, c = (endpoint.fleets[fleet].percentiles["p95"] for fleet in FLEETS)
    return None if b is None or c is None or not b.value_s else (c.value_s / b.value_s - 1) * 100


def endpoints_summary(app: AppContext, window: Window) -> Markup:
    """What the logs say of a phase (of its last day), for a page about something else: a line, what totals hide, and the way there."""
    whole = last_day(Window(window.start, max(window.end // LOG_FILE_S * LOG_FILE_S, window.start + LOG_FILE_S)))
    told = endpoints_view(app, whole, RequestFilter(), app.archive.change_counter(ACCESS_LOGS))
    parameters = {"from": format_time(whole.start), "to": format_time(whole.end)}
    way = Markup("<a href='endpoints?{}' target='_self'>{}</a>").format(urlencode(parameters), words.SUMMARY_LINK())
    if told is None:
        body = Markup("<p class='note'>{} {}</p>").format(words.NO_SUMMARY(), way)
    else:
        said_of = words.summary(verdict_counts(told), told.minutes, told.lines.parsed)
        body = Markup("<p>{} {}</p>{}").format(
            said_of, way, hidden_routes_banner(app.migration, told, parameters, page="endpoints")
        )
    return Markup("<section class='below'><h2>{}</h2>{}</section>").format(words.SUMMARY_TITLE(), body)


def ingest_summary(judged: EndpointsView) -> Markup:
    """How the reading of the logs went, what was left out of it, and what stands behind the alarms."""
    found = judged.lines
    every = [said.lines_read(found.total, found.parsed, found.files, judged.minutes)]
    every += [said.file_problem(kind, n) + "." for kind, n in found.problems]
    every += (
        [words.unassigned_requests(judged.endpoints.unassigned_requests)]
        if judged.endpoints.unassigned_requests
        else []
    )
    every += [words.multiplicity_note(judged.endpoints.n_judged)]
    return Markup("<p class='note'>{}</p>").format(" ".join(every))
