"""The archive of batch jobs: their runs may be reported up to a day late."""

from typing import Self

from archive.archive import Archive
from domain import Clock, Migration, utc_now

FINAL_AFTER_MINUTES = 24 * 60  # Mackerel accepts a point up to 24 hours after its time


class BatchArchive(Archive):
    """The same database as Archive; metrics are final after FINAL_AFTER_MINUTES."""

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        return super().open(url, migration.model_copy(update={"settle_minutes": FINAL_AFTER_MINUTES}), clock=clock)
