"""Looks for damage of the archive's file, at the start and daily."""

import time
from contextlib import suppress

from archive import Archive, ArchiveError
from domain.window import DAY_S

CHECK_INTERVAL_S = DAY_S
DAMAGE_CHECK_INTERVAL_S = 600  # while there is damage, which may have been repaired


class ArchiveCheck:
    """The check of one archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._checked_at: float | None = None  # on the monotonic clock

    def poll(self) -> float:
        """Checks if that is due; the archive's `problem` has the result. Returns the seconds until the next poll."""
        now = time.monotonic()
        if self._checked_at is None or self._archive.is_damaged or now - self._checked_at >= CHECK_INTERVAL_S:
            self._checked_at = now
            with suppress(ArchiveError):
                self._archive.check_integrity()
        return float(DAMAGE_CHECK_INTERVAL_S)
