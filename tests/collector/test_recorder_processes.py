"""Recorders in processes of their own: killed at any time they neither lose nor duplicate data, and two send the requests of one."""

import random
import threading
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.factories.recorders import LEASE_S, RecorderProcesses, recorder_processes, wait_for_exit


class HangingCloudWatch(threading.Event):
    """Makes the fake CloudWatch hang; `requested` is set by the first request."""

    def __init__(self) -> None:
        super().__init__()
        self.requested = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.requested.set()
        return super().wait(timeout)


@pytest.mark.slow
def test_killed_at_any_time_and_restarted_it_neither_loses_nor_duplicates_data(tmp_path: Path) -> None:
    randomness = random.Random(4)
    with recorder_processes(tmp_path) as recorders:
        assert recorders.run(kill_after_statements=randomness.randint(1, 30)) == -SIGKILL, "while it makes its tables"
        for _ in range(4):
            assert recorders.run(kill_after_statements=randomness.randint(30, 250)) == -SIGKILL
            recorders.now_s += LEASE_S
        recorders.cloudwatch.hang = hang = HangingCloudWatch()
        recorder = recorders.start()
        assert hang.requested.wait(60)
        recorder.kill()
        assert wait_for_exit(recorder) == -SIGKILL, "while it waits for an answer"
        hang.set()
        recorders.cloudwatch.hang = None
        recorders.now_s += LEASE_S

        points, before, _ = recorders.compare_with_source()
        assert 0 < len(before) < points, "some data was archived, but not all"
        assert recorders.run() == 0
        points, wrong, duplicates = recorders.compare_with_source()
        assert points > 10_000
        assert (wrong, duplicates) == (set(), 0)


def request_counts(recorders: RecorderProcesses) -> Counter[tuple[object, ...]]:
    """How often each period of each statistic was requested since the last call."""
    counts: Counter[tuple[object, ...]] = Counter()
    for request in recorders.cloudwatch.requests:
        for query in () if "NextToken" in request else request["MetricDataQueries"]:
            of, period_s = query["MetricStat"], query["MetricStat"]["Period"]
            names = tuple(sorted(dimension["Value"] for dimension in of["Metric"]["Dimensions"]))
            for ts in range(int(request["StartTime"]), int(request["EndTime"]), period_s):
                counts[(*names, of["Metric"]["MetricName"], of["Stat"], period_s, ts)] += 1
    recorders.cloudwatch.requests.clear()
    return counts


@pytest.mark.slow
def test_two_recorders_on_one_archive_send_the_requests_of_one(tmp_path: Path) -> None:
    with recorder_processes(tmp_path) as recorders:
        for _ in range(2):  # all of the past, and a minute later what is new
            assert [wait_for_exit(process) for process in (recorders.start(), recorders.start())] == [0, 0]
            assert set(request_counts(recorders).values()) == {1}
            recorders.now_s += 60
        recorders.now_s -= 60
        points, wrong, duplicates = recorders.compare_with_source()
        assert points > 10_000
        assert (wrong, duplicates) == (set(), 0)
