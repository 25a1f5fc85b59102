"""The reports of all batch jobs over a window."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import analysis.batches.jobs as analysis
from analysis.batches.invocations import InvocationPeriod, parse_invocations
from analysis.batches.jobs import JobReport, RunStatus, ScheduledRun
from analysis.batches.run_work import JobWork, job_work
from analysis.batches.runs import parse_runs
from archive import BatchArchive
from archive.batches import FINAL_AFTER_MINUTES
from domain import Window
from domain.config.batches import Batches
from domain.run_steps import RUN_STEPS, RunStep
from domain.window import DAY_S, MINUTE_S

JOB_HISTORY_S = 62 * DAY_S  # for the typical duration and for the previous scheduler


@dataclass(frozen=True, slots=True)
class BatchView:
    """Every job over `window`, the worst first. `complete`: all of the window was read. `work`: what the runs of a job did, by their logs."""

    window: Window
    jobs: tuple[JobReport, ...]
    complete: bool
    work: Mapping[str, JobWork] = field(default_factory=dict)

    def job(self, name: str) -> JobReport | None:
        return next((job for job in self.jobs if job.name == name), None)

    @property
    def status_counts(self) -> dict[RunStatus, int]:
        return count_statuses([run for job in self.jobs for run in job.scheduled_runs])


def read_batches(archive: BatchArchive, settings: Batches, source_names: Sequence[str], window: Window) -> BatchView:
    """Every job over `window`, from the archive; time after the last answer is unknown. Raises ArchiveError.

    The first source has the runs, the others the invocations.
    """
    history = Window(min(window.start, window.end - JOB_HISTORY_S), window.end)
    result = archive.metrics.read(history, source_names[0])
    invocations: dict[str, Sequence[InvocationPeriod]] = {}
    for name in source_names[1:]:
        invocations |= parse_invocations(archive.metrics.read(history, name).frame)
    snapshot = archive.events.triggers()
    read_until = (result.last_asked_at or 0) // MINUTE_S * MINUTE_S
    not_final = Window(max(read_until - FINAL_AFTER_MINUTES * MINUTE_S, 0), max(read_until, MINUTE_S))
    unanswered = [gap for missing in result.missing for gap in missing.subtract([not_final])]
    if read_until < window.end:
        unanswered.append(Window(max(read_until, result.window.start), window.end))
    jobs = analysis.job_reports(
        settings,
        parse_runs(result.frame, timestamp_is=settings.timestamp),
        window=window,
        now=window.end,
        unanswered=tuple(unanswered),
        triggers={trigger.job: trigger for trigger in snapshot.triggers} if snapshot else {},
        invocations=invocations,
    )
    steps = _steps_by_job(archive, window)
    jobs = tuple(
        replace(job, handover=job.handover.with_requests(steps[job.name]))
        if job.handover and job.name in steps
        else job
        for job in jobs
    )
    work = {job.name: job_work(job, steps[job.name]) for job in jobs if job.name in steps}
    complete = bool(result.last_asked_at) and not any(
        gap.start < min(window.end, read_until) and gap.end > window.start for gap in unanswered
    )
    return BatchView(window, jobs, complete, {name: done for name, done in work.items() if done})


def _steps_by_job(archive: BatchArchive, window: Window) -> dict[str, list[RunStep]]:
    steps: dict[str, list[RunStep]] = {}
    for step in archive.observations.run_steps(window):
        steps.setdefault(step.job, []).append(step)
    return steps


def batches_cache_key(archive: BatchArchive, source_names: Sequence[str]) -> Hashable:
    """Changes whenever `read_batches` may return something else. Raises ArchiveError."""
    triggers = archive.events.triggers()
    return tuple(map(archive.change_counter, (*source_names, RUN_STEPS))), triggers.triggers if triggers else ()


def count_statuses(runs: Sequence[ScheduledRun]) -> dict[RunStatus, int]:
    """How many runs have each status, the worst first."""
    statuses = [run.status for run in runs]
    return {status: statuses.count(status) for status in analysis.RUN_STATUSES if status in statuses}
