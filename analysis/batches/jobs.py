"""State of each batch job: scheduled runs that ran, were late, slow, missed or failed, under cron and under EventBridge. Pure: no I/O, no clock."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from itertools import takewhile
from typing import Literal, get_args

from analysis.batches.due_times import last_scheduled_time, next_scheduled_time, scheduled_times
from analysis.batches.handover import Handover, find_handover
from analysis.batches.invocations import InvocationPeriod, InvocationTotals, invocation_totals, silent_failures
from analysis.batches.runs import Run, RunsByJob, TypicalDuration, count_overlaps, typical_duration
from domain import FLEETS, Window
from domain.config.batches import Batches, Job, SchedulerKind
from domain.cron import Cron, Rate, Schedule
from domain.triggers import Trigger
from domain.window import MINUTE_S

# Outcome of one scheduled run, the worst first.
RunStatus = Literal["failed", "missed", "late", "slow", "unknown", "paused", "waiting", "ok"]
RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
# State of a job: the status of its newest scheduled run that is over; "stopped" after several missed ones, "never" without any run.
JobState = Literal["failed", "stopped", "missed", "never", "late", "slow", "unknown", "paused", "ok"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
STOPPED_AFTER_MISSED = 3  # consecutive runs
DEFAULT_GRACE_S = int(Job.model_fields["grace_minutes"].default) * 60


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A scheduled time (epoch seconds), its actual runs (repetitions included), and its status. Without a schedule: the start of a run."""

    scheduled_at: int
    status: RunStatus
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class SchedulerReport:
    """Number of known runs of one job under one scheduler, their outcomes, when they were reported, and the typical duration."""

    runs: int
    succeeded: int
    failed: int
    span: Window
    typical_duration: TypicalDuration | None

    @property
    def success_rate(self) -> float | None:
        finished = self.succeeded + self.failed
        return self.succeeded / finished if finished else None


@dataclass(frozen=True, slots=True)
class JobReport:
    """One job. `scheduled_runs` are those of the window, in order; `last_run` is the newest run of `scheduler`, the newest one with any runs.

    `schedule` is the configured one, else that of AWS; `schedule_differs`: both are known and differ. `missed_since`: the first of the last
    consecutive missed times. `both_active`: when both schedulers reported. `overlapping_runs`: runs of the window that started before the
    previous one ended. `invocation_totals`: AWS's counts for its function over the window; None if not read. `handover`: None if it cannot be known.
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
    handover: Handover | None = None
    runs_by_scheduler: Mapping[SchedulerKind, Sequence[Run]] = field(default_factory=dict)

    @property
    def runs_twice(self) -> bool:
        """Whether both schedulers still run it."""
        return self.handover is not None and self.handover.runs_twice

    @property
    def timezone(self) -> str:
        """The time zone of its schedule."""
        if self.job and self.job.schedule:
            return self.job.timezone
        return self.trigger.timezone if self.trigger else "UTC"

    def count(self, status: RunStatus) -> int:
        return sum(run.status == status for run in self.scheduled_runs)


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

    `runs`: all known ones, also from before the window: they decide the typical duration and when a job can first miss a run. `unanswered`:
    when runs are unknown. `triggers`, `invocations`: what AWS knows of each job's schedule and function; an error without a report is a failed
    run.
    """
    names = dict.fromkeys((*(job.name for job in settings.jobs), *(name for name, _ in runs)))
    invocations = invocations or {}
    observed = _Observed(window, now, tuple(unanswered))
    reports = (
        _job_report(
            name,
            settings.find_job(name),
            runs,
            observed,
            trigger=(triggers or {}).get(name),
            invocations=invocations.get(name),
        )
        for name in names
    )
    return tuple(sorted(reports, key=lambda report: (JOB_STATES.index(report.state), report.name)))


@dataclass(frozen=True, slots=True)
class _Observed:
    window: Window
    now: int
    unanswered: tuple[Window, ...]

    def was_answered(self, start: int, end: int) -> bool:
        """Whether the runs between two times are known."""
        return not any(gap.start < end and gap.end > start for gap in self.unanswered)


