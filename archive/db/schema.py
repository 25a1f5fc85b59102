"""The archive's tables, and the version they are counted by.

A table or column that is new is written here and in a revision (archive/db/migrations), and VERSION is raised to the revision's number.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy import (
    event as events,
)

from archive.db import migrations
from archive.db.engine import ArchiveError, transaction

SCHEMA_VERSION = 8  # the number of the newest revision
METADATA = MetaData()

meta = Table("meta", METADATA, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

migration = Table(
    "migration", METADATA, Column("id", Integer, primary_key=True), Column("key", Text, nullable=False, unique=True)
)

# One line of numbers. `wanted`: the configuration still asks for it. `asked_at`: when its newest, unsettled minutes were last answered.
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
    Column("wanted", Boolean, nullable=False),
    Column("asked_at", BigInteger),
    UniqueConstraint("migration_id", "source", "fleet", "target_group", "metric", "stat", "unit"),
)

# Ordered by time within a series, so that a window is one range of the tree whatever periods it holds.
point = Table(
    "point",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("ts", BigInteger, primary_key=True, autoincrement=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)

# The points of one period that begin in the same ten minutes, merged: `value` is their sum where they are counts, else their median; `low` and
# `high` are their range. Written in the same transaction as they are.
rollup_10m = Table(
    "cell",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("ts", BigInteger, primary_key=True, autoincrement=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("periods", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Settled time that was asked and answered. What is not in here was never asked, or not answered, or is not settled yet.
coverage = Table(
    "coverage",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What was asked and not answered, how often in a row, and when last: the reason not to ask again at once.
failed_fetch = Table(
    "refusal",
    METADATA,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# One line a source and role (metrics, traffic, events): how it is, whose turn it is to ask, and a counter of changes.
source_state = Table(
    "source",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("state", Text),
    Column("checked_at", BigInteger),
    Column("last_good_at", BigInteger),
    Column("took_s", Double),
    Column("problems", Text, nullable=False),
    Column("turn_at", BigInteger),
    Column("claimed_until", BigInteger, nullable=False),
    Column("claimed_by", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

# What the load balancer said, from when it was first seen saying so until it was last seen.
traffic_snapshot = Table(
    "snapshot",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("migration_id", ForeignKey("migration.id"), nullable=False, index=True),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# How services and deployments stood, as one source told it, from when it was first heard saying so until it was last.
deployment_state = Table(
    "standing",
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
    Column("open", Boolean, nullable=False),
)

# What one source knows of one change of a rule (JSON), and what it said word for word. Reading joins what several know of the same change.
weight_change = Table(
    "split_change",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("ts", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("raw", Text, nullable=False),
)

# Time whose events a source that keeps a history was asked for, and told.
event_coverage = Table(
    "heard",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
)

# What a source said of a whole window as one period (JSON): of the latest window that began at `start_s`.
window_latency = Table(
    "whole",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("end_s", BigInteger, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("problems", Text, nullable=False),
)

# What one source last said starts each batch (JSON).
trigger = Table(
    "starter",
    METADATA,
    Column("migration_id", ForeignKey("migration.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)


# An access-log file that was counted: its lines, how many of them were read, and the time that they are of. `batch` is the first key of
# those that were counted with it; "" where that was not written down yet.
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

# What a batch of those files said of one hour: counts, and lines that failed or were slow, as Parquet (domain/log_counts.py).
log_count = Table(
    "log_count",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("migration_id", ForeignKey("migration.id"), nullable=False),
    Column("hour_s", BigInteger, nullable=False),
    Column("counts", LargeBinary, nullable=False),
    Column("examples", LargeBinary, nullable=False),
    Column("batch", Text, nullable=False, server_default=""),
    Index("ix_log_count_hour", "migration_id", "hour_s"),
)


def upgrade_schema(engine: Engine) -> None:
    """Brings the tables to VERSION, from nothing or from an older version. Several processes may do so at once: the first does it, the others wait.
    Every transaction of the engine from then on looks whether they are still of that version: a later program may come while this one runs.

    Raises ArchiveError: "newer" where a later version of this program wrote it, "not_a_database" where the file is somebody else's.
    """
    with transaction(engine, writes=False) as connection:
        found = _read_version(connection)
    if found is None or found < SCHEMA_VERSION:
        with transaction(engine, writes=True) as connection:
            found = _read_version(connection)  # another process may have come first
            if found is None or found < SCHEMA_VERSION:
                migrations.upgrade(connection)
                connection.execute(delete(meta).where(meta.c.key == "schema"))
                connection.execute(insert(meta).values(key="schema", value=str(SCHEMA_VERSION)))
                found = SCHEMA_VERSION
    _reject_newer(found)
    events.listen(engine, "begin", _check_version)


def _check_version(connection: Connection) -> None:
    if not connection.get_execution_options().get("plain"):
        found = connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'schema'").scalar()
        _reject_newer(int(found or SCHEMA_VERSION))


def _reject_newer(version: int) -> None:
    if version > SCHEMA_VERSION:
        raise ArchiveError("newer", f"{version} > {SCHEMA_VERSION}")


def _read_version(connection: Connection) -> int | None:
    """The version of the tables that are there; None where there are none."""
    names = inspect(connection).get_table_names()
    if "meta" not in names:
        # A file is ours alone; a database may hold other tables, as long as they have other names.
        taken = names if connection.dialect.name == "sqlite" else set(names) & set(METADATA.tables)
        if taken:
            raise ArchiveError("not_a_database", ", ".join(sorted(taken)))
        return None
    columns = {column["name"] for column in inspect(connection).get_columns("meta")}
    value = (
        connection.scalar(select(meta.c.value).where(meta.c.key == "schema")) if columns == {"key", "value"} else None
    )
    if value is None or not value.isdecimal():
        raise ArchiveError("not_a_database", "meta")
    return int(value)
