"""One poll of one source in one role, supervised: no exception ends its thread."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from archive import ArchiveError, ArchiveProblem
from archive.db.source_row import Role
from domain.durations import DurationHistogram
from domain.trace import current_reference, start_reference
from domain.tracing import Span, span
from sources.base import Problem

ARCHIVE_RETRY_S = 15.0
MIN_BACKOFF_S, MAX_BACKOFF_S = 15, 900
# A poll that is overdue, or has been running, for longer than this and than so many of its intervals is reported.
SILENT_AFTER_S, SILENT_AFTER_INTERVALS = 600, 3
# Likewise the state of a source that answers, if no poll has renewed it; a poll may wait MAX_BACKOFF_S for the archive's back-off.
MAX_STATE_AGE_S, MAX_STATE_AGE_INTERVALS = 1200, 4

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PollTask:
    """`poll` polls once and returns the seconds until the next poll, usually `interval_s`. `request` ends that wait.

    `archive_problem`: why the last poll could not use the archive. `failure`: the exception that the last poll raised.
    `due_at`: when the current or next poll begins (time.monotonic()); None before the thread is started. `durations`: of all polls so far.
    """

    source: str
    role: Role
    poll: Callable[[], float]
    interval_s: float
    key: str = ""  # of the windows that pages request; the source's name by default
    wake: threading.Event = field(default_factory=threading.Event)
    archive_problem: ArchiveProblem | None = None
    failure: Problem | None = None
    n_failures: int = 0
    due_at: float | None = None
    durations: DurationHistogram = field(default_factory=DurationHistogram)
    on_request: Callable[[], None] = lambda: None

    @property
    def silent_after_s(self) -> float:
        return max(SILENT_AFTER_S, SILENT_AFTER_INTERVALS * self.interval_s)

    @property
    def max_state_age_s(self) -> float:
        return max(MAX_STATE_AGE_S, MAX_STATE_AGE_INTERVALS * self.interval_s)

    @property
    def problem(self) -> Problem | None:
        """The failure, or that the poll has been silent for `silent_after_s`: its request does not end, or its thread has died."""
        if self.due_at is not None:
            silent_s = time.monotonic() - self.due_at
            if silent_s > self.silent_after_s:
                return silent(self.source, self.role, silent_s)
        return self.failure

    def request(self) -> None:
        """Makes the next poll due now, unless the last one failed."""
        self.wake.set()
        if self.due_at is not None and not self.failure:
            self.due_at = min(self.due_at, time.monotonic())
        self.on_request()

    def report_progress(self) -> None:
        """Of a poll that may take longer than `silent_after_s`: it is still at work."""
        self.due_at = time.monotonic()

    def run(self, migration: str) -> float:
        """Polls once and logs it with the name of the migration and a reference of its own. Returns the seconds until the next poll; never raises.

        After an unexpected exception the wait doubles each time, up to MAX_BACKOFF_S.
        """
        started = self.due_at = time.monotonic()
        reference = start_reference()
        with span("poll", source=self.source, role=self.role, name=migration, log_reference=reference) as current:
            wait_s = self._run(migration, started, current)
        ended = time.monotonic()
        self.durations.add(ended - started)
        self.due_at = ended + wait_s
        return wait_s

    def _run(self, migration: str, started: float, current: Span) -> float:
        fields: dict[str, object] = {"source": self.source, "role": self.role, "migration": migration}
        try:
            wait_s = self.poll()
        except ArchiveError as error:
            self.archive_problem = error.problem
            current.fail(error.kind)
            fields |= {"kind": error.kind, "duration_s": time.monotonic() - started}
            logger.warning("archive unavailable", extra=fields)
            return ARCHIVE_RETRY_S
        except Exception as error:
            self.n_failures += 1
            current.fail(type(error).__name__)
            detail = f"{type(error).__name__}: {error} (log reference {current_reference()})"
            self.failure = Problem("internal_error", self.source, f"poll {self.role}", detail=detail)
            wait_s = float(min(MIN_BACKOFF_S * 2 ** (self.n_failures - 1), MAX_BACKOFF_S))
            fields |= {"duration_s": time.monotonic() - started, "retry_in_s": wait_s}
            logger.exception("poll failed", extra=fields)
            return wait_s
        self.archive_problem, self.failure, self.n_failures = None, None, 0
        logger.info("poll finished", extra=fields | {"duration_s": time.monotonic() - started, "next_in_s": wait_s})
        return wait_s


def silent(source: str, role: Role, silent_s: float) -> Problem:
    """The problem of a source that was last read `silent_s` ago, which is too long."""
    return Problem("timeout", source, f"poll {role}", detail=f"no poll has ended for {silent_s / 60:.0f} min")


def silent_sources(tasks: Iterable[PollTask]) -> tuple[str, ...]:
    """The sources with a poll that does not end or does not begin."""
    problems = (task.problem for task in tasks)
    return tuple(dict.fromkeys(problem.source for problem in problems if problem and problem.kind == "timeout"))
