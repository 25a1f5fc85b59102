"""Finds criteria on the organisation's own dashboards: graphs of which two aliased series name the two fleets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from domain import FLEETS, FleetName, Migration
from domain.config.criteria import Margin
from domain.toml import quote
from sources.mackerel.client import MackerelApi
from sources.mackerel.expressions.parser import ExpressionError, parse, quotient
from sources.mackerel.expressions.syntax import Call, Number
from sources.mackerel.models import Dashboard, Monitor
from sources.mackerel.protocol import MackerelError
from sources.mackerel.queries import dashboard_link

DEFAULT_MARGIN = Margin(value=10, unit="%")
MAX_NAME_CHARS = 60

UnreadReason = Literal[
    "query",  # PromQL: no API reads labelled metrics
    "role_slots",  # no API says which hosts were in a role
    "no_pair",  # no two series that name the two fleets
    "invalid",  # the expression cannot be parsed
]


@dataclass(frozen=True, slots=True)
class Pair:
    """A criterion that a graph suggests. `monitor`: whose threshold is the margin, "" without one; `link`: to the dashboard."""

    name: str
    baseline: str
    canary: str
    kind: Literal["rate", "value"]
    better: Literal["lower", "higher", "equal"]
    margin: Margin
    monitor: str
    dashboard: str
    link: str


@dataclass(frozen=True, slots=True)
class UnreadGraph:
    """A graph of an expression or a query that suggests no criterion."""

    title: str
    reason: UnreadReason
    dashboard: str
    link: str


@dataclass(frozen=True, slots=True)
class ReadDashboard:
    """`n_graphs`: of expressions and queries; `n_pairs`: the criteria that they suggest."""

    title: str
    link: str
    n_graphs: int
    n_pairs: int


@dataclass(frozen=True, slots=True)
class ExpressionMonitor:
    """`threshold`: as in "> 0.5", "" without one."""

    name: str
    expression: str
    threshold: str


@dataclass(frozen=True, slots=True)
class Discovery:
    pairs: tuple[Pair, ...] = ()
    unread: tuple[UnreadGraph, ...] = ()
    dashboards: tuple[ReadDashboard, ...] = ()
    monitors: tuple[ExpressionMonitor, ...] = ()


def discover(
    api: MackerelApi, migration: Migration, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Discovery:
    """Reads all dashboards, one request each, and the monitors. `on_progress`: of the dashboards. Raises MackerelError."""
    organization = (migration.mackerel.organization if migration.mackerel else "") or api.organization_name()
    listed, dashboards = api.dashboards(), []
    for number, dashboard in enumerate(listed):
        on_progress(number, len(listed))
        try:
            dashboards.append(api.dashboard(dashboard.id))
        except MackerelError as error:
            if error.kind != "not_found":  # deleted since they were listed
                raise
    on_progress(len(listed), len(listed))
    return find_pairs(dashboards, api.monitors(), migration, organization)


def find_pairs(
    dashboards: Iterable[Dashboard], monitors: Iterable[Monitor], migration: Migration, organization: str
) -> Discovery:
    """The pairs of all graphs, each name once, and the graphs without one."""
    pairs: dict[str, Pair] = {}
    unread: list[UnreadGraph] = []
    read: list[ReadDashboard] = []
    monitors = [monitor for monitor in monitors if monitor.type == "expression"]
    thresholds = dict(_thresholds(monitors))
    names = {fleet: _names_of(migration, fleet) for fleet in FLEETS}
    for dashboard in dashboards:
        link, n_before = dashboard_link(organization, dashboard.id), len(pairs)
        graphs = [widget for widget in dashboard.widgets if widget.graph.type in ("expression", "query")]
        for widget in graphs:
            found = _read_graph(widget.graph.expression, names) if widget.graph.type == "expression" else "query"
            if isinstance(found, str):
                unread.append(UnreadGraph(widget.title, found, dashboard.title, link))
                continue
            for suffix, (baseline, canary) in found.items():
                title = widget.title or dashboard.title
                name = _unique_name(title if len(found) == 1 else f"{title} {suffix}", pairs)
                pair = _pair(name, baseline, canary, thresholds)
                pairs[name] = replace(pair, dashboard=dashboard.title, link=link)
        read.append(ReadDashboard(dashboard.title, link, len(graphs), len(pairs) - n_before))
    return Discovery(tuple(pairs.values()), tuple(unread), tuple(read), tuple(map(_summary, monitors)))


def _summary(monitor: Monitor) -> ExpressionMonitor:
    threshold = monitor.warning or monitor.critical
    return ExpressionMonitor(monitor.name, monitor.expression, f"{monitor.operator} {threshold:g}" if threshold else "")


def to_toml(pair: Pair) -> str:
    """The [[criteria]] table of a pair."""
    margin = str(pair.margin) if pair.margin.unit == "" else quote(str(pair.margin))
    origin = pair.dashboard + (f"; margin: the threshold of the monitor {pair.monitor}" if pair.monitor else "")
    comment = "".join(char if char.isprintable() else " " for char in origin)
    return (
        f"# From the dashboard {comment}\n[[criteria]]\nname = {quote(pair.name)}\n"
        f'source = "mackerel"\nbaseline = {quote(pair.baseline)}\ncanary = {quote(pair.canary)}\n'
        f'kind = "{pair.kind}"\nbetter = "{pair.better}"\nmargin = {margin}\n'
    )


def _names_of(migration: Migration, fleet: FleetName) -> tuple[str, ...]:
    """What an alias may call a fleet: its label, and its target groups."""
    return tuple(name.casefold() for name in (migration.fleets[fleet].label, *migration.fleets[fleet].names))


def _read_graph(
    text: str, names: Mapping[FleetName, tuple[str, ...]]
) -> dict[str, tuple[Call, Call]] | Literal["invalid", "role_slots", "no_pair"]:
    """The expressions of the baseline and the canary by what their aliases have in common, or why there are none."""
    try:
        expression = parse(text)
    except ExpressionError:
        return "invalid"
    sides: dict[FleetName, dict[str, Call]] = {fleet: {} for fleet in FLEETS}
    for line in _lines(expression):
        if line.function == "alias":
            for fleet, rest in _fleets_of(str(line.arguments[1]), names):
                sides[fleet].setdefault(rest, line.operands[0])
    baselines, canaries = sides["baseline"], sides["canary"]
    if len(baselines) == len(canaries) == 1:
        pairs = {next(iter(baselines)): (next(iter(baselines.values())), next(iter(canaries.values())))}
    else:
        pairs = {rest: (baselines[rest], canaries[rest]) for rest in baselines if rest in canaries}
    if not pairs:
        return "no_pair"
    if any(call.function == "roleSlots" for pair in pairs.values() for side in pair for call in side.walk()):
        return "role_slots"
    return pairs


def _lines(expression: Call) -> Iterator[Call]:
    """The series of a graph: the operands of its groups."""
    if expression.function in ("group", "stack"):
        for operand in expression.operands:
            yield from _lines(operand)
    else:
        yield expression


def _fleets_of(alias: str, names: Mapping[FleetName, tuple[str, ...]]) -> Iterator[tuple[FleetName, str]]:
    """The only fleet that an alias names, and the rest of the alias."""
    folded = alias.casefold()
    named = {fleet: next((name for name in names[fleet] if name in folded), "") for fleet in FLEETS}
    fleets = [fleet for fleet in FLEETS if named[fleet]]
    if len(fleets) == 1:
        yield fleets[0], " ".join(folded.replace(named[fleets[0]], " ").split())


def _thresholds(monitors: Iterable[Monitor]) -> Iterator[tuple[str, Monitor]]:
    """The expression monitors with a threshold, by the canonical text of their expression."""
    for monitor in monitors:
        if monitor.warning or monitor.critical:
            try:
                yield str(_plain(parse(monitor.expression))), monitor
            except ExpressionError:
                continue


def _plain(expression: Call) -> Call:
    """The expression without what is only for the eye."""
    while expression.function in ("alias", "stack") or (
        expression.function == "group" and len(expression.operands) == 1
    ):
        expression = expression.operands[0]
    return expression


def _pair(name: str, baseline: Call, canary: Call, thresholds: Mapping[str, Monitor]) -> Pair:
    kind: Literal["rate", "value"] = "rate" if quotient(baseline) and quotient(canary) else "value"
    found = ((side, thresholds.get(str(_plain(side)))) for side in (canary, baseline))
    side, monitor = next(((side, monitor) for side, monitor in found if monitor), (canary, None))
    threshold = abs(monitor.warning or monitor.critical or 0) if monitor else 0
    margin = DEFAULT_MARGIN
    if threshold and kind == "value":
        margin = Margin(value=threshold, unit="")
    elif threshold and monitor:
        margin = _rate_margin(threshold / _percent_of(side), is_lower_limit="<" in monitor.operator)
    better: Literal["lower", "higher", "equal"] = "lower" if kind == "rate" else "equal"
    if monitor:
        better = "higher" if "<" in monitor.operator else "lower"
    return Pair(name, str(baseline), str(canary), kind, better, margin, monitor.name if monitor else "", "", "")


def _rate_margin(percent: float, *, is_lower_limit: bool) -> Margin:
    """The distance of a threshold from the best rate: from 0%, or from 100% if it is a lower limit below that."""
    distance = round(100 - percent if is_lower_limit else percent, 9)
    return Margin(value=distance, unit="pp") if distance > 0 else DEFAULT_MARGIN


def _percent_of(expression: Call) -> float:
    """What one percent is in the unit of a quotient: 1 with scale(…, 100), 0.01 without."""
    factor = 1.0
    while expression.function in ("alias", "scale", "stack"):
        if expression.function == "scale" and isinstance(expression.arguments[1], Number):
            factor *= abs(expression.arguments[1].value) or 1.0
        expression = expression.operands[0]
    return factor / 100


def _unique_name(title: str, known: Iterable[str]) -> str:
    """A name of a criterion that is not taken yet."""
    name = "".join(char if char.isprintable() and char not in ',"' else " " for char in title)
    name = " ".join(name.split()).lstrip("_-. ")[:MAX_NAME_CHARS] or "graph"
    name = name if name[0].isalnum() else f"x {name}"[:MAX_NAME_CHARS]
    number, unique = 1, name
    while unique in known:
        number += 1
        unique = f"{name[: MAX_NAME_CHARS - 4]} {number}"
    return unique
