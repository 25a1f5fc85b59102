"""Access logs in the archive: each file is counted once; one row of counts for each hour and batch."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from archive.access_logs.tables import LineCounts
from domain import Window
from domain.log_counts import COUNTS, EXAMPLES, SIZES, TRAITS
from sources.access_logs.counter import LogCounts
from tests.factories.archives import open_archive
from tests.factories.counted_files import counted_file, log_counts
from tests.fakes.metric_source import NOON

pytestmark = pytest.mark.usefixtures("both_engines")


def test_counts_of_a_window_come_from_all_hours_and_batches(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", -5, 65)], log_counts(-5, 0, 59, 60))
        archive.access_logs.save_counts([counted_file("b", 0, 60)], log_counts(0, 30))
        counts = archive.access_logs.counts(Window(NOON, NOON + 60 * 60))
        assert counts.cast(COUNTS).num_rows == 4
        assert sorted((ts - NOON) // 60 for ts in counts["minute"].to_pylist()) == [0, 0, 30, 59]
        assert pc.sum(counts["n"]).as_py() == 4
        assert archive.access_logs.extent() == Window(NOON - 3600, NOON + 7200)
        assert archive.access_logs.counts(Window(NOON + 600, NOON + 660)).num_rows == 0
        narrow = archive.access_logs.counts(Window(NOON, NOON + 60 * 60), ["minute", "n"])
        assert narrow == counts.select(["minute", "n"])


def test_counts_come_hour_by_hour_with_their_texts_encoded(tmp_path: Path) -> None:
    """A table for each hour and batch, so that never all of a long window are in memory; texts as indices take half of it."""
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", -5, 65)], log_counts(-5, 0, 59, 60))
        archive.access_logs.save_counts([counted_file("b", 0, 60)], log_counts(0))
        hours = list(archive.access_logs.iter_counts(Window(NOON - 3600, NOON + 3600)))
        assert [hour.num_rows for hour in hours] == [1, 2, 1]
        texts = {name for name in COUNTS.names if COUNTS.field(name).type == pa.string()}
        assert {field.name for field in hours[0].schema if pa.types.is_dictionary(field.type)} == texts
        assert archive.access_logs.counts(Window(NOON, NOON + 3600)).schema == hours[0].schema


def size_row(minute: int, n: int) -> dict[str, object]:
    return {
        "minute": NOON + minute * 60, "host": "photo.example.com", "method": "GET", "route": "/", "target_group": "photo-ecs",
        "elb_status": 200, "protocol": "h2", "n": n, "bytes": 366 * n,
    }  # fmt: skip


def trait_row(minute: int, n: int) -> dict[str, object]:
    return {"minute": NOON + minute * 60, "target_group": "photo-ecs", "trait": "tls", "value": "TLSv1.3", "outcome": 0, "n": n}  # fmt: skip


def test_details_are_stored_by_hour_and_absent_from_hours_without_them(tmp_path: Path) -> None:
    """Blocks of traits that overlap the window belong to it; what an earlier version counted has no details."""
    sizes = pa.Table.from_pylist([size_row(0, 1), size_row(59, 2), size_row(60, 4)], SIZES)
    traits = pa.Table.from_pylist([trait_row(0, 1), trait_row(55, 2), trait_row(60, 4)], TRAITS)
    with open_archive(tmp_path) as archive:
        counts = log_counts(0, 59, 60)
        archive.access_logs.save_counts([counted_file("a", 0, 65)], replace(counts, sizes=sizes, traits=traits))
        archive.access_logs.save_counts([counted_file("b", 60, 200)], log_counts(70, 130))
        assert archive.access_logs.sizes(Window(NOON, NOON + 3600)).cast(SIZES) == sizes.slice(0, 2)
        assert archive.access_logs.traits(Window(NOON + 58 * 60, NOON + 3600)).cast(TRAITS) == traits.slice(1, 1)
        assert archive.access_logs.traits(Window(NOON, NOON + 55 * 60)).cast(TRAITS) == traits.slice(0, 1)
        assert archive.access_logs.undetailed_hours(Window(NOON, NOON + 3600)) == (0, 1)
        assert archive.access_logs.undetailed_hours(Window(NOON, NOON + 3 * 3600)) == (2, 3)


def test_files_are_known_by_key_and_size(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", 0, 5), counted_file("b", 5, 10)], log_counts(0, 5))
        assert archive.access_logs.known_sizes(["a", "b", "c"]) == {"a": 1234, "b": 1234}
        assert archive.access_logs.known_sizes([]) == {}


@pytest.mark.parametrize("n_files", [499, 500, 501, 1_100])
def test_more_files_are_known_than_one_statement_has_parameters(tmp_path: Path, n_files: int) -> None:
    keys = [f"{number:04}" for number in range(n_files)]
    with open_archive(tmp_path) as archive:
        assert archive.access_logs.save_counts([counted_file(key, 0, 5) for key in keys], log_counts(0))
        assert archive.access_logs.known_sizes([*reversed(keys), "other"]) == dict.fromkeys(keys, 1234)
        for key in (keys[0], keys[n_files // 2], keys[-1]):
            batch = [counted_file(f"new {number}", 0, 5) for number in range(n_files)] + [counted_file(key, 0, 5)]
            assert not archive.access_logs.save_counts(batch, log_counts(0)), "one of them is stored already"
        assert archive.access_logs.line_counts(Window(NOON, NOON + 60)).files == n_files


def test_of_many_examples_the_slowest_and_the_newest_failed_are_stored(tmp_path: Path) -> None:
    """Of 2,500 examples in one hour and batch, 1,000 are the slowest and 1,000 the newest with a status of 500 or more."""
    base = log_counts(0, slow_ms=1).examples.to_pylist()[0]
    slow = [base | {"ts": float(NOON + number), "latency_ms": 10_000 - number} for number in range(1_300)]
    failed = [base | {"ts": float(NOON + 1_300 + number), "elb_status": 502} for number in range(1_200)]
    counts = LogCounts(log_counts(0).counts, pa.Table.from_pylist(slow + failed, EXAMPLES), ())
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", 0, 60)], counts)
        stored = archive.access_logs.examples(Window(NOON, NOON + 3600)).to_pylist()
    assert [row["latency_ms"] for row in stored if row["elb_status"] == 200] == list(range(10_000, 9_000, -1))
    assert [row["ts"] - NOON for row in stored if row["elb_status"] == 502] == list(range(1_500, 2_500))


def test_line_counts_are_of_the_files_that_overlap_the_window(tmp_path: Path) -> None:
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


def test_a_batch_is_stored_completely_or_not_at_all(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        broken = LogCounts(log_counts(0).counts, log_counts(0).examples.drop_columns(["ts"]), ())
        with pytest.raises(KeyError):
            archive.access_logs.save_counts([counted_file("a", 0, 5)], broken)
        assert archive.access_logs.known_sizes(["a"]) == {}
        assert archive.access_logs.extent() is None


def test_examples_are_stored_with_their_times(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", 0, 5)], log_counts(0, 3, slow_ms=1500))
        examples = archive.access_logs.examples(Window(NOON, NOON + 120))
        assert examples.cast(EXAMPLES).num_rows == 1
        assert [(row["path"], row["latency_ms"]) for row in examples.to_pylist()] == [("/photos/8812", 1500)]


def test_an_archive_without_logs_is_empty(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        window = Window(NOON, NOON + 60)
        assert archive.access_logs.extent() is None
        assert archive.access_logs.counts(window).num_rows == 0
        assert archive.access_logs.line_counts(window) == LineCounts(0, 0, 0)


def test_counts_of_part_of_an_hour(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([counted_file("a", 0, 60)], log_counts(0, 30, 59))
        counts = archive.access_logs.counts(Window(NOON + 1800, NOON + 1860))
        assert [(ts - NOON) // 60 for ts in counts["minute"].to_pylist()] == [30]


def test_a_day_that_was_counted_as_a_whole_is_not_a_file(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts(
            [counted_file("athena:2026-09-21", 0, 60), counted_file("a", 0, 5)], log_counts(0)
        )
        assert archive.access_logs.line_counts(Window(NOON, NOON + 60)) == LineCounts(1, 20, 20)
