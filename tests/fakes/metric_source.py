"""A source of numbers that does as it is told, and a migration to keep its numbers under."""

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


ValueFunction = Callable[[Series, int, int], float | None]  # (series, ts, when it is asked) -> value, or no row


def minute_time(minute: float) -> datetime:
    """So many minutes after noon."""
    return datetime.fromtimestamp(NOON + int(minute * 60), UTC)


def minute_window(first: int, end: int) -> Window:
    """From minute to minute after noon."""
    return Window(NOON + first * 60, NOON + end * 60)


def minute_ranges(windows: Iterable[Window]) -> list[tuple[int, int]]:
    return [((window.start - NOON) // 60, (window.end - NOON) // 60) for window in windows]


def rising_values(series: Series, ts: int, _asked_at: int) -> float:
    """The minute's number after noon, and a tenth for latency: another value for each minute and series."""
    return (ts - NOON) / 60 + (0.1 if series.metric == "latency" else 0.0)


@dataclass
class FakeMetricSource:
    """A MetricSource whose clock is `now` and whose numbers are `numbers`; `refuses` says of which series in which window it has no answer."""

    configured_series: tuple[Series, ...] = (EC2, ECS)
    name: str = "cloudwatch"
    value_at: ValueFunction = rising_values
    now: datetime = field(default_factory=lambda: minute_time(0))
    problem_kind: Callable[[Series, Window], ProblemKind | None] = lambda series, window: None
    finest_period: Callable[[int, int], int] = lambda start, now: 60
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
        asked = self.configured_series if series is None else tuple(series)
        now = int(self.now.timestamp())
        self.pulls.append((window, asked))
        period_s = max(self.finest_period(window.start, now), *(one.shortest_period_s for one in asked))
        kinds = {one: self.problem_kind(one, window) for one in asked}
        answered = [one for one in asked if kinds[one] is None]
        rows = [
            (code, ts, value)
            for code, one in enumerate(answered)
            for ts in range(window.start, window.end, period_s)
            if (value := self.value_at(one, ts, now)) is not None
        ]
        code, ts, value = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.array([]),) * 3
        return Pull(
            window=window,
            asked_at=now,
            frame=assemble(answered, code.astype(int), ts.astype(int), value.astype(float), period_s),
            answered_ranges=(AnsweredRange(frozenset(answered), window, period_s),) if answered else (),
            problems=tuple(
                Problem(kind, self.name, "cloudwatch:GetMetricData", one.metric)
                for one, kind in kinds.items()
                if kind is not None
            ),
            datapoints_requested=len(asked) * ((window.end - window.start) // period_s),
        )

    @property
    def new_requests(self) -> list[tuple[int, int]]:
        """What was asked since last looked at, in minutes after noon."""
        asked = minute_ranges(window for window, _ in self.pulls)
        self.pulls.clear()
        return asked


def values_by_minute(brought, series: Series) -> dict[int, float]:  # type: ignore[no-untyped-def]
    """The values of a series by minute after noon."""
    frame = brought.frame
    mine = frame[
        (frame["fleet"] == series.fleet)
        & (frame["target_group"] == series.target_group)
        & (frame["metric"] == series.metric)
        & (frame["stat"] == series.stat)
    ]
    return {int((ts - NOON) // 60): float(value) for ts, value in zip(epoch_s(mine), mine["value"], strict=True)}
