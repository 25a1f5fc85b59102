"""What an evidence file says of single routes: the worst of them in a table, and whether totals hide any."""

from collections import Counter
from dataclasses import dataclass

from analysis.endpoints.endpoints import Endpoint
from domain import FLEETS
from messages import endpoints as words
from messages import numbers, verdicts
from services.endpoints import LogsJudged

SHOWN = 20


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route, its verdict and what that hangs on, and of each fleet its requests, errors and p95 as they are written."""

    route: str
    verdict: str
    sign: str
    label: str
    hangs_on: str
    cells: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class RoutesTable:
    """`hides`: a sentence where totals hide a route, else "". `rest`: how many routes are not shown."""

    summary: str
    hides: str
    rows: tuple[RouteRow, ...]
    rest: int


def routes_table(told: LogsJudged) -> RoutesTable:
    found = told.endpoints
    tally = Counter(one.judgement.verdict for one in found.routes)
    named = ", ".join(one.route for one in found.hidden[: words.MOST_NAMED])
    hides = f"{words.hidden(len(found.hidden), verdicts.label(found.total.judgement.verdict))} {named}"
    return RoutesTable(
        words.summary(tally, told.minutes, told.lines.parsed),
        hides if found.hidden else "",
        tuple(_row(one) for one in found.routes[:SHOWN]),
        max(0, len(found.routes) - SHOWN),
    )


def _row(one: Endpoint) -> RouteRow:
    cells = []
    for fleet in FLEETS:
        side = one.sides[fleet]
        p95 = side.percentiles["p95"]
        errors = f"{numbers.percent(side.error_rate)} ({numbers.count(side.errors)})"
        cells.append((numbers.count(side.requests), errors, numbers.milliseconds(p95.value_s if p95 else None)))
    verdict = one.judgement.verdict
    return RouteRow(
        one.route,
        verdict,
        verdicts.SIGNS[verdict],
        verdicts.label(verdict),
        words.hangs_on(one.judgement),
        tuple(cells),
    )
