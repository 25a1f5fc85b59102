"""Access logs in the archive: each file counted once, its counts an hour a row."""

from pathlib import Path

import pyarrow.compute as pc
import pytest

from archive.access_logs.tables import LineCounts
from domain import Window
from domain.log_counts import COUNTS, EXAMPLES
from sources.access_logs.counter import LogCounts
from tests.factories.archives import open_archive
from tests.factories.counted_files import counted_file, log_counts
from tests.fakes.metric_source import NOON

pytestmark = pytest.mark.usefixtures("both_engines")


def test_counts_come_back_by_their_minute_whatever_hour_and_batch_they_are_in(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", -5, 65)], log_counts(-5, 0, 59, 60))
        archive.access_logs.save_counts([counted_file("b", 0, 60)], log_counts(0, 30))
        counts = archive.access_logs.counts(Window(NOON, NOON + 60 * 60))
        assert counts.schema == COUNTS
        assert sorted((ts - NOON) // 60 for ts in counts["minute"].to_pylist()) == [0, 0, 30, 59]
        assert pc.sum(counts["n"]).as_py() == 4
        assert archive.access_logs.extent() == Window(NOON - 3600, NOON + 7200)
        assert archive.access_logs.counts(Window(NOON + 600, NOON + 660)).num_rows == 0


def test_files_are_known_by_key_and_size(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", 0, 5), counted_file("b", 5, 10)], log_counts(0, 5))
        assert archive.access_logs.known_sizes(["a", "b", "c"]) == {"a": 1234, "b": 1234}
        assert archive.access_logs.known_sizes([]) == {}


def test_lines_are_told_of_the_files_that_touch_the_window(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts(
            [
                counted_file("a", 0, 5),
                counted_file("b", 4, 9, parsed=7),
                counted_file("c", 20, 25, parsed=0, problem="not_a_log"),
            ],
            log_counts(0),
        )
        assert archive.access_logs.line_counts(Window(NOON + 240, NOON + 600)) == LineCounts(
            files=2, total=20, parsed=17
        )
        assert archive.access_logs.line_counts(Window(NOON, NOON + 3600)) == LineCounts(3, 30, 17, (("not_a_log", 1),))
        assert archive.access_logs.line_counts(Window(NOON, NOON + 3600)).unparsed == 13


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        broken = LogCounts(log_counts(0).counts, log_counts(0).examples.drop_columns(["ts"]), ())
        with pytest.raises(KeyError):
            archive.access_logs.save_counts([counted_file("a", 0, 5)], broken)
        assert archive.access_logs.known_sizes(["a"]) == {}
        assert archive.access_logs.extent() is None


def test_examples_are_kept_with_their_times(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", 0, 5)], log_counts(0, 3, slow_ms=1500))
        found = archive.access_logs.examples(Window(NOON, NOON + 120))
        assert found.schema == EXAMPLES
        assert [(row["path"], row["latency_ms"]) for row in found.to_pylist()] == [("/photos/8812", 1500)]


def test_an_archive_without_logs_says_so(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        window = Window(NOON, NOON + 60)
        assert archive.access_logs.extent() is None
        assert archive.access_logs.counts(window).num_rows == 0
        assert archive.access_logs.line_counts(window) == LineCounts(0, 0, 0)
