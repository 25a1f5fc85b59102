"""What AWS counted of a job's Lambda function, beside the runs that it posted: which invocations failed without a word. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.batches.runs import MINUTE_S, Run
from domain import Window, epoch_s

MATCH_WITHIN_S = 7_200  # farther from an error, a run does not matter to it
REPORTED_WITHIN_S = 120  # a run that is over was posted, and can be read


@dataclass(frozen=True, slots=True)
class InvocationPeriod:
    """One period of `period_s` seconds from `at` (epoch seconds) in which a function was invoked, or was to be.

    `errors` count invocations that ended with an error or ran out of time; `throttles` and `undelivered` those that did not begin: Lambda had no
    room, or EventBridge could not start it. `longest_s`: the longest invocation, None where none is told.
    """

    start: int
    period_s: int
    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    undelivered: int = 0
    longest_s: float | None = None


@dataclass(frozen=True, slots=True)
class InvocationTotals:
    """The same over a window. `died`: periods of a minute with errors of which nothing was posted."""

    invocations: int
    errors: int
    throttles: int
    undelivered: int
    silent_failures: int


_COUNTS: Mapping[str, str] = {
    "function_invocations": "invocations",
    "function_errors": "errors",
    "function_throttles": "throttles",
    "rule_failures": "undelivered",
}


def parse_invocations(frame: pd.DataFrame) -> dict[str, tuple[InvocationPeriod, ...]]:
    """Every period of a tidy frame of function_… and rule_failures, by job, in order."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    jobs, metrics = (frame[name].astype("object") for name in ("target_group", "metric"))
    for ts, period_s, job, metric, value in zip(
        epoch_s(frame), frame["period_s"], jobs, metrics, frame["value"], strict=True
    ):
        told = found.setdefault(job, {}).setdefault(int(ts), {"period_s": 0})
        told["period_s"] = max(told["period_s"], int(period_s))
        told[_COUNTS.get(metric, "longest_s")] = float(value)
    return {
        job: tuple(_invocation_period(at, told) for at, told in sorted(times.items())) for job, times in found.items()
    }


def _invocation_period(start: int, values: Mapping[str, float]) -> InvocationPeriod:
    counts = {name: round(values.get(name, 0)) for name in _COUNTS.values()}
    return InvocationPeriod(start, int(values["period_s"]), **counts, longest_s=values.get("longest_s"))


def silent_failures(
    invocations: Sequence[InvocationPeriod], reported: Sequence[Run], was_answered: Callable[[int, int], bool]
) -> tuple[Run, ...]:
    """The failed invocations of which nothing was posted, as failed runs: one a minute, in order. Longer periods cannot tell.

    `known(start, end)`: whether it was read what was posted between two times. Each posted run is one of the invocations of its minute, which is known to
    within another; a run that posted a failure is first of all a failed one, any other first of all one that did well.
    """
    minutes = [one for one in invocations if one.period_s == MINUTE_S]
    errors_at = [one.start for one in minutes if one.errors]
    if not errors_at:
        return ()
    at = [one.start for one in minutes]
    failed = [one.errors for one in minutes]
    well = [max(one.invocations - one.errors, 0) for one in minutes]
    near = [run for run in reported if _near(errors_at, run.started_at)]
    for run in sorted(near, key=lambda run: (run.result != "failed", run.started_at)):
        places = range(bisect_right(at, run.started_at - MINUTE_S), bisect_left(at, run.started_at + MINUTE_S))
        for room in (failed, well) if run.result == "failed" else (well, failed):
            place = next((place for place in places if room[place] > 0), None)
            if place is not None:
                room[place] -= 1
                break
    return tuple(
        _silent_failure(one)
        for one, left in zip(minutes, failed, strict=True)
        if left > 0 and was_answered(one.start - MINUTE_S, one.start + round(one.longest_s or 0) + REPORTED_WITHIN_S)
    )


def _near(errors_at: Sequence[int], started_at: int) -> bool:
    place = bisect_left(errors_at, started_at - MATCH_WITHIN_S)
    return place < len(errors_at) and errors_at[place] < started_at + MATCH_WITHIN_S


def _silent_failure(period: InvocationPeriod) -> Run:
    alone = period.invocations == 1  # else nobody can tell which took so long
    length_s = round(period.longest_s or 0) if alone else 0
    return Run(
        period.start,
        period.start + length_s,
        period.start,
        period.longest_s if alone else None,
        "failed",
        was_reported=False,
    )


def invocation_totals(
    invocations: Iterable[InvocationPeriod], silent_runs: Iterable[Run], window: Window
) -> InvocationTotals:
    """What AWS counted over `window`; `silent` are all runs that died."""
    mine = [one for one in invocations if window.start <= one.start < window.end]
    return InvocationTotals(
        sum(one.invocations for one in mine),
        sum(one.errors for one in mine),
        sum(one.throttles for one in mine),
        sum(one.undelivered for one in mine),
        sum(window.start <= run.started_at < window.end for run in silent_runs),
    )
