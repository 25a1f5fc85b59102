"""The data of the Endpoints page, cached for all viewers, and its parts in HTML."""

from collections.abc import Hashable, Mapping
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from markupsafe import Markup

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.heatmap import LatencyHeatmap
from analysis.parity.verdicts import Verdict
from archive.access_logs.store import ACCESS_LOGS
from charts.route_scatter import RoutePoint
from domain import FLEETS, Migration, Window
from domain.route_templates import OTHER_ROUTE
from messages import access_log_ingest, numbers, verdicts
from messages import endpoints as text
from reports.templating import render
from services.endpoints import (
    EndpointsView,
    RequestFilter,
    RouteView,
    criterion_of,
    judge_logs,
    judge_route,
    latency_of_all_routes,
    log_window,
)
from ui.app_context import AppContext, cached_view
from ui.components import heartbeat
from ui.controls import page_checkpoint
from ui.endpoints.url import route_link
from ui.url import format_time
from ui.verdicts import Routes

MAX_ROUTES_AT_ONCE = 100  # by a page about something else: each takes two milliseconds
PENDING_REFRESH_S = 2.0
MAX_MAP_POINTS = 500
AXIS_METRICS = {"errors": "error_rate", "p95": "latency_p95"}


def endpoints_view(
    app: AppContext, window: Window, filters: RequestFilter, *, counting: bool = False, now: datetime | None = None
) -> EndpointsView | None:
    """The routes of a window; None if none of its logs was counted. Raises ArchiveError.

    `counting`: they are judged again every minute `now` and when the number of counted files has doubled.
    """

    def read() -> EndpointsView | None:
        return _cached_endpoints(app, window, filters, logs_cache_key(app, window, counting=counting, now=now))

    return app.archive.last_view("endpoints", filters, window, read)


def route_view(
    app: AppContext, window: Window, name: str, filters: RequestFilter, *, counting: bool, now: datetime
) -> RouteView:
    """One route. Raises ArchiveError."""

    def read() -> RouteView:
        return _cached_route(app, window, name, filters, logs_cache_key(app, window, counting=counting, now=now))

    return app.archive.last_view("route", (name, filters), window, read)


def latency_view(
    app: AppContext, window: Window, filters: RequestFilter, *, counting: bool, now: datetime
) -> LatencyHeatmap | None:
    """The latency of all routes over time; None without answers. Raises ArchiveError."""

    def read() -> LatencyHeatmap | None:
        return _cached_latency(app, window, filters, logs_cache_key(app, window, counting=counting, now=now))

    return app.archive.last_view("latency", filters, window, read)


def logs_cache_key(app: AppContext, window: Window, *, counting: bool, now: datetime | None) -> Hashable:
    """What changes when the logs of a window are to be judged again."""
    if not counting or now is None:
        return app.archive.change_counter(ACCESS_LOGS)
    progress = app.collector.ingest_progress(window)
    return progress.files_done.bit_length() if progress else 0, now.replace(second=0, microsecond=0)


@cached_view(max_entries=12, ttl=timedelta(hours=1))
def _cached_endpoints(
    app: AppContext, window: Window, filters: RequestFilter, cache_key: Hashable
) -> EndpointsView | None:
    return judge_logs(app.archive, app.migration, window, filters, checkpoint=page_checkpoint())


@cached_view(max_entries=12, ttl=timedelta(hours=1))
def _cached_n_routes(app: AppContext, window: Window, cache_key: Hashable) -> int:
    return app.archive.access_logs.count_routes(window)


@cached_view(max_entries=24, ttl=timedelta(hours=1))
def _cached_route(app: AppContext, window: Window, name: str, filters: RequestFilter, cache_key: Hashable) -> RouteView:
    return judge_route(app.archive, app.migration, window, name, filters, checkpoint=page_checkpoint())


@cached_view(max_entries=12, ttl=timedelta(hours=1))
def _cached_latency(
    app: AppContext, window: Window, filters: RequestFilter, cache_key: Hashable
) -> LatencyHeatmap | None:
    return latency_of_all_routes(app.archive, app.migration, window, filters, checkpoint=page_checkpoint())


def headline(migration: Migration, view: EndpointsView, span: str) -> Markup:
    """The overall verdict, the number of requests, and the number of routes by verdict."""
    counts, fleets, n_judged = view.verdict_counts, migration.fleets, view.endpoints.n_judged
    if counts.get("regression"):
        verdict: Verdict = "regression"
    elif not counts.keys() - {"parity", "improvement"}:
        verdict = "parity"
    else:
        verdict = "undecided" if n_judged else "not enough data"
    requests = (view.endpoints.total.fleets[fleet].requests for fleet in FLEETS)
    judged = text.requests_judged(span, fleets.baseline.label, fleets.canary.label, *requests)
    return render(
        "verdicts.headline",
        verdict=verdict,
        word=text.headline(counts, n_judged),
        text=text.requests_and_tally(judged, counts),
        role="status",
    )


def hidden_routes_banner(
    migration: Migration, view: EndpointsView, query_params: Mapping[str, str], *, page: str = ""
) -> Markup:
    """A warning if the total hides the regression of a route (Simpson's paradox), else nothing."""
    hidden = view.endpoints.hidden_regressions
    if not hidden:
        return Markup("")
    worst = next(result for result in hidden[0].judgement.criteria if result.verdict == "regression")
    return render(
        "endpoints.hidden_routes",
        sentence=text.hidden_regressions(len(hidden), verdicts.label(view.endpoints.total.judgement.verdict)),
        links=[
            (page + route_link(query_params, endpoint.route), endpoint.route) for endpoint in hidden[: text.MAX_NAMED]
        ],
        more=len(hidden) > text.MAX_NAMED,
        example=verdicts.sentence(worst, migration.labels),
    )


