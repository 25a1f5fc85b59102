"""The archive's tables and their version.

A new table or column is written here and in a migration (archive/db/migrations), and SCHEMA_VERSION becomes the migration's number.
"""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Integer, Table, Text

from archive.db import migrations
from archive.db.engine import transaction
from archive.db.errors import ArchiveError

SCHEMA_VERSION = 9  # the number of the newest migration
METADATA = sa.MetaData()

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
    Column("migration_id", ForeignKey("migration.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("fleet", Text, nullable=False),
    Column("target_group", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("stat", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("configured", sa.Boolean, nullable=False),
    Column("asked_at", BigInteger),
    sa.UniqueConstraint("migration_id", "source", "fleet", "target_group", "metric", "stat", "unit"),
)

# Ordered by time within a series, so that a window is one range of the primary key whatever its periods.
point = Table(
    "point",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("ts", BigInteger, primary_key=True, autoincrement=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("value", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

# The points of one period that start in the same ten minutes: `value` is their sum for counts, else their median; `low` and `high` are
# their range. Written in the same transaction as the points.
rollup_10m = Table(
    "rollup_10m",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("ts", BigInteger, primary_key=True, autoincrement=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("value", sa.Double, nullable=False),
    Column("low", sa.Double, nullable=False),
    Column("high", sa.Double, nullable=False),
    Column("periods", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Final time that was fetched completely. Other time was never fetched, not answered, or is provisional.
coverage = Table(
    "coverage",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Time that was requested and not answered, `failures` times in a row: the basis of the back-off.
failed_fetch = Table(
    "failed_fetch",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The state of a source in one role (db/source_row.py), its lease and slot, and a counter of its changes.
source_state = Table(
    "source_state",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("state", Text),
    Column("checked_at", BigInteger),
    Column("last_success_at", BigInteger),
    Column("took_s", sa.Double),
    Column("problems", Text, nullable=False),
    Column("slot_taken_at", BigInteger),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_owner", Text, nullable=False),
    Column("change_counter", BigInteger, nullable=False),
)

# The load balancer's rules and target health (JSON), valid from `first_seen` to `last_seen`.
traffic_snapshot = Table(
    "traffic_snapshot",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("migration_id", ForeignKey("migration.id"), nullable=False, index=True),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# Services and deployments (JSON) as one source returned them from `first_seen` to `last_seen`.
deployment_state = Table(
    "deployment_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("migration_id", ForeignKey("migration.id"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

event = Table(
    "event",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("ts", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("fleet", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("open", sa.Boolean, nullable=False),
)

# A change of a rule as one source recorded it: parsed (JSON) and `raw`. Reading merges the records of several sources.
weight_change = Table(
    "weight_change",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("ts", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("raw", Text, nullable=False),
)

# Time for which an event source was fetched completely.
event_coverage = Table(
    "event_coverage",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
)

# The latency of a window as one period (JSON): of the latest window that starts at `start_s`.
window_latency = Table(
    "window_latency",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("problems", Text, nullable=False),
)

# The triggers of batch jobs (JSON) as one source last returned them.
trigger = Table(
    "trigger",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# An access-log file that was counted: its lines and their time. `batch` is the first key of the files that were counted with it;
# "" in rows from before version 8.
log_file = Table(
    "log_file",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("parsed", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
    Column("start_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    Column("batch", Text, nullable=False, server_default=""),
)

# One hour of a batch of those files: counts, and examples of failed or slow requests, as Parquet (domain/log_counts.py).
log_count = Table(
    "log_count",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("migration_id", ForeignKey("migration.id"), nullable=False),
    Column("hour_s", BigInteger, nullable=False),
    Column("counts", sa.LargeBinary, nullable=False),
    Column("examples", sa.LargeBinary, nullable=False),
    Column("batch", Text, nullable=False, server_default=""),
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
