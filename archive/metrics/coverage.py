"""The archive's SQL for numbers: what is known of a source's series, their points, and how a pull is written down."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, Engine, Table, and_, bindparam, delete, func, insert, select, update

from archive.db import schema
from archive.db.engine import transaction
from archive.db.upsert import Line, upsert
from archive.metrics import points, rows
from archive.metrics.fetch_plan import UNKNOWN, Ask, Known, LiveEdge, Refusal, learnt
from domain import Series, Window
from sources.base import Problem, Pull


@dataclass(frozen=True, slots=True)
class Book:
    """What is written of one source's series: their ids, which of them the configuration wants, and what is known of each."""

    ids: Mapping[Series, int] = field(default_factory=dict)
    wanted: tuple[Series, ...] = ()
    known: Mapping[Series, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One pull that was made, and when. `wholesale`: the source answered nothing at all that round, and `unasked` was left for that reason."""

    ask: Ask
    pull: Pull
    edge: LiveEdge
    unasked: tuple[Ask, ...] = ()
    wholesale: bool = False

    @property
    def windows(self) -> tuple[Window, ...]:
        """All time that it may have rows of."""
        return (self.pull.window, *(answer.window for answer in self.pull.answers))

    def learnt(self, known: Mapping[Series, Known]) -> dict[Series, Known]:
        """What is known after it, of the series that it was about."""
        after: dict[Series, Known] = {}
        for ask in (self.ask, *self.unasked):
            for one in {*ask.series, *(one for answer in self.pull.answers for one in answer.series)}:
                before = after.get(one) or known.get(one, UNKNOWN).sane(self.edge)
                after[one] = learnt(before, one, ask, self.pull.answers, self.edge, wholesale=self.wholesale)
        return after


def migration_id(engine: Engine, key: str) -> int:
    """The number that a migration goes by, given where it has none yet."""
    find = select(schema.migration.c.id).where(schema.migration.c.key == key)
    with transaction(engine, writes=False) as connection:
        found: int | None = connection.scalar(find)
    if found is not None:
        return found
    with transaction(engine, writes=True) as connection:
        upsert(connection, schema.migration, [{"key": key}], unless_there=True)
        entered: int = connection.execute(find).scalar_one()
        return entered


def read_book(connection: Connection, migration_id: int, source: str) -> Book:
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
    refusals: dict[Series, list[Refusal]] = {}
    refusal = schema.refusal
    for row in connection.execute(select(refusal).join(table).where(of_source).order_by(refusal.c.start_s)):
        refused = Refusal(Window(row.start_s, row.end_s), row.failures, row.at)
        refusals.setdefault(ids[row.series_id], []).append(refused)
    known = {
        one: Known(
            {period_s: tuple(windows) for period_s, windows in covered.get(one, {}).items()},
            asked_at[one],
            tuple(refusals.get(one, ())),
        )
        for one in ids.values()
    }
    return Book({one: number for number, one in ids.items()}, tuple(wanted), known)


def read_covered(connection: Connection, migration_id: int, source: str, window: Window) -> tuple[tuple[int, ...], ...]:
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


def read_newest(connection: Connection, migration_id: int, source: str, window: Window) -> tuple[tuple[int, ...], ...]:
    """What changes with every answer about the unsettled part of a window: when that was last answered, by how many series; and what was refused."""
    table, refusal = schema.series, schema.refusal
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source)
    answered = select(func.coalesce(func.sum(table.c.asked_at), 0), func.count(table.c.asked_at)).where(of_source)
    touches = and_(refusal.c.start_s < window.end, refusal.c.end_s > window.start)
    refused = select(refusal.c.series_id, refusal.c.start_s, refusal.c.end_s, refusal.c.failures, refusal.c.at)
    order = (refusal.c.series_id, refusal.c.start_s)
    told = connection.execute(refused.join(table).where(of_source, touches).order_by(*order))
    return tuple(tuple(map(int, row)) for row in (connection.execute(answered).one(), *told))


def any_points(connection: Connection, ids: Sequence[int], window: Window) -> bool:
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


def write_pull(
    connection: Connection, migration_id: int, source: str, wanted: Collection[Series], asked: Asked
) -> Mapping[Series, Known]:
    """Writes down all that a pull says: rows, revisions, what has vanished, coverage and refusals. Returns what is known of every series then."""
    about = {*wanted, *asked.ask.series, *(one for answer in asked.pull.answers for one in answer.series)}
    heads, told = rows.of_frame(asked.pull.frame)
    book = _enter_series(connection, migration_id, source, wanted, (*wanted, *sorted({*about, *heads} - {*wanted})))
    every = tuple(dict.fromkeys((*heads, *(one for answer in asked.pull.answers for one in answer.series))))
    place = {one: code for code, one in enumerate(every)}
    covered = {code: book.known.get(one, UNKNOWN).covered for code, one in enumerate(every)}
    replaced = [
        (place[one], answer.period_s, part)
        for answer in asked.pull.answers
        for one in answer.series
        for part in answer.window.minus(covered[place[one]].get(answer.period_s, ()))
    ]
    # What is settled stays: a pull that took long, or was held back by a full disk, may be older than what another process wrote since.
    points.write_points(connection, book.ids, rows.uncovered(told, covered), every, replaced)
    learnt_now = asked.learnt(book.known)
    _write_known(connection, book, learnt_now)
    return {**book.known, **learnt_now}


def _enter_series(
    connection: Connection, migration_id: int, source: str, wanted: Collection[Series], about: Iterable[Series]
) -> Book:
    """The book, once every series of `about` has a line in it and exactly those of `wanted` are marked so."""
    table, book = schema.series, read_book(connection, migration_id, source)
    fresh = [one for one in dict.fromkeys(about) if one not in book.ids]
    if fresh:
        lines = [{"migration_id": migration_id, "wanted": one in wanted, **asdict(one)} for one in fresh]
        connection.execute(insert(table), lines)
    if set(book.wanted) != set(wanted) - set(fresh):
        for one, number in book.ids.items():
            if (one in wanted) != (one in book.wanted):
                connection.execute(update(table).where(table.c.id == number).values(wanted=one in wanted))
    return read_book(connection, migration_id, source) if fresh else book


def _write_known(connection: Connection, book: Book, after: Mapping[Series, Known]) -> None:
    """Writes what has changed between what the book says and `after`."""
    before = {one: book.known.get(one, UNKNOWN) for one in after}
    _replace(connection, schema.coverage, _covered(book, before), _covered(book, after))
    _replace(connection, schema.refusal, _refused(book, before), _refused(book, after))
    table = schema.series
    for asked_at in {after[one].asked_at for one in after if after[one].asked_at != before[one].asked_at}:
        lines = [book.ids[one] for one in after if after[one].asked_at == asked_at]
        connection.execute(update(table).where(table.c.id.in_(lines)).values(asked_at=asked_at))


def _covered(book: Book, known: Mapping[Series, Known]) -> list[Line]:
    return [
        {"series_id": book.ids[one], "period_s": period_s, "start_s": window.start, "end_s": window.end}
        for one, of_one in known.items()
        for period_s, windows in of_one.covered.items()
        for window in windows
    ]


def _refused(book: Book, known: Mapping[Series, Known]) -> list[Line]:
    return [
        {
            "series_id": book.ids[one],
            "start_s": refusal.window.start,
            "end_s": refusal.window.end,
            "failures": refusal.failures,
            "at": refusal.at,
        }
        for one, of_one in known.items()
        for refusal in of_one.refusals
    ]


def _replace(connection: Connection, table: Table, before: Sequence[Line], after: Sequence[Line]) -> None:
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


def after(unkept: Iterable[Asked], known: Mapping[Series, Known]) -> dict[Series, Known]:
    """What is known, with the answers that could not be written."""
    found = dict(known)
    for asked in unkept:
        found.update(asked.learnt(found))
    return found
