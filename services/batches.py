"""What the archive holds of batches, as reports of the jobs: the same for the page and for the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import analysis.batches.jobs as analysis
from analysis.batches.invocations import InvocationPeriod, parse_invocations
from analysis.batches.jobs import JobReport, RunStatus, ScheduledRun
from analysis.batches.runs import parse_runs
from archive.batches import FINAL_AFTER_MINUTES, BatchArchive
from archive.metrics.results import MetricsResult
from domain import Window
from domain.config.batches import Batches
from domain.triggers import Trigger

JOB_HISTORY_S = 62 * 86_400  # read for what is usual and for the era before


@dataclass(frozen=True, slots=True)
class BatchView:
    """Every job over a window, the worst first. `complete`: all of the window was read."""

    window: Window
    jobs: tuple[JobReport, ...]
    complete: bool

    def job(self, name: str) -> JobReport | None:
        return next((job for job in self.jobs if job.name == name), None)

    @property
    def status_counts(self) -> dict[RunStatus, int]:
        return count_statuses([slot for job in self.jobs for slot in job.scheduled_runs])


def read_batches(
    archive: BatchArchive, settings: Batches, source_names: Sequence[str], window: Window, triggers: Sequence[Trigger]
) -> BatchView:
    """Every job over `window`, from the archive alone. The first of `source_names` knows the runs, others what AWS counted of the functions."""
    history = Window(min(window.start, window.end - JOB_HISTORY_S), window.end)
    brought = archive.metrics.read(history, source_names[0])
    counted = [parse_invocations(archive.metrics.read(history, name).frame) for name in source_names[1:]]
    invoked = {job: told for found in counted for job, told in found.items()}
    return build_batch_view(settings, brought, window, triggers, invoked)


def build_batch_view(
    settings: Batches,
    result: MetricsResult,
    window: Window,
    triggers: Sequence[Trigger],
    invocations: Mapping[str, Sequence[InvocationPeriod]] | None = None,
) -> BatchView:
    """The jobs from what the archive holds. Time after the last answer is not known, whatever the clock says."""
    read_until = (result.last_asked_at or 0) // 60 * 60
    lately = Window(max(read_until - FINAL_AFTER_MINUTES * 60, 0), max(read_until, 60))  # answered, and not settled yet
    unanswered = [gap for missing in result.missing for gap in missing.subtract([lately])]
    if read_until < window.end:
        unanswered.append(Window(max(read_until, result.window.start), window.end))
    jobs = analysis.job_reports(
        settings,
        parse_runs(result.frame, timestamp_is=settings.timestamp),
        window=window,
        now=window.end,
        unanswered=tuple(unanswered),
        triggers={starter.job: starter for starter in triggers},
        invocations=invocations,
    )
    complete = bool(result.last_asked_at) and not any(
        gap.start < min(window.end, read_until) and gap.end > window.start for gap in unanswered
    )
    return BatchView(window, jobs, complete)


def count_statuses(runs: Sequence[ScheduledRun]) -> dict[RunStatus, int]:
    """How many of each, the worst first."""
    marks = [slot.status for slot in runs]
    return {mark: marks.count(mark) for mark in analysis.RUN_STATUSES if mark in marks}
