"""The archive's SQL for numbers: what is known of a source's series, their points, and how a pull is written down."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

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
from sources.base import Problem, Pull


@dataclass(frozen=True, slots=True)
class SeriesIndex:
    """What is written of one source's series: their ids, which of them the configuration wants, and what is known of each."""

    ids: Mapping[Series, int] = field(default_factory=dict)
    configured: tuple[Series, ...] = ()
    coverage: Mapping[Series, Coverage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """One pull that was made, and when. `wholesale`: the source answered nothing at all that round, and `unasked` was left for that reason."""

    request: FetchRequest
    pull: Pull
    policy: FreshnessPolicy
    skipped: tuple[FetchRequest, ...] = ()
    source_failed: bool = False

    @property
    def windows(self) -> tuple[Window, ...]:
        """All time that it may have rows of."""
        return (self.pull.window, *(answer.window for answer in self.pull.answered_ranges))

    def update(self, coverage: Mapping[Series, Coverage]) -> dict[Series, Coverage]:
        """What is known after it, of the series that it was about."""
        after: dict[Series, Coverage] = {}
        for ask in (self.request, *self.skipped):
            for one in {*ask.series, *(one for answer in self.pull.answered_ranges for one in answer.series)}:
                before = after.get(one) or coverage.get(one, NO_COVERAGE).clamp_to_final(self.policy)
                after[one] = update_coverage(
                    before, one, ask, self.pull.answered_ranges, self.policy, source_failed=self.source_failed
                )
        return after


def get_or_create_migration(engine: Engine, key: str) -> int:
    """The number that a migration goes by, given where it has none yet."""
    find = select(schema.migration.c.id).where(schema.migration.c.key == key)
    with transaction(engine, writes=False) as connection:
        found: int | None = connection.scalar(find)
    if found is not None:
        return found
    with transaction(engine, writes=True) as connection:
        upsert(connection, schema.migration, [{"key": key}], ignore_existing=True)
        entered: int = connection.execute(find).scalar_one()
        return entered


def read_series_index(connection: Connection, migration_id: int, source: str) -> SeriesIndex:
    """Everything known of a source's series, in the order in which they were first wanted."""
    table = schema.series
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source)
    ids: dict[int, Series] = {}
    wanted, asked_at = [], {}
    for row in connection.execute(select(table).where(of_source).order_by(table.c.id)):
        ids[row.id] = one = Series(row.source, row.fleet, row.target_group, row.metric, row.stat, row.unit)
        asked_at[one] = row.asked_at
        if row.wanted:
            wanted.append(one)
    covered: dict[Series, dict[int, list[Window]]] = {}
    cover = schema.coverage
    for row in connection.execute(select(cover).join(table).where(of_source).order_by(cover.c.start_s)):
        periods = covered.setdefault(ids[row.series_id], {})
        periods.setdefault(row.period_s, []).append(Window(row.start_s, row.end_s))
    refusals: dict[Series, list[FailedFetch]] = {}
    refusal = schema.failed_fetch
    for row in connection.execute(select(refusal).join(table).where(of_source).order_by(refusal.c.start_s)):
        refused = FailedFetch(Window(row.start_s, row.end_s), row.failures, row.at)
        refusals.setdefault(ids[row.series_id], []).append(refused)
    known = {
        one: Coverage(
            {period_s: tuple(windows) for period_s, windows in covered.get(one, {}).items()},
            asked_at[one],
            tuple(refusals.get(one, ())),
        )
        for one in ids.values()
    }
    return SeriesIndex({one: number for number, one in ids.items()}, tuple(wanted), known)


def read_coverage_rows(
    connection: Connection, migration_id: int, source: str, window: Window
) -> tuple[tuple[int, ...], ...]:
    """What of a window is covered: (series id, period_s, start, end), in order."""
    table, cover = schema.series, schema.coverage
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source)
    touches = and_(cover.c.start_s < window.end, cover.c.end_s > window.start)
    found = select(cover.c.series_id, cover.c.period_s, cover.c.start_s, cover.c.end_s).join(table)
    return tuple(
        (series_id, period_s, max(start, window.start), min(end, window.end))
        for series_id, period_s, start, end in connection.execute(
            found.where(of_source, touches).order_by(cover.c.series_id, cover.c.period_s, cover.c.start_s)
        )
    )


def read_refresh_state(
    connection: Connection, migration_id: int, source: str, window: Window
) -> tuple[tuple[int, ...], ...]:
    """What changes with every answer about the unsettled part of a window: when that was last answered, by how many series; and what was refused."""
    table, refusal = schema.series, schema.failed_fetch
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source)
    answered = select(func.coalesce(func.sum(table.c.asked_at), 0), func.count(table.c.asked_at)).where(of_source)
    touches = and_(refusal.c.start_s < window.end, refusal.c.end_s > window.start)
    refused = select(refusal.c.series_id, refusal.c.start_s, refusal.c.end_s, refusal.c.failures, refusal.c.at)
    order = (refusal.c.series_id, refusal.c.start_s)
    told = connection.execute(refused.join(table).where(of_source, touches).order_by(*order))
    return tuple(tuple(map(int, row)) for row in (connection.execute(answered).one(), *told))


def has_points(connection: Connection, ids: Sequence[int], window: Window) -> bool:
    """Whether any of these series has a row in a window."""
    table = schema.point
    within = and_(table.c.series_id.in_(ids), table.c.ts >= window.start, table.c.ts < window.end)
    return connection.execute(select(table.c.ts).where(within).limit(1)).first() is not None


