"""Runs of batches, put together from what each posted: when one began and ended, whether it succeeded, and whether it took unusually long. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from domain import epoch_s
from domain.config.batches import Era

Result = Literal["ok", "failed", "unknown"]
MINUTE_S = 60
LAST_RUNS = 30  # what is usual is told by so many successful runs
FEWEST_RUNS = 8  # with fewer nobody can tell
# Slow is twice as far above the median as nine of ten runs stay, and a quarter above it at least. Of a normal distribution that is one in 200.
_REACH, _LEAST = 2.0, 1.25


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One run. `at` is the minute it was posted for; times are epoch seconds, known to the minute. `duration_s` is None where it was not posted.

    `slow`: it took longer than the runs before it let expect; None where they were too few. `posted`: False where only Lambda told of it.
    """

    began: int
    ended: int
    at: int
    duration_s: float | None
    result: Result
    slow: bool | None = None
    posted: bool = True


@dataclass(frozen=True, slots=True)
class Usual:
    """How long the last successful runs took, in seconds: the median, and the range of eight in ten."""

    runs: int
    median_s: float
    low_s: float
    high_s: float


Runs = Mapping[tuple[str, Era], tuple[Run, ...]]


def runs_of(frame: pd.DataFrame, *, stamped: Literal["end", "start"]) -> dict[tuple[str, Era], tuple[Run, ...]]:
    """Every run in a tidy frame of run_duration, run_success and run_failure, by job and era, in order.

    What was posted for one minute is one run: Mackerel keeps the last of several. A duration and a result that stand alone in neighbouring
    minutes are one run as well, posted across the turn of the minute.
    """
    found: dict[tuple[str, Era], dict[int, dict[str, float]]] = {}
    columns = (frame[name].astype("object") for name in ("target_group", "fleet", "metric"))
    for ts, job, fleet, metric, value in zip(epoch_s(frame), *columns, frame["value"], strict=True):
        era: Era = "baseline" if fleet == "baseline" else "canary"
        found.setdefault((job, era), {}).setdefault(int(ts), {})[metric] = float(value)
    return {
        key: _with_slow([_run(at, told, stamped) for at, told in sorted(_together(minutes).items())])
        for key, minutes in sorted(found.items())
    }


def _together(minutes: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
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


def _run(at: int, told: Mapping[str, float], stamped: Literal["end", "start"]) -> Run:
    duration_s = told.get("run_duration")
    length_s = round(duration_s or 0)
    result: Result = "unknown"
    if told.get("run_failure", 0) > 0 or told.get("run_success", 1) <= 0:
        result = "failed"
    elif "run_success" in told or "run_failure" in told:
        result = "ok"
    began, ended = (at - length_s, at) if stamped == "end" else (at, at + length_s)
    return Run(began, ended, at, duration_s, result)


def usual(runs: Sequence[Run]) -> Usual | None:
    """What the last successful runs took; None where there are fewer than FEWEST_RUNS. Where no result is posted, every run counts."""
    taken = _taken(runs)[-LAST_RUNS:]
    if len(taken) < FEWEST_RUNS:
        return None
    low, median, high = np.percentile(taken, (10, 50, 90))
    return Usual(len(taken), float(median), float(low), float(high))


def _taken(runs: Sequence[Run]) -> list[float]:
    return [run.duration_s for run in runs if run.duration_s is not None and run.result != "failed"]


def _with_slow(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs, each judged by the successful ones before it."""
    limits, before, judged = _limits(_taken(runs)), 0, list[Run]()
    for run in runs:
        slow = None
        if run.duration_s is not None:
            slow = None if before < FEWEST_RUNS else run.duration_s > limits[before]
            before += run.result != "failed"
        judged.append(replace(run, slow=slow))
    return tuple(judged)


def _limits(taken: Sequence[float]) -> list[float]:
    """From where on a run is slow, by how many successful ones there were before it; infinite where they were too few."""
    limits = [inf] * FEWEST_RUNS
    parts = [taken[:count] for count in range(FEWEST_RUNS, min(len(taken), LAST_RUNS - 1) + 1)]
    wide = np.lib.stride_tricks.sliding_window_view(taken, LAST_RUNS) if len(taken) >= LAST_RUNS else np.empty((0, 1))
    for part in (*([part] for part in parts), wide):
        if len(part):
            median, high = np.percentile(part, (50, 90), axis=1)
            limits += np.maximum(median + _REACH * (high - median), median * _LEAST).tolist()
    return limits


def overlapping(runs: Sequence[Run]) -> int:
    """How many runs began before the one before them had ended, by more than the minute that times are known to."""
    return sum(
        later.began + MINUTE_S < earlier.ended
        for earlier, later in pairwise(sorted(runs, key=lambda run: (run.began, run.ended)))
    )
