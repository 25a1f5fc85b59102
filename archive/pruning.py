"""Deletes what is older than the configuration's `keep`, in small transactions, so that neither polls nor pages wait."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, func, insert, or_, select

from archive.db import schema
from archive.db.engine import transaction
from archive.db.source_row import SourceRow
from domain.config.retention import Retention
from domain.window import DAY_S

MAX_TRANSACTIONS = 20  # of one call
POINTS_S, ROLLUPS_S = 7 * DAY_S, 70 * DAY_S  # of one series, deleted in one transaction: 10,080 rows at most
LOGS_S = DAY_S
LOG_FILES_LATER_S = (
    DAY_S  # the row of a file prevents that it is counted again, and its lines may be of the hours that are kept
)

Deletion = Callable[[Connection], None]


def prune(engine: Engine, migration_key: str, retention: Retention, now_s: int) -> bool:
    """Deletes in at most MAX_TRANSACTIONS transactions, of a migration and of its releases. Returns whether there is more. Raises ArchiveError.

    Coverage goes first: a process that is killed meanwhile leaves points without coverage, which the next call deletes, but never coverage without
    points, which would be "no data". Events, weight changes, snapshots, deployments, notes, decisions and sign-offs are kept.
    """
    points_since, rollups_since = retention.points_since(now_s), retention.rollups_since(now_s)
    with transaction(engine, writes=False) as connection:
        deletions = chain.from_iterable(
            chain(
                _coverage_deletions(connection, migration_id, points_since),
                _series_deletions(connection, migration_id, schema.point, points_since, POINTS_S),
                _series_deletions(connection, migration_id, schema.rollup_10m, rollups_since, ROLLUPS_S),
                _log_deletions(connection, migration_id, points_since),
            )
            for migration_id in _migration_ids(connection, migration_key)
        )
        due = tuple(islice(deletions, MAX_TRANSACTIONS))
    for deletion in due:
        with transaction(engine, writes=True) as connection:
            deletion(connection)
    return len(due) == MAX_TRANSACTIONS


def _migration_ids(connection: Connection, key: str) -> list[int]:
    table = schema.migration
    of_release = table.c.key.startswith(f"{key} / ", autoescape=True)
    return list(connection.scalars(select(table.c.id).where(or_(table.c.key == key, of_release))))


def _coverage_deletions(connection: Connection, migration_id: int, since: int) -> Iterator[Deletion]:
    """One for each source whose coverage begins before `since`."""
    coverage, series = schema.coverage, schema.series
    old = and_(series.c.migration_id == migration_id, coverage.c.start_s < since)
    for name in connection.scalars(select(series.c.source).join(coverage).where(old).distinct()).all():
        yield partial(_delete_coverage, migration_id=migration_id, source_name=name, since=since)


def _delete_coverage(connection: Connection, migration_id: int, source_name: str, since: int) -> None:
    series = schema.series
    ids = select(series.c.id).where(series.c.migration_id == migration_id, series.c.source == source_name)
    for table in (schema.coverage, schema.failed_fetch):
        old = and_(table.c.series_id.in_(ids), table.c.start_s < since)
        cut = [
            {**row, "start_s": since}
            for row in connection.execute(select(table).where(old, table.c.end_s > since)).mappings()
        ]
        connection.execute(delete(table).where(old))
        if cut:
            connection.execute(insert(table), cut)
    SourceRow(migration_id, source_name, "metrics").increment_change_counter(connection)


def _series_deletions(
    connection: Connection, migration_id: int, table: Table, since: int, length_s: int
) -> Iterator[Deletion]:
    """One for each `length_s` of each series with rows before `since`, the oldest first."""
    series = schema.series
    first = select(func.min(table.c.ts)).where(table.c.series_id == series.c.id).scalar_subquery()
    of_migration = select(series.c.id, first).where(series.c.migration_id == migration_id)
    for series_id, oldest in connection.execute(of_migration).all():
        for end in _ends(oldest, since, length_s):
            yield _delete_where(table, and_(table.c.series_id == series_id, table.c.ts < end))


def _log_deletions(connection: Connection, migration_id: int, since: int) -> Iterator[Deletion]:
    """One for each LOGS_S of counts, and then the files that ended a day before."""
    counts, files = schema.log_count, schema.log_file
    oldest = connection.scalar(select(func.min(counts.c.hour_s)).where(counts.c.migration_id == migration_id))
    for end in _ends(oldest, since, LOGS_S):
        yield _delete_where(counts, and_(counts.c.migration_id == migration_id, counts.c.hour_s < end))
    old = and_(files.c.migration_id == migration_id, files.c.end_s < since - LOG_FILES_LATER_S)
    if connection.scalar(select(files.c.key).where(old).limit(1)) is not None:
        yield _delete_where(files, old)


def _ends(oldest: int | None, since: int, length_s: int) -> Iterator[int]:
    """The ends of the parts from `oldest` to `since`."""
    for start in range(oldest, since, length_s) if oldest is not None else ():
        yield min(start + length_s, since)


def _delete_where(table: Table, condition: ColumnElement[bool]) -> Deletion:
    def execute(connection: Connection) -> None:
        connection.execute(delete(table).where(condition))

    return execute