def _job_report(
    name: str,
    job: Job | None,
    runs: RunsByJob,
    observed: _Observed,
    *,
    trigger: Trigger | None,
    invocations: Sequence[InvocationPeriod] | None,
) -> JobReport:
    runs_by_scheduler: dict[SchedulerKind, tuple[Run, ...]] = {
        scheduler: runs[name, scheduler] for scheduler in FLEETS if runs.get((name, scheduler))
    }
    silent = _silent_runs(runs_by_scheduler, invocations or (), observed)
    if silent:
        runs_by_scheduler["canary"] = tuple(
            sorted((*runs_by_scheduler.get("canary", ()), *silent), key=lambda run: (run.reported_at, run.started_at))
        )
    timing = _timing(job, trigger)
    totals = invocation_totals(invocations, silent, observed.window) if invocations is not None else None
    report = JobReport(
        name,
        job,
        "unknown",
        timing.schedule,
        trigger,
        schedule_differs=_schedule_differs(job, trigger),
        invocation_totals=totals,
    )
    scheduler = next((scheduler for scheduler in reversed(FLEETS) if scheduler in runs_by_scheduler), None)
    if scheduler is None:
        known = observed.was_answered(observed.window.start, observed.now)
        return replace(
            report,
            state="paused" if timing.paused else "never" if known else "unknown",
            next_scheduled_at=_next_scheduled_at(timing, observed.now, observed.now),
        )
    newest = runs_by_scheduler[scheduler]
    duration = typical_duration(newest)
    timing = replace(timing, overdue_after_s=timing.grace_s + int(duration.p90_s if duration else 0))
    earlier = [
        run
        for other in FLEETS
        if other != scheduler
        for run in runs_by_scheduler.get(other, ())
        if run.started_at < newest[0].started_at
    ]
    scheduled_runs = [
        *(ScheduledRun(run.started_at, _run_status((run,)), (run,)) for run in earlier),
        *_scheduled_runs(newest, timing, observed),
    ]
    state, missed_since = _job_state(scheduled_runs)
    if timing.paused and scheduler == "canary" and state in ("ok", "slow", "late"):
        state = "paused"  # also before the first scheduled time at which it does not run
    return replace(
        report,
        state=state,
        scheduler=scheduler,
        last_run=newest[-1],
        typical_duration=duration,
        next_scheduled_at=_next_scheduled_at(timing, newest[-1].started_at, observed.now),
        missed_since=missed_since,
        scheduled_runs=tuple(
            run for run in scheduled_runs if observed.window.start <= run.scheduled_at < observed.window.end
        ),
        schedulers={kind: _scheduler_report(runs_by_scheduler[kind]) for kind in FLEETS if kind in runs_by_scheduler},
        both_active=_both_active(runs_by_scheduler),
        overlapping_runs=count_overlaps(
            [run for run in newest if observed.window.start <= run.started_at < observed.window.end]
        ),
        runs_by_scheduler=runs_by_scheduler,
        handover=find_handover(
            runs_by_scheduler,
            timing.schedule,
            timing.zone,
            window=observed.window,
            grace_s=timing.grace_s,
            was_missed=lambda at: _absent_status(at, newest[-1].started_at, timing, observed) == "missed",
            invocations=invocations or (),
        ),
    )


def _silent_runs(
    runs_by_scheduler: Mapping[SchedulerKind, Sequence[Run]],
    invocations: Sequence[InvocationPeriod],
    observed: _Observed,
) -> tuple[Run, ...]:
    """Failed runs without a report, after the first reported run or the last run of cron, whichever is earlier: before, they are trials."""
    reported, by_cron = runs_by_scheduler.get("canary", ()), runs_by_scheduler.get("baseline", ())
    first_reported = [run.started_at - MINUTE_S for run in reported[:1]]
    since = min([*first_reported, *(run.started_at for run in by_cron[-1:])], default=0)
    return tuple(run for run in silent_failures(invocations, reported, observed.was_answered) if run.started_at > since)


