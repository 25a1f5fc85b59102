"""Ingest of access logs: each file is counted once, batch by batch, also after interruptions."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archive import Archive
from collector.access_log_ingest import IngestProgress, _run_ahead, ingest_access_logs, routes_state
from collector.access_log_worker import AccessLogWorker
from collector.collector import Collector, CollectorConfig
from domain import Window
from domain.decision import RoutesState
from sources.access_logs.base import LogListing
from sources.access_logs.counter import FileStats, LogCounts
from sources.access_logs.filenames import LogFile
from sources.base import Problem
from sources.registry import Sources
from tests.factories.archives import MIGRATION, archive_url, open_archive
from tests.factories.counted_files import log_counts
from tests.fakes.metric_source import NOON, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

FILE_S = 300


@dataclass
class FakeRemoteCounter:
    """A RemoteCounter with one request in each minute of its files."""

    starts: Sequence[int] = (0, 5, 10)
    size: int = 60_000_000  # one file per batch
    problem: Problem | None = None
    listing_problem: Problem | None = None
    counted_files: list[str] = field(default_factory=list)
    n_listings: int = 0
    name: str = "access_logs"

    def files(self, window: Window) -> LogListing:
        self.n_listings += 1
        windows = [Window(NOON + start * 60, NOON + start * 60 + FILE_S) for start in self.starts]
        return LogListing(
            tuple(LogFile(f"bucket/{item.start}.log", self.size, item) for item in windows if item.overlap(window)),
            (self.listing_problem,) if self.listing_problem else (),
        )

    def download(self, file: LogFile) -> Problem:
        raise AssertionError(file)

    def count(self, files: Sequence[LogFile]) -> LogCounts | Problem:
        if self.problem:
            return self.problem
        self.counted_files += [file.identity for file in files]
        minutes = [(file.window.start - NOON) // 60 + minute for file in files if file.window for minute in range(5)]
        counts = log_counts(*minutes)
        return LogCounts(counts.counts, counts.examples, tuple(FileStats(file.key, 5, 5) for file in files))

    def check(self):
        return ()


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def test_every_file_is_counted_once(archive) -> None:
    logs, steps = FakeRemoteCounter(), list[IngestProgress]()
    progress = ingest_access_logs(archive, logs, minute_window(0, 10), on_progress=steps.append, now=minute_time(60))
    assert (progress.state, progress.files, progress.files_done, progress.lines, progress.parsed) == (
        "done",
        2,
        2,
        10,
        10,
    )
    assert [step.state for step in steps] == ["listing", "counting", "counting", "counting", "done"]
    assert [step.files_done for step in steps] == [0, 0, 1, 2, 2]
    again = ingest_access_logs(archive, logs, minute_window(0, 15), now=minute_time(60))
    assert (again.files, again.already_counted) == (1, 2)
    assert archive.access_logs.counts(minute_window(0, 60)).num_rows == 15
    assert archive.access_logs.line_counts(minute_window(0, 60)).total == 15


def test_a_file_that_is_listed_twice_is_one(archive) -> None:
    progress = ingest_access_logs(archive, FakeRemoteCounter(starts=(0, 0)), minute_window(0, 5), now=minute_time(60))
    assert progress.files == 1 and archive.access_logs.counts(minute_window(0, 5)).num_rows == 5


def test_a_stopped_ingest_resumes(archive) -> None:
    logs = FakeRemoteCounter()
    progress = ingest_access_logs(
        archive, logs, minute_window(0, 15), now=minute_time(60), should_stop=lambda: len(logs.counted_files) == 1
    )
    assert (progress.state, progress.files_done) == ("stopped", 1)
    assert ingest_access_logs(archive, logs, minute_window(0, 15), now=minute_time(60)).files == 2
    assert archive.access_logs.counts(minute_window(0, 15)).num_rows == 15


def test_two_processes_do_not_count_at_once(archive, tmp_path: Path) -> None:
    logs = FakeRemoteCounter()
    with open_archive(tmp_path) as other, other.access_logs.acquire_lease(minute_time(60)):
        assert ingest_access_logs(archive, logs, minute_window(0, 15), now=minute_time(60)).state == "busy"
    assert logs.n_listings == 0
    assert ingest_access_logs(archive, logs, minute_window(0, 15), now=minute_time(60)).state == "done"


def test_a_batch_that_another_process_saved_is_not_saved_again(archive, tmp_path: Path) -> None:
    """The lease expired: both listed the same files, and both counted them."""
    logs = FakeRemoteCounter(starts=(0,))

    def overtaken(counting: IngestProgress) -> None:
        if counting.state == "counting" and not counting.files_done and archive.access_logs.extent() is None:
            with open_archive(tmp_path) as other:
                files = [file for file in logs.files(minute_window(0, 5)).files]
                counted = logs.count(files)
                from archive.access_logs.tables import CountedFile

                assert isinstance(counted, LogCounts)
                other.access_logs.save_counts(
                    [CountedFile(files[0].identity, 1, counted.files[0], files[0].window)], counted
                )

    ingest_access_logs(archive, logs, minute_window(0, 5), now=minute_time(60), on_progress=overtaken)
    assert archive.access_logs.counts(minute_window(0, 5)).num_rows == 5
    assert archive.access_logs.line_counts(minute_window(0, 5)).files == 1


def test_a_denied_download_stops_it_and_is_reported(archive) -> None:
    denied = Problem("denied", "access_logs", "s3:GetObject", "x")
    progress = ingest_access_logs(archive, FakeRemoteCounter(problem=denied), minute_window(0, 5), now=minute_time(60))
    assert (progress.state, progress.problems) == ("stopped", (denied,))
    assert ingest_access_logs(archive, FakeRemoteCounter(), minute_window(0, 5), now=minute_time(60)).state == "done"


@pytest.mark.parametrize(
    ("kind", "state"), [("bad_reply", "stopped"), ("denied", "stopped"), ("timeout", "stopped"), ("incomplete", "done")]
)
def test_what_an_incomplete_listing_has_is_counted_and_it_is_not_done(archive, kind, state) -> None:
    problem = Problem(kind, "access_logs", "s3:ListBucket", "photo-logs")
    logs = FakeRemoteCounter(listing_problem=problem)
    progress = ingest_access_logs(archive, logs, minute_window(0, 15), now=minute_time(60))
    assert (progress.state, progress.files_done, progress.problems) == (state, 3, (problem,))
    without_files = FakeRemoteCounter(starts=(), listing_problem=problem)
    assert ingest_access_logs(archive, without_files, minute_window(0, 15), now=minute_time(60)).state == state


def test_the_collector_counts_requested_windows_only(archive) -> None:
    logs = FakeRemoteCounter()
    collector = Collector(archive, Sources(logs=logs), clock=lambda: minute_time(60))
    collector.start()
    try:
        assert collector.ingest_progress(minute_window(0, 5)) is None
        collector.request_access_logs(minute_window(1, 4))

        def done() -> bool:
            progress = collector.ingest_progress(minute_window(0, 5))
            return progress is not None and progress.state == "done"

        assert collector.wait_until(done, timeout_s=30)
        assert len(logs.counted_files) == 1
        collector.request_access_logs(minute_window(0, 5))
        assert logs.n_listings == 1
    finally:
        collector.stop()


def test_the_newest_request_comes_first(archive) -> None:
    logs = FakeRemoteCounter()
    collector = Collector(archive, Sources(logs=logs), clock=lambda: minute_time(60))
    collector.request_access_logs(minute_window(0, 5))
    collector.request_access_logs(minute_window(5, 10))
    assert collector.poll_access_logs() == 0
    assert collector.ingest_progress(minute_window(0, 5)) is None
    assert collector.poll_access_logs() > 60
    assert logs.counted_files == [f"{NOON + 300}.log", f"{NOON}.log"]


def test_a_recorder_counts_new_files(archive) -> None:
    logs = FakeRemoteCounter()
    collector = Collector(archive, Sources(logs=logs), CollectorConfig(ingest_logs=True), clock=lambda: minute_time(30))
    assert collector.poll_access_logs() == 300
    assert len(logs.counted_files) == 3


def test_two_batches_are_processed_while_one_is_saved_and_in_order() -> None:
    both_running = threading.Barrier(2, timeout=10)  # breaks if only one thread waits
    third = threading.Event()

    def work(batch: Sequence[str]) -> str:
        if batch == ["c"]:
            third.set()
        else:
            both_running.wait()
        return batch[0].upper()

    results = _run_ahead(work, (["a"], ["b"], ["c"]), 2)  # type: ignore[arg-type]
    assert next(results) == "A"
    assert third.wait(10)  # started before the next result is requested
    assert list(results) == ["B", "C"]


def test_the_number_of_batches_ahead_is_limited() -> None:
    started = list[str]()
    results = _run_ahead(lambda batch: started.append(str(batch[0])), ([name] for name in "abcdef"), 1)  # type: ignore[arg-type, func-returns-value]
    next(results)
    results.close()  # waits for running batches
    assert started == ["a", "b"]


def test_a_stop_after_the_last_file_is_done(archive) -> None:
    steps = list[IngestProgress]()
    done = ingest_access_logs(
        archive,
        FakeRemoteCounter(),
        minute_window(0, 15),
        on_progress=steps.append,
        should_stop=lambda: steps[-1].files_done == 3,
    )
    assert (done.state, done.files_done) == ("done", 3)
    assert (
        ingest_access_logs(archive, FakeRemoteCounter(), minute_window(0, 15), should_stop=lambda: True).state == "done"
    )


HOUR, DENIED = minute_window(0, 60), Problem("denied", "access_logs", "s3:GetObject")


@pytest.mark.parametrize(
    ("progress", "without_counts", "with_counts"),
    [
        (None, "pending", "judged"),
        (IngestProgress(HOUR, "listing"), "pending", "judged"),
        (IngestProgress(HOUR, "counting", files=100, files_done=10), "pending", "pending"),
        (IngestProgress(HOUR, "counting", files=100, files_done=95), "pending", "judged"),
        (IngestProgress(HOUR, "counting", files=2, already_counted=286), "pending", "judged"),  # the newest ones
        (IngestProgress(HOUR, "stopped", files=100, files_done=10), "pending", "pending"),  # interrupted
        (IngestProgress(HOUR, "stopped", problems=(DENIED,)), "unreadable", "unreadable"),
        (IngestProgress(HOUR, "done", files=100, files_done=10, problems=(DENIED,)), "unreadable", "unreadable"),
        (IngestProgress(HOUR, "done", files=100, files_done=99, problems=(DENIED,)), "unreadable", "judged"),
        (IngestProgress(HOUR, "done", files=100, files_done=100), "pending", "judged"),
        (IngestProgress(HOUR, "done"), "pending", "judged"),  # none was delivered yet
    ],
)
def test_routes_are_judged_once_most_logs_are_counted(
    progress: IngestProgress | None, without_counts: RoutesState, with_counts: RoutesState
) -> None:
    assert routes_state(progress, has_counts=False) == without_counts
    assert routes_state(progress, has_counts=True) == with_counts


def test_a_command_waits_while_another_process_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_archive(tmp_path) as archive:
        other_process = archive.access_logs.acquire_lease(minute_time(60))
        worker = AccessLogWorker(archive, FakeRemoteCounter(), clock=lambda: minute_time(60))
        waited: list[float] = []

        def release(seconds: float) -> None:
            waited.append(seconds)
            other_process.__exit__()

        monkeypatch.setattr("collector.access_log_worker.time.sleep", release)
        progress = worker.count(HOUR, lambda _progress: None, lambda: False)
    assert progress and (progress.state, progress.files_done, waited) == ("done", 3, [2.0])


def test_hours_that_are_not_kept_are_not_counted(tmp_path: Path) -> None:
    migration = MIGRATION.model_copy(update={"keep": "63d"})
    now = minute_time(120 + 63 * 24 * 60)  # two hours are not kept any more
    with Archive.open(archive_url(tmp_path), migration) as archive:
        counter = FakeRemoteCounter(starts=(0, 60, 120, 125))
        worker = AccessLogWorker(archive, counter, clock=lambda: now)
        assert not worker.request_window(minute_window(0, 120))
        assert worker.progress(minute_window(0, 120)) == IngestProgress(minute_window(0, 120), "done")
        assert worker.request_window(minute_window(0, 240))
        worker.poll(lambda: None, lambda: False)
        progress = worker.progress(minute_window(0, 240))
        assert progress and (progress.window, progress.files) == (minute_window(120, 240), 2)
        assert archive.access_logs.extent() == minute_window(120, 180)
