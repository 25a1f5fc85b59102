"""Reads the points that expressions need: resolves roles and wildcards, and requests each metric once."""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from domain import Window
from domain.config.errors import closest
from domain.window import merge_windows
from sources.mackerel.client import MAX_MINUTE_RANGE_S, MackerelApi
from sources.mackerel.expressions.evaluation import MetricPoints, required_windows
from sources.mackerel.expressions.syntax import Call
from sources.mackerel.models import Host, Point
from sources.mackerel.points import METRIC_NAMES_TTL_S, fetch_points
from sources.mackerel.protocol import MackerelError

MAX_REQUESTS = 100  # for one expression and one window

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """A metric of one host or service. `label`: of its series in a graph."""

    owner_kind: Literal["host", "service"]
    owner: str
    name: str
    label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ExpressionData:
    """The points by selector, for `evaluate`. `errors`: why some are missing; `n_metrics`: how many metrics were read."""

    points: Mapping[Call, Sequence[MetricPoints]]
    errors: tuple[MackerelError, ...] = ()
    n_metrics: int = 0


class ExpressionReader:
    """Reads with one client. Lists of hosts and of metric names are reused for METRIC_NAMES_TTL_S. Thread-safe."""

    def __init__(self, api: MackerelApi, *, clock_s: Callable[[], float]) -> None:
        self._api, self._clock_s = api, clock_s
        self._lock = threading.Lock()
        self._lists: dict[object, tuple[float, Sequence[object]]] = {}

    def read(self, expressions: Iterable[Call], window: Window) -> ExpressionData:
        """What the expressions need to be evaluated over `window`. Raises MackerelError if a list of hosts or metrics cannot be read, or if they
        need more than MAX_REQUESTS.

        A metric that was never posted has no points, and a "no_such_metric" among the errors.
        """
        needed: dict[Call, tuple[Window, ...]] = {}
        for expression in expressions:
            for selector, windows in required_windows(expression, window).items():
                needed[selector] = merge_windows((*needed.get(selector, ()), *windows))
        metrics = {selector: self._resolve(selector) for selector in needed}
        by_metric: dict[Metric, tuple[Window, ...]] = {}
        for selector, resolved in metrics.items():
            for metric in resolved:
                by_metric[metric] = merge_windows((*by_metric.get(metric, ()), *needed[selector]))
        requests = [
            (metric, chunk)
            for metric, windows in by_metric.items()
            for part in windows
            for chunk in part.chunks(MAX_MINUTE_RANGE_S)
        ]
        if len(requests) > MAX_REQUESTS:
            raise MackerelError(
                "too_costly", "GET /api/v0/hosts/<hostId>/metrics", "", f"{len(requests)} > {MAX_REQUESTS}"
            )
        fetched, errors = fetch_points(self._fetch, requests)
        missing = [
            MackerelError("no_such_metric", "GET /api/v0/hosts/<hostId>/metric-names", str(selector))
            for selector, resolved in metrics.items()
            if not resolved
        ]
        points = {
            selector: tuple(
                _points(metric, [fetched[key] for key in requests if key[0] == metric and key in fetched])
                for metric in resolved
            )
            for selector, resolved in metrics.items()
        }
        return ExpressionData(points, (*missing, *errors.values()), len(by_metric))

    def similar_name(self, selector: Call) -> str:
        """The name of another metric of the same host or service that is most like the selector's; "" without one. Raises MackerelError."""
        owner, name = (str(argument) for argument in selector.arguments)
        match selector.function:
            case "host" | "service" as owner_kind if "*" not in name:
                return closest(name, [other for other in self._all_names(owner_kind, owner) if other != name])
        return ""

    def _fetch(self, key: tuple[Metric, Window]) -> Sequence[Point]:
        metric, window = key
        read = self._api.host_metrics if metric.owner_kind == "host" else self._api.service_metrics
        return read(metric.owner, metric.name, window)

    def _resolve(self, selector: Call) -> tuple[Metric, ...]:
        """The metrics of a selector: hosts by name, metrics in alphabetical order. `*` stands for anything but a dot."""
        owner, pattern = (str(argument) for argument in selector.arguments)
        match selector.function:
            case "host":
                return tuple(Metric("host", owner, name, name) for name in self._names("host", owner, pattern))
            case "service":
                return tuple(Metric("service", owner, name, name) for name in self._names("service", owner, pattern))
            case "role":
                return tuple(
                    Metric("host", host.id, name, f"{host.name or host.id} {name}")
                    for host in self._hosts_of(owner)
                    for name in self._names("host", host.id, pattern)
                )
        # No API says which hosts were in a role, and those that are in it now would be another graph.
        raise MackerelError("not_supported", "GET /api/v0/hosts", str(selector), "roleSlots")

    def _hosts_of(self, role: str) -> list[Host]:
        service, name = role.split(":")
        hosts = self._cached("hosts", self._api.hosts)
        found = [host for host in hosts if name in host.roles.get(service, ())]
        if not found:
            raise MackerelError("not_found", "GET /api/v0/hosts", role)
        return sorted(found, key=lambda host: (host.name, host.id))

    def _names(self, owner_kind: Literal["host", "service"], owner: str, pattern: str) -> Sequence[str]:
        if "*" not in pattern:
            return (pattern,)
        matches = re.compile(re.escape(pattern).replace(r"\*", r"[^.]*")).fullmatch
        return sorted(filter(matches, self._all_names(owner_kind, owner)))

    def _all_names(self, owner_kind: Literal["host", "service"], owner: str) -> Sequence[str]:
        read = self._api.host_metric_names if owner_kind == "host" else self._api.service_metric_names
        return self._cached((owner_kind, owner), lambda: read(owner))

    def _cached(self, key: object, read: Callable[[], Sequence[ResultT]]) -> Sequence[ResultT]:
        with self._lock:
            read_at, result = self._lists.get(key, (0.0, ()))
            now = self._clock_s()
            if not 0 <= now - read_at < METRIC_NAMES_TTL_S:
                result = read()
                self._lists[key] = (now, result)
            return result  # type: ignore[return-value]  # what `read` of the same key returned


def _points(metric: Metric, parts: Sequence[Sequence[Point]]) -> MetricPoints:
    points = sorted((point for part in parts for point in part), key=lambda point: point.time)
    times = np.fromiter((point.time for point in points), "int64", len(points))
    return MetricPoints(
        metric.label or metric.name, times, np.fromiter((point.value for point in points), "float64", len(points))
    )
