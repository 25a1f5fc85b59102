"""Looks for damage of the archive's file, soon after the start and daily; deletes what is not kept any more."""

import time
from contextlib import suppress

from archive import Archive, ArchiveError
from domain.window import DAY_S, HOUR_S

FIRST_CHECK_AFTER_S = 60  # the first pages and polls have the machine to themselves
CHECK_INTERVAL_S = DAY_S
DAMAGE_CHECK_INTERVAL_S = 600  # while there is damage, which may have been repaired

PRUNING_INTERVAL_S, PRUNING_PAUSE_S = HOUR_S, 2.0  # the limit of what is kept moves once an hour


class ArchiveCheck:
    """The check of one archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._due_at = time.monotonic() + FIRST_CHECK_AFTER_S

    def poll(self) -> float:
        """Checks if that is due; the archive's `problem` has the result. Returns the seconds until the next poll."""
        now = time.monotonic()
        if self._archive.is_damaged or now >= self._due_at:
            self._due_at = now + CHECK_INTERVAL_S
            with suppress(ArchiveError):
                self._archive.check_integrity()
        return float(min(self._due_at - now, DAMAGE_CHECK_INTERVAL_S))


def poll_pruning(archive: Archive) -> float:
    """Deletes a part of what is not kept. Returns the seconds until the next poll. Raises ArchiveError."""
    return PRUNING_PAUSE_S if archive.prune() else float(PRUNING_INTERVAL_S)
