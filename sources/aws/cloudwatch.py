"""CloudWatch as a source: what the load balancer counted and measured for each target group, by GetMetricData alone."""

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from domain import FLEETS, Aws, Clock, Migration, Series, Window, assemble, check_frame, empty_frame, utc_now
from domain.latency import latencies_of, series_of_latencies
from sources.aws import client as aws
from sources.aws.cloudwatch_queries import (
    MOST_QUERIES,
    SOURCE,
    Ask,
    Names,
    Place,
    all_series,
    asks,
    console_link,
    horizons,
    link,
    parts,
    query_text,
    request,
)
from sources.aws.cloudwatch_responses import OPERATION, Reading
from sources.base import Answer, Health, Problem, ProblemKind, Pull, Query, state_of
from sources.window_latency import Whole, one_period

__all__ = ["CloudWatch", "MetricData", "console_link"]

MOST_PAGES = 100  # of one call
IDLE_PAGES = 3  # pages in a row that bring nothing: CloudWatch says "partial" and does not go on

# After one of these, every other call of the same pull would end the same way; after two of the others, it probably would.
_HOPELESS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "expired_token", "denied", "wrong_key", "wrong_region", "clock_skew"}
)
_WEARY: frozenset[ProblemKind] = frozenset({"timeout", "throttled", "server_error", "unreachable"})
_PATIENCE = 2
# What a fresh look at the credentials may cure: a person has signed in again, a role was assumed.
_SIGN_AGAIN: frozenset[ProblemKind] = frozenset({"no_credentials", "expired_token", "wrong_key"})


