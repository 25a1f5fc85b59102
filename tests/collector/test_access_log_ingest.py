"""Access logs of a window counted into the archive: once each, batch by batch, whatever stops it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collector.access_log_ingest import Counting, _ahead, count_logs
from collector.collector import Keeper
from domain import Window
from sources.access_logs.base import Listing
from sources.access_logs.counter import Counted, Tally
from sources.access_logs.filenames import LogFile
from sources.base import Problem
from tests.archive.access_logs.test_tables import batch
from tests.fakes.metric_source import NOON, at, open_archive, span

pytestmark = pytest.mark.usefixtures("both_engines")

FILE_S = 300


@dataclass
class Logs:
    """A CountedElsewhere with a request in each minute of each of its files."""

    starts: Sequence[int] = (0, 5, 10)
    size: int = 60_000_000  # so that each is a batch of its own
    refuses: Problem | None = None
    counted: list[str] = field(default_factory=list)
    listed: int = 0
    name: str = "access_logs"

    def files(self, window: Window) -> Listing:
        self.listed += 1
        windows = [Window(NOON + start * 60, NOON + start * 60 + FILE_S) for start in self.starts]
        return Listing(
            tuple(LogFile(f"bucket/{one.start}.log", self.size, one) for one in windows if one.overlap(window))
        )

    def bring(self, file: LogFile) -> Problem:
        raise AssertionError(file)

    def count(self, files: Sequence[LogFile]) -> Counted | Problem:
        if self.refuses:
            return self.refuses
        self.counted += [file.identity for file in files]
        minutes = [(file.window.start - NOON) // 60 + one for file in files if file.window for one in range(5)]
        told = batch(*minutes)
        return Counted(told.counts, told.examples, tuple(Tally(file.key, 5, 5) for file in files))

    def check(self):
        return ()


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def test_every_file_is_counted_once(archive) -> None:
    logs, steps = Logs(), list[Counting]()
    found = count_logs(archive, logs, span(0, 10), told=steps.append, now=at(60))
    assert (found.state, found.files, found.files_done, found.lines, found.parsed) == ("done", 2, 2, 10, 10)
    assert [one.state for one in steps] == ["listing", "counting", "counting", "counting", "done"]
    assert [one.files_done for one in steps] == [0, 0, 1, 2, 2]
    again = count_logs(archive, logs, span(0, 15), now=at(60))
    assert (again.files, again.known) == (1, 2)
    assert archive.log_counts(span(0, 60)).num_rows == 15
    assert archive.log_lines(span(0, 60)).read == 15


def test_a_file_that_is_listed_twice_is_one(archive) -> None:
    found = count_logs(archive, Logs(starts=(0, 0)), span(0, 5), now=at(60))
    assert found.files == 1 and archive.log_counts(span(0, 5)).num_rows == 5


def test_what_is_stopped_goes_on_where_it_was(archive) -> None:
    logs = Logs()
    found = count_logs(archive, logs, span(0, 15), now=at(60), stop=lambda: len(logs.counted) == 1)
    assert (found.state, found.files_done) == ("stopped", 1)
    assert count_logs(archive, logs, span(0, 15), now=at(60)).files == 2
    assert archive.log_counts(span(0, 15)).num_rows == 15


def test_two_processes_do_not_count_at_once(archive, tmp_path: Path) -> None:
    logs = Logs()
    with open_archive(tmp_path) as other, other.claim_logs(at(60)):
        assert count_logs(archive, logs, span(0, 15), now=at(60)).state == "busy"
    assert logs.listed == 0
    assert count_logs(archive, logs, span(0, 15), now=at(60)).state == "done"


def test_a_batch_that_somebody_else_has_kept_is_not_kept_again(archive, tmp_path: Path) -> None:
    """A claim that ran out: both listed the same files, and both counted them."""
    logs = Logs(starts=(0,))

    def overtaken(counting: Counting) -> None:
        if counting.state == "counting" and not counting.files_done and archive.log_extent() is None:
            with open_archive(tmp_path) as other:
                files = [file for file in logs.files(span(0, 5)).files]
                counted = logs.count(files)
                from archive.access_logs.tables import CountedFile

                assert isinstance(counted, Counted)
                other.keep_logs([CountedFile(files[0].identity, 1, counted.tallies[0], files[0].window)], counted)

    count_logs(archive, logs, span(0, 5), now=at(60), told=overtaken)
    assert archive.log_counts(span(0, 5)).num_rows == 5
    assert archive.log_lines(span(0, 5)).files == 1


def test_a_refusal_ends_it_and_is_told(archive) -> None:
    refusal = Problem("denied", "access_logs", "s3:GetObject", "x")
    found = count_logs(archive, Logs(refuses=refusal), span(0, 5), now=at(60))
    assert (found.state, found.problems) == ("stopped", (refusal,))
    assert count_logs(archive, Logs(), span(0, 5), now=at(60)).state == "done"


def test_the_keeper_counts_what_a_page_wants_and_nothing_else(archive) -> None:
    logs = Logs()
    keeper = Keeper(archive, (), None, (), logs=logs, clock=lambda: at(60))
    keeper.start()
    try:
        assert keeper.counting(span(0, 5)) is None
        keeper.want_logs(span(1, 4))

        def done() -> bool:
            found = keeper.counting(span(0, 5))
            return found is not None and found.state == "done"

        assert keeper.wait_until(done, timeout_s=30)
        assert len(logs.counted) == 1
        keeper.want_logs(span(0, 5))
        assert logs.listed == 1
    finally:
        keeper.stop()


def test_the_newest_wish_comes_first(archive) -> None:
    logs = Logs()
    keeper = Keeper(archive, (), None, (), logs=logs, clock=lambda: at(60))
    keeper.want_logs(span(0, 5))
    keeper.want_logs(span(5, 10))
    assert keeper.keep_logs() == 0
    assert keeper.counting(span(0, 5)) is None
    assert keeper.keep_logs() > 60
    assert logs.counted == [f"{NOON + 300}.log", f"{NOON}.log"]


def test_a_recorder_counts_what_comes(archive) -> None:
    logs = Logs()
    keeper = Keeper(archive, (), None, (), logs=logs, record_logs=True, clock=lambda: at(30))
    assert keeper.keep_logs() == 300
    assert len(logs.counted) == 3


def test_two_batches_are_worked_at_while_one_is_kept_and_they_come_in_order() -> None:
    together = threading.Barrier(2, timeout=10)  # breaks where one waits alone
    third = threading.Event()

    def work(batch: Sequence[str]) -> str:
        if batch == ["c"]:
            third.set()
        else:
            together.wait()
        return batch[0].upper()

    results = _ahead(work, (["a"], ["b"], ["c"]), 2)  # type: ignore[arg-type]
    assert next(results) == (["a"], "A")
    assert third.wait(10)  # begun before anybody asks for the next
    assert list(results) == [(["b"], "B"), (["c"], "C")]


def test_no_more_is_worked_at_ahead_than_was_said() -> None:
    begun = list[str]()
    results = _ahead(lambda batch: begun.append(str(batch[0])), ([one] for one in "abcdef"), 1)  # type: ignore[arg-type, func-returns-value]
    next(results)
    results.close()  # waits for what was begun
    assert begun == ["a", "b"]


def test_whoever_is_told_to_stop_when_all_is_counted_is_done(archive) -> None:
    told = list[Counting]()
    done = count_logs(archive, Logs(), span(0, 15), told=told.append, stop=lambda: told[-1].files_done == 3)
    assert (done.state, done.files_done) == ("done", 3)
    assert count_logs(archive, Logs(), span(0, 15), stop=lambda: True).state == "done"
