"""Collects the runs of batch jobs and their triggers."""

from functools import partial

from archive import ArchiveError, BatchArchive
from archive.metrics.fetch_plan import NO_COVERAGE
from collector.backfill import BackfillState, BackfillStatus
from collector.collector import Collector, CollectorConfig
from collector.polling import PollTask
from domain import Clock, Migration, Window, utc_now
from domain.window import merge_windows
from sources.base import MetricSource
from sources.registry import Sources
from sources.run_logs import RunLogSource
from sources.tracing import traced
from sources.triggers import JobDiscovery, TriggerSource

HORIZON_MINUTES = 62 * 24 * 60  # about as long as a migration, so that both schedulers are included
CHUNK_MINUTES = 20 * 60  # the longest window that Mackerel answers in minutes
POLL_INTERVAL_S = 300


class BatchCollector(Collector):
    """Polls the metrics of batch jobs, their triggers and the logs of their runs every five minutes."""

    def __init__(self, archive: BatchArchive, sources: Sources, migration: str = "", *, clock: Clock = utc_now) -> None:
        """Polls `sources.batches`, `sources.triggers` and `sources.run_logs` only."""
        config = CollectorConfig(migration, HORIZON_MINUTES, CHUNK_MINUTES, metrics_interval_s=POLL_INTERVAL_S)
        super().__init__(archive, Sources(sources.batches, None, ()), config, clock=clock)
        self._metrics = sources.batches
        if sources.triggers is not None:
            poll = partial(self.poll_triggers, sources.triggers)
            self.tasks.append(PollTask(sources.triggers.name, "triggers", poll, POLL_INTERVAL_S))
        if sources.run_logs is not None:
            poll = partial(self.poll_run_logs, sources.run_logs)
            self.tasks.append(PollTask(sources.run_logs.name, "run_logs", poll, POLL_INTERVAL_S))

    def fill_status(self, source: MetricSource) -> BackfillStatus:
        """How much of the horizon is archived. Raises ArchiveError."""
        now = self._clock()
        policy, coverage = self._archive.metrics.freshness(now), self._archive.metrics.coverage_of(source.name)
        horizon = Window(Window.last(HORIZON_MINUTES, now=now).start, policy.final_until)
        gaps = merge_windows(
            gap
            for series in source.series()
            for gap in horizon.subtract(
                coverage.get(series, NO_COVERAGE).clamp_to_final(policy).answered_windows(policy)
            )
        )
        state: BackfillState = "filling" if self.progress(source.name) else "waiting" if gaps else "done"
        available = horizon.minutes - sum(gap.minutes for gap in gaps)
        return BackfillStatus(state, available, horizon.minutes, gaps[-1].end if gaps else horizon.start, horizon)

    def is_up_to_date(self, source_name: str) -> bool:
        source = next((source for source in self._metrics if source.name == source_name), None)
        return source is None or self.fill_status(source).state == "done"

    def poll_triggers(self, source: TriggerSource) -> float:
        """Reads the triggers, if due. Returns the seconds until the next poll. Raises ArchiveError."""
        if wait_s := self._acquire_slot(source.name, "triggers", POLL_INTERVAL_S):
            return wait_s
        self._archive.events.save_triggers(traced(source.name, "triggers", source.snapshot), source.name)
        return float(POLL_INTERVAL_S)

    def poll_run_logs(self, source: RunLogSource) -> float:
        """Reads the newest lines of the logs, if due. Returns the seconds until the next poll. Raises ArchiveError."""
        if wait_s := self._acquire_slot(source.name, "run_logs", POLL_INTERVAL_S):
            return wait_s
        observations = self._archive.observations
        read_steps = partial(source.read_steps, observations.run_logs_read_until(source.groups))
        observations.save_run_logs(traced(source.name, "run_logs", read_steps))
        return float(POLL_INTERVAL_S)


def open_batch_collector(
    migration: Migration, sources: Sources, *, clock: Clock = utc_now
) -> tuple[BatchArchive, BatchCollector]:
    """The batch archive of a migration and its collector, not started. Raises ArchiveError.

    Sources that discover their jobs get the archived ones, so that they are known while the source is unreachable.
    """
    archive = BatchArchive.open(migration.archive, migration, clock=clock)
    try:
        for source in sources.batches:
            if isinstance(source, JobDiscovery):
                source.restore_series(archive.metrics.configured_series(source.name))
    except ArchiveError:
        archive.close()
        raise
    return archive, BatchCollector(archive, sources, migration.name, clock=clock)
