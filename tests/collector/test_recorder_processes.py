"""Whole recorders on one archive: killed at any instant they lose and double nothing, and two of them ask no more than one."""

import random
import threading
from collections import Counter
from pathlib import Path
from signal import SIGKILL

from tests.factories.recorders import LEASE_S, RecorderProcesses, recorder_processes, wait_for_exit


class HangingCloudWatch(threading.Event):
    """A CloudWatch that leaves everybody waiting, once it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.set()
        return super().wait(timeout)


def test_killed_at_any_time_and_restarted_it_neither_loses_nor_duplicates_data(tmp_path: Path) -> None:
    dice = random.Random(4)
    with recorder_processes(tmp_path) as some:
        assert some.run(kill_after_statements=dice.randint(1, 30)) == -SIGKILL, "while it makes its tables"
        for _ in range(4):
            assert some.run(kill_after_statements=dice.randint(30, 250)) == -SIGKILL
            some.now_s += LEASE_S
        some.cloudwatch.hang = hang = HangingCloudWatch()
        recorder = some.start()
        assert hang.asked.wait(60)
        recorder.kill()
        assert wait_for_exit(recorder) == -SIGKILL, "while it waits for an answer"
        hang.set()
        some.cloudwatch.hang = None
        some.now_s += LEASE_S

        points, before, _ = some.compare_with_source()
        assert 0 < len(before) < points, "some of it was there, and not all"
        assert some.run() == 0
        points, wrong, doubled = some.compare_with_source()
        assert points > 10_000
        assert (wrong, doubled) == (set(), 0)


def request_counts(recorders: RecorderProcesses) -> Counter[tuple[object, ...]]:
    """How often each minute or longer period of each statistic was asked for, since this was last looked at."""
    found: Counter[tuple[object, ...]] = Counter()
    for request in recorders.cloudwatch.requests:
        for query in () if "NextToken" in request else request["MetricDataQueries"]:
            of, period_s = query["MetricStat"], query["MetricStat"]["Period"]
            names = tuple(sorted(one["Value"] for one in of["Metric"]["Dimensions"]))
            for ts in range(int(request["StartTime"]), int(request["EndTime"]), period_s):
                found[(*names, of["Metric"]["MetricName"], of["Stat"], period_s, ts)] += 1
    recorders.cloudwatch.requests.clear()
    return found


def test_two_recorders_on_one_archive_send_the_requests_of_one(tmp_path: Path) -> None:
    with recorder_processes(tmp_path) as some:
        for _ in range(2):  # all of the past, and a minute later what is new
            assert [wait_for_exit(one) for one in (some.start(), some.start())] == [0, 0]
            assert set(request_counts(some).values()) == {1}
            some.now_s += 60
        some.now_s -= 60
        points, wrong, doubled = some.compare_with_source()
        assert points > 10_000
        assert (wrong, doubled) == (set(), 0)
