"""The archive's tables and their version.

A new table or column is written here and in a migration (archive/db/migrations), and SCHEMA_VERSION becomes the migration's number.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Integer, Table, Text
from sqlalchemy.types import TypeEngine

from archive.db import migrations
from archive.db.append_only import make_append_only
from archive.db.engine import transaction
from archive.db.errors import ArchiveError

SCHEMA_VERSION = 16  # the number of the newest migration
METADATA = sa.MetaData()


def _required(kind: type[TypeEngine[Any]], *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


def _optional(kind: type[TypeEngine[Any]], *names: str) -> list[Column[Any]]:
    return [Column(name, kind) for name in names]


def _key(kind: type[TypeEngine[Any]], *names: str) -> list[Column[Any]]:
    return [Column(name, kind, primary_key=True, autoincrement=False) for name in names]


def _reference(table: str, *, primary_key: bool = False, index: bool | None = None) -> Column[Any]:
    key = ForeignKey(f"{table}.id")
    return Column(f"{table}_id", key, nullable=False, primary_key=primary_key, index=index)


meta = Table("meta", METADATA, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

migration = Table(
    "migration", METADATA, Column("id", Integer, primary_key=True), Column("key", Text, nullable=False, unique=True)
)

# One statistic of one target group from one source. `configured`: the configuration still includes it. `asked_at`: when its provisional
# minutes were last fetched.
series = Table(
    "series",
    METADATA,
    Column("id", Integer, primary_key=True),
    _reference("migration"),
    *_required(Text, "source", "fleet", "target_group", "metric", "stat", "unit"),
    *_required(sa.Boolean, "configured"),
    *_optional(BigInteger, "asked_at"),
    sa.UniqueConstraint("migration_id", "source", "fleet", "target_group", "metric", "stat", "unit"),
)

# Ordered by time within a series, so that a window is one range of the primary key whatever its periods.
point = Table(
    "point",
    METADATA,
    _reference("series", primary_key=True),
    *_key(BigInteger, "ts"),
    *_key(Integer, "period_s"),
    *_required(sa.Double, "value"),
    sqlite_with_rowid=False,
)

# The points of one period that start in the same ten minutes: `value` is their sum for counts, else their median; `low` and `high` are
# their range. Written in the same transaction as the points.
rollup_10m = Table(
    "rollup_10m",
    METADATA,
    _reference("series", primary_key=True),
    *_key(BigInteger, "ts"),
    *_key(Integer, "period_s"),
    *_required(sa.Double, "value", "low", "high"),
    *_required(Integer, "periods"),
    sqlite_with_rowid=False,
)

# Final time that was fetched completely. Other time was never fetched, not answered, or is provisional.
coverage = Table(
    "coverage",
    METADATA,
    _reference("series", primary_key=True),
    *_key(Integer, "period_s"),
    *_key(BigInteger, "start_s"),
    *_required(BigInteger, "end_s"),
    sqlite_with_rowid=False,
)

# Time that was requested and not answered, `failures` times in a row: the basis of the back-off.
failed_fetch = Table(
    "failed_fetch",
    METADATA,
    _reference("series", primary_key=True),
    *_key(BigInteger, "start_s"),
    *_required(BigInteger, "end_s"),
    *_required(Integer, "failures"),
    *_required(BigInteger, "failed_at"),
    sqlite_with_rowid=False,
)

# The state of a source in one role (db/source_row.py), its lease and slot, and a counter of its changes.
source_state = Table(
    "source_state",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "name", "role"),
    *_optional(Text, "state"),
    *_optional(BigInteger, "checked_at", "last_success_at"),
    *_optional(sa.Double, "took_s"),
    *_required(Text, "problems"),
    *_optional(BigInteger, "slot_taken_at"),
    *_required(BigInteger, "lease_until"),
    *_required(Text, "lease_owner"),
    *_required(BigInteger, "change_counter"),
)

# The load balancer's rules and target health (JSON), valid from `first_seen` to `last_seen`.
traffic_snapshot = Table(
    "traffic_snapshot",
    METADATA,
    Column("id", Integer, primary_key=True),
    _reference("migration", index=True),
    *_required(BigInteger, "first_seen", "last_seen"),
    *_required(Text, "body"),
)

# Services and deployments (JSON) as one source returned them from `first_seen` to `last_seen`.
deployment_state = Table(
    "deployment_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    _reference("migration", index=True),
    *_required(Text, "source"),
    *_required(BigInteger, "first_seen", "last_seen"),
    *_required(Text, "body"),
)

# A deployment (JSON) as one source last returned it, with the target groups of its revisions. Kept when the source does not return it any more.
deployment = Table(
    "deployment",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source", "key"),
    *_required(BigInteger, "created", "read_at"),
    *_required(Text, "body"),
)

# A value of a source (JSON): a step that a run of a batch logged, by the source "function_logs"; the result of a probe, by "probe".
observation = Table(
    "observation",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source", "key"),
    *_required(BigInteger, "ts"),
    *_required(Text, "body"),
    sa.Index("ix_observation_ts", "migration_id", "source", "ts"),
)

event = Table(
    "event",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source", "key"),
    *_required(BigInteger, "ts"),
    *_optional(BigInteger, "until"),
    *_required(Text, "kind", "title", "detail", "fleet", "link"),
    *_required(sa.Boolean, "open"),
)

# A change of a rule as one source recorded it: parsed (JSON) and `raw`. Reading merges the records of several sources.
weight_change = Table(
    "weight_change",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source", "key"),
    *_required(BigInteger, "ts"),
    *_required(Text, "body", "raw"),
)

# Time for which an event source was fetched completely.
event_coverage = Table(
    "event_coverage",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source"),
    *_key(BigInteger, "start_s"),
    *_required(BigInteger, "end_s"),
)

# The latency of a window as one period (JSON): of the latest window that starts at `start_s`.
window_latency = Table(
    "window_latency",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source"),
    *_key(BigInteger, "start_s"),
    *_required(BigInteger, "end_s", "asked_at"),
    *_required(Text, "body", "problems"),
)

# The triggers of batch jobs (JSON) as one source last returned them.
trigger = Table(
    "trigger",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "source"),
    *_required(BigInteger, "asked_at"),
    *_required(Text, "body"),
)

# The last evaluation of a phase (JSON) while it was the current one, of `recorded_at`. `phase`: its number. `asked_at`: when the gate was last
# asked for a decision of the migration.
decision = Table(
    "decision",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Integer, "phase"),
    *_required(BigInteger, "start_s", "recorded_at"),
    Column("asked_at", BigInteger, nullable=False, server_default="0"),
    *_required(Text, "body"),
)

# The ledger of sign-offs (domain/sign_offs.py): `hash` is that of `body` (JSON), which has the hash of the row before. Rows are only added.
sign_off = Table(
    "sign_off",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Integer, "sequence"),
    *_required(Text, "body", "hash"),
)
sa.event.listen(sign_off, "after_create", lambda table, connection, **_: make_append_only(connection, table.name))

# The margins of the judged metrics (JSON), in force from `first_seen` to `last_seen`.
margin_history = Table(
    "margin_history",
    METADATA,
    Column("id", Integer, primary_key=True),
    _reference("migration", index=True),
    *_required(BigInteger, "first_seen", "last_seen"),
    *_required(Text, "body"),
)

# What was announced last of a subject ("decision", "weights", "deployment:…"), since `since_s`. `candidate`: another value that was read once,
# at `candidate_s`.
announced = Table(
    "announced",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "subject"),
    *_required(Text, "value", "candidate"),
    *_required(BigInteger, "since_s", "candidate_s"),
)

# The outbox: a notice (JSON) for one channel, in the order of `position`. Until `claimed_until`, `claim_owner` alone sends it; afterwards
# that is the end of an attempt whose outcome is unknown (0: of each it is known). `outcome`: "" until `done_at`.
notification = Table(
    "notification",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "key", "channel"),
    *_required(BigInteger, "created_at"),
    *_required(Integer, "position"),
    *_required(Text, "body", "outcome", "problems", "claim_owner"),
    *_required(Integer, "attempts"),
    *_required(BigInteger, "due_at", "claimed_until"),
    *_optional(BigInteger, "done_at"),
    sa.Index("ix_notification_open", "migration_id", "channel", "done_at"),
)

# An access-log file that was counted: its lines and their time. `batch` is the first key of the files that were counted with it;
# "" in rows from before version 8.
log_file = Table(
    "log_file",
    METADATA,
    _reference("migration", primary_key=True),
    *_key(Text, "key"),
    *_required(BigInteger, "size", "lines", "parsed"),
    *_required(Text, "problem"),
    *_required(BigInteger, "start_s", "end_s"),
    Column("batch", Text, nullable=False, server_default=""),
)

# One hour of a batch of those files: counts, and examples of failed or slow requests, as Parquet (domain/log_counts.py). `sizes` and `traits`: null
# in rows from before version 13.
log_count = Table(
    "log_count",
    METADATA,
    Column("id", Integer, primary_key=True),
    _reference("migration"),
    *_required(BigInteger, "hour_s"),
    *_required(sa.LargeBinary, "counts", "examples"),
    Column("batch", Text, nullable=False, server_default=""),
    Column("sizes", sa.LargeBinary),
    Column("traits", sa.LargeBinary),
    sa.Index("ix_log_count_hour", "migration_id", "hour_s"),
)


def upgrade_schema(engine: sa.Engine) -> None:
    """Migrates the database to SCHEMA_VERSION, from empty or from an older version. If several processes try at once, one does it.

    From then on every transaction of the engine checks the version, because a newer program may migrate the database while this one runs.
    Raises ArchiveError: "newer" if a newer program wrote it, "not_a_database" if it belongs to another program.
    """
    with transaction(engine, writes=False) as connection:
        version = _read_version(connection)
    if version is None or version < SCHEMA_VERSION:
        with transaction(engine, writes=True) as connection:
            version = _read_version(connection)  # another process may have migrated it meanwhile
            if version is None or version < SCHEMA_VERSION:
                if version is None:
                    METADATA.create_all(connection)
                migrations.run("upgrade" if version else "stamp", connection)
                connection.execute(sa.delete(meta).where(meta.c.key == "schema"))
                connection.execute(sa.insert(meta).values(key="schema", value=str(SCHEMA_VERSION)))
                version = SCHEMA_VERSION
    _reject_newer(version)
    sa.event.listen(engine, "begin", _check_version)


def _check_version(connection: Connection) -> None:
    if not connection.get_execution_options().get("autocommit"):
        version = connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'schema'").scalar()
        _reject_newer(int(version or SCHEMA_VERSION))


def _reject_newer(version: int) -> None:
    if version > SCHEMA_VERSION:
        raise ArchiveError("newer", f"{version} > {SCHEMA_VERSION}")


def _read_version(connection: Connection) -> int | None:
    """The version of the existing tables; None without tables."""
    names = sa.inspect(connection).get_table_names()
    if "meta" not in names:
        # An SQLite file must be empty. A PostgreSQL schema may have other tables with other names.
        foreign = names if connection.dialect.name == "sqlite" else set(names) & set(METADATA.tables)
        if foreign:
            raise ArchiveError("not_a_database", ", ".join(sorted(foreign)))
        return None
    columns = {column["name"] for column in sa.inspect(connection).get_columns("meta")}
    value = (
        connection.scalar(sa.select(meta.c.value).where(meta.c.key == "schema"))
        if columns == {"key", "value"}
        else None
    )
    if value is None or not value.isdecimal():
        raise ArchiveError("not_a_database", "meta")
    return int(value)