def map_points(view: EndpointsView, axis: str) -> list[RoutePoint]:
    """The routes with a difference between the fleets, with the verdict on the axis's metric, in the order of the table.

    `axis`: "errors" (in pp) or "p95" (in % of the baseline's).
    """
    points = []
    format_difference = numbers.points if axis == "errors" else numbers.relative
    for endpoint in view.endpoints.routes:
        difference = _difference(endpoint, axis)
        if difference is None or endpoint.route == OTHER_ROUTE:
            continue
        requests = (endpoint.fleets[fleet].requests for fleet in FLEETS)
        criterion = criterion_of(endpoint.judgement, AXIS_METRICS[axis])
        verdict = criterion.verdict if criterion else None
        label = verdicts.label(verdict) if verdict else str(text.NOT_JUDGED)
        hover = text.map_hover(format_difference(difference / 100), label, *requests)
        per_minute = endpoint.requests / max(view.minutes, 1)
        points.append(RoutePoint(endpoint.route, per_minute, difference, verdict, hover))
    return points


def _difference(endpoint: Endpoint, axis: str) -> float | None:
    difference = endpoint.error_difference if axis == "errors" else endpoint.p95_difference
    return None if difference is None else difference * 100


def last_day_view(app: AppContext, phase: Window) -> EndpointsView | None:
    """The routes in the last day of a phase, for another page. Raises ArchiveError."""
    return endpoints_view(app, log_window(phase), RequestFilter())


def last_day_so_far(
    app: AppContext, phase: Window, *, is_range: bool = False
) -> EndpointsView | Literal["pending"] | None:
    """`last_day_view` of few routes, or what `request_last_days` has made known of many. `is_range`: of no phase. Raises ArchiveError."""
    window = log_window(phase)
    if not _has_many_routes(app, window):
        return last_day_view(app, phase)
    known = app.background_routes.known(phase if is_range else phase.start, window)
    return known.view if known else "pending"


def request_last_days(app: AppContext, phase: Window, past_range: Window | None = None, *, now: datetime) -> None:
    """Has the many routes of `last_day_so_far` judged, and reruns the fragment until they are. Call it last: the judgement would slow the page down.

    Raises ArchiveError.
    """
    is_pending = False
    for name, part in ((past_range, past_range), (phase.start, phase)):
        if part and _has_many_routes(app, window := log_window(part)):
            is_pending |= last_day_so_far(app, part, is_range=part is past_range) == "pending"
            app.background_routes.request(name, window, app.archive.change_counter(ACCESS_LOGS))
    heartbeat(PENDING_REFRESH_S if is_pending else 0, now=now.timestamp(), key="routes")


def _has_many_routes(app: AppContext, window: Window) -> bool:
    def count() -> int:
        return _cached_n_routes(app, window, app.archive.change_counter(ACCESS_LOGS))

    return app.archive.last_view("n_routes", None, window, count) > MAX_ROUTES_AT_ONCE


def routes_row(app: AppContext, phase: Window) -> Routes | None:
    """The routes of a phase's last day by verdict, the weightiest first; None if they are not known (yet). Raises ArchiveError."""
    window, view = log_window(phase), last_day_so_far(app, phase)
    if view is None or view == "pending" or not view.verdict_counts:
        return None
    order: tuple[Verdict, ...] = ("regression", "undecided", "not enough data", "improvement", "parity")
    counts = [(verdict, view.verdict_counts[verdict]) for verdict in order if view.verdict_counts.get(verdict)]
    query = urlencode({"from": format_time(window.start), "to": format_time(window.end)})
    return f"/endpoints?{query}", counts, counts[0][0]


def endpoints_summary(app: AppContext, phase: Window) -> Markup:
    """For another page: what the logs of a phase's last day show, with a link to the Endpoints page."""
    window, view = log_window(phase), last_day_so_far(app, phase)
    params = {"from": format_time(window.start), "to": format_time(window.end)}
    url = f"endpoints?{urlencode(params)}"
    if view is None or view == "pending":
        sentence = str(text.SUMMARY_PENDING if view else text.NO_SUMMARY)
        return render("endpoints.summary", sentence=sentence, url=url, note=True, banner="")
    labels = {fleet: app.migration.fleets[fleet].label for fleet in FLEETS}
    sentences = (
        text.summary(view.verdict_counts, view.minutes, view.lines.parsed),
        text.not_counted(view.not_counted, labels),
    )
    sentence = " ".join(filter(None, sentences))
    banner = hidden_routes_banner(app.migration, view, params, page="endpoints")
    return render("endpoints.summary", sentence=sentence, url=url, note=False, banner=banner)


def ingest_summary(view: EndpointsView) -> str:
    """How many lines were read and excluded, and how false alarms are controlled."""
    lines, endpoints = view.lines, view.endpoints
    sentences = [access_log_ingest.lines_read(lines.total, lines.parsed, lines.files, view.minutes)]
    sentences += [access_log_ingest.file_problem(kind, n) + "." for kind, n in lines.problems]
    if endpoints.unassigned_requests:
        sentences.append(text.unassigned_requests(endpoints.unassigned_requests))
    return " ".join([*sentences, text.multiplicity_note(endpoints.n_judged)])
