"""Mackerel as a source of batch runs: the service metrics that jobs post, in minutes. Jobs are configured or discovered."""

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from domain import FLEETS, Clock, Migration, Series, Window, utc_now
from domain.config.batches import RUN_METRICS, RunMetric, SchedulerKind, metric_name, parse_job_name, series_of_runs
from domain.window import MINUTE_S
from sources.base import AnsweredRange, Health, Problem, Pull
from sources.mackerel.client import CheckStep, MackerelApi, run_checks
from sources.mackerel.models import Point
from sources.mackerel.points import (
    MACKEREL_RETENTION_S,
    METRIC_NAMES_TTL_S,
    fetch_points,
    newest_age_s,
    to_frame,
    unique_problems,
)
from sources.mackerel.protocol import MackerelError

SOURCE = "mackerel_batches"
_METRIC_NAMES_OPERATION = "GET /api/v0/services/<serviceName>/metric-names"
_METRICS_OPERATION = "GET /api/v0/services/<serviceName>/metrics"


class MackerelBatches:
    """A MetricSource whose target groups are jobs and whose fleets are the two schedulers. Thread-safe.

    Jobs that are not configured are discovered by the names of their metrics. Raises ValueError if the migration has no [batches].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, api: MackerelApi | None = None) -> None:
        if migration.batches is None:
            raise ValueError("MackerelBatches needs the [batches] table.")
        self._batches, self._service = migration.batches, migration.batch_service
        self._clock = clock
        self._api = api or MackerelApi.from_environment()
        self._lock = threading.Lock()
        self._metric_names: dict[Series, str] = {
            series_of_runs(SOURCE, scheduler_kind, job.name, metric): metric_name(pattern, job.name)
            for job in self._batches.jobs
            for scheduler_kind in FLEETS
            for metric, pattern in self._batches.patterns(scheduler_kind).items()
        }
        self._names_fetched_at: int | None = None

    def series(self) -> tuple[Series, ...]:
        """The series of the configured jobs for both schedulers, then those of the discovered jobs."""
        with self._lock:
            return tuple(self._metric_names)

    def restore_series(self, known_series: Collection[Series]) -> None:
        """Adds the series of jobs discovered earlier, if the configuration still has a pattern for them."""
        metrics = {f"run_{metric}": metric for metric in RUN_METRICS}
        with self._lock:
            for series in known_series:
                pattern = self._batches.patterns(_scheduler_kind(series)).get(metrics.get(series.metric, "duration"))
                if series.metric in metrics and pattern:
                    self._metric_names.setdefault(series, metric_name(pattern, series.target_group))

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 460 days, then 0."""
        return MINUTE_S if start >= now - MACKEREL_RETENTION_S else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The runs in `window`; only of `series`, if given. Mackerel's errors are problems.

        A metric that was never posted is answered with no points: the job has not run yet, or never ran with that scheduler.
        """
        started_s, now = time.monotonic(), int(self._clock().timestamp())
        try:
            self._discover_jobs(now)
        except MackerelError as error:
            return Pull(window, now, problems=self._problems([error]), took_s=time.monotonic() - started_s)
        with self._lock:
            names = {item: name for item, name in self._metric_names.items() if series is None or item in series}

        def read(item: Series) -> Sequence[Point]:
            try:
                return self._api.service_metrics(self._service, names[item], window)
            except MackerelError as error:
                if error.kind == "no_such_metric":
                    return ()
                raise

        points, errors = fetch_points(read, names)
        return Pull(
            window=window,
            asked_at=now,
            frame=to_frame(points, self._scale),
            answered_ranges=(AnsweredRange(frozenset(points), window, MINUTE_S),) if points else (),
            problems=self._problems(errors.values(), f"{len(points)} / {len(names)}"),
            datapoints_requested=window.minutes * len(names),
            took_s=time.monotonic() - started_s,
            clock_ahead_s=self._api.clock_ahead_s,
        )

    def check(self) -> tuple[Health, ...]:
        """Checks the key, the service, whether any of its metrics matches a pattern, and each configured job: its newest run."""
        now = self._clock()
        names: tuple[str, ...] = ()

        def find_metric() -> None:
            nonlocal names
            names = self._api.service_metric_names(self._service)
            all_patterns = [self._batches.patterns(scheduler_kind) for scheduler_kind in FLEETS]
            if not any(_matching_jobs(patterns, name) for patterns in all_patterns for name in names):
                about = ", ".join(pattern for patterns in all_patterns for pattern in patterns.values())
                raise MackerelError("no_such_metric", _METRIC_NAMES_OPERATION, about, self._service)

        def read_job(job: str) -> int | None:
            posted = sorted({name for item, name in self._metric_names.items() if item.target_group == job} & {*names})
            if not posted:
                raise MackerelError("no_such_metric", _METRICS_OPERATION, job, self._service)
            return newest_age_s([partial(read_metric, name) for name in posted], now)

        def read_metric(name: str, window: Window) -> Sequence[Point]:
            return self._api.service_metrics(self._service, name, window, max_range_s=window.end - window.start)

        steps = [
            CheckStep("GET /api/v0/services", lambda: self._api.service(self._service)),
            CheckStep(_METRIC_NAMES_OPERATION, find_metric),
            *(
                CheckStep(_METRICS_OPERATION, partial(read_job, job.name), job.name, _METRIC_NAMES_OPERATION)
                for job in self._batches.jobs
            ),
        ]
        return run_checks(self._api, self.name, steps)

    def _discover_jobs(self, now: int) -> None:
        """Adds the jobs among the service's metric names, which are read every METRIC_NAMES_TTL_S seconds."""
        if self._names_fetched_at is not None and 0 <= now - self._names_fetched_at < METRIC_NAMES_TTL_S:
            return
        try:
            names = self._api.service_metric_names(self._service)
        except MackerelError as error:
            if error.kind == "not_found":
                self._api.service(self._service)  # raises an error that names the key's organization
            raise
        with self._lock:
            self._names_fetched_at = now
            for name in sorted(names):
                for scheduler_kind in FLEETS:
                    for metric, job in _matching_jobs(self._batches.patterns(scheduler_kind), name):
                        self._metric_names.setdefault(series_of_runs(SOURCE, scheduler_kind, job, metric), name)

    def _scale(self, series: Series) -> float:
        """The factor from the posted unit to the series' unit (seconds)."""
        return self._batches.seconds_per_unit(_scheduler_kind(series)) if series.unit == "s" else 1.0

    def _problems(self, errors: Iterable[MackerelError], answered: str = "") -> tuple[Problem, ...]:
        """The errors and how many requests were `answered` despite them, then clock skew."""
        problems = unique_problems(errors, self.name)
        if problems and answered:
            problems = (*problems, Problem("incomplete", self.name, _METRICS_OPERATION, answered))
        return (*problems, *self._api.clock_skew(self.name))


def _scheduler_kind(series: Series) -> SchedulerKind:
    return "baseline" if series.fleet == "baseline" else "canary"


def _matching_jobs(patterns: Mapping[RunMetric, str], name: str) -> list[tuple[RunMetric, str]]:
    """The run metrics and jobs that a metric's name may stand for."""
    return [(metric, job) for metric, pattern in patterns.items() if (job := parse_job_name(pattern, name))]
