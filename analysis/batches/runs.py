"""Runs of batch jobs, parsed from the metrics they report: start, end, result, and whether they took unusually long. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from domain import epoch_s
from domain.config.batches import SchedulerKind
from domain.window import MINUTE_S

RunResult = Literal["ok", "failed", "unknown"]
TYPICAL_FROM_RUNS = 30  # the typical duration is that of the last successful runs
MIN_RUNS = 8  # fewer do not allow an estimate
# Slow: above the median by twice the distance to the 90th percentile (1 in 200 of a normal distribution), and by a quarter at least.
_SLOW_SPREADS, _MIN_SLOW_FACTOR = 2.0, 1.25


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One run. Times are epoch seconds, known to the minute; `reported_at` is the timestamp of its metrics. `duration_s` is None if not reported.

    `is_slow`: unusually long compared with the runs before it; None if there were too few. `was_reported`: False if only Lambda counted it.
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
    """Duration of the last successful runs: median, 10th and 90th percentile."""

    runs: int
    median_s: float
    p10_s: float
    p90_s: float


RunsByJob = Mapping[tuple[str, SchedulerKind], tuple[Run, ...]]


def parse_runs(
    frame: pd.DataFrame, *, timestamp_is: Literal["end", "start"]
) -> dict[tuple[str, SchedulerKind], tuple[Run, ...]]:
    """Every run in a tidy frame of run_duration, run_success and run_failure, by job and scheduler, in order.

    The metrics of one minute are one run: Mackerel keeps the last value of a minute. A lone duration and a lone result in adjacent minutes
    are one run, too, reported across the minute's end.
    """
    by_job: dict[tuple[str, SchedulerKind], dict[int, dict[str, float]]] = {}
    columns = (frame[name].astype("object") for name in ("target_group", "fleet", "metric"))
    for ts, job, fleet, metric, value in zip(epoch_s(frame), *columns, frame["value"], strict=True):
        scheduler: SchedulerKind = "baseline" if fleet == "baseline" else "canary"
        by_job.setdefault((job, scheduler), {}).setdefault(int(ts), {})[metric] = float(value)
    return {
        key: _flag_slow(
            [_run(minute, values, timestamp_is) for minute, values in sorted(_merge_neighbours(minutes).items())]
        )
        for key, minutes in sorted(by_job.items())
    }


def _merge_neighbours(minutes: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    merged: dict[int, dict[str, float]] = {}
    for ts, values in sorted(minutes.items()):
        previous = merged.get(ts - MINUTE_S)
        if previous and ("run_duration" in previous) != ("run_duration" in values) and not previous.keys() & values:
            previous.update(values)
        else:
            merged[ts] = dict(values)
    return merged


def _run(reported_at: int, values: Mapping[str, float], timestamp_is: Literal["end", "start"]) -> Run:
    duration_s = values.get("run_duration")
    rounded_s = round(duration_s or 0)
    result: RunResult = "unknown"
    if values.get("run_failure", 0) > 0 or values.get("run_success", 1) <= 0:
        result = "failed"
    elif "run_success" in values or "run_failure" in values:
        result = "ok"
    started_at = reported_at - rounded_s if timestamp_is == "end" else reported_at
    return Run(started_at, started_at + rounded_s, reported_at, duration_s, result)


def typical_duration(runs: Sequence[Run]) -> TypicalDuration | None:
    """The typical duration of successful runs (of all runs if results are not reported); None if there are fewer than MIN_RUNS."""
    durations = _durations(runs)[-TYPICAL_FROM_RUNS:]
    if len(durations) < MIN_RUNS:
        return None
    p10, median, p90 = np.percentile(durations, (10, 50, 90))
    return TypicalDuration(len(durations), float(median), float(p10), float(p90))


def _durations(runs: Sequence[Run]) -> list[float]:
    return [run.duration_s for run in runs if run.duration_s is not None and run.result != "failed"]


def _flag_slow(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs with `is_slow`, each judged by the successful ones before it."""
    thresholds, n_before, flagged = _slow_thresholds(_durations(runs)), 0, list[Run]()
    for run in runs:
        is_slow = None
        if run.duration_s is not None:
            is_slow = None if n_before < MIN_RUNS else run.duration_s > thresholds[n_before]
            n_before += run.result != "failed"
        # dataclasses.replace takes five times as long, for thousands of runs.
        flagged.append(Run(run.started_at, run.ended_at, run.reported_at, run.duration_s, run.result, is_slow))
    return tuple(flagged)


def _slow_thresholds(durations: Sequence[float]) -> list[float]:
    """The duration above which a run is slow, by the number of successful runs before it; infinite below MIN_RUNS."""
    thresholds = [inf] * MIN_RUNS
    short_histories = [durations[:n] for n in range(MIN_RUNS, min(len(durations), TYPICAL_FROM_RUNS - 1) + 1)]
    histories = (
        np.lib.stride_tricks.sliding_window_view(durations, TYPICAL_FROM_RUNS)
        if len(durations) >= TYPICAL_FROM_RUNS
        else np.empty((0, 1))
    )
    for history in (*([history] for history in short_histories), histories):
        if len(history):
            median, p90 = np.percentile(history, (50, 90), axis=1)
            thresholds += np.maximum(median + _SLOW_SPREADS * (p90 - median), median * _MIN_SLOW_FACTOR).tolist()
    return thresholds


def count_overlaps(runs: Sequence[Run]) -> int:
    """How many runs started before the previous one ended, by more than the minute to which times are known."""
    return sum(
        later.started_at + MINUTE_S < earlier.ended_at
        for earlier, later in pairwise(sorted(runs, key=lambda run: (run.started_at, run.ended_at)))
    )
