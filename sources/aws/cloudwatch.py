"""CloudWatch as a source: what the load balancer counted and measured for each target group, by GetMetricData alone."""

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from domain import FLEETS, Aws, Clock, Migration, Series, Window, assemble, check_frame, empty_frame, utc_now
from domain.latency import latency_summaries, series_of_window_latency
from sources.aws import client as aws
from sources.aws.cloudwatch_queries import (
    MAX_QUERIES,
    SOURCE,
    LoadBalancerNaming,
    MetricDataRequest,
    MetricNaming,
    all_series,
    console_url,
    get_metric_data_params,
    graph_url,
    plan_requests,
    query_text,
    retention_starts,
    split_by_retention,
)
from sources.aws.cloudwatch_responses import PERMISSION, MetricDataResponse
from sources.base import AnsweredRange, Health, Problem, ProblemKind, Pull, Query, health_state
from sources.window_latency import WindowLatency, longest_aligned_period

__all__ = ["CloudWatch", "MetricDataSource", "console_url"]

MAX_PAGES = 100  # of one call
MAX_IDLE_PAGES = 3  # pages in a row that bring nothing: CloudWatch says "partial" and does not go on

# After one of these, every other call of the same pull would end the same way; after two of the others, it probably would.
_HOPELESS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "expired_token", "denied", "wrong_key", "wrong_region", "clock_skew"}
)
_WEARY: frozenset[ProblemKind] = frozenset({"timeout", "throttled", "server_error", "unreachable"})
_PATIENCE = 2
# What a fresh look at the credentials may cure: a person has signed in again, a role was assumed.
_SIGN_AGAIN: frozenset[ProblemKind] = frozenset({"no_credentials", "expired_token", "wrong_key"})


