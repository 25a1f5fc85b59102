"""Mackerel as a source of numbers: the AWS integration's copy of the load balancer's metrics, read minute by minute."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from domain import FLEETS, Clock, Mackerel, Migration, Series, Window, assemble, check_frame, empty_frame, utc_now
from domain.series import ALB_COUNTS, SPARSE_COUNTS
from sources.base import AnsweredRange, Health, Problem, Pull, Query
from sources.mackerel.client import MAX_MINUTE_RANGE_S, MackerelApi, run_checks
from sources.mackerel.events import MackerelEvents
from sources.mackerel.models import Host, Point, resolution_s
from sources.mackerel.protocol import FATAL_KINDS, MackerelError
from sources.mackerel.queries import (
    METRIC_NAMES,
    SOURCE,
    UNSUPPORTED_METRICS,
    all_series,
    comparison_expression,
    comparison_link,
    graph_link,
    graph_of,
    group_metric_names,
    metric_name,
    series_expression,
)

__all__ = ["MackerelEvents", "MackerelMetrics", "comparison_expression", "comparison_link", "graph_link"]

MINUTE_S = 60
MACKEREL_RETENTION_S = (
    460 * 86_400
)  # so long minutes are kept; after that one average a day, which tells nothing of a minute
MAX_CONCURRENT_REQUESTS = 3  # requests; no limit is published, so few
METRIC_NAMES_TTL_S = (
    300  # the integration brings news every 5 minutes: a metric that was missing is not there any sooner
)
MAX_CANDIDATE_HOSTS = 20  # hosts that are asked for their metrics' names when the load balancer's is looked for

_STATUS_COUNTS = ("target_2xx", "target_3xx", "target_4xx", "target_5xx")
_MIN_COARSE_TIMES = 3  # so many different times, all on a coarse grid, are no chance
_METRIC_NAMES_OPERATION = "GET /api/v0/hosts/<hostId>/metric-names"
_METRICS_OPERATION = "GET /api/v0/hosts/<hostId>/metrics"


@dataclass(frozen=True, slots=True)
class HostMetrics:
    """Where the numbers are: the load balancer's host, its metrics' names, and when it was asked for them (epoch seconds)."""

    host_id: str
    metric_names: frozenset[str]
    fetched_at: int

    def has_metric(self, series: Series) -> bool:
        return metric_name(series) in self.metric_names

    def has_any_group(self, groups: Iterable[str]) -> bool:
        """Whether this host tells of any of these target groups."""
        return any(name in self.metric_names for group in groups for name in group_metric_names(group))

    def is_implied_zero(self, series: Series) -> bool:
        """Whether the series never had anything to tell: an error that never happened has no metric, although its group has.

        Answers that were timed had a status: where no status at all is posted, the integration leaves them out, and they are not zero.
        """
        if (
            series.metric in _STATUS_COUNTS
            and not self._has_any(series, _STATUS_COUNTS)
            and self._has_any(series, ("latency",))
        ):
            return False
        groups = (series.target_group,) if series.target_group else ()
        return (
            series.metric in (*SPARSE_COUNTS, *ALB_COUNTS)
            and not self.has_metric(series)
            and (self.has_any_group(groups) or not groups)
        )

    def _has_any(self, series: Series, metrics: Collection[str]) -> bool:
        """Whether there is any of these metrics of the series' group."""
        of_group = (
            name.format(group=series.target_group) for (metric, _), name in METRIC_NAMES.items() if metric in metrics
        )
        return not self.metric_names.isdisjoint(of_group)


@dataclass(slots=True)
class _Chunk:
    """One stretch of time: what each series answered in it, and what went wrong. A series in neither was not asked for."""

    window: Window
    points: dict[Series, Sequence[Point]] = field(default_factory=dict)
    errors: list[MackerelError] = field(default_factory=list)

    def coarse_resolution_s(self) -> int:
        """The step in seconds if it is not a minute, else 0.

        All series are looked at together: one alone may have a value every five minutes and mean it.
        """
        times = {point.time for points in self.points.values() for point in points}
        step = resolution_s(times)
        return step if step > MINUTE_S and len(times) >= _MIN_COARSE_TIMES else 0


