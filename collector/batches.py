"""The collector of batches: asks for their runs and for what starts them."""

from collections.abc import Sequence
from functools import partial

from archive.batches import BatchArchive
from archive.db.engine import ArchiveError
from archive.metrics.fetch_plan import UNKNOWN
from collector.backfill import Backfilled, Standing
from collector.collector import Keeper, Round
from domain import Clock, Migration, Window, utc_now
from domain.window import merged
from sources.base import MetricSource
from sources.triggers import FindsJobs, StarterSource

HORIZON_MINUTES = (
    62 * 24 * 60
)  # kept without anybody looking: as long as a migration takes, so that both eras are there
PIECE_MINUTES = 20 * 60  # as much as Mackerel answers in minutes at once
ASK_EVERY_S = 300
LOOK_EVERY_S = 300


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
