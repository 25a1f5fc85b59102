"""SQL on series and their coverage, and how the outcome of a pull is stored."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import Connection, Engine, Table, and_, bindparam, delete, func, insert, select, update

from archive.db import schema
from archive.db.engine import transaction
from archive.db.upsert import Row, upsert
from archive.metrics import points, rows
from archive.metrics.fetch_plan import (
    NO_COVERAGE,
    Coverage,
    FailedFetch,
    FetchRequest,
    FreshnessPolicy,
    update_coverage,
)
from domain import Series, Window
from sources.base import Pull


@dataclass(frozen=True, slots=True)
class SeriesIndex:
    """The stored series of one source: their ids, those that the configuration includes, and their coverage."""

    ids: Mapping[Series, int] = field(default_factory=dict)
    configured: tuple[Series, ...] = ()
    coverage: Mapping[Series, Coverage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """One pull. `source_failed`: the source answered nothing at all, and the requests `skipped` were not made for that reason."""

    request: FetchRequest
    pull: Pull
    policy: FreshnessPolicy
    skipped: tuple[FetchRequest, ...] = ()
    source_failed: bool = False

    @property
    def windows(self) -> tuple[Window, ...]:
        """All time of which the pull may have rows."""
        return (self.pull.window, *(answer.window for answer in self.pull.answered_ranges))

    @property
    def answered_series(self) -> set[Series]:
        return {series for answer in self.pull.answered_ranges for series in answer.series}

    def update(self, coverage: Mapping[Series, Coverage]) -> dict[Series, Coverage]:
        """The new coverage of the series that the pull was about, and of those with coverage of time that is not final yet."""
        updated: dict[Series, Coverage] = {}
        for request in (self.request, *self.skipped):
            for series in {*request.series, *self.answered_series}:
                before = updated.get(series) or coverage.get(series, NO_COVERAGE).clamp_to_final(self.policy)
                updated[series] = update_coverage(
                    before,
                    series,
                    request,
                    self.pull.answered_ranges,
                    self.policy,
                    source_failed=self.source_failed,
                    clock_ahead_s=self.pull.clock_ahead_s,
                )
        for series, known in coverage.items():
            if (clamped := known.clamp_to_final(self.policy)) is not known:
                updated.setdefault(series, clamped)
        return updated


def with_pending(pending: Iterable[FetchOutcome], coverage: Mapping[Series, Coverage]) -> dict[Series, Coverage]:
    """The coverage with outcomes that are not written yet."""
    updated = dict(coverage)
    for outcome in pending:
        updated.update(outcome.update(updated))
    return updated


def get_or_create_migration(engine: Engine, key: str) -> int:
    """The id of a migration."""
    query = select(schema.migration.c.id).where(schema.migration.c.key == key)
    with transaction(engine, writes=False) as connection:
        existing: int | None = connection.scalar(query)
    if existing is not None:
        return existing
    with transaction(engine, writes=True) as connection:
        upsert(connection, schema.migration, [{"key": key}], ignore_existing=True)
        created: int = connection.execute(query).scalar_one()
        return created


def read_series_index(connection: Connection, migration_id: int, source_name: str) -> SeriesIndex:
    """The stored series of a source, in the order in which they were first configured."""
    table = schema.series
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source_name)
    by_id: dict[int, Series] = {}
    configured, asked_at = [], {}
    for row in connection.execute(select(table).where(of_source).order_by(table.c.id)):
        by_id[row.id] = series = Series(row.source, row.fleet, row.target_group, row.metric, row.stat, row.unit)
        asked_at[series] = row.asked_at
        if row.configured:
            configured.append(series)
    covered: dict[Series, dict[int, list[Window]]] = {}
    coverage = schema.coverage
    for row in connection.execute(select(coverage).join(table).where(of_source).order_by(coverage.c.start_s)):
        periods = covered.setdefault(by_id[row.series_id], {})
        periods.setdefault(row.period_s, []).append(Window(row.start_s, row.end_s))
    failed: dict[Series, list[FailedFetch]] = {}
    failed_fetch = schema.failed_fetch
    for row in connection.execute(select(failed_fetch).join(table).where(of_source).order_by(failed_fetch.c.start_s)):
        fetch = FailedFetch(Window(row.start_s, row.end_s), row.failures, row.failed_at)
        failed.setdefault(by_id[row.series_id], []).append(fetch)
    return SeriesIndex(
        {series: series_id for series_id, series in by_id.items()},
        tuple(configured),
        {
            series: Coverage(
                {period_s: tuple(windows) for period_s, windows in covered.get(series, {}).items()},
                asked_at[series],
                tuple(failed.get(series, ())),
            )
            for series in by_id.values()
        },
    )


def read_coverage_rows(
    connection: Connection, migration_id: int, source_name: str, window: Window
) -> tuple[tuple[int, ...], ...]:
    """The coverage inside a window: (series id, period_s, start, end), in order."""
    table, coverage = schema.series, schema.coverage
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source_name)
    overlaps = and_(coverage.c.start_s < window.end, coverage.c.end_s > window.start)
    columns = (coverage.c.series_id, coverage.c.period_s, coverage.c.start_s, coverage.c.end_s)
    return tuple(
        (series_id, period_s, max(start, window.start), min(end, window.end))
        for series_id, period_s, start, end in connection.execute(
            select(*columns).join(table).where(of_source, overlaps).order_by(*columns[:3])
        )
    )


def read_refresh_state(
    connection: Connection, migration_id: int, source_name: str, window: Window
) -> tuple[tuple[int, ...], ...]:
    """A value that changes with every answer about the provisional part of a window: when it was last answered, and the failed fetches."""
    table, failed = schema.series, schema.failed_fetch
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source_name)
    asked = select(func.coalesce(func.sum(table.c.asked_at), 0), func.count(table.c.asked_at)).where(of_source)
    overlaps = and_(failed.c.start_s < window.end, failed.c.end_s > window.start)
    columns = (failed.c.series_id, failed.c.start_s, failed.c.end_s, failed.c.failures, failed.c.failed_at)
    failures = connection.execute(select(*columns).join(table).where(of_source, overlaps).order_by(*columns[:2]))
    return tuple(tuple(map(int, row)) for row in (connection.execute(asked).one(), *failures))


def read_span(connection: Connection, migration_id: int, source_name: str) -> Window | None:
    """From the first to the last covered time of any series of a source; None without coverage. Rollups may be older than what is covered."""
    table, coverage, rollup = schema.series, schema.coverage, schema.rollup_10m
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source_name)
    query = select(func.min(coverage.c.start_s), func.max(coverage.c.end_s)).join(table).where(of_source)
    start, end = connection.execute(query).one()
    first = select(func.min(rollup.c.ts)).where(rollup.c.series_id == table.c.id).scalar_subquery()
    oldest = connection.scalar(select(func.min(first)).select_from(table).where(of_source))
    return Window(min(start, start if oldest is None else oldest), end) if start is not None else None


def save_outcome(
    connection: Connection, migration_id: int, source_name: str, configured: Collection[Series], outcome: FetchOutcome
) -> SeriesIndex:
    """Stores a pull: new and revised points, deletions, coverage and failures. Returns the new index of the source."""
    pull, answered = outcome.pull, outcome.answered_series
    frame_series, frame_rows = rows.rows_from_frame(pull.frame)
    others = {*outcome.request.series, *answered, *frame_series} - {*configured}
    index = _ensure_series(connection, migration_id, source_name, configured, (*configured, *sorted(others)))
    series = tuple(dict.fromkeys((*frame_series, *(item for answer in pull.answered_ranges for item in answer.series))))
    position = {item: code for code, item in enumerate(series)}
    covered = {code: index.coverage.get(item, NO_COVERAGE).covered for code, item in enumerate(series)}
    replaced = [
        (position[item], answer.period_s, part)
        for answer in pull.answered_ranges
        for item in answer.series
        for part in answer.window.subtract(covered[position[item]].get(answer.period_s, ()))
    ]
    # Final points are not overwritten: a slow or buffered pull may be older than what another process stored meanwhile.
    points.write_points(connection, index.ids, rows.uncovered(frame_rows, covered), series, replaced)
    updated = outcome.update(index.coverage)
    _write_coverage(connection, index, updated)
    return replace(index, coverage={**index.coverage, **updated})


def _ensure_series(
    connection: Connection,
    migration_id: int,
    source_name: str,
    configured: Collection[Series],
    series: Iterable[Series],
) -> SeriesIndex:
    """The index, after every one of `series` has a row and exactly those of `configured` are marked as configured."""
    table, index = schema.series, read_series_index(connection, migration_id, source_name)
    new = [item for item in dict.fromkeys(series) if item not in index.ids]
    if new:
        connection.execute(
            insert(table),
            [{"migration_id": migration_id, "configured": item in configured, **asdict(item)} for item in new],
        )
    if set(index.configured) != set(configured) - set(new):
        for item, series_id in index.ids.items():
            if (item in configured) != (item in index.configured):
                connection.execute(update(table).where(table.c.id == series_id).values(configured=item in configured))
    return read_series_index(connection, migration_id, source_name) if new else index


def _write_coverage(connection: Connection, index: SeriesIndex, after: Mapping[Series, Coverage]) -> None:
    """Writes the difference between the index and `after`."""
    before = {series: index.coverage.get(series, NO_COVERAGE) for series in after}
    _write_changed_rows(connection, schema.coverage, _coverage_rows(index, before), _coverage_rows(index, after))
    _write_changed_rows(
        connection, schema.failed_fetch, _failed_fetch_rows(index, before), _failed_fetch_rows(index, after)
    )
    table = schema.series
    for asked_at in {after[series].asked_at for series in after if after[series].asked_at != before[series].asked_at}:
        ids = [index.ids[series] for series in after if after[series].asked_at == asked_at]
        connection.execute(update(table).where(table.c.id.in_(ids)).values(asked_at=asked_at))


def _coverage_rows(index: SeriesIndex, coverage: Mapping[Series, Coverage]) -> list[Row]:
    return [
        {"series_id": index.ids[series], "period_s": period_s, "start_s": window.start, "end_s": window.end}
        for series, of_series in coverage.items()
        for period_s, windows in of_series.covered.items()
        for window in windows
    ]


def _failed_fetch_rows(index: SeriesIndex, coverage: Mapping[Series, Coverage]) -> list[Row]:
    return [
        {
            "series_id": index.ids[series],
            "start_s": fetch.window.start,
            "end_s": fetch.window.end,
            "failures": fetch.failures,
            "failed_at": fetch.failed_at,
        }
        for series, of_series in coverage.items()
        for fetch in of_series.failed_fetches
    ]


def _write_changed_rows(connection: Connection, table: Table, before: Sequence[Row], after: Sequence[Row]) -> None:
    names = [column.name for column in table.primary_key]
    old, new = ({tuple(row[name] for name in names): row for row in rows_} for rows_ in (before, after))
    if deleted := [key for key in old if key not in new]:
        statement = delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in names))
        connection.execute(
            statement, [{f"of_{name}": part for name, part in zip(names, key, strict=True)} for key in deleted]
        )
    upsert(connection, table, [row for key, row in new.items() if old.get(key) != row])
