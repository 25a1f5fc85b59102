"""Mackerel as a source of batch runs: the service metrics that each run posts, read minute by minute, of jobs that are configured or found."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from domain import FLEETS, Clock, Migration, Series, Window, assemble, check_frame, empty_frame, utc_now
from domain.config.batches import RUN_METRICS, RunMetric, SchedulerKind, metric_name, parse_job_name, series_of_runs
from sources.base import AnsweredRange, Health, Problem, Pull, Query
from sources.mackerel.client import MackerelApi, run_checks
from sources.mackerel.metrics import MACKEREL_RETENTION_S, MAX_CONCURRENT_REQUESTS, METRIC_NAMES_TTL_S, MINUTE_S
from sources.mackerel.models import Point
from sources.mackerel.protocol import FATAL_KINDS, MackerelError
from sources.mackerel.queries import service_metric_link

SOURCE = "mackerel_batches"
_METRIC_NAMES_OPERATION = "GET /api/v0/services/<serviceName>/metric-names"
_METRICS_OPERATION = "GET /api/v0/services/<serviceName>/metrics"


class MackerelBatches:
    """A sources.MetricSource whose target groups are jobs and whose fleets are eras. One may serve many threads.

    Jobs that are not configured are found by their metrics' names, and remembered; `recall` reminds it of those that an earlier process found.
    Raises ValueError where the migration has no [batches].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, api: MackerelApi | None = None) -> None:
        if migration.batches is None:
            raise ValueError("MackerelBatches needs the [batches] table.")
        self._migration, self._batches, self._service = migration, migration.batches, migration.batch_service
        self._clock = clock
        self._api = api or MackerelApi.from_environment()
        self._lock = threading.Lock()
        self._metric_names: dict[Series, str] = {
            series_of_runs(SOURCE, era, job.name, measure): metric_name(pattern, job.name)
            for job in self._batches.jobs
            for era in FLEETS
            for measure, pattern in self._batches.patterns(era).items()
        }
        self._names_fetched_at: int | None = None

    def series(self) -> tuple[Series, ...]:
        """Every measure of every configured job in both eras, then those of the jobs that were found."""
        with self._lock:
            return tuple(self._metric_names)

    def restore_series(self, known_series: Collection[Series]) -> None:
        """Goes on asking for what was found before, as far as the configuration still has a pattern for it."""
        measures = {f"run_{measure}": measure for measure in RUN_METRICS}
        with self._lock:
            for one in known_series:
                era: SchedulerKind = "baseline" if one.fleet == "baseline" else "canary"
                pattern = self._batches.patterns(era).get(measures.get(one.metric, "duration"))
                if one.metric in measures and pattern:
                    self._metric_names.setdefault(one, metric_name(pattern, one.target_group))

    def unsupported_metrics(self) -> tuple[str, ...]:
        """Nothing that anybody else would know."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 460 days, then 0."""
        return MINUTE_S if start >= now - MACKEREL_RETENTION_S else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The runs in `window`; only of `series`, if given. Never raises for Mackerel's faults.

        A metric that was never posted is answered with nothing: a job that has not run yet, or never ran in that era.
        """
        began, now = time.monotonic(), int(self._clock().timestamp())
        try:
            self._discover_jobs(now)
        except MackerelError as fault:
            return Pull(window, now, problems=self._problems([fault]), took_s=time.monotonic() - began)
        with self._lock:
            names = {one: name for one, name in self._metric_names.items() if series is None or one in series}
        points, faults = self._fetch(names, window)
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(tuple(points), points, {era: self._batches.seconds_per_unit(era) for era in FLEETS}),
            answered_ranges=(AnsweredRange(frozenset(points), window, MINUTE_S),) if points else (),
            queries=tuple(self._query(one, name) for one, name in names.items()),
            problems=self._problems(faults, f"{len(points)} / {len(names)}"),
            datapoints_requested=window.minutes * len(names),
            took_s=time.monotonic() - began,
        )

    def check(self) -> tuple[Health, ...]:
        """Is the key good, is the service there, and does any of its metrics fit a pattern?"""

        def find_a_run() -> None:
            names = self._api.service_metric_names(self._service)
            if not any(_matching_jobs(self._batches.patterns(era), name) for era in FLEETS for name in names):
                patterns = [pattern for era in FLEETS for pattern in self._batches.patterns(era).values()]
                raise MackerelError("no_such_metric", _METRIC_NAMES_OPERATION, ", ".join(patterns), self._service)

        steps: list[tuple[str, Callable[[], object]]] = [
            ("GET /api/v0/services", lambda: self._api.service(self._service)),
            (_METRIC_NAMES_OPERATION, find_a_run),
        ]
        return run_checks(self._api, self.name, steps)

    def _discover_jobs(self, now: int) -> None:
        """Reads the names of the service's metrics where that was last done a while ago, and remembers the jobs among them."""
        if self._names_fetched_at is not None and 0 <= now - self._names_fetched_at < METRIC_NAMES_TTL_S:
            return
        try:
            every = self._api.service_metric_names(self._service)
        except MackerelError as fault:
            if fault.kind == "not_found":
                self._api.service(self._service)  # says whose key it is
            raise
        with self._lock:
            self._names_fetched_at = now
            for name in sorted(every):
                for era in FLEETS:
                    for measure, job in _matching_jobs(self._batches.patterns(era), name):
                        self._metric_names.setdefault(series_of_runs(SOURCE, era, job, measure), name)

    def _fetch(
        self, names: Mapping[Series, str], window: Window
    ) -> tuple[dict[Series, Sequence[Point]], list[MackerelError]]:
        """The points of every series that was answered, a few asked at once; nothing more after a fault that the rest would meet as well."""
        points: dict[Series, Sequence[Point]] = {}
        faults: list[MackerelError] = []
        hopeless = threading.Event()

        def read(one: Series) -> None:
            if hopeless.is_set():
                return
            try:
                points[one] = self._api.service_metrics(self._service, names[one], window)
            except MackerelError as fault:
                if fault.kind == "no_such_metric":
                    points[one] = ()
                    return
                faults.append(fault)
                if fault.kind in FATAL_KINDS:
                    hopeless.set()

        with ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS) as pool:
            list(pool.map(read, names))
        return {one: points[one] for one in names if one in points}, faults

    def _problems(self, errors: Iterable[MackerelError], answered: str = "") -> tuple[Problem, ...]:
        """What went wrong, each sentence once however many metrics it befell."""
        told = list({(fault.kind, fault.detail): fault.to_problem(self.name) for fault in errors}.values())
        if told and answered:
            told.append(Problem("incomplete", self.name, _METRICS_OPERATION, answered))
        if skew := self._api.clock_skew(self.name):
            told.append(skew)
        return tuple(told)

    def _query(self, one: Series, name: str) -> Query:
        organization = self._migration.mackerel.organization if self._migration.mackerel else ""
        link = service_metric_link(organization, self._service, name) if organization else ""
        return Query(one, MINUTE_S, f"service({self._service}, {name})", link)


def _matching_jobs(patterns: Mapping[RunMetric, str], name: str) -> list[tuple[RunMetric, str]]:
    """The measures and jobs that a metric's name may stand for."""
    return [(measure, job) for measure, pattern in patterns.items() if (job := parse_job_name(pattern, name))]


def _frame(
    series: Sequence[Series], points: Mapping[Series, Sequence[Point]], seconds: Mapping[SchedulerKind, float]
) -> pd.DataFrame:
    """The points as one tidy frame, durations in seconds."""
    values: dict[tuple[int, int], float] = {}
    for code, one in enumerate(series):
        factor = seconds["baseline" if one.fleet == "baseline" else "canary"] if one.unit == "s" else 1.0
        for point in points[one]:
            values[code, point.time - point.time % MINUTE_S] = point.value * factor
    if not values:
        return empty_frame()
    code_and_ts = np.array(list(values), dtype="int64")
    numbers = np.fromiter(values.values(), "float64", len(values))
    return check_frame(assemble(series, code_and_ts[:, 0], code_and_ts[:, 1], numbers, MINUTE_S))