class MetricDataSource:
    """A sources.MetricSource of fixed series that GetMetricData tells. One may serve many threads.

    `clock` tells what is too old to be kept in fine periods. `client` is a boto3 client; left out, one is made when first needed, by the
    credentials found then, and made anew after those were refused.
    """

    name = SOURCE

    def __init__(self, place: MetricNaming, series: tuple[Series, ...], aws: Aws, *, clock: Clock, client: Any) -> None:
        self._naming, self._series, self._aws, self._clock = place, series, aws, clock
        self._given = client is not None
        self._client = client
        self._lock = threading.Lock()

    def series(self) -> tuple[Series, ...]:
        """Everything that is asked for, in the order of asking."""
        return self._series

    def unsupported_metrics(self) -> tuple[str, ...]:
        """Nothing: the others are measured against CloudWatch."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 15 days, 300 for 63 days, 3,600 for 455 days, then 0; each a little early and at a border of the next coarser period."""
        return next((period_s for period_s, first in retention_starts(now) if start >= first), 0)

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The numbers in `window`, newest asked first; only of `series`, if given.

        Where only coarser periods are kept, whole periods are asked for, so that a part may begin before or end after `window`: its Answer says.
        Never raises for CloudWatch's faults: what did answer is in the pull, and each fault is a problem.
        """
        began = time.monotonic()
        now = int(self._clock().timestamp())
        chosen = set(self._series if series is None else series)
        wanted = tuple(one for one in self._series if one in chosen)
        readings, asked, problems = self._fetch_all(tuple(plan_requests(wanted, window, now)))
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(wanted, readings),
            answered_ranges=tuple(
                AnsweredRange(reading.answered_series, reading.request.window, reading.request.period_s)
                for reading in readings
                if reading.answered_series
            ),
            queries=tuple(self._queries(wanted, window, now)),
            problems=problems,
            datapoints_requested=asked,
            took_s=time.monotonic() - began,
        )

    def check(self) -> tuple[Health, ...]:
        """Whether GetMetricData is reachable and allowed, by asking for one number."""
        began = time.monotonic()
        recent = Window.last(5, now=self._clock())
        readings, _, problems = self._fetch_all((MetricDataRequest(self._series[:1], recent, 60),))
        took_s = time.monotonic() - began
        state = health_state(problems, took_s)
        told = next((problem for problem in problems if health_state((problem,), took_s) == state), None)
        if readings[0].failed and state in ("up", "slow"):  # refused for its clock, which elsewhere is only a remark
            state = "down"
        return (Health(self.name, PERMISSION, state, took_s, told),)

    def _fetch_all(
        self, every: Sequence[MetricDataRequest]
    ) -> tuple[list[MetricDataResponse], int, tuple[Problem, ...]]:
        """Every call in turn, as long as it makes sense: what each said, how many datapoints were asked for, and all problems, each once."""
        readings: list[MetricDataResponse] = []
        problems: list[Problem] = []
        skew: Problem | None = None
        weary = 0
        for ask in every:
            reading = self._fetch(ask)
            readings.append(reading)
            problems.extend(reading.all_problems())
            skew = skew or reading.skew
            kinds = {problem.kind for problem in reading.problems}
            weary += bool(kinds & _WEARY)
            if kinds & _SIGN_AGAIN:
                self._forget_client()
            if weary >= _PATIENCE or (reading.failed and kinds & _HOPELESS):
                break
        if skew:
            problems.append(skew)
        if len(readings) < len(every):
            problems.append(Problem("incomplete", self.name, PERMISSION, f"{len(readings)} / {len(every)}"))
        return readings, sum(reading.request.datapoints for reading in readings), tuple(dict.fromkeys(problems))

    def _fetch(self, ask: MetricDataRequest) -> MetricDataResponse:
        """One call with all its pages; the series that CloudWatch could not answer are asked for once more."""
        reading = MetricDataResponse(self._naming, ask, self.name)
        try:
            self._fetch_pages(reading, range(len(ask.series)))
        except aws.AWS_ERRORS as error:
            reading.fail(self._problem(error))
            return reading
        if failed := reading.positions_with_status("InternalError"):
            try:
                self._fetch_pages(reading, failed)
            except aws.AWS_ERRORS as error:
                reading.problems.append(self._problem(error))
        return reading

    def _fetch_pages(self, reading: MetricDataResponse, positions: Iterable[int]) -> None:
        parameters, idle = get_metric_data_params(self._naming, reading.request, positions), 0
        for _ in range(MAX_PAGES):
            reply = aws.call_api(self._talker().get_metric_data, **parameters)
            reading.skew = reading.skew or aws.clock_skew_problem(reply, source=self.name, operation=PERMISSION)
            idle = 0 if reading.add_page(reply) else idle + 1
            if not reply.get("NextToken") or idle >= MAX_IDLE_PAGES:
                return
            parameters["NextToken"] = reply["NextToken"]

    def _talker(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = aws.create_client("cloudwatch", self._aws)
            return self._client

    def _forget_client(self) -> None:
        if not self._given:
            with self._lock:
                self._client = None

    def _problem(self, error: Exception) -> Problem:
        return aws.problem_from_error(error, source=self.name, operation=PERMISSION, about=self._naming.region)

    def _queries(self, series: Iterable[Series], window: Window, now: int) -> Iterable[Query]:
        """One query a series, in the coarsest period that `window` takes, so that the console shows all of it in one graph."""
        periods = [period_s for _, period_s in split_by_retention(window, now)]
        if periods:
            for one in series:
                period_s = max(periods[-1], one.shortest_period_s)
                yield Query(
                    series=one,
                    period_s=period_s,
                    text=query_text(self._naming, one, period_s),
                    link=graph_url(self._naming, (one,), window, period_s),
                )


class CloudWatch(MetricDataSource):
    """What the load balancer counted and measured. A sources.window_latency.WholeWindowSource too. Raises ValueError where the migration has no [aws]."""

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None:
            raise ValueError("CloudWatch needs the [aws] table.")
        super().__init__(
            LoadBalancerNaming.from_migration(migration),
            all_series(migration),
            migration.aws,
            clock=clock,
            client=client,
        )
        self._latency_series = tuple(
            one
            for fleet in FLEETS
            for group in migration.fleets[fleet].names
            for one in series_of_window_latency(SOURCE, fleet, group, migration.slow_thresholds_s)
        )

    def window_latency(self, window: Window) -> WindowLatency:
        """The latency of each target group over `window`, asked with one period as long as the part of it that can be had in one piece.

        A group without any number there is left out. Never raises for CloudWatch's faults.
        """
        now = int(self._clock().timestamp())
        step_s = self.finest_period_s(window.start, now=now)
        covered = longest_aligned_period(window, step_s) if step_s else None
        if covered is None:
            return WindowLatency(window, None, now)
        length_s, every = covered.end - covered.start, self._latency_series
        calls = [
            MetricDataRequest(every[at : at + MAX_QUERIES], covered, length_s)
            for at in range(0, len(every), MAX_QUERIES)
        ]
        readings, _, problems = self._fetch_all(calls)
        values = {
            reading.request.series[position]: points[covered.start]
            for reading in readings
            for position, points in sorted(reading.points.items())
            if covered.start in points
        }
        answered = frozenset[Series]().union(*(reading.answered_series for reading in readings))
        return WindowLatency(
            window, covered, now, latency_summaries(values), problems, complete=answered == frozenset(every)
        )


def _frame(series: Sequence[Series], readings: Iterable[MetricDataResponse]) -> pd.DataFrame:
    """The points of every reading as one tidy frame, by series and then by time."""
    code_of = {one: code for code, one in enumerate(series)}
    codes, times, values, periods = [], [], [], []
    for reading in readings:
        for position, points in reading.points.items():
            codes.append(np.full(len(points), code_of[reading.request.series[position]]))
            times.append(np.fromiter(points.keys(), "int64", len(points)))
            values.append(np.fromiter(points.values(), "float64", len(points)))
            periods.append(np.full(len(points), reading.request.period_s))
    if not codes:
        return empty_frame()
    code, ts = np.concatenate(codes), np.concatenate(times)
    order = np.lexsort((ts, code))
    return check_frame(
        assemble(series, code[order], ts[order], np.concatenate(values)[order], np.concatenate(periods)[order])
    )
