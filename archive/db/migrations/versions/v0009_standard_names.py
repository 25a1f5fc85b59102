"""Standard names of tables, columns and roles, and of the keys in JSON bodies."""

import sqlalchemy as sa
from alembic import op

from archive.db.migrations.standard_names import BODY_KEYS, COLUMNS, ROLES, TABLES, rename_body_keys

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for old, new in TABLES.items():
        op.rename_table(old, new)
    for table, columns in COLUMNS.items():
        for old, new in columns.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for old, new in (("snapshot", "traffic_snapshot"), ("standing", "deployment_state")):
        op.drop_index(f"ix_{old}_migration_id", new)
        op.create_index(f"ix_{new}_migration_id", new, ["migration_id"])
    connection = op.get_bind()
    for old, new in ROLES.items():
        connection.execute(sa.text("UPDATE source_state SET role = :new WHERE role = :old"), {"old": old, "new": new})
    for table in BODY_KEYS:
        _rename_body_keys(connection, table)


def _rename_body_keys(connection: sa.Connection, table_name: str) -> None:
    key = sa.inspect(connection).get_pk_constraint(table_name)["constrained_columns"]
    table = sa.table(table_name, *map(sa.column, [*key, "body"]))
    rows = connection.execute(sa.select(table)).mappings().all()
    statement = (
        sa.update(table)
        .where(*(table.c[name] == sa.bindparam(f"of_{name}") for name in key))
        .values(body=sa.bindparam("new_body"))
    )
    if rows:
        connection.execute(
            statement,
            [
                {f"of_{name}": row[name] for name in key} | {"new_body": rename_body_keys(table_name, row["body"])}
                for row in rows
            ],
        )
