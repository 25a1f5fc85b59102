"""The hand-over of a job from cron to EventBridge: due times that ran under both, under neither, or more than once under EventBridge. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise
from typing import Literal, Self, get_args

from analysis.batches.due_times import scheduled_times
from analysis.batches.invocations import InvocationPeriod
from analysis.batches.runs import Run
from domain import Window
from domain.config.batches import SchedulerKind
from domain.cron import Cron, Rate, Schedule
from domain.run_steps import RunStep
from domain.window import DAY_S, MINUTE_S

# both: cron and EventBridge ran it; neither: none of them did; retried: EventBridge again after an error; redelivered: again with the same event;
# repeated: again without an error.
HandoverKind = Literal["both", "neither", "retried", "redelivered", "repeated"]
HANDOVER_KINDS: tuple[HandoverKind, ...] = get_args(HandoverKind)
_AGAIN: tuple[HandoverKind, ...] = ("retried", "redelivered", "repeated")
_MIN_INTERVAL_S = (
    3 * MINUTE_S
)  # runs are known to the minute, so those of more frequent jobs cannot be assigned to a due time


@dataclass(frozen=True, slots=True)
class Slot:
    """A due time (epoch seconds) and its runs under each scheduler, in order. Of a rate: the start of its first run under EventBridge."""

    due_at: int
    by_cron: tuple[Run, ...] = ()
    by_eventbridge: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Handover:
    """The due times of a window by finding, in order; a due time may have two. `runs_twice`: cron still ran at one of EventBridge's last two runs."""

    slots: Mapping[HandoverKind, tuple[Slot, ...]]
    runs_twice: bool = False

    @property
    def kinds(self) -> tuple[HandoverKind, ...]:
        return tuple(kind for kind in HANDOVER_KINDS if self.slots.get(kind))

    def with_requests(self, steps: Sequence[RunStep]) -> Self:
        """With what the IDs that the runs logged show of due times that EventBridge ran again. `steps`: what the job's runs logged."""
        logged = [step for step in steps if step.scheduler == "canary" and (step.request_id or step.event_id)]
        again = sorted(
            ((slot, kind) for kind in _AGAIN for slot in self.slots.get(kind, ())), key=lambda it: it[0].due_at
        )
        if not (logged and again):
            return self
        found = [(slot, _kind_by_ids(slot, logged) or kind) for slot, kind in again]
        return replace(
            self, slots={**self.slots, **{kind: tuple(slot for slot, of in found if of == kind) for kind in _AGAIN}}
        )


def find_handover(
    runs: Mapping[SchedulerKind, Sequence[Run]],
    schedule: Schedule | None,
    zone: tzinfo,
    *,
    window: Window,
    grace_s: int,
    was_missed: Callable[[int], bool],
    invocations: Sequence[InvocationPeriod] = (),
) -> Handover | None:
    """The findings of one job over `window`; None without runs by EventBridge or a schedule, which decides which runs belong together.

    `runs`: all known ones, in order. `was_missed(due_at)`: whether a due time without a run is known to have none. Due times without any run count
    between the last run of cron and the first of EventBridge, whichever is earlier: before and after, one scheduler alone missed them.
    """
    by_cron, by_eventbridge = runs.get("baseline", ()), runs.get("canary", ())
    match schedule:
        case Cron() if by_eventbridge:
            slots = _cron_slots(by_cron, by_eventbridge, scheduled_times(schedule, zone, window), window, grace_s)
        case Rate(interval_s=interval_s) if by_eventbridge and interval_s >= _MIN_INTERVAL_S:
            slots = _rate_slots(by_cron, by_eventbridge, interval_s, window)
        case _:
            return None
    found: dict[HandoverKind, tuple[Slot, ...]] = {
        "both": tuple(slot for slot in slots if slot.by_cron and slot.by_eventbridge)
    }
    if by_cron:
        start, end = sorted((by_cron[-1].started_at, by_eventbridge[0].started_at))
        found["neither"] = tuple(
            slot
            for slot in slots
            if not (slot.by_cron or slot.by_eventbridge) and start < slot.due_at < end and was_missed(slot.due_at)
        )
    again = [slot for slot in slots if len(slot.by_eventbridge) > 1]
    errors = [period for period in invocations if period.errors and period.period_s == MINUTE_S]
    found["retried"] = tuple(slot for slot in again if _was_retried(slot, errors))
    found["repeated"] = tuple(slot for slot in again if not _was_retried(slot, errors))
    newest = by_eventbridge[-2:][0].started_at
    runs_twice = bool(found["both"]) and by_cron[-1].started_at >= newest - max(grace_s, MINUTE_S)
    return Handover(found, runs_twice)


