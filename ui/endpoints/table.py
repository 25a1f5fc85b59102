"""The table of routes: which it shows, in which order, and as HTML."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from markupsafe import Markup

from analysis.endpoints.answers import Answers
from analysis.endpoints.endpoints import ALL_ROUTES, Endpoint
from analysis.parity.verdicts import Judgement, Verdict
from charts.base.palette import Theme
from charts.interval_bar import interval_bar
from charts.sparkline import sparkline
from domain import Migration
from domain.route_templates import OTHER_ROUTE
from messages import endpoints as text
from messages import numbers, verdicts
from messages.answers import finding
from reports.templating import render
from services.endpoints import EndpointsView, criterion_of
from ui.endpoints.url import SORT_COLUMNS, EndpointsParams, kept_params, route_link
from ui.sorting import sort_head, sorted_rows

PAGE_ROWS = 50
MAX_FINDINGS = 2  # of a route; its own page has all
NO_ANSWERS = Answers()


@dataclass(frozen=True, slots=True)
class ShownRoutes:
    """The routes that fit search and verdict, in the order of the table. `verdict_counts`: of those that fit the search."""

    routes: tuple[Endpoint, ...]
    verdict_counts: Mapping[Verdict, int]


def shown_routes(view: EndpointsView, params: EndpointsParams) -> ShownRoutes:
    wanted = _folded(params.search)
    matching = [endpoint for endpoint in view.endpoints.routes if wanted in _folded(endpoint.route)]
    counts = Counter(endpoint.judgement.verdict for endpoint in matching)
    routes = [endpoint for endpoint in matching if params.verdict in (None, endpoint.judgement.verdict)]
    return ShownRoutes(tuple(sorted_rows(routes, params.sort, _SORT_VALUES)), counts)


def _folded(name: str) -> str:
    """Without differences in case and in width, which Japanese input methods add."""
    return normalize("NFKC", name).casefold()


_SORT_VALUES: Mapping[str, Callable[[Endpoint], Any]] = {
    "route": lambda endpoint: _folded(endpoint.route),
    "requests": lambda endpoint: endpoint.requests,
    "errors": lambda endpoint: endpoint.fleets["canary"].error_rate,
    "difference": lambda endpoint: endpoint.error_difference,
    "p95": lambda endpoint: endpoint.p95_difference,
}


def first_row(n_routes: int, page: int) -> int:
    """The index of the first route on `page`; of the last page if there are fewer."""
    last_page = max(n_routes - 1, 0) // PAGE_ROWS + 1
    return (min(page, last_page) - 1) * PAGE_ROWS


def routes_table(
    migration: Migration,
    view: EndpointsView,
    params: EndpointsParams,
    query_params: Mapping[str, str],
    *,
    theme: Theme = "light",
    answers: Answers = NO_ANSWERS,
) -> Markup:
    """One page of the shown routes, each with what it answers differently; before those of all, the total."""
    shown = shown_routes(view, params).routes
    first = first_row(len(shown), params.page)
    is_filtered = bool(params.search or params.verdict)
    return render(
        "endpoints.routes_table",
        head=sort_head(
            text.table_head(migration.labels, status=params.filters.status),
            SORT_COLUMNS,
            params.sort,
            kept_params(query_params),
            ascending_first="route",
        ),
        labels=migration.labels,
        rows=[
            (
                endpoint,
                *_name_and_link(endpoint, view, query_params),
                _interval_bar(endpoint.judgement),
                sparkline(endpoint.trend, theme),
                _tooltip(endpoint.judgement),
                still_needed(endpoint.judgement),
                [finding(item, migration.labels) for item in answers.of(endpoint.route).findings[:MAX_FINDINGS]],
            )
            for endpoint in (*(() if is_filtered else (view.endpoints.total,)), *shown[first : first + PAGE_ROWS])
        ],
    )


def _name_and_link(endpoint: Endpoint, view: EndpointsView, query_params: Mapping[str, str]) -> tuple[str, str]:
    if endpoint.route == ALL_ROUTES:
        return str(text.TOTAL), ""
    if endpoint.route == OTHER_ROUTE and view.endpoints.n_folded:
        return text.other_routes(view.endpoints.n_folded), ""
    return endpoint.route, route_link(query_params, endpoint.route)


def _interval_bar(judgement: Judgement) -> tuple[object, str] | None:
    """The CI of the difference in error rate as a bar and in words."""
    result = criterion_of(judgement, "error_rate")
    return (interval_bar(result), verdicts.interval(result)) if result and result.lower is not None else None


def _tooltip(judgement: Judgement) -> str:
    """One line per criterion."""
    return "\n".join(
        f"{verdicts.SIGNS[result.verdict]} "
        + text.metric_interval(verdicts.metric(result.criterion), verdicts.interval(result))
        for result in judgement.criteria
    )


def still_needed(judgement: Judgement) -> str:
    """The time to a decision; "–" if it was reached or cannot be estimated."""
    if judgement.verdict not in ("undecided", "not enough data"):
        return numbers.NONE
    waits = [
        result.minutes_to_decision
        for result in verdicts.deciding_criteria(judgement)
        if result.minutes_to_decision != 0
    ]
    if judgement.verdict == "not enough data" and not any(waits):
        return numbers.NONE
    known = [minutes for minutes in waits if minutes is not None]
    return verdicts.time_to_decision(max(known) if waits and len(known) == len(waits) else None)
