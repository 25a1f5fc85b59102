"""Tables whose rows are a JSON body that was valid from `first_seen` to `last_seen`."""

from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from archive.db.upsert import Row
from archive.metrics.fetch_plan import MAX_ARCHIVE_CLOCK_SKEW_S


def append_if_changed(connection: Connection, table: Table, key: Row, body: str, seen_at: int) -> Any:
    """Adds a row for `body`, or extends the last row of `key` (equal columns) if it has the same body. Returns the row before a new one."""
    of_key = (table.c[name] == value for name, value in key.items())
    last = connection.execute(select(table).where(*of_key).order_by(table.c.id.desc()).limit(1)).first()
    if last and seen_at < last.last_seen < seen_at + MAX_ARCHIVE_CLOCK_SKEW_S:
        return None  # older than the last row; if it is much older, a clock was set back
    if last and last.body == body:
        connection.execute(update(table).where(table.c.id == last.id).values(last_seen=seen_at))
        return None
    connection.execute(insert(table).values(**key, body=body, first_seen=seen_at, last_seen=seen_at))
    return last
