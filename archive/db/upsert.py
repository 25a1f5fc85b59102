"""INSERT … ON CONFLICT for SQLite and PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, ignore_existing: bool = False) -> None:
    """Inserts rows, which have the same columns. A row with the same primary key is overwritten, or kept if `ignore_existing`."""
    if not rows:
        return
    names, key = list(rows[0]), [column.name for column in table.primary_key]
    statement: Any
    parameters: Any
    if connection.dialect.name == "postgresql":
        # One array a column: several times as fast as one statement a row.
        types = {name: postgresql.ARRAY(table.c[name].type) for name in names}
        arrays = (func.unnest(bindparam(f"all_{name}", type_=types[name])) for name in names)
        statement = postgresql.insert(table).from_select(names, select(*arrays))
        parameters = {f"all_{name}": [row[name] for row in rows] for name in names}
    else:
        statement, parameters = sqlite.insert(table), rows
    if ignore_existing:
        statement = statement.on_conflict_do_nothing()
    else:
        values = {name: statement.excluded[name] for name in names if name not in key}
        statement = statement.on_conflict_do_update(index_elements=key, set_=values)
    connection.execute(statement, parameters)
