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
from sources.base import Answer, Health, Problem, Pull, Query
from sources.mackerel.client import LONGEST_OF_MINUTES_S, MackerelApi, checked
from sources.mackerel.events import MackerelEvents
from sources.mackerel.models import Host, Point, step_s
from sources.mackerel.protocol import HOPELESS, MackerelFault
from sources.mackerel.queries import (
    LACKS,
    METRIC_NAMES,
    SOURCE,
    all_series,
    graph_link,
    graph_of,
    group_metric_names,
    metric_name,
    overlay_expression,
    overlay_link,
    query_text,
)

__all__ = ["MackerelEvents", "MackerelMetrics", "graph_link", "overlay_expression", "overlay_link"]

MINUTE_S = 60
KEPT_S = 460 * 86_400  # so long minutes are kept; after that one average a day, which tells nothing of a minute
AT_ONCE = 3  # requests; no limit is published, so few
NAMES_KEPT_S = 300  # the integration brings news every 5 minutes: a metric that was missing is not there any sooner
MOST_CANDIDATES = 20  # hosts that are asked for their metrics' names when the load balancer's is looked for

_STATUSES = ("target_2xx", "target_3xx", "target_4xx", "target_5xx")
_COARSE_TIMES = 3  # so many different times, all on a coarse grid, are no chance
_NAMES = "GET /api/v0/hosts/<hostId>/metric-names"
_METRICS = "GET /api/v0/hosts/<hostId>/metrics"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the numbers are: the load balancer's host, its metrics' names, and when it was asked for them (epoch seconds)."""

    host_id: str
    names: frozenset[str]
    asked_at: int

    def has(self, series: Series) -> bool:
        return metric_name(series) in self.names

    def knows(self, groups: Iterable[str]) -> bool:
        """Whether this host tells of any of these target groups."""
        return any(name in self.names for group in groups for name in group_metric_names(group))

    def silent(self, series: Series) -> bool:
        """Whether the series never had anything to tell: an error that never happened has no metric, although its group has.

        Answers that were timed had a status: where no status at all is posted, the integration leaves them out, and they are not zero.
        """
        if series.metric in _STATUSES and not self._posts(series, _STATUSES) and self._posts(series, ("latency",)):
            return False
        groups = (series.target_group,) if series.target_group else ()
        return (
            series.metric in (*SPARSE_COUNTS, *ALB_COUNTS)
            and not self.has(series)
            and (self.knows(groups) or not groups)
        )

    def _posts(self, series: Series, metrics: Collection[str]) -> bool:
        """Whether there is any of these metrics of the series' group."""
        of_group = (
            name.format(group=series.target_group) for (metric, _), name in METRIC_NAMES.items() if metric in metrics
        )
        return not self.names.isdisjoint(of_group)


