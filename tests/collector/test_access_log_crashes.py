"""A counting that is killed in the middle loses no line and counts none twice."""

import subprocess
import sys
from pathlib import Path

from collector.access_log_ingest import ingest_access_logs
from sources.access_logs.base import LocalLogs
from tests.factories.access_log_lines import access_log_line
from tests.factories.archives import open_archive
from tests.fakes.metric_source import NOON, minute_time, minute_window

# Counts batches of one file each, and is dead in the middle of the second: after it was counted, before it was kept.
KILLED = """
import os, sys
from pathlib import Path
from archive import Archive, log_filling
from collector.access_log_ingest import count_logs
from sources.access_logs.base import LocalLogs
from tests.fakes.metric_source import MIGRATION, at, open_archive, span
log_filling._batches = lambda files, *_: [[file] for file in files]
kept = Archive.keep_logs
def keep(self, files, counted):
    if kept.__name__ in seen:
        os._exit(9)
    seen.add(kept.__name__)
    return kept(self, files, counted)
seen = set()
Archive.keep_logs = keep
folder = Path(sys.argv[1])
with open_archive(folder) as archive:
    count_logs(archive, LocalLogs(folder / "logs"), span(0, 60), now=at(60))
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
        found = ingest_access_logs(archive, LocalLogs(tmp_path / "logs"), minute_window(0, 60), now=minute_time(70))
        assert (found.state, found.already_counted, found.files_done) == ("done", 1, 3)
        counts = archive.access_logs.counts(minute_window(0, 60))
        by_minute = sorted(zip(counts["minute"].to_pylist(), counts["n"].to_pylist(), strict=True))
        assert by_minute == [(NOON + number * 60, number + 1) for number in range(4)]
        assert archive.access_logs.line_counts(minute_window(0, 60)).total == 10
