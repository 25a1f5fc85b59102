"""Details of a window from the archive."""

from pathlib import Path

import pyarrow as pa

from archive.access_logs.tables import CountedFile
from domain import Window
from domain.log_counts import EXAMPLES, FAILED, SIZES, TRAITS
from services.log_details import why_of
from sources.access_logs.counter import FileStats, LogCounts
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.log_counts import ECS, START, count_row, count_table


def test_counts_and_traits_are_of_the_same_blocks(tmp_path: Path) -> None:
    """A window that begins inside a block has all of it, so that both tables agree on the events."""
    row = {"minute": START, "target_group": ECS, "trait": "tls", "value": "TLSv1.3"}
    traits = pa.Table.from_pylist([{**row, "outcome": FAILED, "n": 30}, {**row, "outcome": 50, "n": 70}], TRAITS)
    counts = count_table([count_row(ECS, 30, elb=500), count_row(ECS, 70, minute=4)])
    file = CountedFile("a", 1, FileStats("a", 100, 100), Window(START, START + 300))
    with open_archive(tmp_path) as archive:
        logs = LogCounts(counts, EXAMPLES.empty_table(), (), SIZES.empty_table(), traits)
        archive.access_logs.save_counts([file], logs)
        (why,) = why_of(archive, MIGRATION, Window(START + 120, START + 300), worse="canary")
    assert (why.events, why.requests) == (30, 100)
