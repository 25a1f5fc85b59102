"""The ledger of sign-offs. Rows are only added; each has the hash of the row before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, select

from archive.db import schema
from archive.db.database import Database
from archive.db.stored_json import read_stored
from archive.events.history_rows import append_if_changed
from domain.serialization import to_json
from domain.sign_offs import GENESIS, Ledger, LedgerRow, SignOff, sha256

Margins = tuple[tuple[str, str], ...]  # by metric, as configured


@dataclass(frozen=True, slots=True)
class PastMargins:
    """The margins that were in force from `first_seen` to `last_seen` (epoch seconds)."""

    first_seen: int
    last_seen: int
    margins: Margins


class SignOffStore:
    """Adds and reads sign-offs, and the history of the margins that they are about. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database, migration_key: str) -> None:
        self._database, self._migration_key = database, migration_key

    def add(self, sign_off: SignOff) -> LedgerRow:
        """Adds a signature after the last row, whatever its `migration`, `sequence` and `previous_hash`. Of two at once, one is added after the other."""
        with self._database.writing() as connection:  # one writer at a time, who sees what the one before wrote
            rows = read_rows(connection, self._database.migration_id)
            last = rows[-1] if rows else LedgerRow(0, "", GENESIS)
            sequence = last.sequence + 1
            body = to_json(replace(sign_off, migration=self._migration_key, sequence=sequence, previous_hash=last.hash))
            row = LedgerRow(sequence, body, sha256(body))
            write_rows(connection, self._database.migration_id, [row])
        return row

    def read(self) -> Ledger:
        """All sign-offs, checked."""
        return Ledger.of(self._migration_key, self._database.recall(read_rows))

    def save_margins(self, margins: Margins, seen_at: int) -> None:
        """Records the margins that are in force at `seen_at` (epoch seconds)."""
        key = {"migration_id": self._database.migration_id}
        with self._database.writing() as connection:
            append_if_changed(connection, schema.margin_history, key, to_json(margins), seen_at)

    def margin_history(self) -> tuple[PastMargins, ...]:
        """The margins since they are recorded, in order."""
        return self._database.recall(_read_margins)


def read_rows(connection: Connection, migration_id: int) -> list[LedgerRow]:
    """The ledger in order."""
    table = schema.sign_off
    query = select(table.c.sequence, table.c.body, table.c.hash).where(table.c.migration_id == migration_id)
    return [LedgerRow(*row) for row in connection.execute(query.order_by(table.c.sequence))]


def write_rows(connection: Connection, migration_id: int, rows: Sequence[LedgerRow]) -> None:
    values = [
        {"migration_id": migration_id, "sequence": row.sequence, "body": row.body, "hash": row.hash} for row in rows
    ]
    connection.execute(insert(schema.sign_off), values)


def _read_margins(connection: Connection, migration_id: int) -> tuple[PastMargins, ...]:
    table = schema.margin_history
    rows = connection.execute(select(table).where(table.c.migration_id == migration_id).order_by(table.c.id))
    read = ((row, read_stored(Margins, row.body, f"margin_history {row.id}")) for row in rows)
    return tuple(PastMargins(row.first_seen, row.last_seen, margins) for row, margins in read if margins is not None)
