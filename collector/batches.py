"""The collector of batches: asks for their runs and for what starts them."""

from collections.abc import Sequence
from functools import partial

from archive.batches import BatchArchive
from archive.db.engine import ArchiveError
from archive.metrics.fetch_plan import NO_COVERAGE
from collector.backfill import BackfillState, BackfillStatus
from collector.collector import Collector, PollTask
from domain import Clock, Migration, Window, utc_now
from domain.window import merge_windows
from sources.base import MetricSource
from sources.triggers import JobDiscovery, TriggerSource

HORIZON_MINUTES = (
    62 * 24 * 60
)  # kept without anybody looking: as long as a migration takes, so that both eras are there
CHUNK_MINUTES = 20 * 60  # as much as Mackerel answers in minutes at once
METRICS_INTERVAL_S = 300
TRIGGERS_INTERVAL_S = 300


class BatchCollector(Collector):
    """Asks for runs and for what starts them, slowly: nothing here changes from minute to minute."""

    def __init__(
        self,
        archive: BatchArchive,
        metrics: Sequence[MetricSource],
        trigger_source: TriggerSource | None,
        *,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(
            archive,
            metrics,
            None,
            (),
            horizon_minutes=HORIZON_MINUTES,
            chunk_minutes=CHUNK_MINUTES,
            metrics_interval_s=METRICS_INTERVAL_S,
            clock=clock,
        )
        self._batch_archive = archive
        self._metrics = tuple(metrics)
        if trigger_source is not None:
            self._tasks.append(PollTask(trigger_source.name, partial(self.poll_triggers, trigger_source)))

    def fill_status(self, source: MetricSource) -> BackfillStatus:
        """How far the two months of a source's numbers are kept. Raises ArchiveError."""
        now = self._clock()
        edge, known = self._batch_archive.metrics.freshness(now), self._batch_archive.metrics.coverage_of(source.name)
        whole = Window(Window.last(HORIZON_MINUTES, now=now).start, edge.final_until)
        every = [known.get(one, NO_COVERAGE).clamp_to_final(edge) for one in source.series()]
        gaps = merge_windows(gap for one in every for gap in whole.subtract(one.answered_windows(edge)))
        state: BackfillState = "filling" if self.progress(source.name) else "waiting" if gaps else "done"
        left = sum(gap.minutes for gap in gaps)
        return BackfillStatus(state, whole.minutes - left, whole.minutes, gaps[-1].end if gaps else whole.start, whole)

    def is_up_to_date(self, source_name: str) -> bool:
        source = next((one for one in self._metrics if one.name == source_name), None)
        return source is None or self.fill_status(source).state == "done"

    def poll_triggers(self, source: TriggerSource) -> float:
        """One look at what starts the jobs, if it is due. Returns the seconds until the next. Raises ArchiveError once it has looked."""
        wait_s = self._acquire_slot(source.name, "starters", TRIGGERS_INTERVAL_S)
        if wait_s:
            return wait_s
        self._batch_archive.events.save_triggers(source.snapshot(), source.name)
        return float(TRIGGERS_INTERVAL_S)


def open_batch_collector(
    migration: Migration,
    metrics: Sequence[MetricSource],
    trigger_source: TriggerSource | None,
    *,
    clock: Clock = utc_now,
) -> tuple[BatchArchive, BatchCollector]:
    """The archive of a migration's batches and its keeper, which is not started yet. Raises ArchiveError.

    A source that finds its jobs by itself is told which were found before, so that they are there while it cannot be reached.
    """
    archive = BatchArchive.open(migration.archive, migration, clock=clock)
    try:
        for source in metrics:
            if isinstance(source, JobDiscovery):
                source.restore_series(archive.metrics.configured_series(source.name))
    except ArchiveError:
        archive.close()
        raise
    return archive, BatchCollector(archive, metrics, trigger_source, clock=clock)
