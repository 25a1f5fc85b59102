"""Whose turn it is: of all threads and processes that share an archive, one asks a source at a time."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine

from archive.db.engine import ArchiveError, transaction
from archive.events.source_state import Line

# A claim outlives a killed owner by no more than this. A pull that takes longer may be made twice, which costs but harms nothing.
LEASE_S = 45


class Claim:
    """The right to ask a source: `ours`, or somebody else's.

    Where the archive cannot be written nobody can be told, and it counts as ours: better asked twice than not at all.
    """

    def __init__(self, engine: Engine, line: Line, now: int) -> None:
        self._engine, self._line, self._token = engine, line, secrets.token_hex(8)
        self._now, self._began = now, time.monotonic()
        self.ours = self.renew()

    def renew(self) -> bool:
        """Whether the source is (still) ours to ask, from now for LEASE_S seconds."""
        now = self._now + int(time.monotonic() - self._began)
        try:
            with transaction(self._engine, writes=True) as connection:
                return self._line.claim(connection, self._token, now=now, lease_s=LEASE_S)
        except ArchiveError as error:
            if error.kind == "newer":
                raise  # what it would ask it could never write: that is for the later program
            return True

    def release(self) -> None:
        with suppress(ArchiveError), transaction(self._engine, writes=True) as connection:
            self._line.release(connection, self._token)  # else it runs out by itself


@contextmanager
def claim(engine: Engine, line: Line, now: int) -> Iterator[Claim]:
    """Claims a source until the end of the block."""
    claimed = Claim(engine, line, now)
    try:
        yield claimed
    finally:
        if claimed.ours:
            claimed.release()
