"""The app context of the demo with a day of everything in its archives, whose collectors are not started."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from archive import Archive
from archive.access_logs.tables import CountedFile
from collector.batches import open_batch_collector
from collector.collector import Collector
from domain import Window, utc_now
from domain.log_counts import EXAMPLES
from sources.access_logs.counter import FileStats, LogCounts
from sources.demo.scenario import BLUE, EC2
from sources.demo.sources import demo_migration
from sources.registry import create_sources
from tests.factories.log_counts import START, count_row, count_table
from ui.app_context import AppContext, BatchContext


@contextmanager
def demo_app(folder: Path) -> Iterator[AppContext]:
    """With archives in `folder`, and a day up to now of metrics, events and batch runs, and an hour of access logs.

    The scenario is that of this hour, not of the process: its next alert opens in the next hour.
    """
    now = utc_now()
    anchor = now.replace(minute=0, second=0, microsecond=0)
    migration = demo_migration(anchor).model_copy(update={"archive": f"sqlite:///{folder / 'archive.db'}"})
    sources = create_sources(migration, anchor=anchor)
    batches, batch_collector = open_batch_collector(migration, sources)
    with closing(Archive.open(migration.archive, migration)) as archive, closing(batches):
        day = Window.last(1440, now=now)
        for metrics in sources.metrics:
            archive.metrics.fill(day, metrics, now=now)
        for events in sources.events:
            archive.events.save_events(events.events(day), events.name)
        for runs in sources.batches:
            batches.metrics.fill(day, runs, now=now)
        _save_log_counts(archive, Window.last(60, now=now - timedelta(minutes=10)))
        yield AppContext(
            migration,
            archive,
            sources,
            Collector(archive, sources),
            BatchContext(sources.batches, batches, batch_collector),
        )


def _save_log_counts(archive: Archive, window: Window) -> None:
    """Counts of sixty routes, which are more than one page of them."""
    first = (window.start - START) // 60
    rows = [
        count_row(group, 3, minute=minute, route=f"/route/{number}")
        for number in range(60)
        for minute in range(first, first + window.minutes, 7)
        for group in (EC2, BLUE)
    ]
    counts = count_table(rows)
    file = CountedFile("log", 1, FileStats("log", counts.num_rows, counts.num_rows), window)
    archive.access_logs.save_counts([file], LogCounts(counts, EXAMPLES.empty_table(), ()))
