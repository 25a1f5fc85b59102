"""What an archive holds of a migration, in numbers; and compaction."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select, text

from archive.access_logs import tables
from archive.access_logs.tables import LineCounts
from archive.batches import FINAL_AFTER_MINUTES
from archive.db import schema
from archive.db.engine import autocommit, transaction
from archive.metrics.coverage import get_or_create_migration, read_series_index
from archive.metrics.fetch_plan import FreshnessPolicy
from domain import Migration, Window
from domain.window import merge_windows

RECORDER_ALIVE_S = 180  # a recorder polls once a minute


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One source's points of one period: their number, and the time that was answered."""

    source: str
    period_s: int
    points: int
    covered: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """Times are epoch seconds. `gaps`: by source, final time not covered for some configured series.

    `logs`: lines of the access logs that were counted, and their hours; None without any.
    """

    size_bytes: int
    coverage: tuple[CoverageRow, ...]
    gaps: dict[str, tuple[Window, ...]]
    events: int
    snapshots: int
    logs: tuple[LineCounts, Window] | None
    last_write_at: int | None
    recorder_alive: bool

    @property
    def points(self) -> int:
        return sum(row.points for row in self.coverage)


def archive_status(
    engine: Engine, migration: Migration, *, now: int, batch_source_names: Collection[str] = ()
) -> ArchiveStatus:
    """Counts everything. `batch_source_names`: sources whose points are final after a day. Raises ArchiveError."""
    migration_id = get_or_create_migration(engine, migration.key)
    series, point, state = schema.series, schema.point, schema.source_state
    with transaction(engine, writes=False) as connection:
        count_points = (
            select(series.c.source, point.c.period_s, func.count().label("points"))
            .join_from(point, series)
            .where(series.c.migration_id == migration_id)
            .group_by(series.c.source, point.c.period_s)
        )
        points = {(row.source, row.period_s): row.points for row in connection.execute(count_points)}
        names = connection.scalars(select(series.c.source).where(series.c.migration_id == migration_id).distinct())
        indexes = {name: read_series_index(connection, migration_id, name) for name in sorted(names)}
        events, snapshots = (
            connection.scalar(select(func.count()).select_from(table).where(table.c.migration_id == migration_id)) or 0
            for table in (schema.event, schema.traffic_snapshot)
        )
        hours = tables.read_extent(connection, migration_id)
        logs = (tables.read_line_counts(connection, migration_id, hours), hours) if hours else None
        last = connection.scalar(select(func.max(state.c.checked_at)).where(state.c.migration_id == migration_id))
    rows, gaps = [], dict[str, tuple[Window, ...]]()
    for name, index in indexes.items():
        final_after_minutes = FINAL_AFTER_MINUTES if name in batch_source_names else migration.settle_minutes
        policy = FreshnessPolicy(now, final_after_minutes * 60)
        coverage = index.coverage.values()
        periods = {period_s for item in coverage for period_s in item.covered}
        for period_s in sorted(periods | {period_s for source, period_s in points if source == name}):
            covered = merge_windows(window for item in coverage for window in item.covered.get(period_s, ()))
            rows.append(CoverageRow(name, period_s, points.get((name, period_s), 0), covered))
        configured = [index.coverage[item].clamp_to_final(policy) for item in index.configured if not item.hourly]
        start = min(
            (windows[0].start for item in configured if (windows := item.covered_windows())), default=policy.final_until
        )
        final = Window(start, policy.final_until) if start < policy.final_until else None
        gaps[name] = merge_windows(
            gap for item in configured for gap in (final.subtract(item.answered_windows(policy)) if final else ())
        )
    alive = last is not None and now - last < RECORDER_ALIVE_S
    return ArchiveStatus(size_bytes(engine), tuple(rows), gaps, events, snapshots, logs, last, alive)


def compact(engine: Engine) -> tuple[int, int]:
    """Returns free space to the disk. Returns the bytes before and after. Raises ArchiveError."""
    before = size_bytes(engine)
    with autocommit(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("VACUUM"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:  # only FULL returns space to the disk; it locks the tables, so only the archive's are named
            connection.execute(text(f"VACUUM (FULL, ANALYZE) {', '.join(schema.METADATA.tables)}"))
    return before, size_bytes(engine)


def size_bytes(engine: Engine) -> int:
    """The size of the SQLite files or of the archive's PostgreSQL tables."""
    if engine.dialect.name != "sqlite":
        sizes = (func.pg_total_relation_size(name) for name in schema.METADATA.tables)
        with transaction(engine, writes=False) as connection:
            return sum(connection.execute(select(*sizes)).one())
    files = (Path(f"{engine.url.database}{suffix}") for suffix in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
