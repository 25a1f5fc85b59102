"""Mackerel as a metric source: the AWS integration's copy of the load balancer's metrics, in minutes."""

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from domain import FLEETS, Clock, Mackerel, Migration, Series, Window, utc_now
from domain.series import ALB_COUNTS, SPARSE_COUNTS
from domain.window import MINUTE_S
from sources.base import STALE_AFTER_S, AnsweredRange, Health, Problem, Pull
from sources.mackerel.client import MAX_MINUTE_RANGE_S, CheckStep, MackerelApi, run_checks
from sources.mackerel.models import Host, Point, resolution_s
from sources.mackerel.points import (
    MACKEREL_RETENTION_S,
    METRIC_NAMES_TTL_S,
    fetch_points,
    newest_age_s,
    to_frame,
    unique_problems,
)
from sources.mackerel.protocol import MackerelError
from sources.mackerel.queries import (
    METRIC_NAMES,
    SOURCE,
    UNSUPPORTED_METRICS,
    all_series,
    group_metric_names,
    metric_name,
)

MAX_CANDIDATE_HOSTS = 20  # whose metric names are read to find the load balancer's host

_STATUS_COUNTS = ("target_2xx", "target_3xx", "target_4xx", "target_5xx")
_MIN_COARSE_TIMES = 3  # fewer times may lie on a coarse grid by chance
_METRIC_NAMES_OPERATION = "GET /api/v0/hosts/<hostId>/metric-names"
_METRICS_OPERATION = "GET /api/v0/hosts/<hostId>/metrics"