def _cron_slots(
    by_cron: Sequence[Run], by_eventbridge: Sequence[Run], times: Sequence[int], window: Window, grace_s: int
) -> list[Slot]:
    """A slot for each of `times`. A run belongs to the last one before it, or to the next if that is less than the grace period away."""
    shortest_s = min((later - earlier for earlier, later in pairwise(times)), default=DAY_S)
    early_s = max(min(grace_s, shortest_s // 2), MINUTE_S - 1)

    def runs_at(runs: Sequence[Run]) -> dict[int, list[Run]]:
        by_time: dict[int, list[Run]] = {}
        for run in _between(runs, window.start - early_s, window.end):
            index = bisect_right(times, run.started_at + early_s) - 1
            if index >= 0:
                by_time.setdefault(times[index], []).append(run)
        return by_time

    cron_runs, eventbridge_runs = runs_at(by_cron), runs_at(by_eventbridge)
    return [Slot(at, tuple(cron_runs.get(at, ())), tuple(eventbridge_runs.get(at, ()))) for at in times]


def _rate_slots(by_cron: Sequence[Run], by_eventbridge: Sequence[Run], interval_s: int, window: Window) -> list[Slot]:
    """A slot for each run by EventBridge that is not a repetition, with cron's runs nearest to it, and one for each interval without any run."""
    groups: list[list[Run]] = []
    for run in _between(by_eventbridge, window.start, window.end):
        if groups and run.started_at - groups[-1][0].started_at <= interval_s // 2:
            groups[-1].append(run)
        else:
            groups.append([run])
    starts = [group[0].started_at for group in groups]
    cron_runs: dict[int, list[Run]] = {}
    for run in _between(by_cron, window.start, window.end):
        index = bisect_left(starts, run.started_at - interval_s // 2)
        if index < len(starts) and starts[index] <= run.started_at + interval_s // 2:
            cron_runs.setdefault(index, []).append(run)
    slots = [Slot(group[0].started_at, tuple(cron_runs.get(i, ())), tuple(group)) for i, group in enumerate(groups)]
    absent = [Slot(at) for at in _absent_times((*by_cron, *by_eventbridge), interval_s, window)]
    return sorted((*slots, *absent), key=lambda slot: slot.due_at)


def _absent_times(runs: Sequence[Run], interval_s: int, window: Window) -> Iterator[int]:
    starts = sorted(run.started_at for run in runs)
    for earlier, later in pairwise(starts):
        for at in range(earlier + interval_s, later - interval_s // 2 - MINUTE_S, interval_s):
            if window.start <= at < window.end:
                yield at


def _between(runs: Sequence[Run], start: int, end: int) -> list[Run]:
    return sorted((run for run in runs if start <= run.started_at < end), key=lambda run: run.started_at)


def _was_retried(slot: Slot, errors: Sequence[InvocationPeriod]) -> bool:
    """Whether every run of the slot but the last one failed, by its report or by Lambda's count of errors in its minute."""
    return all(
        run.result == "failed" or any(abs(period.start - run.started_at) <= MINUTE_S for period in errors)
        for run in slot.by_eventbridge[:-1]
    )


def _kind_by_ids(slot: Slot, steps: Sequence[RunStep]) -> HandoverKind | None:
    """By what its runs logged: Lambda keeps the request ID in its retries; an event that is delivered again starts another request with the ID of the event.

    None if that does not decide it: all runs must have logged the ID.
    """
    requests: dict[Run, set[str]] = {run: set() for run in slot.by_eventbridge}
    events: dict[Run, set[str]] = {run: set() for run in slot.by_eventbridge}
    for step in steps:
        if run := _run_of(step, slot.by_eventbridge):
            requests[run] |= {step.request_id} - {""}
            events[run] |= {step.event_id} - {""}
    n_requests = len(set[str]().union(*requests.values()))
    if n_requests == 1 and all(requests.values()):
        return "retried"
    is_one_event = all(events.values()) and len(set[str]().union(*events.values())) == 1
    return "redelivered" if is_one_event and n_requests > 1 else None


def _run_of(step: RunStep, runs: Sequence[Run]) -> Run | None:
    """The run during which it was logged, the nearest one within a minute: starts and ends are known to the minute."""

    def distance_s(run: Run) -> int:
        return max(run.started_at - step.ts, step.ts - run.ended_at, 0)

    near = [run for run in runs if distance_s(run) <= MINUTE_S]
    return min(near, key=distance_s, default=None)
