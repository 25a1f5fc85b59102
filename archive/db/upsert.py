"""The one statement that SQLite and PostgreSQL spell differently."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, ignore_existing: bool = False) -> None:
    """Inserts rows, all with the same columns; where their primary key is there already, overwrites them, or leaves them `unless_there`."""
    if not rows:
        return
    names, key = list(rows[0]), [column.name for column in table.primary_key]
    statement: Any
    parameters: Any
    if connection.dialect.name == "postgresql":
        # A column an array: one statement for all rows, where one a row would take several times as long.
        kinds = {name: postgresql.ARRAY(table.c[name].type) for name in names}
        lists = (func.unnest(bindparam(f"all_{name}", type_=kinds[name])) for name in names)
        statement = postgresql.insert(table).from_select(names, select(*lists))
        parameters = {f"all_{name}": [line[name] for line in rows] for name in names}
    else:
        statement, parameters = sqlite.insert(table), rows
    if ignore_existing:
        statement = statement.on_conflict_do_nothing()
    else:
        fresh = {name: statement.excluded[name] for name in names if name not in key}
        statement = statement.on_conflict_do_update(index_elements=key, set_=fresh)
    connection.execute(statement, parameters)