@dataclass(frozen=True, slots=True)
class HostMetrics:
    """The load balancer's host and the names of its metrics. `fetched_at`: epoch seconds."""

    host_id: str
    metric_names: frozenset[str]
    fetched_at: int

    def has_metric(self, series: Series) -> bool:
        return metric_name(series) in self.metric_names

    def has_any_group(self, groups: Iterable[str]) -> bool:
        """Whether the host has a metric of any of these target groups."""
        return any(name in self.metric_names for group in groups for name in group_metric_names(group))

    def is_implied_zero(self, series: Series) -> bool:
        """Whether the metric is missing because it never counted anything: an error that never occurred, of a group that has other metrics.

        If a group has latencies but no status count at all, the integration omits status counts: then they are unknown, not zero.
        """
        if series.metric not in (*SPARSE_COUNTS, *ALB_COUNTS) or self.has_metric(series):
            return False
        statuses_omitted = not self._has_any(series, _STATUS_COUNTS) and self._has_any(series, ("latency",))
        if series.metric in _STATUS_COUNTS and statuses_omitted:
            return False
        return not series.target_group or self.has_any_group((series.target_group,))

    def _has_any(self, series: Series, metrics: Collection[str]) -> bool:
        """Whether the host has any of `metrics` for the series' target group."""
        names = (
            name.format(group=series.target_group) for (metric, _), name in METRIC_NAMES.items() if metric in metrics
        )
        return not self.metric_names.isdisjoint(names)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The points and errors of one request range. Series in neither were not requested."""

    window: Window
    points: Mapping[Series, Sequence[Point]]
    errors: Sequence[MackerelError]

    def coarse_resolution_s(self) -> int:
        """The resolution in seconds if it is not a minute, else 0.

        All series are looked at together, because a single one may really have a value every five minutes.
        """
        times = {point.time for points in self.points.values() for point in points}
        step_s = resolution_s(times)
        return step_s if step_s > MINUTE_S and len(times) >= _MIN_COARSE_TIMES else 0


class MackerelMetrics:
    """A MetricSource. Thread-safe.

    `api` defaults to MACKEREL_APIKEY and MACKEREL_APIBASE. The load balancer's host is the configured one, or is found by the names of its metrics.
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
        """Those of each target group of each fleet, then the load balancer's. Healthy hosts are averages."""
        return self._series

    def unsupported_metrics(self) -> tuple[str, ...]:
        """See docs/mackerel.md."""
        return UNSUPPORTED_METRICS

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 460 days, then 0."""
        return MINUTE_S if start >= _retention_start(now) else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The metrics in `window`, newest chunk first; only of `series`, if given. Mackerel's errors are problems.

        A series that was never posted is a problem `no_such_metric` and unanswered, unless it is an implied zero.
        """
        started_s, now = time.monotonic(), int(self._clock().timestamp())
        requested = tuple(item for item in self._series if series is None or item in series)
        if not requested or window.end <= _retention_start(now):
            return Pull(window, now)
        try:
            host = self._get_host_metrics(requested, now)
        except MackerelError as error:
            problems = (error.to_problem(self.name), *self._api.clock_skew(self.name))
            return Pull(window, now, problems=problems, took_s=time.monotonic() - started_s)
        # A host without any of our target groups is another load balancer: none of its metrics may be used.
        usable = requested if host.has_any_group(self._groups) else ()
        existing = tuple(filter(host.has_metric, usable))
        implied_zeros = frozenset(filter(host.is_implied_zero, usable))
        chunks = self._fetch(host, existing, Window(max(window.start, _retention_start(now)), window.end))
        problems = (
            *self._missing_metric_problems(host, requested),
            *self._fetch_problems(chunks, len(existing)),
            *self._api.clock_skew(self.name),
        )
        return Pull(
            window=window,
            asked_at=now,
            frame=to_frame(_merge_points(requested, chunks)),
            answered_ranges=tuple(_answered_ranges(chunks, implied_zeros)),
            problems=tuple(dict.fromkeys(problems)),
            datapoints_requested=sum(
                chunk.window.minutes * (len(chunk.points) + len(chunk.errors)) for chunk in chunks
            ),
            took_s=time.monotonic() - started_s,
            clock_ahead_s=self._api.clock_ahead_s,
        )

    def check(self) -> tuple[Health, ...]:
        """Checks the key, the service, the load balancer's host, and each target group: that it has metrics, and the newest of them."""
        now = self._clock()

        def find_host() -> HostMetrics:
            return self._get_host_metrics(self._series, int(now.timestamp()))

        def read_group(group: str) -> int | None:
            host = find_host()
            names = tuple(filter(host.metric_names.__contains__, group_metric_names(group)))
            if not names:
                raise MackerelError("no_such_metric", _METRIC_NAMES_OPERATION, group)
            regular = [name for name in names if name.endswith((".count", ".healthy"))]  # errors may never occur
            return newest_age_s([partial(read_metric, host.host_id, name) for name in regular or names[:1]], now)

        def read_metric(host_id: str, name: str, window: Window) -> Sequence[Point]:
            return self._api.host_metrics(host_id, name, window, max_range_s=window.end - window.start)

        steps = [CheckStep("GET /api/v0/org", self._api.organization)]
        if self._settings.service:
            steps.append(CheckStep("GET /api/v0/services", lambda: self._api.service(self._settings.service)))
        steps.append(CheckStep(_METRIC_NAMES_OPERATION, find_host))
        steps += (
            CheckStep(_METRICS_OPERATION, partial(read_group, group), group, _METRIC_NAMES_OPERATION, STALE_AFTER_S)
            for group in dict.fromkeys(self._groups)
        )
        return run_checks(self._api, self.name, steps)

    def _get_host_metrics(self, requested: Iterable[Series], now: int) -> HostMetrics:
        """The host is looked for once; the names of its metrics are read again while some of `requested` are missing."""
        with self._lock:
            host = self._host_metrics
            if host is None:
                self._host_metrics = host = self._discover_host(now)
            elif now - host.fetched_at >= METRIC_NAMES_TTL_S and not all(map(host.has_metric, requested)):
                self._host_metrics = host = self._fetch_host_metrics(host.host_id, now)
            return host

    def _fetch_host_metrics(self, host_id: str, now: int) -> HostMetrics:
        return HostMetrics(host_id, frozenset(self._api.host_metric_names(host_id)), now)

    def _discover_host(self, now: int) -> HostMetrics:
        if self._settings.alb_host:
            return self._fetch_host_metrics(self._settings.alb_host, now)
        arn = self._migration.aws and self._migration.aws.load_balancer_arn
        candidates = sorted(self._api.hosts(), key=lambda host: _candidate_rank(host, arn.name if arn else ""))
        for candidate in candidates[:MAX_CANDIDATE_HOSTS]:
            host = self._fetch_host_metrics(candidate.id, now)
            if host.has_any_group(self._groups):
                return host
        names = ", ".join(host.name for host in candidates[:MAX_CANDIDATE_HOSTS])
        raise MackerelError("not_found", "GET /api/v0/hosts", "mackerel.alb_host", names)

    def _fetch(self, host: HostMetrics, series: Sequence[Series], window: Window) -> list[_Chunk]:
        """All series in all chunks of `window`, newest chunk first."""
        windows = tuple(reversed(tuple(window.chunks(MAX_MINUTE_RANGE_S))))

        def read(key: tuple[Window, Series]) -> Sequence[Point]:
            return self._api.host_metrics(host.host_id, metric_name(key[1]), key[0])

        points, errors = fetch_points(read, [(chunk, item) for chunk in windows for item in series])
        if any(error.kind == "no_such_metric" for error in errors.values()):
            with self._lock:
                self._host_metrics = None  # the cached names are outdated
        return [
            _Chunk(
                window=chunk,
                points={item: points[chunk, item] for item in series if (chunk, item) in points},
                errors=[errors[chunk, item] for item in series if (chunk, item) in errors],
            )
            for chunk in windows
        ]

    def _missing_metric_problems(self, host: HostMetrics, requested: Iterable[Series]) -> Iterator[Problem]:
        """One problem for each target group without any metric, and for each missing metric of the others."""
        for series in requested:
            if host.has_metric(series) or host.is_implied_zero(series):
                continue
            group_missing = series.target_group and not host.has_any_group((series.target_group,))
            about = series.target_group if group_missing else metric_name(series)
            yield Problem("no_such_metric", self.name, _METRIC_NAMES_OPERATION, about)

    def _fetch_problems(self, chunks: Sequence[_Chunk], n_series: int) -> Iterator[Problem]:
        """The errors, the chunks of a coarse resolution, and how many requests were answered if some failed."""
        errors = [error for chunk in chunks for error in chunk.errors]
        yield from unique_problems(errors, self.name)
        for chunk in chunks:
            if step_s := chunk.coarse_resolution_s():
                about = f"{chunk.window.starts_at:%Y-%m-%d %H:%M} UTC"
                yield Problem("bad_reply", self.name, _METRICS_OPERATION, about, f"{step_s} s")
        if errors:
            answered = sum(len(chunk.points) for chunk in chunks)
            yield Problem("incomplete", self.name, _METRICS_OPERATION, f"{answered} / {n_series * len(chunks)}")


