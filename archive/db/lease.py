"""Whose turn it is: of all threads and processes that share an archive, one asks a source at a time."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine

from archive.db.engine import ArchiveError, transaction
from archive.events.source_state import SourceRow

# A claim outlives a killed owner by no more than this. A pull that takes longer may be made twice, which costs but harms nothing.
LEASE_DURATION_S = 45


class Lease:
    """The right to ask a source: `ours`, or somebody else's.

    Where the archive cannot be written nobody can be told, and it counts as ours: better asked twice than not at all.
    """

    def __init__(self, engine: Engine, row: SourceRow, now: int) -> None:
        self._engine, self._row, self._token = engine, row, secrets.token_hex(8)
        self._now, self._started = now, time.monotonic()
        self.acquired = self.renew()

    def renew(self) -> bool:
        """Whether the source is (still) ours to ask, from now for LEASE_S seconds."""
        now = self._now + int(time.monotonic() - self._started)
        try:
            with transaction(self._engine, writes=True) as connection:
                return self._row.acquire_lease(connection, self._token, now=now, lease_s=LEASE_DURATION_S)
        except ArchiveError as error:
            if error.kind == "newer":
                raise  # what it would ask it could never write: that is for the later program
            return True

    def release(self) -> None:
        with suppress(ArchiveError), transaction(self._engine, writes=True) as connection:
            self._row.release_lease(connection, self._token)  # else it runs out by itself


@contextmanager
def acquire_lease(engine: Engine, row: SourceRow, now: int) -> Iterator[Lease]:
    """Claims a source until the end of the block."""
    claimed = Lease(engine, row, now)
    try:
        yield claimed
    finally:
        if claimed.acquired:
            claimed.release()
