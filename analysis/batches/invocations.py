"""What AWS counted of a job's Lambda function, beside the runs that it posted: which invocations failed without a word. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.batches.runs import MINUTE_S, Run
from domain import Window, epoch_s

NEAR_S = 7_200  # farther from an error, a run does not matter to it
POSTED_WITHIN_S = 120  # a run that is over was posted, and can be read


@dataclass(frozen=True, slots=True)
class Invoked:
    """One period of `period_s` seconds from `at` (epoch seconds) in which a function was invoked, or was to be.

    `errors` count invocations that ended with an error or ran out of time; `throttles` and `undelivered` those that did not begin: Lambda had no
    room, or EventBridge could not start it. `longest_s`: the longest invocation, None where none is told.
    """

    at: int
    period_s: int
    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    undelivered: int = 0
    longest_s: float | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The same over a window. `died`: periods of a minute with errors of which nothing was posted."""

    invocations: int
    errors: int
    throttles: int
    undelivered: int
    died: int


_COUNTS: Mapping[str, str] = {
    "function_invocations": "invocations",
    "function_errors": "errors",
    "function_throttles": "throttles",
    "rule_failures": "undelivered",
}


def invocations_of(frame: pd.DataFrame) -> dict[str, tuple[Invoked, ...]]:
    """Every period of a tidy frame of function_… and rule_failures, by job, in order."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    jobs, metrics = (frame[name].astype("object") for name in ("target_group", "metric"))
    for ts, period_s, job, metric, value in zip(
        epoch_s(frame), frame["period_s"], jobs, metrics, frame["value"], strict=True
    ):
        told = found.setdefault(job, {}).setdefault(int(ts), {"period_s": 0})
        told["period_s"] = max(told["period_s"], int(period_s))
        told[_COUNTS.get(metric, "longest_s")] = float(value)
    return {job: tuple(_invoked(at, told) for at, told in sorted(times.items())) for job, times in found.items()}


def _invoked(at: int, told: Mapping[str, float]) -> Invoked:
    counts = {name: round(told.get(name, 0)) for name in _COUNTS.values()}
    return Invoked(at, int(told["period_s"]), **counts, longest_s=told.get("longest_s"))


def died(invoked: Sequence[Invoked], posted: Sequence[Run], known: Callable[[int, int], bool]) -> tuple[Run, ...]:
    """The failed invocations of which nothing was posted, as failed runs: one a minute, in order. Longer periods cannot tell.

    `known(start, end)`: whether it was read what was posted between two times. Each posted run is one of the invocations of its minute, which is known to
    within another; a run that posted a failure is first of all a failed one, any other first of all one that did well.
    """
    minutes = [one for one in invoked if one.period_s == MINUTE_S]
    errors_at = [one.at for one in minutes if one.errors]
    if not errors_at:
        return ()
    at = [one.at for one in minutes]
    failed = [one.errors for one in minutes]
    well = [max(one.invocations - one.errors, 0) for one in minutes]
    near = [run for run in posted if _near(errors_at, run.began)]
    for run in sorted(near, key=lambda run: (run.result != "failed", run.began)):
        places = range(bisect_right(at, run.began - MINUTE_S), bisect_left(at, run.began + MINUTE_S))
        for room in (failed, well) if run.result == "failed" else (well, failed):
            place = next((place for place in places if room[place] > 0), None)
            if place is not None:
                room[place] -= 1
                break
    return tuple(
        _silent(one)
        for one, left in zip(minutes, failed, strict=True)
        if left > 0 and known(one.at - MINUTE_S, one.at + round(one.longest_s or 0) + POSTED_WITHIN_S)
    )


def _near(errors_at: Sequence[int], began: int) -> bool:
    place = bisect_left(errors_at, began - NEAR_S)
    return place < len(errors_at) and errors_at[place] < began + NEAR_S


def _silent(one: Invoked) -> Run:
    alone = one.invocations == 1  # else nobody can tell which took so long
    length_s = round(one.longest_s or 0) if alone else 0
    return Run(one.at, one.at + length_s, one.at, one.longest_s if alone else None, "failed", posted=False)


def counted(invoked: Iterable[Invoked], silent: Iterable[Run], window: Window) -> Counted:
    """What AWS counted over `window`; `silent` are all runs that died."""
    mine = [one for one in invoked if window.start <= one.at < window.end]
    return Counted(
        sum(one.invocations for one in mine),
        sum(one.errors for one in mine),
        sum(one.throttles for one in mine),
        sum(one.undelivered for one in mine),
        sum(window.start <= run.began < window.end for run in silent),
    )
