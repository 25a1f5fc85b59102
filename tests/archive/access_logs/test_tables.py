"""Access logs in the archive: each file counted once, its counts an hour a row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from archive.access_logs.tables import CountedFile, Lines
from domain import Window
from domain.log_counts import COUNTS, EXAMPLES
from sources.access_logs.counter import Counted, Tally
from tests.fakes.metric_source import NOON, open_archive

pytestmark = pytest.mark.usefixtures("both_engines")

_LIKE = {
    "host": "photo.example.com",
    "method": "GET",
    "route": "/photos/:id",
    "target_group": "photo-ecs",
    "elb_status": 200,
    "target_status": 200,
    "latency_ms": 42,
}


def batch(*minutes: int, slow: int = 0) -> Counted:
    """One request at each of the minutes after noon; of each a line that took so many milliseconds, if any."""
    counts = [{**_LIKE, "minute": NOON + minute * 60, "n": 1} for minute in minutes]
    seen = {name: _LIKE[name] for name in _LIKE if name in EXAMPLES.names}
    examples = [
        {**seen, "ts": float(NOON + minute * 60), "path": "/photos/8812", "target": "10.0.1.7:8080", "latency_ms": slow}
        for minute in minutes
        if slow
    ]
    return Counted(pa.Table.from_pylist(counts, COUNTS), pa.Table.from_pylist(examples, EXAMPLES), ())


def file(
    key: str, start: int, end: int, *, lines: int = 10, parsed: int = 10, problem: str | None = None
) -> CountedFile:
    tally = Tally(key, lines, parsed, problem)  # type: ignore[arg-type]
    return CountedFile(key, 1234, tally, Window(NOON + start * 60, NOON + end * 60))


def test_counts_come_back_by_their_minute_whatever_hour_and_batch_they_are_in(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.keep_logs([file("a", -5, 65)], batch(-5, 0, 59, 60))
        archive.keep_logs([file("b", 0, 60)], batch(0, 30))
        counts = archive.log_counts(Window(NOON, NOON + 60 * 60))
        assert counts.schema == COUNTS
        assert sorted((ts - NOON) // 60 for ts in counts["minute"].to_pylist()) == [0, 0, 30, 59]
        assert pc.sum(counts["n"]).as_py() == 4
        assert archive.log_extent() == Window(NOON - 3600, NOON + 7200)
        assert archive.log_counts(Window(NOON + 600, NOON + 660)).num_rows == 0


def test_files_are_known_by_key_and_size(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.keep_logs([file("a", 0, 5), file("b", 5, 10)], batch(0, 5))
        assert archive.known_logs(["a", "b", "c"]) == {"a": 1234, "b": 1234}
        assert archive.known_logs([]) == {}


def test_lines_are_told_of_the_files_that_touch_the_window(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.keep_logs(
            [file("a", 0, 5), file("b", 4, 9, parsed=7), file("c", 20, 25, parsed=0, problem="not_a_log")], batch(0)
        )
        assert archive.log_lines(Window(NOON + 240, NOON + 600)) == Lines(files=2, read=20, parsed=17)
        assert archive.log_lines(Window(NOON, NOON + 3600)) == Lines(3, 30, 17, (("not_a_log", 1),))
        assert archive.log_lines(Window(NOON, NOON + 3600)).lost == 13


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        broken = Counted(batch(0).counts, batch(0).examples.drop_columns(["ts"]), ())
        with pytest.raises(KeyError):
            archive.keep_logs([file("a", 0, 5)], broken)
        assert archive.known_logs(["a"]) == {}
        assert archive.log_extent() is None


def test_examples_are_kept_with_their_times(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.keep_logs([file("a", 0, 5)], batch(0, 3, slow=1500))
        found = archive.log_examples(Window(NOON, NOON + 120))
        assert found.schema == EXAMPLES
        assert [(row["path"], row["latency_ms"]) for row in found.to_pylist()] == [("/photos/8812", 1500)]


def test_an_archive_without_logs_says_so(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        window = Window(NOON, NOON + 60)
        assert archive.log_extent() is None
        assert archive.log_counts(window).num_rows == 0
        assert archive.log_lines(window) == Lines(0, 0, 0)