class MackerelMetrics:
    """A sources.MetricSource. One may serve many threads.

    `clock` tells what is too old to be kept in minutes. `api` left out: by MACKEREL_APIKEY and MACKEREL_APIBASE. The load balancer's host is the
    configured one, or found by its metrics' names and then remembered.
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, api: MackerelApi | None = None) -> None:
        self._migration = migration
        self._settings = migration.mackerel or Mackerel()
        self._groups = tuple(name for fleet in FLEETS for name in migration.fleets[fleet].names)
        self._series = all_series(migration)
        self._clock = clock
        self._api = api or MackerelApi.from_environment()
        self._lock = threading.Lock()
        self._host_metrics: HostMetrics | None = None

    def series(self) -> tuple[Series, ...]:
        """Everything Mackerel has: each target group of each fleet, then the load balancer. Healthy hosts are averages here."""
        return self._series

    def unsupported_metrics(self) -> tuple[str, ...]:
        """What the AWS integration does not bring: see docs/mackerel.md."""
        return UNSUPPORTED_METRICS

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 460 days, then 0."""
        return MINUTE_S if start >= _retention_start(now) else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The numbers in `window`, newest asked first; only of `series`, if given. Never raises for Mackerel's faults.

        A series that was never posted is a `no_such_metric` problem and not answered, unless it is a count of something that never happened.
        """
        began, now = time.monotonic(), int(self._clock().timestamp())
        only = frozenset(self._series if series is None else series)
        wanted = tuple(one for one in self._series if one in only)
        if not wanted or window.end <= _retention_start(now):
            return Pull(window, now)
        try:
            place = self._get_host_metrics(wanted, now)
        except MackerelError as fault:
            problems = (fault.to_problem(self.name), *self._clock_skew_problem())
            return Pull(window, now, problems=problems, took_s=time.monotonic() - began)
        # A host that tells of none of our groups is another load balancer's: neither its numbers nor its silence are ours.
        ours = wanted if place.has_any_group(self._groups) else ()
        there = tuple(one for one in ours if place.has_metric(one))
        silent = frozenset(one for one in ours if place.is_implied_zero(one))
        pieces = self._fetch(place, there, Window(max(window.start, _retention_start(now)), window.end))
        told = [
            *self._missing_metric_problems(place, wanted),
            *self._fetch_problems(pieces, len(there)),
            *self._clock_skew_problem(),
        ]
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(wanted, [piece for piece in pieces if not piece.coarse_resolution_s()]),
            answered_ranges=tuple(_answers(pieces, silent)),
            queries=self._queries(place, wanted),
            problems=tuple(dict.fromkeys(told)),
            datapoints_requested=sum(
                piece.window.minutes * (len(piece.points) + len(piece.errors)) for piece in pieces
            ),
            took_s=time.monotonic() - began,
        )

    def check(self) -> tuple[Health, ...]:
        """Is the key good, does the service exist, is the load balancer's host there, and can its numbers be read?"""
        now = self._clock()

        def read_numbers() -> None:
            place = self._get_host_metrics(self._series, int(now.timestamp()))
            one = next((one for one in self._series if place.has_metric(one) and one.target_group), None)
            if one is None:
                raise MackerelError("no_such_metric", _METRICS_OPERATION, ", ".join(self._groups))
            self._api.host_metrics(place.host_id, metric_name(one), Window.last(15, now=now))

        steps: list[tuple[str, Callable[[], object]]] = [("GET /api/v0/org", self._api.organization)]
        if self._settings.service:
            steps.append(("GET /api/v0/services", lambda: self._api.service(self._settings.service)))
        steps.append((_METRIC_NAMES_OPERATION, lambda: self._get_host_metrics(self._series, int(now.timestamp()))))
        steps.append((_METRICS_OPERATION, read_numbers))
        return run_checks(self._api, self.name, steps)

    def _get_host_metrics(self, wanted: Iterable[Series], now: int) -> HostMetrics:
        """Where the numbers are. The host is looked for once; its metrics' names again, while some that are wanted are missing."""
        with self._lock:
            place = self._host_metrics
            if place is None:
                self._host_metrics = place = self._discover_host(now)
            elif now - place.fetched_at >= METRIC_NAMES_TTL_S and not all(place.has_metric(one) for one in wanted):
                self._host_metrics = place = self._fetch_host_metrics(place.host_id, now)
            return place

    def _fetch_host_metrics(self, host_id: str, now: int) -> HostMetrics:
        return HostMetrics(host_id, frozenset(self._api.host_metric_names(host_id)), now)

    def _discover_host(self, now: int) -> HostMetrics:
        if self._settings.alb_host:
            return self._fetch_host_metrics(self._settings.alb_host, now)
        arn = self._migration.aws and self._migration.aws.load_balancer_arn
        candidates = sorted(self._api.hosts(), key=lambda host: _candidate_rank(host, arn.name if arn else ""))
        for host in candidates[:MAX_CANDIDATE_HOSTS]:
            place = self._fetch_host_metrics(host.id, now)
            if place.has_any_group(self._groups):
                return place
        seen = ", ".join(host.name for host in candidates[:MAX_CANDIDATE_HOSTS])
        raise MackerelError("not_found", "GET /api/v0/hosts", "mackerel.alb_host", seen)

    def _fetch(self, place: HostMetrics, series: Sequence[Series], window: Window) -> list[_Chunk]:
        """Every series in every piece, a few at once; nothing more after a fault that the rest would meet as well."""
        pieces = [_Chunk(piece) for piece in reversed(tuple(window.chunks(MAX_MINUTE_RANGE_S)))]
        hopeless = threading.Event()

        def read(job: tuple[_Chunk, Series]) -> None:
            piece, one = job
            if hopeless.is_set():
                return
            try:
                piece.points[one] = self._api.host_metrics(place.host_id, metric_name(one), piece.window)
            except MackerelError as fault:
                piece.errors.append(fault)
                if fault.kind in FATAL_KINDS:
                    hopeless.set()

        with ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS) as pool:
            list(pool.map(read, [(piece, one) for piece in pieces for one in series]))
        if any(fault.kind == "no_such_metric" for piece in pieces for fault in piece.errors):
            with self._lock:
                self._host_metrics = None  # the list of names is not true any more
        return pieces

    def _missing_metric_problems(self, place: HostMetrics, wanted: Iterable[Series]) -> Iterator[Problem]:
        """One problem a group that was never heard of, one a metric of those that were."""
        for one in wanted:
            if place.has_metric(one) or place.is_implied_zero(one):
                continue
            unheard = one.target_group and not place.has_any_group((one.target_group,))
            yield Problem(
                "no_such_metric", self.name, _METRIC_NAMES_OPERATION, one.target_group if unheard else metric_name(one)
            )

    def _fetch_problems(self, pieces: Iterable[_Chunk], wanted: int) -> Iterator[Problem]:
        """What went wrong, each sentence once however many metrics it befell, and how much was not asked for because of it."""
        pieces = tuple(pieces)
        faults = {(fault.kind, fault.detail): fault for piece in pieces for fault in reversed(piece.errors)}
        yield from (fault.to_problem(self.name) for fault in faults.values())
        for piece in pieces:
            if step := piece.coarse_resolution_s():
                yield Problem(
                    "bad_reply",
                    self.name,
                    _METRICS_OPERATION,
                    f"{piece.window.starts_at:%Y-%m-%d %H:%M} UTC",
                    f"{step} s",
                )
        answered = sum(len(piece.points) for piece in pieces)
        if faults:
            yield Problem("incomplete", self.name, _METRICS_OPERATION, f"{answered} / {wanted * len(pieces)}")

    def _clock_skew_problem(self) -> Iterator[Problem]:
        if problem := self._api.clock_skew(self.name):
            yield problem

    def _queries(self, place: HostMetrics, wanted: Iterable[Series]) -> tuple[Query, ...]:
        organization = self._settings.organization or self._api.organization_name()

        def link(one: Series) -> str:
            if not organization:
                return ""
            return comparison_link(self._migration, organization, place.host_id, graph_of(one))

        return tuple(Query(one, MINUTE_S, series_expression(place.host_id, one), link(one)) for one in wanted)


