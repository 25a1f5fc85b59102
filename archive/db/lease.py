"""A lease on a source: of all threads and processes that share an archive, one fetches from a source at a time."""

import secrets
import time
from contextlib import suppress
from typing import Self

from sqlalchemy import Engine

from archive.db.engine import transaction
from archive.db.errors import ArchiveError
from archive.db.source_row import SourceRow

# The lease of a killed process expires after this. If a pull takes longer, it may be made twice, which is harmless.
LEASE_DURATION_S = 45
LEASE_RETRY_S = 2.0  # wait before trying again while another process holds the lease


class Lease:
    """The right to fetch from a source, if `acquired`, until the end of a with block.

    It counts as acquired if the archive cannot be written: fetching twice is better than not at all.
    """

    def __init__(self, engine: Engine, row: SourceRow, now: int) -> None:
        self._engine, self._row, self._token = engine, row, secrets.token_hex(8)
        self._now, self._started = now, time.monotonic()
        self._renewed_at = self._started
        self.acquired = self.renew()

    def renew(self, *, min_age_s: float = 0) -> bool:
        """Extends the lease to LEASE_DURATION_S from now; False if another process holds it. Does nothing within `min_age_s` after the last time."""
        if min_age_s and time.monotonic() - self._renewed_at < min_age_s:
            return True
        self._renewed_at = time.monotonic()
        now = self._now + int(time.monotonic() - self._started)
        try:
            with transaction(self._engine, writes=True) as connection:
                return self._row.acquire_lease(connection, self._token, now=now, lease_s=LEASE_DURATION_S)
        except ArchiveError as error:
            if error.kind == "newer":
                raise  # this program could never store what it fetches
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.acquired:
            with suppress(ArchiveError), transaction(self._engine, writes=True) as connection:
                self._row.release_lease(connection, self._token)  # otherwise it expires