class MetricData:
    """A sources.MetricSource of fixed series that GetMetricData tells. One may serve many threads.

    `clock` tells what is too old to be kept in fine periods. `client` is a boto3 client; left out, one is made when first needed, by the
    credentials found then, and made anew after those were refused.
    """

    name = SOURCE

    def __init__(self, place: Names, series: tuple[Series, ...], aws: Aws, *, clock: Clock, client: Any) -> None:
        self._place, self._series, self._aws, self._clock = place, series, aws, clock
        self._given = client is not None
        self._client = client
        self._lock = threading.Lock()

    def series(self) -> tuple[Series, ...]:
        """Everything that is asked for, in the order of asking."""
        return self._series

    def lacks(self) -> tuple[str, ...]:
        """Nothing: the others are measured against CloudWatch."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 15 days, 300 for 63 days, 3,600 for 455 days, then 0; each a little early and at a border of the next coarser period."""
        return next((period_s for period_s, first in horizons(now) if start >= first), 0)

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The numbers in `window`, newest asked first; only of `series`, if given.

        Where only coarser periods are kept, whole periods are asked for, so that a part may begin before or end after `window`: its Answer says.
        Never raises for CloudWatch's faults: what did answer is in the pull, and each fault is a problem.
        """
        began = time.monotonic()
        now = int(self._clock().timestamp())
        chosen = set(self._series if series is None else series)
        wanted = tuple(one for one in self._series if one in chosen)
        readings, asked, problems = self._ask_all(tuple(asks(wanted, window, now)))
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(wanted, readings),
            answers=tuple(
                Answer(reading.answered, reading.ask.window, reading.ask.period_s)
                for reading in readings
                if reading.answered
            ),
            queries=tuple(self._queries(wanted, window, now)),
            problems=problems,
            asked=asked,
            took_s=time.monotonic() - began,
        )

    def check(self) -> tuple[Health, ...]:
        """Whether GetMetricData is reachable and allowed, by asking for one number."""
        began = time.monotonic()
        recent = Window.last(5, now=self._clock())
        readings, _, problems = self._ask_all((Ask(self._series[:1], recent, 60),))
        took_s = time.monotonic() - began
        state = state_of(problems, took_s)
        told = next((problem for problem in problems if state_of((problem,), took_s) == state), None)
        if readings[0].broken and state in ("up", "slow"):  # refused for its clock, which elsewhere is only a remark
            state = "down"
        return (Health(self.name, OPERATION, state, took_s, told),)

    def _ask_all(self, every: Sequence[Ask]) -> tuple[list[Reading], int, tuple[Problem, ...]]:
        """Every call in turn, as long as it makes sense: what each said, how many datapoints were asked for, and all problems, each once."""
        readings: list[Reading] = []
        problems: list[Problem] = []
        skew: Problem | None = None
        weary = 0
        for ask in every:
            reading = self._read(ask)
            readings.append(reading)
            problems.extend(reading.findings())
            skew = skew or reading.skew
            kinds = {problem.kind for problem in reading.problems}
            weary += bool(kinds & _WEARY)
            if kinds & _SIGN_AGAIN:
                self._forget_client()
            if weary >= _PATIENCE or (reading.broken and kinds & _HOPELESS):
                break
        if skew:
            problems.append(skew)
        if len(readings) < len(every):
            problems.append(Problem("incomplete", self.name, OPERATION, f"{len(readings)} / {len(every)}"))
        return readings, sum(reading.ask.datapoints for reading in readings), tuple(dict.fromkeys(problems))

    def _read(self, ask: Ask) -> Reading:
        """One call with all its pages; the series that CloudWatch could not answer are asked for once more."""
        reading = Reading(self._place, ask, self.name)
        try:
            self._turn_pages(reading, range(len(ask.series)))
        except aws.FAULTS as error:
            reading.break_off(self._problem(error))
            return reading
        if failed := reading.positions("InternalError"):
            try:
                self._turn_pages(reading, failed)
            except aws.FAULTS as error:
                reading.problems.append(self._problem(error))
        return reading

    def _turn_pages(self, reading: Reading, positions: Iterable[int]) -> None:
        parameters, idle = request(self._place, reading.ask, positions), 0
        for _ in range(MOST_PAGES):
            reply = aws.call(self._talker().get_metric_data, **parameters)
            reading.skew = reading.skew or aws.skew_of(reply, source=self.name, operation=OPERATION)
            idle = 0 if reading.take(reply) else idle + 1
            if not reply.get("NextToken") or idle >= IDLE_PAGES:
                return
            parameters["NextToken"] = reply["NextToken"]

    def _talker(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = aws.client("cloudwatch", self._aws)
            return self._client

    def _forget_client(self) -> None:
        if not self._given:
            with self._lock:
                self._client = None

    def _problem(self, error: Exception) -> Problem:
        return aws.problem_of(error, source=self.name, operation=OPERATION, about=self._place.region)

    def _queries(self, series: Iterable[Series], window: Window, now: int) -> Iterable[Query]:
        """One query a series, in the coarsest period that `window` takes, so that the console shows all of it in one graph."""
        periods = [period_s for _, period_s in parts(window, now)]
        if periods:
            for one in series:
                period_s = max(periods[-1], one.shortest_period_s)
                yield Query(
                    series=one,
                    period_s=period_s,
                    text=query_text(self._place, one, period_s),
                    link=link(self._place, (one,), window, period_s),
                )


class CloudWatch(MetricData):
    """What the load balancer counted and measured. A sources.window_latency.WholeWindowSource too. Raises ValueError where the migration has no [aws]."""

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None:
            raise ValueError("CloudWatch needs the [aws] table.")
        super().__init__(Place.of(migration), all_series(migration), migration.aws, clock=clock, client=client)
        self._of_whole = tuple(
            one
            for fleet in FLEETS
            for group in migration.fleets[fleet].names
            for one in series_of_latencies(SOURCE, fleet, group, migration.slow_thresholds_s)
        )

    def whole(self, window: Window) -> Whole:
        """The latency of each target group over `window`, asked with one period as long as the part of it that can be had in one piece.

        A group without any number there is left out. Never raises for CloudWatch's faults.
        """
        now = int(self._clock().timestamp())
        step_s = self.finest_period_s(window.start, now=now)
        covered = one_period(window, step_s) if step_s else None
        if covered is None:
            return Whole(window, None, now)
        length_s, every = covered.end - covered.start, self._of_whole
        calls = [Ask(every[at : at + MOST_QUERIES], covered, length_s) for at in range(0, len(every), MOST_QUERIES)]
        readings, _, problems = self._ask_all(calls)
        values = {
            reading.ask.series[position]: points[covered.start]
            for reading in readings
            for position, points in sorted(reading.points.items())
            if covered.start in points
        }
        answered = frozenset[Series]().union(*(reading.answered for reading in readings))
        return Whole(window, covered, now, latencies_of(values), problems, complete=answered == frozenset(every))


def _frame(series: Sequence[Series], readings: Iterable[Reading]) -> pd.DataFrame:
    """The points of every reading as one tidy frame, by series and then by time."""
    code_of = {one: code for code, one in enumerate(series)}
    codes, times, values, periods = [], [], [], []
    for reading in readings:
        for position, points in reading.points.items():
            codes.append(np.full(len(points), code_of[reading.ask.series[position]]))
            times.append(np.fromiter(points.keys(), "int64", len(points)))
            values.append(np.fromiter(points.values(), "float64", len(points)))
            periods.append(np.full(len(points), reading.ask.period_s))
    if not codes:
        return empty_frame()
    code, ts = np.concatenate(codes), np.concatenate(times)
    order = np.lexsort((ts, code))
    return check_frame(
        assemble(series, code[order], ts[order], np.concatenate(values)[order], np.concatenate(periods)[order])
    )
