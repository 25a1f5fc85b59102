"""A metric source with programmable values and faults, and helpers for times in minutes after a noon."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from domain import Series, Window, assemble, epoch_s
from sources.base import AnsweredRange, Health, Problem, ProblemKind, Pull

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200  # a noon in UTC, in epoch seconds

EC2 = Series("cloudwatch", "baseline", "photo-ec2", "requests", "sum", "count")
ECS = Series("cloudwatch", "canary", "photo-ecs", "requests", "sum", "count")
LATENCY = Series("cloudwatch", "canary", "photo-ecs", "latency", "p95", "s")
HOURLY = Series("cloudwatch", "canary", "photo-ecs", "latency", "p95_hourly", "s")


ValueFunction = Callable[[Series, int, int], float | None]  # (series, ts, time of the request) → value; None: no row


def minute_time(minute: float) -> datetime:
    """The time `minute` minutes after noon."""
    return datetime.fromtimestamp(NOON + int(minute * 60), UTC)


def minute_window(first: int, end: int) -> Window:
    """The window from one minute after noon to another."""
    return Window(NOON + first * 60, NOON + end * 60)


def minute_ranges(windows: Iterable[Window]) -> list[tuple[int, int]]:
    return [((window.start - NOON) // 60, (window.end - NOON) // 60) for window in windows]


def rising_values(series: Series, ts: int, _requested_at: int) -> float:
    """Minutes after noon, plus 0.1 for latency: a different value for each minute and series."""
    return (ts - NOON) / 60 + (0.1 if series.metric == "latency" else 0.0)


@dataclass
class FakeMetricSource:
    """A MetricSource with the clock `now` and the values `value_at`. `problem_kind`: the fault of a series in a window, if any."""

    configured_series: tuple[Series, ...] = (EC2, ECS)
    name: str = "cloudwatch"
    value_at: ValueFunction = rising_values
    now: datetime = field(default_factory=lambda: minute_time(0))
    problem_kind: Callable[[Series, Window], ProblemKind | None] = lambda series, window: None
    finest_period: Callable[[int, int], int] = lambda start, now: 60
    clock_ahead_s: float = 0.0
    pulls: list[tuple[Window, tuple[Series, ...]]] = field(default_factory=list)

    def series(self) -> tuple[Series, ...]:
        return self.configured_series

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return self.finest_period(start, now)

    def check(self) -> tuple[Health, ...]:
        return ()

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        requested = self.configured_series if series is None else tuple(series)
        now = int(self.now.timestamp())
        self.pulls.append((window, requested))
        period_s = max(self.finest_period(window.start, now), *(3600 if item.hourly else 60 for item in requested))
        kinds = {item: self.problem_kind(item, window) for item in requested}
        answered = [item for item in requested if kinds[item] is None]
        rows = [
            (code, ts, value)
            for code, item in enumerate(answered)
            for ts in range(window.start, window.end, period_s)
            if (value := self.value_at(item, ts, now)) is not None
        ]
        code, ts, value = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.array([]),) * 3
        return Pull(
            window=window,
            asked_at=now,
            frame=assemble(answered, code.astype(int), ts.astype(int), value.astype(float), period_s),
            answered_ranges=(AnsweredRange(frozenset(answered), window, period_s),) if answered else (),
            problems=tuple(
                Problem(kind, self.name, "cloudwatch:GetMetricData", item.metric)
                for item, kind in kinds.items()
                if kind is not None
            ),
            clock_ahead_s=self.clock_ahead_s,
            datapoints_requested=len(requested) * ((window.end - window.start) // period_s),
        )

    @property
    def new_requests(self) -> list[tuple[int, int]]:
        """The windows requested since this was last read, in minutes after noon."""
        requests = minute_ranges(window for window, _ in self.pulls)
        self.pulls.clear()
        return requests


def values_by_minute(result, series: Series) -> dict[int, float]:  # type: ignore[no-untyped-def]
    """The values of a series by minute after noon."""
    frame = result.frame
    rows = frame[
        (frame["fleet"] == series.fleet)
        & (frame["target_group"] == series.target_group)
        & (frame["metric"] == series.metric)
        & (frame["stat"] == series.stat)
    ]
    return {int((ts - NOON) // 60): float(value) for ts, value in zip(epoch_s(rows), rows["value"], strict=True)}
