"""One poll of one source in one role, supervised: no exception ends its thread."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from archive import ArchiveError, ArchiveProblem
from archive.db.source_row import Role
from sources.base import Problem

ARCHIVE_RETRY_S = 15.0
MIN_BACKOFF_S, MAX_BACKOFF_S = 15, 900

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PollTask:
    """`poll` polls once and returns the seconds until the next poll. `wake` ends that wait.

    `archive_problem`: why the last poll could not use the archive. `failure`: the exception that the last poll raised.
    """

    source: str
    role: Role
    poll: Callable[[], float]
    key: str = ""  # of the windows that pages request; the source's name by default
    wake: threading.Event = field(default_factory=threading.Event)
    archive_problem: ArchiveProblem | None = None
    failure: Problem | None = None
    n_failures: int = 0

    def run(self, migration: str) -> float:
        """Polls once and logs it with the name of the migration. Returns the seconds until the next poll; never raises.

        After an unexpected exception the wait doubles each time, up to MAX_BACKOFF_S.
        """
        started = time.monotonic()
        fields: dict[str, object] = {"source": self.source, "role": self.role, "migration": migration}
        try:
            wait_s = self.poll()
        except ArchiveError as error:
            self.archive_problem = error.problem
            fields |= {"kind": error.kind, "duration_s": time.monotonic() - started}
            logger.warning("archive unavailable", extra=fields)
            return ARCHIVE_RETRY_S
        except Exception as error:
            self.n_failures += 1
            detail = f"{type(error).__name__}: {error}"
            self.failure = Problem("internal_error", self.source, f"poll {self.role}", detail=detail)
            wait_s = float(min(MIN_BACKOFF_S * 2 ** (self.n_failures - 1), MAX_BACKOFF_S))
            fields |= {"duration_s": time.monotonic() - started, "retry_in_s": wait_s}
            logger.exception("poll failed", extra=fields)
            return wait_s
        self.archive_problem, self.failure, self.n_failures = None, None, 0
        logger.info("poll finished", extra=fields | {"duration_s": time.monotonic() - started, "next_in_s": wait_s})
        return wait_s