def _retention_start(now: int) -> int:
    """The first minute (epoch seconds) that is still retained."""
    return -(-(now - MACKEREL_RETENTION_S) // MINUTE_S) * MINUTE_S


def _candidate_rank(host: Host, load_balancer: str) -> tuple[bool, bool]:
    """Sorts hosts that look like the configured load balancer first (photo-1234567890.ap-northeast-1.elb.amazonaws.com), then any load balancer."""
    name_matches = bool(load_balancer) and load_balancer in f"{host.custom_identifier} {host.name}"
    return (not name_matches, ".elb." not in host.custom_identifier)


def _answered_ranges(chunks: Iterable[_Chunk], implied_zeros: frozenset[Series]) -> Iterator[AnsweredRange]:
    """What was answered in each chunk. Implied zeros count only if the chunk has no error."""
    for chunk in chunks:
        answered = frozenset(chunk.points) | (frozenset() if chunk.errors else implied_zeros)
        if answered and not chunk.coarse_resolution_s():
            yield AnsweredRange(answered, chunk.window, MINUTE_S)


def _merge_points(series: Iterable[Series], chunks: Sequence[_Chunk]) -> dict[Series, list[Point]]:
    """The one-minute points of all `chunks` (newest first), oldest first."""
    fine = [chunk for chunk in reversed(chunks) if not chunk.coarse_resolution_s()]
    return {item: [point for chunk in fine for point in chunk.points.get(item, ())] for item in series}
