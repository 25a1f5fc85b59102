"""Lambda's counts of a job's invocations, matched with the reported runs: which invocations failed without a report. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.batches.runs import Run
from domain import Window, epoch_s
from domain.window import MINUTE_S

MATCH_WITHIN_S = 7_200  # runs farther from an error are irrelevant to it
REPORTED_WITHIN_S = 120  # after its end, until the report of a run can be read


@dataclass(frozen=True, slots=True)
class InvocationPeriod:
    """Counts of one period from `start` (epoch seconds), `period_s` long.

    `errors`: invocations that failed or timed out. `throttles`, `undelivered`: invocations that did not start, refused by Lambda or not
    delivered by EventBridge. `longest_s`: duration of the longest invocation, None if not reported.
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
    """The same over a window. `silent_failures`: one-minute periods with errors that no run reported."""

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
    """Every period in a tidy frame of function_… and rule_failures, by job, in order."""
    by_job: dict[str, dict[int, dict[str, float]]] = {}
    jobs, metrics = (frame[name].astype("object") for name in ("target_group", "metric"))
    for ts, period_s, job, metric, value in zip(
        epoch_s(frame), frame["period_s"], jobs, metrics, frame["value"], strict=True
    ):
        values = by_job.setdefault(job, {}).setdefault(int(ts), {"period_s": 0})
        values["period_s"] = max(values["period_s"], int(period_s))
        values[_COUNTS.get(metric, "longest_s")] = float(value)
    return {
        job: tuple(_invocation_period(start, values) for start, values in sorted(periods.items()))
        for job, periods in by_job.items()
    }


def _invocation_period(start: int, values: Mapping[str, float]) -> InvocationPeriod:
    counts = {name: round(values.get(name, 0)) for name in _COUNTS.values()}
    return InvocationPeriod(start, int(values["period_s"]), **counts, longest_s=values.get("longest_s"))


def silent_failures(
    invocations: Sequence[InvocationPeriod], reported: Sequence[Run], was_answered: Callable[[int, int], bool]
) -> tuple[Run, ...]:
    """The failed invocations without a report, as failed runs, at most one a minute, in order. Periods longer than a minute are ignored.

    `was_answered(start, end)`: whether the reports between two times are known. Each reported run is matched with an invocation of its minute
    (known to within another): a failed run with a failed invocation if there is one, any other with a successful one.
    """
    periods = [period for period in invocations if period.period_s == MINUTE_S]
    errors_at = [period.start for period in periods if period.errors]
    if not errors_at:
        return ()
    starts = [period.start for period in periods]
    failed = [period.errors for period in periods]
    succeeded = [max(period.invocations - period.errors, 0) for period in periods]
    near = [run for run in reported if _near(errors_at, run.started_at)]
    for run in sorted(near, key=lambda run: (run.result != "failed", run.started_at)):
        indices = range(bisect_right(starts, run.started_at - MINUTE_S), bisect_left(starts, run.started_at + MINUTE_S))
        for unmatched in (failed, succeeded) if run.result == "failed" else (succeeded, failed):
            index = next((index for index in indices if unmatched[index] > 0), None)
            if index is not None:
                unmatched[index] -= 1
                break
    return tuple(
        _silent_failure(period)
        for period, n_silent in zip(periods, failed, strict=True)
        if n_silent > 0
        and was_answered(period.start - MINUTE_S, period.start + round(period.longest_s or 0) + REPORTED_WITHIN_S)
    )


def _near(errors_at: Sequence[int], started_at: int) -> bool:
    index = bisect_left(errors_at, started_at - MATCH_WITHIN_S)
    return index < len(errors_at) and errors_at[index] < started_at + MATCH_WITHIN_S


def _silent_failure(period: InvocationPeriod) -> Run:
    duration_s = period.longest_s if period.invocations == 1 else None  # of several, the longest may be another one
    ended_at = period.start + round(duration_s or 0)
    return Run(period.start, ended_at, period.start, duration_s, "failed", was_reported=False)


def invocation_totals(
    invocations: Iterable[InvocationPeriod], silent_runs: Iterable[Run], window: Window
) -> InvocationTotals:
    """The counts over `window`, and how many of `silent_runs` fall into it."""
    periods = [period for period in invocations if window.start <= period.start < window.end]
    return InvocationTotals(
        sum(period.invocations for period in periods),
        sum(period.errors for period in periods),
        sum(period.throttles for period in periods),
        sum(period.undelivered for period in periods),
        sum(window.start <= run.started_at < window.end for run in silent_runs),
    )
