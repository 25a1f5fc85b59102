"""The table of the worst routes in the evidence file."""

from dataclasses import dataclass

from analysis.endpoints.endpoints import Endpoint
from domain import FLEETS
from messages import endpoints as text
from messages import numbers, verdicts
from services.endpoints import EndpointsView

MAX_ROUTES = 20


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route, its verdict with the deciding criteria, and per fleet: requests, errors, p95."""

    route: str
    verdict: str
    sign: str
    label: str
    deciding: str
    cells: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class RoutesTable:
    """`hidden_note`: the regressions that the totals hide, or "". `n_more`: the number of routes beyond `rows`."""

    summary: str
    hidden_note: str
    rows: tuple[RouteRow, ...]
    n_more: int


def routes_table(view: EndpointsView) -> RoutesTable:
    endpoints, hidden = view.endpoints, view.endpoints.hidden_regressions
    names = ", ".join(endpoint.route for endpoint in hidden[: text.MAX_NAMED])
    note = text.hidden_regressions(len(hidden), verdicts.label(endpoints.total.judgement.verdict))
    return RoutesTable(
        text.summary(view.verdict_counts, view.minutes, view.lines.parsed),
        f"{note} {names}" if hidden else "",
        tuple(_row(endpoint) for endpoint in endpoints.routes[:MAX_ROUTES]),
        max(0, len(endpoints.routes) - MAX_ROUTES),
    )


def _row(endpoint: Endpoint) -> RouteRow:
    cells = []
    for fleet in FLEETS:
        stats = endpoint.fleets[fleet]
        p95 = stats.percentiles["p95"]
        errors = f"{numbers.percent(stats.error_rate)} ({numbers.count(stats.errors)})"
        cells.append((numbers.count(stats.requests), errors, numbers.milliseconds(p95.value_s if p95 else None)))
    verdict = endpoint.judgement.verdict
    return RouteRow(
        endpoint.route,
        verdict,
        verdicts.SIGNS[verdict],
        verdicts.label(verdict),
        text.deciding_metrics(endpoint.judgement),
        tuple(cells),
    )