@dataclass(frozen=True, slots=True)
class _Timing:
    """A job's schedule. A run is overdue if it is not reported `overdue_after_s` after its scheduled time: grace plus typical duration."""

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
    """Whether the configured schedule and that of AWS differ, apart from their spelling."""
    if not (job and job.parsed_schedule and trigger and trigger.schedule):
        return False
    actual = replace(trigger.schedule, text=job.parsed_schedule.text)
    return actual != job.parsed_schedule or (isinstance(actual, Cron) and job.timezone != trigger.timezone)


def _scheduled_runs(runs: Sequence[Run], timing: _Timing, observed: _Observed) -> list[ScheduledRun]:
    match timing.schedule:
        case Cron() as schedule:
            return _cron_runs(runs, schedule, timing, observed)
        case Rate(interval_s=interval_s):
            return _rate_runs(runs, interval_s, timing, observed)
    return [ScheduledRun(run.started_at, _run_status((run,)), (run,)) for run in runs]


def _cron_runs(runs: Sequence[Run], schedule: Cron, timing: _Timing, observed: _Observed) -> list[ScheduledRun]:
    """Every scheduled time since the first known run or the window's start, with the runs up to the next one. Earlier runs are on their own."""
    # Ends are known to the minute, so that starts may be up to a minute early.
    start = max(
        runs[0].started_at - MINUTE_S + 1, last_scheduled_time(schedule, timing.zone, observed.window.start + 1) or 0
    )
    window = Window(start // MINUTE_S * MINUTE_S, max(observed.now, start) // MINUTE_S * MINUTE_S + MINUTE_S)
    times = [at for at in scheduled_times(schedule, timing.zone, window) if start <= at <= observed.now]
    runs_by_time: dict[int, list[Run]] = {at: [] for at in times}
    result = []
    for run in runs:
        index = bisect_right(times, run.started_at + MINUTE_S - 1) - 1
        if index >= 0:
            runs_by_time[times[index]].append(run)
        elif run.started_at >= start - MINUTE_S:
            result.append(ScheduledRun(run.started_at, _run_status((run,)), (run,)))
    for at, its_runs in runs_by_time.items():
        late = bool(its_runs) and its_runs[0].started_at - at > timing.grace_s
        status = (
            _run_status(its_runs, late=late) if its_runs else _absent_status(at, runs[-1].started_at, timing, observed)
        )
        result.append(ScheduledRun(at, status, tuple(its_runs)))
    return result


def _rate_runs(runs: Sequence[Run], interval_s: int, timing: _Timing, observed: _Observed) -> list[ScheduledRun]:
    """Each run, and the times between two runs and after the last one at which others should have run. A rate has an interval but no phase."""
    result = list[ScheduledRun]()
    for run, next_run in zip(runs, (*runs[1:], None), strict=True):
        result.append(ScheduledRun(run.started_at, _run_status((run,)), (run,)))
        until = next_run.started_at - interval_s // 2 if next_run else observed.now + 1
        first_multiple = max(1, (observed.window.start - run.started_at) // interval_s)
        absent = range(run.started_at + first_multiple * interval_s, until, interval_s)
        result += [ScheduledRun(at, _absent_status(at, runs[-1].started_at, timing, observed)) for at in absent]
    return result


def _run_status(runs: Sequence[Run], *, late: bool = False) -> RunStatus:
    """Status of a scheduled time with runs. The last one counts: a failure may have been repeated successfully."""
    last = runs[-1]
    if last.result == "failed":
        return "failed"
    return "late" if late else "slow" if last.is_slow else "ok"


def _absent_status(scheduled_at: int, last_started_at: int, timing: _Timing, observed: _Observed) -> RunStatus:
    """Status of a scheduled time without a run."""
    if timing.paused and scheduled_at > last_started_at:
        return "paused"
    if observed.now < scheduled_at + timing.overdue_after_s:
        return "waiting"
    return "missed" if observed.was_answered(scheduled_at, scheduled_at + timing.overdue_after_s) else "unknown"


def _job_state(scheduled_runs: Sequence[ScheduledRun]) -> tuple[JobState, int | None]:
    """The job's state, and the first of the last consecutive missed times."""
    over = [run for run in scheduled_runs if run.status != "waiting"]
    missed = list(takewhile(lambda run: run.status == "missed", reversed(over)))
    if missed:
        return "stopped" if len(missed) >= STOPPED_AFTER_MISSED else "missed", missed[-1].scheduled_at
    status = over[-1].status if over else "ok"
    return "ok" if status == "waiting" else status, None


def _next_scheduled_at(timing: _Timing, last_started_at: int, now: int) -> int | None:
    """The next scheduled time (epoch seconds); None if unknown or paused. A rate counts from `last_started_at`."""
    if timing.paused:
        return None
    match timing.schedule:
        case Cron() as schedule:
            return next_scheduled_time(schedule, timing.zone, now)
        case Rate(interval_s=interval_s) if last_started_at < now:
            return last_started_at + -(-(now - last_started_at) // interval_s) * interval_s
    return None


def _scheduler_report(runs: Sequence[Run]) -> SchedulerReport:
    results = [run.result for run in runs]
    start, end = runs[0].reported_at, max(run.reported_at for run in runs) + MINUTE_S
    return SchedulerReport(
        len(runs), results.count("ok"), results.count("failed"), Window(start, end), typical_duration(runs)
    )


def _both_active(runs_by_scheduler: Mapping[SchedulerKind, Sequence[Run]]) -> Window | None:
    """The time in which both schedulers reported."""
    if len(runs_by_scheduler) < len(FLEETS):
        return None
    start = max(runs[0].reported_at for runs in runs_by_scheduler.values())
    end = min(runs[-1].reported_at for runs in runs_by_scheduler.values()) + MINUTE_S
    return Window(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class StripCell:
    """One or more scheduled runs as one cell of a strip from `start` to `end`, with the worst of their statuses."""

    start: int
    end: int
    scheduled_runs: tuple[ScheduledRun, ...]

    @property
    def status(self) -> RunStatus:
        return min((run.status for run in self.scheduled_runs), key=RUN_STATUSES.index)

    @property
    def counts(self) -> dict[RunStatus, int]:
        statuses = [run.status for run in self.scheduled_runs]
        return {status: statuses.count(status) for status in RUN_STATUSES if status in statuses}

    @property
    def share(self) -> float:
        """How much of the cell has its status: 1/288 if one run of a day failed."""
        return self.counts[self.status] / len(self.scheduled_runs)


def strip(scheduled_runs: Sequence[ScheduledRun], edges: Sequence[int], *, max_cells: int) -> tuple[StripCell, ...]:
    """One cell per scheduled run if there are at most `max_cells`; else one per interval between `edges` (epoch seconds, in order) with runs."""
    if len(scheduled_runs) <= max_cells:
        return tuple(StripCell(run.scheduled_at, run.scheduled_at, (run,)) for run in scheduled_runs)
    cells: dict[int, list[ScheduledRun]] = {}
    for run in scheduled_runs:
        cells.setdefault(bisect_right(edges, run.scheduled_at) - 1, []).append(run)
    return tuple(
        StripCell(edges[index], edges[min(index + 1, len(edges) - 1)], tuple(cell_runs))
        for index, cell_runs in cells.items()
        if index >= 0
    )


def unscheduled_names(reports: Iterable[JobReport]) -> set[str]:
    """The jobs without a known schedule: that they ran does not mean that they ran when they were due."""
    return {report.name for report in reports if report.schedule is None}


def names_that_run_twice(reports: Iterable[JobReport]) -> list[str]:
    """The jobs that cron and EventBridge still run."""
    return [report.name for report in reports if report.runs_twice]


def names_by_state(reports: Iterable[JobReport]) -> dict[JobState, list[str]]:
    """The jobs' names by state, the worst first."""
    names: dict[JobState, list[str]] = {state: [] for state in JOB_STATES}
    for report in reports:
        names[report.state].append(report.name)
    return {state: in_state for state, in_state in names.items() if in_state}
