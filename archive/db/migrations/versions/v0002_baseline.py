"""The tables as they were when revisions began. An archive from before is taken over as it is, with the tables that it lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None


def upgrade() -> None:
    def table(name: str, *columns: sa.schema.SchemaItem, **options: bool) -> None:
        op.create_table(name, *columns, **options, if_not_exists=True)

    def key(name: str, kind: type = sa.BigInteger) -> sa.Column[object]:
        return sa.Column(name, kind, primary_key=True, autoincrement=False)

    def of(parent: str, *, in_key: bool = True) -> sa.Column[object]:
        there = sa.ForeignKey(f"{parent}.id")
        return sa.Column(f"{parent}_id", sa.Integer, there, primary_key=in_key, autoincrement=False, nullable=False)

    def given(name: str, kind: type = sa.Text) -> sa.Column[object]:
        return sa.Column(name, kind, nullable=False)

    table("meta", key("key", sa.Text), given("value"))
    table(
        "migration",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
    )
    line = ("source", "fleet", "target_group", "metric", "stat", "unit")
    table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        of("migration", in_key=False),
        *(given(name) for name in line),
        given("wanted", sa.Boolean),
        sa.Column("asked_at", sa.BigInteger),
        sa.UniqueConstraint("migration_id", *line),
    )
    table(
        "point",
        of("series"),
        key("ts"),
        key("period_s", sa.Integer),
        given("value", sa.Double),
        sqlite_with_rowid=False,
    )
    table(
        "coverage",
        of("series"),
        key("period_s", sa.Integer),
        key("start_s"),
        given("end_s", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    table(
        "refusal",
        of("series"),
        key("start_s"),
        given("end_s", sa.BigInteger),
        given("failures", sa.Integer),
        given("at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    table(
        "source",
        of("migration"),
        key("name", sa.Text),
        key("role", sa.Text),
        sa.Column("state", sa.Text),
        sa.Column("checked_at", sa.BigInteger),
        sa.Column("last_good_at", sa.BigInteger),
        sa.Column("took_s", sa.Double),
        given("problems"),
        sa.Column("turn_at", sa.BigInteger),
        given("claimed_until", sa.BigInteger),
        given("claimed_by"),
        given("revision", sa.BigInteger),
    )
    table(
        "snapshot",
        sa.Column("id", sa.Integer, primary_key=True),
        of("migration", in_key=False),
        given("first_seen", sa.BigInteger),
        given("last_seen", sa.BigInteger),
        given("body"),
    )
    op.create_index("ix_snapshot_migration_id", "snapshot", ["migration_id"], if_not_exists=True)
    table(
        "event",
        of("migration"),
        key("source", sa.Text),
        key("key", sa.Text),
        given("ts", sa.BigInteger),
        sa.Column("until", sa.BigInteger),
        *(given(name) for name in ("kind", "title", "detail", "fleet", "link")),
        given("open", sa.Boolean),
    )
    table(
        "whole",
        of("migration"),
        key("source", sa.Text),
        key("start_s"),
        given("end_s", sa.BigInteger),
        given("asked_at", sa.BigInteger),
        given("body"),
        given("problems"),
    )
