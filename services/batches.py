"""What the archive holds of batches, as reports of the jobs: the same for the page and for the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import analysis.batches.jobs as analysis
from analysis.batches.invocations import Invoked, invocations_of
from analysis.batches.jobs import JobReport, Mark, Slot
from analysis.batches.runs import runs_of
from archive.batches import SETTLE_MINUTES, BatchArchive
from archive.metrics.results import Brought
from domain import Window
from domain.config.batches import Batches
from domain.triggers import Starter

HISTORY_S = 62 * 86_400  # read for what is usual and for the era before


@dataclass(frozen=True, slots=True)
class BatchView:
    """Every job over a window, the worst first. `complete`: all of the window was read."""

    window: Window
    jobs: tuple[JobReport, ...]
    complete: bool

    def job(self, name: str) -> JobReport | None:
        return next((job for job in self.jobs if job.name == name), None)

    @property
    def marks(self) -> dict[Mark, int]:
        return marks_of([slot for job in self.jobs for slot in job.slots])


def read_batches(
    archive: BatchArchive, settings: Batches, source_names: Sequence[str], window: Window, starters: Sequence[Starter]
) -> BatchView:
    """Every job over `window`, from the archive alone. The first of `source_names` knows the runs, others what AWS counted of the functions."""
    history = Window(min(window.start, window.end - HISTORY_S), window.end)
    brought = archive.read(history, source_names[0])
    counted = [invocations_of(archive.read(history, name).frame) for name in source_names[1:]]
    invoked = {job: told for found in counted for job, told in found.items()}
    return view_of(settings, brought, window, starters, invoked)


def view_of(
    settings: Batches,
    brought: Brought,
    window: Window,
    starters: Sequence[Starter],
    invoked: Mapping[str, Sequence[Invoked]] | None = None,
) -> BatchView:
    """The jobs from what the archive holds. Time after the last answer is not known, whatever the clock says."""
    read_until = (brought.last_asked or 0) // 60 * 60
    lately = Window(max(read_until - SETTLE_MINUTES * 60, 0), max(read_until, 60))  # answered, and not settled yet
    unanswered = [gap for missing in brought.missing for gap in missing.minus([lately])]
    if read_until < window.end:
        unanswered.append(Window(max(read_until, brought.window.start), window.end))
    jobs = analysis.batches(
        settings,
        runs_of(brought.frame, stamped=settings.stamped),
        window=window,
        now=window.end,
        unanswered=tuple(unanswered),
        starters={starter.job: starter for starter in starters},
        invoked=invoked,
    )
    complete = bool(brought.last_asked) and not any(
        gap.start < min(window.end, read_until) and gap.end > window.start for gap in unanswered
    )
    return BatchView(window, jobs, complete)


def marks_of(slots: Sequence[Slot]) -> dict[Mark, int]:
    """How many of each, the worst first."""
    marks = [slot.mark for slot in slots]
    return {mark: marks.count(mark) for mark in analysis.MARKS if mark in marks}
