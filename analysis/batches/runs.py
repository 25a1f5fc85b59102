"""Runs of batches, put together from what each posted: when one began and ended, whether it succeeded, and whether it took unusually long. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from domain import epoch_s
from domain.config.batches import SchedulerKind

RunResult = Literal["ok", "failed", "unknown"]
MINUTE_S = 60
TYPICAL_FROM_RUNS = 30  # what is usual is told by so many successful runs
MIN_RUNS = 8  # with fewer nobody can tell
# Slow is twice as far above the median as nine of ten runs stay, and a quarter above it at least. Of a normal distribution that is one in 200.
_SLOW_SPREADS, _MIN_SLOW_FACTOR = 2.0, 1.25


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One run. `at` is the minute it was posted for; times are epoch seconds, known to the minute. `duration_s` is None where it was not posted.

    `slow`: it took longer than the runs before it let expect; None where they were too few. `posted`: False where only Lambda told of it.
    """

    started_at: int
    ended_at: int
    reported_at: int
    duration_s: float | None
    result: RunResult
    is_slow: bool | None = None
    was_reported: bool = True


@dataclass(frozen=True, slots=True)
class TypicalDuration:
    """How long the last successful runs took, in seconds: the median, and the range of eight in ten."""

    runs: int
    median_s: float
    p10_s: float
    p90_s: float


RunsByJob = Mapping[tuple[str, SchedulerKind], tuple[Run, ...]]


def parse_runs(
    frame: pd.DataFrame, *, timestamp_is: Literal["end", "start"]
) -> dict[tuple[str, SchedulerKind], tuple[Run, ...]]:
    """Every run in a tidy frame of run_duration, run_success and run_failure, by job and era, in order.

    What was posted for one minute is one run: Mackerel keeps the last of several. A duration and a result that stand alone in neighbouring
    minutes are one run as well, posted across the turn of the minute.
    """
    found: dict[tuple[str, SchedulerKind], dict[int, dict[str, float]]] = {}
    columns = (frame[name].astype("object") for name in ("target_group", "fleet", "metric"))
    for ts, job, fleet, metric, value in zip(epoch_s(frame), *columns, frame["value"], strict=True):
        era: SchedulerKind = "baseline" if fleet == "baseline" else "canary"
        found.setdefault((job, era), {}).setdefault(int(ts), {})[metric] = float(value)
    return {
        key: _flag_slow([_run(at, told, timestamp_is) for at, told in sorted(_merge_neighbours(minutes).items())])
        for key, minutes in sorted(found.items())
    }


def _merge_neighbours(minutes: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    joined: dict[int, dict[str, float]] = {}
    for at in sorted(minutes):
        before = joined.get(at - MINUTE_S)
        if before is not None and ("run_duration" in before) != ("run_duration" in minutes[at]):
            alone = len(before) == 1 or len(minutes[at]) == 1
            if alone and not set(before) & set(minutes[at]):
                before.update(minutes[at])
                continue
        joined[at] = dict(minutes[at])
    return joined


def _run(reported_at: int, values: Mapping[str, float], timestamp_is: Literal["end", "start"]) -> Run:
    duration_s = values.get("run_duration")
    length_s = round(duration_s or 0)
    result: RunResult = "unknown"
    if values.get("run_failure", 0) > 0 or values.get("run_success", 1) <= 0:
        result = "failed"
    elif "run_success" in values or "run_failure" in values:
        result = "ok"
    began, ended = (
        (reported_at - length_s, reported_at) if timestamp_is == "end" else (reported_at, reported_at + length_s)
    )
    return Run(began, ended, reported_at, duration_s, result)


def typical_duration(runs: Sequence[Run]) -> TypicalDuration | None:
    """What the last successful runs took; None where there are fewer than FEWEST_RUNS. Where no result is posted, every run counts."""
    taken = _durations(runs)[-TYPICAL_FROM_RUNS:]
    if len(taken) < MIN_RUNS:
        return None
    low, median, high = np.percentile(taken, (10, 50, 90))
    return TypicalDuration(len(taken), float(median), float(low), float(high))


def _durations(runs: Sequence[Run]) -> list[float]:
    return [run.duration_s for run in runs if run.duration_s is not None and run.result != "failed"]


def _flag_slow(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs, each judged by the successful ones before it."""
    limits, before, judged = _slow_thresholds(_durations(runs)), 0, list[Run]()
    for run in runs:
        slow = None
        if run.duration_s is not None:
            slow = None if before < MIN_RUNS else run.duration_s > limits[before]
            before += run.result != "failed"
        judged.append(replace(run, is_slow=slow))
    return tuple(judged)


def _slow_thresholds(durations: Sequence[float]) -> list[float]:
    """From where on a run is slow, by how many successful ones there were before it; infinite where they were too few."""
    limits = [inf] * MIN_RUNS
    parts = [durations[:count] for count in range(MIN_RUNS, min(len(durations), TYPICAL_FROM_RUNS - 1) + 1)]
    wide = (
        np.lib.stride_tricks.sliding_window_view(durations, TYPICAL_FROM_RUNS)
        if len(durations) >= TYPICAL_FROM_RUNS
        else np.empty((0, 1))
    )
    for part in (*([part] for part in parts), wide):
        if len(part):
            median, high = np.percentile(part, (50, 90), axis=1)
            limits += np.maximum(median + _SLOW_SPREADS * (high - median), median * _MIN_SLOW_FACTOR).tolist()
    return limits


def count_overlaps(runs: Sequence[Run]) -> int:
    """How many runs began before the one before them had ended, by more than the minute that times are known to."""
    return sum(
        later.started_at + MINUTE_S < earlier.ended_at
        for earlier, later in pairwise(sorted(runs, key=lambda run: (run.started_at, run.ended_at)))
    )
