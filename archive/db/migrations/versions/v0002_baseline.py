"""The tables when migrations were introduced. An older archive keeps its tables and gets the missing ones."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None


def upgrade() -> None:
    def table(name: str, *columns: sa.schema.SchemaItem, **options: bool) -> None:
        op.create_table(name, *columns, **options, if_not_exists=True)

    def key(name: str, kind: type = sa.BigInteger) -> sa.Column[object]:
        return sa.Column(name, kind, primary_key=True, autoincrement=False)

    def reference(parent: str, *, in_key: bool = True) -> sa.Column[object]:
        foreign_key = sa.ForeignKey(f"{parent}.id")
        return sa.Column(
            f"{parent}_id", sa.Integer, foreign_key, primary_key=in_key, autoincrement=False, nullable=False
        )

    def required(name: str, kind: type = sa.Text) -> sa.Column[object]:
        return sa.Column(name, kind, nullable=False)

    table("meta", key("key", sa.Text), required("value"))
    table(
        "migration",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
    )
    series_columns = ("source", "fleet", "target_group", "metric", "stat", "unit")
    table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        reference("migration", in_key=False),
        *(required(name) for name in series_columns),
        required("wanted", sa.Boolean),
        sa.Column("asked_at", sa.BigInteger),
        sa.UniqueConstraint("migration_id", *series_columns),
    )
    table(
        "point",
        reference("series"),
        key("ts"),
        key("period_s", sa.Integer),
        required("value", sa.Double),
        sqlite_with_rowid=False,
    )
    table(
        "coverage",
        reference("series"),
        key("period_s", sa.Integer),
        key("start_s"),
        required("end_s", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    table(
        "refusal",
        reference("series"),
        key("start_s"),
        required("end_s", sa.BigInteger),
        required("failures", sa.Integer),
        required("at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    table(
        "source",
        reference("migration"),
        key("name", sa.Text),
        key("role", sa.Text),
        sa.Column("state", sa.Text),
        sa.Column("checked_at", sa.BigInteger),
        sa.Column("last_good_at", sa.BigInteger),
        sa.Column("took_s", sa.Double),
        required("problems"),
        sa.Column("turn_at", sa.BigInteger),
        required("claimed_until", sa.BigInteger),
        required("claimed_by"),
        required("revision", sa.BigInteger),
    )
    table(
        "snapshot",
        sa.Column("id", sa.Integer, primary_key=True),
        reference("migration", in_key=False),
        required("first_seen", sa.BigInteger),
        required("last_seen", sa.BigInteger),
        required("body"),
    )
    op.create_index("ix_snapshot_migration_id", "snapshot", ["migration_id"], if_not_exists=True)
    table(
        "event",
        reference("migration"),
        key("source", sa.Text),
        key("key", sa.Text),
        required("ts", sa.BigInteger),
        sa.Column("until", sa.BigInteger),
        *(required(name) for name in ("kind", "title", "detail", "fleet", "link")),
        required("open", sa.Boolean),
    )
    table(
        "whole",
        reference("migration"),
        key("source", sa.Text),
        key("start_s"),
        required("end_s", sa.BigInteger),
        required("asked_at", sa.BigInteger),
        required("body"),
        required("problems"),
    )