def read_span(connection: Connection, migration_id: int, source: str) -> Window | None:
    """From the first to the last settled time that any series of a source was answered for."""
    table, cover = schema.series, schema.coverage
    mine = and_(table.c.migration_id == migration_id, table.c.source == source)
    found = connection.execute(select(func.min(cover.c.start_s), func.max(cover.c.end_s)).join(table).where(mine)).one()
    return Window(*found) if found[0] is not None else None


def save_outcome(
    connection: Connection, migration_id: int, source: str, configured: Collection[Series], outcome: FetchOutcome
) -> Mapping[Series, Coverage]:
    """Writes down all that a pull says: rows, revisions, what has vanished, coverage and refusals. Returns what is known of every series then."""
    about = {
        *configured,
        *outcome.request.series,
        *(one for answer in outcome.pull.answered_ranges for one in answer.series),
    }
    heads, told = rows.rows_from_frame(outcome.pull.frame)
    book = _ensure_series(
        connection, migration_id, source, configured, (*configured, *sorted({*about, *heads} - {*configured}))
    )
    every = tuple(dict.fromkeys((*heads, *(one for answer in outcome.pull.answered_ranges for one in answer.series))))
    place = {one: code for code, one in enumerate(every)}
    covered = {code: book.coverage.get(one, NO_COVERAGE).covered for code, one in enumerate(every)}
    replaced = [
        (place[one], answer.period_s, part)
        for answer in outcome.pull.answered_ranges
        for one in answer.series
        for part in answer.window.subtract(covered[place[one]].get(answer.period_s, ()))
    ]
    # What is settled stays: a pull that took long, or was held back by a full disk, may be older than what another process wrote since.
    points.write_points(connection, book.ids, rows.uncovered(told, covered), every, replaced)
    learnt_now = outcome.update(book.coverage)
    _write_coverage(connection, book, learnt_now)
    return {**book.coverage, **learnt_now}


def _ensure_series(
    connection: Connection, migration_id: int, source: str, configured: Collection[Series], series: Iterable[Series]
) -> SeriesIndex:
    """The book, once every series of `about` has a line in it and exactly those of `wanted` are marked so."""
    table, book = schema.series, read_series_index(connection, migration_id, source)
    fresh = [one for one in dict.fromkeys(series) if one not in book.ids]
    if fresh:
        lines = [{"migration_id": migration_id, "wanted": one in configured, **asdict(one)} for one in fresh]
        connection.execute(insert(table), lines)
    if set(book.configured) != set(configured) - set(fresh):
        for one, number in book.ids.items():
            if (one in configured) != (one in book.configured):
                connection.execute(update(table).where(table.c.id == number).values(wanted=one in configured))
    return read_series_index(connection, migration_id, source) if fresh else book


def _write_coverage(connection: Connection, index: SeriesIndex, after: Mapping[Series, Coverage]) -> None:
    """Writes what has changed between what the book says and `after`."""
    before = {one: index.coverage.get(one, NO_COVERAGE) for one in after}
    _write_changed_rows(connection, schema.coverage, _coverage_rows(index, before), _coverage_rows(index, after))
    _write_changed_rows(
        connection, schema.failed_fetch, _failed_fetch_rows(index, before), _failed_fetch_rows(index, after)
    )
    table = schema.series
    for asked_at in {after[one].asked_at for one in after if after[one].asked_at != before[one].asked_at}:
        lines = [index.ids[one] for one in after if after[one].asked_at == asked_at]
        connection.execute(update(table).where(table.c.id.in_(lines)).values(asked_at=asked_at))


def _coverage_rows(index: SeriesIndex, coverage: Mapping[Series, Coverage]) -> list[Row]:
    return [
        {"series_id": index.ids[one], "period_s": period_s, "start_s": window.start, "end_s": window.end}
        for one, of_one in coverage.items()
        for period_s, windows in of_one.covered.items()
        for window in windows
    ]


def _failed_fetch_rows(index: SeriesIndex, coverage: Mapping[Series, Coverage]) -> list[Row]:
    return [
        {
            "series_id": index.ids[one],
            "start_s": refusal.window.start,
            "end_s": refusal.window.end,
            "failures": refusal.failures,
            "at": refusal.failed_at,
        }
        for one, of_one in coverage.items()
        for refusal in of_one.failed_fetches
    ]


def _write_changed_rows(connection: Connection, table: Table, before: Sequence[Row], after: Sequence[Row]) -> None:
    """Writes the difference: a stretch that only grew is one row overwritten."""
    names = [column.name for column in table.primary_key]
    old, new = ({tuple(line[name] for name in names): line for line in lines} for lines in (before, after))
    if gone := [key for key in old if key not in new]:
        statement = delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in names))
        connection.execute(
            statement, [{f"of_{name}": part for name, part in zip(names, key, strict=True)} for key in gone]
        )
    upsert(connection, table, [line for key, line in new.items() if old.get(key) != line])


def problems_to_json(problems: Iterable[Problem]) -> str:
    return json.dumps([asdict(problem) for problem in problems], ensure_ascii=False)


def problems_from_json(text: str) -> tuple[Problem, ...]:
    return tuple(Problem(**fields) for fields in json.loads(text))


def with_pending(pending: Iterable[FetchOutcome], coverage: Mapping[Series, Coverage]) -> dict[Series, Coverage]:
    """What is known, with the answers that could not be written."""
    found = dict(coverage)
    for asked in pending:
        found.update(asked.update(found))
    return found
