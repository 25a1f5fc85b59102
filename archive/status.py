"""What an archive holds of a migration, counted; and the space that it gives back."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import URL

from archive.access_logs import tables
from archive.batches import SETTLE_MINUTES
from archive.db import engine as database
from archive.db import schema
from archive.metrics import coverage
from archive.metrics.fetch_plan import LiveEdge
from domain import Migration, Window
from domain.window import merged

ALIVE_S = 180  # whoever keeps the archive asks once a minute


@dataclass(frozen=True, slots=True)
class Stretch:
    """One source's points of one period: how many, and the time that was asked and answered."""

    source: str
    period_s: int
    points: int
    covered: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Times are epoch seconds. `gaps`: by source, settled time in which some series that is wanted was not answered.

    `logs`: the access logs that were counted, and from which to which hour; None where none were.
    """

    size_bytes: int
    stretches: tuple[Stretch, ...]
    gaps: dict[str, tuple[Window, ...]]
    events: int
    snapshots: int
    logs: tuple[tables.Lines, Window] | None
    last_write: int | None
    alive: bool

    @property
    def points(self) -> int:
        return sum(stretch.points for stretch in self.stretches)


def status(engine: Engine, migration: Migration, *, now: int, of_batches: Collection[str] = ()) -> Status:
    """Counts everything. `of_batches`: sources whose numbers settle after a day, as those of batches do. Raises ArchiveError."""
    number = coverage.migration_id(engine, migration.key)
    series, point, source = schema.series, schema.point, schema.source
    with database.transaction(engine, writes=False) as connection:
        counted = (
            select(series.c.source, point.c.period_s, func.count().label("points"))
            .join_from(point, series)
            .where(series.c.migration_id == number)
            .group_by(series.c.source, point.c.period_s)
        )
        points = {(row.source, row.period_s): row.points for row in connection.execute(counted)}
        names = connection.scalars(select(series.c.source).where(series.c.migration_id == number).distinct())
        books = {name: coverage.read_book(connection, number, name) for name in sorted(names)}
        events, snapshots = (
            connection.scalar(select(func.count()).select_from(table).where(table.c.migration_id == number)) or 0
            for table in (schema.event, schema.snapshot)
        )
        hours = tables.read_extent(connection, number)
        counted_logs = (tables.read_lines(connection, number, hours), hours) if hours else None
        last = connection.scalar(select(func.max(source.c.checked_at)).where(source.c.migration_id == number))
    stretches, gaps = [], dict[str, tuple[Window, ...]]()
    for name, book in books.items():
        edge = LiveEdge(now, (SETTLE_MINUTES if name in of_batches else migration.settle_minutes) * 60)
        known = [book.known[one].sane(edge) for one in book.wanted if not one.hourly]
        periods = {period_s for one in book.known.values() for period_s in one.covered}
        for period_s in sorted(periods | {each for source_, each in points if source_ == name}):
            covered = merged(w for one in book.known.values() for w in one.covered.get(period_s, ()))
            stretches.append(Stretch(name, period_s, points.get((name, period_s), 0), covered))
        begins = min((windows[0].start for one in known if (windows := one.within())), default=edge.settled)
        whole = Window(begins, edge.settled) if begins < edge.settled else None
        gaps[name] = merged(gap for one in known for gap in (whole.minus(one.answered(edge)) if whole else ()))
    alive = last is not None and now - last < ALIVE_S
    return Status(_size(engine), tuple(stretches), gaps, events, snapshots, counted_logs, last, alive)


def compact(engine: Engine) -> tuple[int, int]:
    """Gives space back to the disk. Returns the bytes before and after. Raises ArchiveError."""
    before = _size(engine)
    with database.plain(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("VACUUM"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:  # a plain VACUUM there keeps the space for new rows; other programs' tables are not ours to lock
            connection.execute(text(f"VACUUM (FULL, ANALYZE) {', '.join(schema.TABLES.tables)}"))
    return before, _size(engine)


def _size(engine: Engine) -> int:
    """The bytes that the archive takes on disk: its file, or its tables."""
    if engine.dialect.name != "sqlite":
        sizes = (func.pg_total_relation_size(name) for name in schema.TABLES.tables)
        with database.transaction(engine, writes=False) as connection:
            return sum(connection.execute(select(*sizes)).one())
    address: URL = engine.url
    files = (Path(f"{address.database}{end}") for end in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