def _retention_start(now: int) -> int:
    """The first minute (epoch seconds) that is still kept as a minute."""
    return -(-(now - MACKEREL_RETENTION_S) // MINUTE_S) * MINUTE_S


def _candidate_rank(host: Host, load_balancer: str) -> tuple[bool, bool]:
    """Sorts first what looks like our load balancer (photo-1234567890.ap-northeast-1.elb.amazonaws.com), then any load balancer."""
    ours = bool(load_balancer) and load_balancer in f"{host.custom_identifier} {host.name}"
    return (not ours, ".elb." not in host.custom_identifier)


def _answers(pieces: Iterable[_Chunk], silent: frozenset[Series]) -> Iterator[AnsweredRange]:
    """What was answered. Silence counts only where nothing went wrong beside it."""
    for piece in pieces:
        answered = frozenset(piece.points) | (frozenset() if piece.errors else silent)
        if answered and not piece.coarse_resolution_s():
            yield AnsweredRange(answered, piece.window, MINUTE_S)


def _frame(series: Sequence[Series], pieces: Iterable[_Chunk]) -> pd.DataFrame:
    """The points of every piece as one tidy frame, by series and then by time."""
    pieces = tuple(pieces)
    values: dict[tuple[int, int], float] = {}
    for code, one in enumerate(series):
        for piece in sorted(pieces, key=lambda piece: piece.window):
            for point in piece.points.get(one, ()):
                values[code, point.time - point.time % MINUTE_S] = point.value
    if not values:
        return empty_frame()
    code_and_ts = np.array(list(values), dtype="int64")
    numbers = np.fromiter(values.values(), "float64", len(values))
    return check_frame(assemble(series, code_and_ts[:, 0], code_and_ts[:, 1], numbers, MINUTE_S))
