"""The archive as batches need it: numbers that settle after a day, and what AWS says starts each job; and the keeper that asks for both."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Self

from sqlalchemy import select

from archive import schema
from archive.backfill import Backfilled, Standing
from archive.dialect import upsert
from archive.engine import ArchiveError
from archive.happenings import Line, SourceState
from archive.keeper import Keeper, Round
from archive.ledger import read_book
from archive.plan import UNKNOWN
from archive.store import Archive
from migration import Clock, Migration, Series, Window, utc_now
from migration.starters import Starters, starters_from_json, starters_to_json
from migration.window import merged
from sources import MetricSource, state_of
from sources.starters import FindsJobs, StartersLook, StarterSource

# Mackerel takes a point up to 24 hours after its time; a run that is posted late is still found.
SETTLE_MINUTES = 24 * 60
HORIZON_MINUTES = (
    62 * 24 * 60
)  # kept without anybody looking: as long as a migration takes, so that both eras are there
PIECE_MINUTES = 20 * 60  # as much as Mackerel answers in minutes at once
ASK_EVERY_S = 300
LOOK_EVERY_S = 300


class BatchArchive(Archive):
    """The same database, in which what batches report is kept. `open` as Archive's."""

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        return super().open(url, migration.model_copy(update={"settle_minutes": SETTLE_MINUTES}), clock=clock)

    def wanted(self, source_name: str) -> tuple[Series, ...]:
        """The series that were last asked of a source, by any process. Raises ArchiveError."""
        with self._reading() as connection:
            return read_book(connection, self._id, source_name).wanted

    def keep_starters(self, look: StartersLook, source_name: str) -> None:
        """Keeps what starts each job, where that could be read, and how the source is. Raises ArchiveError."""
        read = look.starters is not None
        state = state_of(look.problems, look.took_s, answered=read)
        told = SourceState(source_name, "starters", state, look.asked_at, None, look.took_s, look.problems)
        with self._keeping(source_name) as connection:
            if look.starters:
                body = starters_to_json(replace(look.starters, asked_at=0))
                line = {"migration_id": self._id, "source": source_name, "asked_at": look.asked_at, "body": body}
                upsert(connection, schema.starter, [line])
            Line(self._id, source_name, "starters").tell(connection, told, good=read)

    def starters(self) -> Starters | None:
        """What starts each job, as last read; None where that never was. Raises ArchiveError."""
        table = schema.starter
        newest = select(table).where(table.c.migration_id == self._id).order_by(table.c.asked_at.desc()).limit(1)
        with self._reading() as connection:
            row = connection.execute(newest).first()
        return replace(starters_from_json(row.body), asked_at=row.asked_at) if row else None


class BatchKeeper(Keeper):
    """Asks for runs and for what starts them, slowly: nothing here changes from minute to minute."""

    def __init__(
        self,
        archive: BatchArchive,
        metrics: Sequence[MetricSource],
        starters: StarterSource | None,
        *,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(
            archive,
            metrics,
            None,
            (),
            horizon_minutes=HORIZON_MINUTES,
            piece_minutes=PIECE_MINUTES,
            ask_every_s=ASK_EVERY_S,
            clock=clock,
        )
        self._of_batches = archive
        self._metrics = tuple(metrics)
        if starters is not None:
            self._rounds.append(Round(starters.name, partial(self.keep_starters, starters)))

    def filled(self, source: MetricSource) -> Backfilled:
        """How far the two months of a source's numbers are kept. Raises ArchiveError."""
        now = self._clock()
        edge, known = self._of_batches.edge(now), self._of_batches.knows(source.name)
        whole = Window(Window.last(HORIZON_MINUTES, now=now).start, edge.settled)
        every = [known.get(one, UNKNOWN).sane(edge) for one in source.series()]
        gaps = merged(gap for one in every for gap in whole.minus(one.answered(edge)))
        state: Standing = "filling" if self.progress(source.name) else "waiting" if gaps else "done"
        left = sum(gap.minutes for gap in gaps)
        return Backfilled(state, whole.minutes - left, whole.minutes, gaps[-1].end if gaps else whole.start, whole)

    def up_to_date(self, source_name: str) -> bool:
        source = next((one for one in self._metrics if one.name == source_name), None)
        return source is None or self.filled(source).state == "done"

    def keep_starters(self, source: StarterSource) -> float:
        """One look at what starts the jobs, if it is due. Returns the seconds until the next. Raises ArchiveError once it has looked."""
        wait_s = self._turn(source.name, "starters", LOOK_EVERY_S)
        if wait_s:
            return wait_s
        self._of_batches.keep_starters(source.look(), source.name)
        return float(LOOK_EVERY_S)


def open_batches(
    migration: Migration, metrics: Sequence[MetricSource], starters: StarterSource | None, *, clock: Clock = utc_now
) -> tuple[BatchArchive, BatchKeeper]:
    """The archive of a migration's batches and its keeper, which is not started yet. Raises ArchiveError.

    A source that finds its jobs by itself is told which were found before, so that they are there while it cannot be reached.
    """
    archive = BatchArchive.open(migration.archive, migration, clock=clock)
    try:
        for source in metrics:
            if isinstance(source, FindsJobs):
                source.recall(archive.wanted(source.name))
    except ArchiveError:
        archive.close()
        raise
    return archive, BatchKeeper(archive, metrics, starters, clock=clock)
