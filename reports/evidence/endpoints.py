"""What an evidence file says of single routes: the worst of them in a table, and whether totals hide any."""

from collections import Counter
from dataclasses import dataclass

from analysis.endpoints.endpoints import Endpoint
from domain import FLEETS
from messages import endpoints as words
from messages import numbers, verdicts
from services.endpoints import EndpointsView

MAX_ROUTES = 20


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route, its verdict and what that hangs on, and of each fleet its requests, errors and p95 as they are written."""

    route: str
    verdict: str
    sign: str
    label: str
    deciding: str
    cells: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class RoutesTable:
    """`hides`: a sentence where totals hide a route, else "". `rest`: how many routes are not shown."""

    summary: str
    hidden_note: str
    rows: tuple[RouteRow, ...]
    n_more: int


def routes_table(view: EndpointsView) -> RoutesTable:
    found = view.endpoints
    tally = Counter(one.judgement.verdict for one in found.routes)
    named = ", ".join(one.route for one in found.hidden_regressions[: words.MAX_NAMED])
    hides = f"{words.hidden_regressions(len(found.hidden_regressions), verdicts.label(found.total.judgement.verdict))} {named}"
    return RoutesTable(
        words.summary(tally, view.minutes, view.lines.parsed),
        hides if found.hidden_regressions else "",
        tuple(_row(one) for one in found.routes[:MAX_ROUTES]),
        max(0, len(found.routes) - MAX_ROUTES),
    )


def _row(endpoint: Endpoint) -> RouteRow:
    cells = []
    for fleet in FLEETS:
        side = endpoint.fleets[fleet]
        p95 = side.percentiles["p95"]
        errors = f"{numbers.percent(side.error_rate)} ({numbers.count(side.errors)})"
        cells.append((numbers.count(side.requests), errors, numbers.milliseconds(p95.value_s if p95 else None)))
    verdict = endpoint.judgement.verdict
    return RouteRow(
        endpoint.route,
        verdict,
        verdicts.SIGNS[verdict],
        verdicts.label(verdict),
        words.deciding_metrics(endpoint.judgement),
        tuple(cells),
    )
