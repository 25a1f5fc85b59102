"""Steps that users enter: changes of the weights at times when nothing read the weights. They are weight changes of the source "entered"."""

import logging
from uuid import uuid4

from sqlalchemy import Connection, and_, delete, select

from archive.db import schema
from archive.db.database import Database
from archive.db.stored_json import read_stored
from archive.events.notes import clean_author
from archive.events.removals import read_removals, write_removal
from archive.events.weight_changes import ENTERED, write_changes
from domain import Clock, Removal, WeightChange, utc_now
from domain.window import EARLIEST_S, LATEST_S

logger = logging.getLogger(__name__)


class StepStore:
    """Adds, lists and removes steps. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database, self._clock = database, clock

    def add(self, ts: int, share: float, author: str = "") -> WeightChange:
        """Stores that the canary was configured with `share` (0–1) from `ts` (epoch seconds) on. Raises ValueError for another share."""
        if not 0 <= share <= 1:
            raise ValueError("A share is between 0 and 1.")
        if not EARLIEST_S <= ts < LATEST_S:
            raise ValueError("A time is between 2010 and 2100.")
        key = uuid4().hex
        step = WeightChange(
            ts, ts, None, share, author=clean_author(author), sources=(ENTERED,), key=key, origin="entered"
        )
        with self._database.writing() as connection:
            write_changes(connection, self._database.migration_id, ENTERED, (step,))
            self._database.row(ENTERED, "events").increment_change_counter(connection)
        return step

    def read(self) -> tuple[WeightChange, ...]:
        """All steps, also those that are not used because the weights were read, in order. `before` is unknown."""
        return self._database.recall(_read_steps)

    def removals(self) -> tuple[Removal, ...]:
        """The steps that were removed, the last one first."""
        return tuple(removal for removal in self._database.recall(read_removals) if removal.share is not None)

    def remove(self, key: str, removed_by: str = "") -> bool:
        """Removes a step, and stores the removal; returns whether it existed. Changes of other sources are not touched."""
        table = schema.weight_change
        is_step = and_(
            table.c.migration_id == self._database.migration_id, table.c.source == ENTERED, table.c.key == key
        )
        with self._database.writing() as connection:
            body = connection.scalar(select(table.c.body).where(is_step))
            step = read_stored(WeightChange, body, f"weight_change {ENTERED} {key}") if body else None
            removed = connection.execute(delete(table).where(is_step)).rowcount == 1
            self._database.row(ENTERED, "events").increment_change_counter(connection)
            if step and removed:
                at, share = int(self._clock().timestamp()), step.after or 0.0
                removal = Removal(key, step.ts, step.author, at, clean_author(removed_by), share=share)
                write_removal(connection, self._database.migration_id, removal)
        if removed:
            logger.warning("Removed the entered step %r", key)
        return removed


def _read_steps(connection: Connection, migration_id: int) -> tuple[WeightChange, ...]:
    table = schema.weight_change
    of_source = and_(table.c.migration_id == migration_id, table.c.source == ENTERED)
    rows = connection.execute(select(table.c.key, table.c.body).where(of_source).order_by(table.c.ts, table.c.key))
    steps = (read_stored(WeightChange, row.body, f"weight_change {ENTERED} {row.key}") for row in rows)
    return tuple(step for step in steps if step)
