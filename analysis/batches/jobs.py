"""How each batch stands: its last run, whether it ran when it was due, whether it took as long as usual, in both eras. Pure: no I/O, no clock."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Literal, get_args

from analysis.batches.due_times import last_scheduled_time, next_scheduled_time, scheduled_times
from analysis.batches.invocations import InvocationPeriod, InvocationTotals, invocation_totals, silent_failures
from analysis.batches.runs import MINUTE_S, Run, RunsByJob, TypicalDuration, count_overlaps, typical_duration
from domain import FLEETS, Window
from domain.config.batches import Batches, Job, SchedulerKind
from domain.cron import Cron, Rate, Schedule
from domain.triggers import Trigger

# What became of one due time, the worst first.
RunStatus = Literal["failed", "missed", "late", "slow", "unknown", "paused", "waiting", "ok"]
RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
# How a job stands now: the mark of its newest due time that is over, "stopped" after several missed ones, "never" without any run.
JobState = Literal["failed", "stopped", "missed", "never", "late", "slow", "unknown", "paused", "ok"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
STOPPED_AFTER_MISSED = 3  # missed in a row
DEFAULT_GRACE_S = int(Job.model_fields["grace_minutes"].default) * 60


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """One due time (epoch seconds), the runs that belong to it, and what became of it. Without a schedule each run is due when it began."""

    scheduled_at: int
    status: RunStatus
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class SchedulerReport:
    """The runs of one era that are known: how many of them, how many succeeded and failed, from when to when, and how long the last ones took."""

    runs: int
    succeeded: int
    failed: int
    span: Window
    typical_duration: TypicalDuration | None

    @property
    def success_rate(self) -> float | None:
        told = self.succeeded + self.failed
        return self.succeeded / told if told else None


@dataclass(frozen=True, slots=True)
class JobReport:
    """One job. `slots` are those of the window, in order; `last` is the newest run of `era`, the newest era that has any.

    `schedule` is the configured one, else what AWS says; `differs`: both are known and are not the same. `since`: the due time from which on
    nothing ran. `both`: when both eras reported. `overlaps`: runs of the window that began before the one before had ended. `counted`: what AWS
    counted of its function over the window; None where that was not read.
    """

    name: str
    job: Job | None
    state: JobState
    schedule: Schedule | None = None
    trigger: Trigger | None = None
    schedule_differs: bool = False
    scheduler: SchedulerKind | None = None
    last_run: Run | None = None
    typical_duration: TypicalDuration | None = None
    next_scheduled_at: int | None = None
    missed_since: int | None = None
    scheduled_runs: tuple[ScheduledRun, ...] = ()
    schedulers: Mapping[SchedulerKind, SchedulerReport] = field(default_factory=dict)
    both_active: Window | None = None
    overlapping_runs: int = 0
    invocation_totals: InvocationTotals | None = None

    @property
    def timezone(self) -> str:
        """The time zone in which its schedule is meant."""
        if self.job and self.job.schedule:
            return self.job.timezone
        return self.trigger.timezone if self.trigger else "UTC"

    def count(self, status: RunStatus) -> int:
        return sum(slot.status == status for slot in self.scheduled_runs)


def job_reports(
    settings: Batches,
    runs: RunsByJob,
    *,
    window: Window,
    now: int,
    unanswered: Sequence[Window] = (),
    triggers: Mapping[str, Trigger] | None = None,
    invocations: Mapping[str, Sequence[InvocationPeriod]] | None = None,
) -> tuple[JobReport, ...]:
    """Every job that is configured or has a run, the worst first.

    `runs` are all that are known, before the window too: they tell what is usual, and from when on a job can miss a run. `unanswered`: time for
    which it is not known what ran. `starters`: by job, what AWS says starts it. `invoked`: by job, what AWS counted of its function; an error of
    which nothing was posted is a failed run.
    """
    names = dict.fromkeys((*(job.name for job in settings.jobs), *(name for name, _ in runs)))
    invocations = invocations or {}
    seen = _Observed(window, now, tuple(unanswered))
    found = (
        _job_report(name, settings.find_job(name), runs, seen, (triggers or {}).get(name), invocations.get(name))
        for name in names
    )
    return tuple(sorted(found, key=lambda one: (JOB_STATES.index(one.state), one.name)))


@dataclass(frozen=True, slots=True)
class _Observed:
    window: Window
    now: int
    unanswered: tuple[Window, ...]

    def was_answered(self, start: int, end: int) -> bool:
        """Whether it is known what ran between two times."""
        return not any(gap.start < end and gap.end > start for gap in self.unanswered)


def _job_report(
    name: str,
    job: Job | None,
    runs: RunsByJob,
    observed: _Observed,
    trigger: Trigger | None,
    invocations: Sequence[InvocationPeriod] | None,
) -> JobReport:
    of_era: dict[SchedulerKind, tuple[Run, ...]] = {era: runs[name, era] for era in FLEETS if runs.get((name, era))}
    silent = _silent_runs(of_era, invocations or (), observed)
    if silent:
        of_era["canary"] = tuple(
            sorted((*of_era.get("canary", ()), *silent), key=lambda run: (run.reported_at, run.started_at))
        )
    timing = _timing(job, trigger)
    told = invocation_totals(invocations, silent, observed.window) if invocations is not None else None
    bare = JobReport(
        name,
        job,
        "unknown",
        timing.schedule,
        trigger,
        schedule_differs=_schedule_differs(job, trigger),
        invocation_totals=told,
    )
    era = next((era for era in reversed(FLEETS) if era in of_era), None)
    if era is None:
        coming = _next_scheduled_at(timing, observed.now, observed.now)
        return replace(
            bare,
            state="never" if observed.was_answered(observed.window.start, observed.now) else "unknown",
            next_scheduled_at=coming,
        )
    newest = of_era[era]
    took = typical_duration(newest)
    timing = replace(timing, overdue_after_s=timing.grace_s + int(took.p90_s if took else 0))
    earlier = [
        run
        for other in FLEETS
        if other != era
        for run in of_era.get(other, ())
        if run.started_at < newest[0].started_at
    ]
    slots = [
        *(ScheduledRun(run.started_at, _run_status((run,)), (run,)) for run in earlier),
        *_scheduled_runs(newest, timing, observed),
    ]
    state, since = _job_state(slots)
    return replace(
        bare,
        state=state,
        scheduler=era,
        last_run=newest[-1],
        typical_duration=took,
        next_scheduled_at=_next_scheduled_at(timing, newest[-1].started_at, observed.now),
        missed_since=since,
        scheduled_runs=tuple(
            slot for slot in slots if observed.window.start <= slot.scheduled_at < observed.window.end
        ),
        schedulers={each: _scheduler_report(of_era[each]) for each in FLEETS if each in of_era},
        both_active=_both_active(of_era),
        overlapping_runs=count_overlaps(
            [run for run in newest if observed.window.start <= run.started_at < observed.window.end]
        ),
    )


def _silent_runs(
    runs_by_scheduler: Mapping[SchedulerKind, Sequence[Run]],
    invocations: Sequence[InvocationPeriod],
    observed: _Observed,
) -> tuple[Run, ...]:
    """The runs that died without a word, from the first that posted on; before it, those after the last run of cron: else a trial is no run."""
    posted, by_cron = runs_by_scheduler.get("canary", ()), runs_by_scheduler.get("baseline", ())
    firsts = [posted[0].started_at - MINUTE_S] if posted else []
    since = min([*firsts, *(run.started_at for run in by_cron[-1:])], default=0)
    return tuple(run for run in silent_failures(invocations, posted, observed.was_answered) if run.started_at > since)


@dataclass(frozen=True, slots=True)
class _Timing:
    """When a job is due. A run is reported at most `patience_s` after it was due: its grace, and as long as it usually takes."""

    schedule: Schedule | None
    zone: tzinfo
    grace_s: int
    overdue_after_s: int
    paused: bool


def _timing(job: Job | None, trigger: Trigger | None) -> _Timing:
    grace_s = job.grace_s if job else DEFAULT_GRACE_S
    paused = trigger is not None and not trigger.enabled
    if job and job.parsed_schedule:
        return _Timing(job.parsed_schedule, job.zone, grace_s, grace_s, paused)
    if trigger:
        return _Timing(trigger.schedule, trigger.zone, grace_s, grace_s, paused)
    return _Timing(None, UTC, grace_s, grace_s, paused)


def _schedule_differs(job: Job | None, trigger: Trigger | None) -> bool:
    """Whether the configuration and AWS tell of two schedules. How they are spelt does not matter."""
    if not (job and job.parsed_schedule and trigger and trigger.schedule):
        return False
    told = replace(trigger.schedule, text=job.parsed_schedule.text)
    zones = isinstance(told, Cron) and job.timezone != trigger.timezone
    return told != job.parsed_schedule or zones


def _scheduled_runs(runs: Sequence[Run], timing: _Timing, observed: _Observed) -> list[ScheduledRun]:
    match timing.schedule:
        case Cron() as schedule:
            return _cron_runs(runs, schedule, timing, observed)
        case Rate(interval_s=every_s):
            return _rate_runs(runs, every_s, timing, observed)
    return [ScheduledRun(run.started_at, _run_status((run,)), (run,)) for run in runs]


def _cron_runs(runs: Sequence[Run], schedule: Cron, timing: _Timing, observed: _Observed) -> list[ScheduledRun]:
    """Every due time from the first run that is known, or the window's start, with the runs up to the next one; a run before the first is its own."""
    # An end that is known to the minute makes a beginning up to a minute early.
    start = max(
        runs[0].started_at - MINUTE_S + 1, last_scheduled_time(schedule, timing.zone, observed.window.start + 1) or 0
    )
    whole = Window(start // MINUTE_S * MINUTE_S, max(observed.now, start) // MINUTE_S * MINUTE_S + MINUTE_S)
    times = [at for at in scheduled_times(schedule, timing.zone, whole) if start <= at <= observed.now]
    of_slot: dict[int, list[Run]] = {at: [] for at in times}
    slots = []
    for run in runs:
        place = bisect_right(times, run.started_at + MINUTE_S - 1) - 1
        if place >= 0:
            of_slot[times[place]].append(run)
        elif run.started_at >= start - MINUTE_S:
            slots.append(ScheduledRun(run.started_at, _run_status((run,)), (run,)))
    for at, mine in of_slot.items():
        late = bool(mine) and mine[0].started_at - at > timing.grace_s
        mark = _run_status(mine, late=late) if mine else _absent_status(at, runs[-1].started_at, timing, observed)
        slots.append(ScheduledRun(at, mark, tuple(mine)))
    return slots


def _rate_runs(runs: Sequence[Run], every_s: int, timing: _Timing, observed: _Observed) -> list[ScheduledRun]:
    """Each run, and between two of them, and after the last, as many as should have been there. A rate has no phase: only its pace is known."""
    slots = list[ScheduledRun]()
    for run, following in zip(runs, (*runs[1:], None), strict=True):
        slots.append(ScheduledRun(run.started_at, _run_status((run,)), (run,)))
        until = following.started_at - every_s // 2 if following else observed.now + 1
        first = max(1, (observed.window.start - run.started_at) // every_s)
        absent = range(run.started_at + first * every_s, until, every_s)
        slots += [ScheduledRun(at, _absent_status(at, runs[-1].started_at, timing, observed)) for at in absent]
    return slots


def _run_status(runs: Sequence[Run], *, late: bool = False) -> RunStatus:
    """What became of a due time that has runs: its last one counts, because a failure may have been repeated with success."""
    last = runs[-1]
    if last.result == "failed":
        return "failed"
    return "late" if late else "slow" if last.is_slow else "ok"


def _absent_status(scheduled_at: int, last_started_at: int, timing: _Timing, observed: _Observed) -> RunStatus:
    """What became of a due time without a run."""
    if timing.paused and scheduled_at > last_started_at:
        return "paused"
    if observed.now < scheduled_at + timing.overdue_after_s:
        return "waiting"
    return "missed" if observed.was_answered(scheduled_at, scheduled_at + timing.overdue_after_s) else "unknown"


def _job_state(scheduled_runs: Sequence[ScheduledRun]) -> tuple[JobState, int | None]:
    """How the job stands, and from which due time on nothing ran."""
    over = [slot for slot in scheduled_runs if slot.status != "waiting"]
    missed: list[ScheduledRun] = []
    for slot in reversed(over):
        if slot.status != "missed":
            break
        missed.append(slot)
    if missed:
        return "stopped" if len(missed) >= STOPPED_AFTER_MISSED else "missed", missed[-1].scheduled_at
    mark = over[-1].status if over else "ok"
    return "ok" if mark == "waiting" else mark, None


def _next_scheduled_at(timing: _Timing, last_started_at: int, now: int) -> int | None:
    """When the job is due next, its last run having begun at `last`; None where nobody can tell, and while it is paused."""
    if timing.paused:
        return None
    match timing.schedule:
        case Cron() as schedule:
            return next_scheduled_time(schedule, timing.zone, now)
        case Rate(interval_s=every_s) if last_started_at < now:
            return last_started_at + -(-(now - last_started_at) // every_s) * every_s
    return None


def _scheduler_report(runs: Sequence[Run]) -> SchedulerReport:
    results = [run.result for run in runs]
    start, end = runs[0].reported_at, max(run.reported_at for run in runs) + MINUTE_S
    return SchedulerReport(
        len(runs), results.count("ok"), results.count("failed"), Window(start, end), typical_duration(runs)
    )


def _both_active(runs_by_scheduler: Mapping[SchedulerKind, Sequence[Run]]) -> Window | None:
    """The time in which both eras reported."""
    if len(runs_by_scheduler) < len(FLEETS):
        return None
    start = max(runs[0].reported_at for runs in runs_by_scheduler.values())
    end = min(runs[-1].reported_at for runs in runs_by_scheduler.values()) + MINUTE_S
    return Window(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class StripCell:
    """Several due times as one cell of a strip, from `start` to `end`: the worst of their marks, and how many of each."""

    start: int
    end: int
    scheduled_runs: tuple[ScheduledRun, ...]

    @property
    def status(self) -> RunStatus:
        return min((slot.status for slot in self.scheduled_runs), key=RUN_STATUSES.index)

    @property
    def counts(self) -> dict[RunStatus, int]:
        marks = [slot.status for slot in self.scheduled_runs]
        return {mark: marks.count(mark) for mark in RUN_STATUSES if mark in marks}


def strip(scheduled_runs: Sequence[ScheduledRun], edges: Sequence[int], *, max_cells: int) -> tuple[StripCell, ...]:
    """One cell a due time where there are at most so many; else one for all between two `edges` (epoch seconds, in order), where there are any."""
    if len(scheduled_runs) <= max_cells:
        return tuple(StripCell(slot.scheduled_at, slot.scheduled_at, (slot,)) for slot in scheduled_runs)
    cells: dict[int, list[ScheduledRun]] = {}
    for slot in scheduled_runs:
        cells.setdefault(bisect_right(edges, slot.scheduled_at) - 1, []).append(slot)
    return tuple(
        StripCell(edges[place], edges[min(place + 1, len(edges) - 1)], tuple(mine))
        for place, mine in cells.items()
        if place >= 0
    )


def names_by_state(reports: Iterable[JobReport]) -> dict[JobState, list[str]]:
    """The jobs' names by how they stand, the worst first."""
    told: dict[JobState, list[str]] = {state: [] for state in JOB_STATES}
    for one in reports:
        told[one.state].append(one.name)
    return {state: names for state, names in told.items() if names}