@dataclass(slots=True)
class _Piece:
    """One stretch of time: what each series answered in it, and what went wrong. A series in neither was not asked for."""

    window: Window
    points: dict[Series, Sequence[Point]] = field(default_factory=dict)
    faults: list[MackerelFault] = field(default_factory=list)

    def coarse_s(self) -> int:
        """The step in seconds if it is not a minute, else 0.

        All series are looked at together: one alone may have a value every five minutes and mean it.
        """
        times = {point.time for points in self.points.values() for point in points}
        step = step_s(times)
        return step if step > MINUTE_S and len(times) >= _COARSE_TIMES else 0


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
        self._place: Place | None = None

    def series(self) -> tuple[Series, ...]:
        """Everything Mackerel has: each target group of each fleet, then the load balancer. Healthy hosts are averages here."""
        return self._series

    def lacks(self) -> tuple[str, ...]:
        """What the AWS integration does not bring: see docs/mackerel.md."""
        return LACKS

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 460 days, then 0."""
        return MINUTE_S if start >= _kept_from(now) else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The numbers in `window`, newest asked first; only of `series`, if given. Never raises for Mackerel's faults.

        A series that was never posted is a `no_such_metric` problem and not answered, unless it is a count of something that never happened.
        """
        began, now = time.monotonic(), int(self._clock().timestamp())
        only = frozenset(self._series if series is None else series)
        wanted = tuple(one for one in self._series if one in only)
        if not wanted or window.end <= _kept_from(now):
            return Pull(window, now)
        try:
            place = self._find(wanted, now)
        except MackerelFault as fault:
            problems = (fault.problem(self.name), *self._skew())
            return Pull(window, now, problems=problems, took_s=time.monotonic() - began)
        # A host that tells of none of our groups is another load balancer's: neither its numbers nor its silence are ours.
        ours = wanted if place.knows(self._groups) else ()
        there = tuple(one for one in ours if place.has(one))
        silent = frozenset(one for one in ours if place.silent(one))
        pieces = self._ask(place, there, Window(max(window.start, _kept_from(now)), window.end))
        told = [*self._never_posted(place, wanted), *self._problems(pieces, len(there)), *self._skew()]
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(wanted, [piece for piece in pieces if not piece.coarse_s()]),
            answers=tuple(_answers(pieces, silent)),
            queries=self._queries(place, wanted),
            problems=tuple(dict.fromkeys(told)),
            asked=sum(piece.window.minutes * (len(piece.points) + len(piece.faults)) for piece in pieces),
            took_s=time.monotonic() - began,
        )

    def check(self) -> tuple[Health, ...]:
        """Is the key good, does the service exist, is the load balancer's host there, and can its numbers be read?"""
        now = self._clock()

        def read_numbers() -> None:
            place = self._find(self._series, int(now.timestamp()))
            one = next((one for one in self._series if place.has(one) and one.target_group), None)
            if one is None:
                raise MackerelFault("no_such_metric", _METRICS, ", ".join(self._groups))
            self._api.host_metrics(place.host_id, metric_name(one), Window.last(15, now=now))

        steps: list[tuple[str, Callable[[], object]]] = [("GET /api/v0/org", self._api.organization)]
        if self._settings.service:
            steps.append(("GET /api/v0/services", lambda: self._api.service(self._settings.service)))
        steps.append((_NAMES, lambda: self._find(self._series, int(now.timestamp()))))
        steps.append((_METRICS, read_numbers))
        return checked(self._api, self.name, steps)

    def _find(self, wanted: Iterable[Series], now: int) -> Place:
        """Where the numbers are. The host is looked for once; its metrics' names again, while some that are wanted are missing."""
        with self._lock:
            place = self._place
            if place is None:
                self._place = place = self._look_for_host(now)
            elif now - place.asked_at >= NAMES_KEPT_S and not all(place.has(one) for one in wanted):
                self._place = place = self._at(place.host_id, now)
            return place

    def _at(self, host_id: str, now: int) -> Place:
        return Place(host_id, frozenset(self._api.host_metric_names(host_id)), now)

    def _look_for_host(self, now: int) -> Place:
        if self._settings.alb_host:
            return self._at(self._settings.alb_host, now)
        arn = self._migration.aws and self._migration.aws.load_balancer_arn
        candidates = sorted(self._api.hosts(), key=lambda host: _unlikely(host, arn.name if arn else ""))
        for host in candidates[:MOST_CANDIDATES]:
            place = self._at(host.id, now)
            if place.knows(self._groups):
                return place
        seen = ", ".join(host.name for host in candidates[:MOST_CANDIDATES])
        raise MackerelFault("not_found", "GET /api/v0/hosts", "mackerel.alb_host", seen)

    def _ask(self, place: Place, series: Sequence[Series], window: Window) -> list[_Piece]:
        """Every series in every piece, a few at once; nothing more after a fault that the rest would meet as well."""
        pieces = [_Piece(piece) for piece in reversed(tuple(window.pieces(LONGEST_OF_MINUTES_S)))]
        hopeless = threading.Event()

        def read(job: tuple[_Piece, Series]) -> None:
            piece, one = job
            if hopeless.is_set():
                return
            try:
                piece.points[one] = self._api.host_metrics(place.host_id, metric_name(one), piece.window)
            except MackerelFault as fault:
                piece.faults.append(fault)
                if fault.kind in HOPELESS:
                    hopeless.set()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(read, [(piece, one) for piece in pieces for one in series]))
        if any(fault.kind == "no_such_metric" for piece in pieces for fault in piece.faults):
            with self._lock:
                self._place = None  # the list of names is not true any more
        return pieces

    def _never_posted(self, place: Place, wanted: Iterable[Series]) -> Iterator[Problem]:
        """One problem a group that was never heard of, one a metric of those that were."""
        for one in wanted:
            if place.has(one) or place.silent(one):
                continue
            unheard = one.target_group and not place.knows((one.target_group,))
            yield Problem("no_such_metric", self.name, _NAMES, one.target_group if unheard else metric_name(one))

    def _problems(self, pieces: Iterable[_Piece], wanted: int) -> Iterator[Problem]:
        """What went wrong, each sentence once however many metrics it befell, and how much was not asked for because of it."""
        pieces = tuple(pieces)
        faults = {(fault.kind, fault.detail): fault for piece in pieces for fault in reversed(piece.faults)}
        yield from (fault.problem(self.name) for fault in faults.values())
        for piece in pieces:
            if step := piece.coarse_s():
                yield Problem(
                    "bad_reply", self.name, _METRICS, f"{piece.window.starts_at:%Y-%m-%d %H:%M} UTC", f"{step} s"
                )
        answered = sum(len(piece.points) for piece in pieces)
        if faults:
            yield Problem("incomplete", self.name, _METRICS, f"{answered} / {wanted * len(pieces)}")

    def _skew(self) -> Iterator[Problem]:
        if problem := self._api.skew(self.name):
            yield problem

    def _queries(self, place: Place, wanted: Iterable[Series]) -> tuple[Query, ...]:
        organization = self._settings.organization or self._api.organization_name()

        def link(one: Series) -> str:
            if not organization:
                return ""
            return overlay_link(self._migration, organization, place.host_id, graph_of(one))

        return tuple(Query(one, MINUTE_S, query_text(place.host_id, one), link(one)) for one in wanted)


def _kept_from(now: int) -> int:
    """The first minute (epoch seconds) that is still kept as a minute."""
    return -(-(now - KEPT_S) // MINUTE_S) * MINUTE_S


def _unlikely(host: Host, load_balancer: str) -> tuple[bool, bool]:
    """Sorts first what looks like our load balancer (photo-1234567890.ap-northeast-1.elb.amazonaws.com), then any load balancer."""
    ours = bool(load_balancer) and load_balancer in f"{host.custom_identifier} {host.name}"
    return (not ours, ".elb." not in host.custom_identifier)


def _answers(pieces: Iterable[_Piece], silent: frozenset[Series]) -> Iterator[Answer]:
    """What was answered. Silence counts only where nothing went wrong beside it."""
    for piece in pieces:
        answered = frozenset(piece.points) | (frozenset() if piece.faults else silent)
        if answered and not piece.coarse_s():
            yield Answer(answered, piece.window, MINUTE_S)


def _frame(series: Sequence[Series], pieces: Iterable[_Piece]) -> pd.DataFrame:
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
