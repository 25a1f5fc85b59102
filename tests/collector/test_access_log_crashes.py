"""An ingest that is killed loses no line and counts none twice."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.access_log_ingest import ingest_access_logs
from sources.access_logs.base import LocalLogs
from sources.access_logs.counter import CountError, LogCounter, LogCounts
from tests.factories.access_log_lines import access_log_line
from tests.factories.archives import open_archive
from tests.fakes.metric_source import NOON, minute_time, minute_window

# Counts batches of one file each, and exits in the second one: after it was counted, before it is saved.
KILLED = """
import os, sys
from pathlib import Path
from archive.access_logs.store import AccessLogStore
from collector import access_log_ingest
from sources.access_logs.base import LocalLogs
from tests.factories.archives import open_archive
from tests.fakes.metric_source import minute_time, minute_window
access_log_ingest._split_batches = lambda files, *_: [[file] for file in files]
save_counts, calls = AccessLogStore.save_counts, []
def save_first(self, files, counts):
    if calls:
        os._exit(9)
    calls.append(files)
    return save_counts(self, files, counts)
AccessLogStore.save_counts = save_first
folder = Path(sys.argv[1])
with open_archive(folder) as archive:
    logs = LocalLogs(folder / "logs")
    access_log_ingest.ingest_access_logs(archive, logs, minute_window(0, 60), now=minute_time(60))
"""


def test_killed_in_the_middle_it_resumes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for number in range(4):
        moment = f"{minute_time(number):%Y-%m-%dT%H:%M:%S}.000000Z"
        (tmp_path / "logs" / f"{number}.log").write_text(access_log_line(time=moment) * (number + 1), encoding="utf-8")
    root = Path(__file__).parent.parent.parent
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, check=False)
    assert killed.returncode == 9
    with open_archive(tmp_path) as archive:
        assert archive.access_logs.counts(minute_window(0, 60))["n"].to_pylist() == [1]
        assert (
            ingest_access_logs(archive, LocalLogs(tmp_path / "logs"), minute_window(0, 60), now=minute_time(60.5)).state
            == "busy"
        ), "its claim"
        progress = ingest_access_logs(archive, LocalLogs(tmp_path / "logs"), minute_window(0, 60), now=minute_time(70))
        assert (progress.state, progress.already_counted, progress.files_done) == ("done", 1, 3)
        counts = archive.access_logs.counts(minute_window(0, 60))
        by_minute = sorted(zip(counts["minute"].to_pylist(), counts["n"].to_pylist(), strict=True))
        assert by_minute == [(NOON + number * 60, number + 1) for number in range(4)]
        assert archive.access_logs.line_counts(minute_window(0, 60)).total == 10


def test_file_that_cannot_be_counted_is_a_problem_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("a.log", "bad.log", "c.log"):
        (logs / name).write_text(access_log_line(time=f"{minute_time(1):%Y-%m-%dT%H:%M:%S}.000000Z"), encoding="utf-8")
    count = LogCounter.count

    def fail(self: LogCounter, batch: Sequence[Path]) -> LogCounts:
        if any(path.name == "bad.log" for path in batch):
            raise CountError("out of memory")
        return count(self, batch)

    with open_archive(tmp_path) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(LogCounter, "count", fail)
            progress = ingest_access_logs(archive, LocalLogs(logs), minute_window(0, 60), now=minute_time(60))
        (problem,) = progress.problems
        assert (problem.kind, problem.about, problem.detail) == (
            "internal_error",
            str(logs / "bad.log"),
            "out of memory",
        )
        assert (progress.state, progress.parsed) == ("done", 2)
        again = ingest_access_logs(archive, LocalLogs(logs), minute_window(0, 60), now=minute_time(70))
        assert (again.problems, again.already_counted, again.parsed) == ((), 2, 1)
        assert sum(archive.access_logs.counts(minute_window(0, 60))["n"].to_pylist()) == 3
