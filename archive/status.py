"""What an archive holds of a migration, counted; and the space that it gives back."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import URL

from archive.access_logs import tables
from archive.batches import FINAL_AFTER_MINUTES
from archive.db import engine as database
from archive.db import schema
from archive.metrics import coverage
from archive.metrics.fetch_plan import FreshnessPolicy
from domain import Migration, Window
from domain.window import merge_windows

RECORDER_ALIVE_S = 180  # whoever keeps the archive asks once a minute


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One source's points of one period: how many, and the time that was asked and answered."""

    source: str
    period_s: int
    points: int
    covered: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """Times are epoch seconds. `gaps`: by source, settled time in which some series that is wanted was not answered.

    `logs`: the access logs that were counted, and from which to which hour; None where none were.
    """

    size_bytes: int
    coverage: tuple[CoverageRow, ...]
    gaps: dict[str, tuple[Window, ...]]
    events: int
    snapshots: int
    logs: tuple[tables.LineCounts, Window] | None
    last_write_at: int | None
    recorder_alive: bool

    @property
    def points(self) -> int:
        return sum(stretch.points for stretch in self.coverage)


def archive_status(
    engine: Engine, migration: Migration, *, now: int, batch_source_names: Collection[str] = ()
) -> ArchiveStatus:
    """Counts everything. `of_batches`: sources whose numbers settle after a day, as those of batches do. Raises ArchiveError."""
    number = coverage.get_or_create_migration(engine, migration.key)
    series, point, source = schema.series, schema.point, schema.source_state
    with database.transaction(engine, writes=False) as connection:
        counted = (
            select(series.c.source, point.c.period_s, func.count().label("points"))
            .join_from(point, series)
            .where(series.c.migration_id == number)
            .group_by(series.c.source, point.c.period_s)
        )
        points = {(row.source, row.period_s): row.points for row in connection.execute(counted)}
        names = connection.scalars(select(series.c.source).where(series.c.migration_id == number).distinct())
        books = {name: coverage.read_series_index(connection, number, name) for name in sorted(names)}
        events, snapshots = (
            connection.scalar(select(func.count()).select_from(table).where(table.c.migration_id == number)) or 0
            for table in (schema.event, schema.traffic_snapshot)
        )
        hours = tables.read_extent(connection, number)
        counted_logs = (tables.read_line_counts(connection, number, hours), hours) if hours else None
        last = connection.scalar(select(func.max(source.c.checked_at)).where(source.c.migration_id == number))
    stretches, gaps = [], dict[str, tuple[Window, ...]]()
    for name, book in books.items():
        edge = FreshnessPolicy(
            now, (FINAL_AFTER_MINUTES if name in batch_source_names else migration.settle_minutes) * 60
        )
        known = [book.coverage[one].clamp_to_final(edge) for one in book.configured if not one.hourly]
        periods = {period_s for one in book.coverage.values() for period_s in one.covered}
        for period_s in sorted(periods | {each for source_, each in points if source_ == name}):
            covered = merge_windows(w for one in book.coverage.values() for w in one.covered.get(period_s, ()))
            stretches.append(CoverageRow(name, period_s, points.get((name, period_s), 0), covered))
        begins = min(
            (windows[0].start for one in known if (windows := one.covered_windows())), default=edge.final_until
        )
        whole = Window(begins, edge.final_until) if begins < edge.final_until else None
        gaps[name] = merge_windows(
            gap for one in known for gap in (whole.subtract(one.answered_windows(edge)) if whole else ())
        )
    alive = last is not None and now - last < RECORDER_ALIVE_S
    return ArchiveStatus(_size_bytes(engine), tuple(stretches), gaps, events, snapshots, counted_logs, last, alive)


def compact(engine: Engine) -> tuple[int, int]:
    """Gives space back to the disk. Returns the bytes before and after. Raises ArchiveError."""
    before = _size_bytes(engine)
    with database.autocommit(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("VACUUM"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:  # a plain VACUUM there keeps the space for new rows; other programs' tables are not ours to lock
            connection.execute(text(f"VACUUM (FULL, ANALYZE) {', '.join(schema.METADATA.tables)}"))
    return before, _size_bytes(engine)


def _size_bytes(engine: Engine) -> int:
    """The bytes that the archive takes on disk: its file, or its tables."""
    if engine.dialect.name != "sqlite":
        sizes = (func.pg_total_relation_size(name) for name in schema.METADATA.tables)
        with database.transaction(engine, writes=False) as connection:
            return sum(connection.execute(select(*sizes)).one())
    address: URL = engine.url
    files = (Path(f"{address.database}{end}") for end in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
