"""Whole recorders on one archive: killed at any instant they lose and double nothing, and two of them ask no more than one."""

import random
import threading
from collections import Counter
from pathlib import Path
from signal import SIGKILL

from tests.factories.recorders import CLAIM_S, Recorders, ended, recorders


class Asked(threading.Event):
    """A CloudWatch that leaves everybody waiting, once it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.set()
        return super().wait(timeout)


def test_killed_at_any_instant_and_started_again_it_has_lost_nothing_and_doubled_nothing(tmp_path: Path) -> None:
    dice = random.Random(4)
    with recorders(tmp_path) as some:
        assert some.run(dies_at=dice.randint(1, 30)) == -SIGKILL, "while it makes its tables"
        for _ in range(4):
            assert some.run(dies_at=dice.randint(30, 250)) == -SIGKILL
            some.now_s += CLAIM_S
        some.world.hang = hang = Asked()
        recorder = some.start()
        assert hang.asked.wait(60)
        recorder.kill()
        assert ended(recorder) == -SIGKILL, "while it waits for an answer"
        hang.set()
        some.world.hang = None
        some.now_s += CLAIM_S

        points, before, _ = some.difference()
        assert 0 < len(before) < points, "some of it was there, and not all"
        assert some.run() == 0
        points, wrong, doubled = some.difference()
        assert points > 10_000
        assert (wrong, doubled) == (set(), 0)


def asked(some: Recorders) -> Counter[tuple[object, ...]]:
    """How often each minute or longer period of each statistic was asked for, since this was last looked at."""
    found: Counter[tuple[object, ...]] = Counter()
    for request in some.world.requests:
        for query in () if "NextToken" in request else request["MetricDataQueries"]:
            of, period_s = query["MetricStat"], query["MetricStat"]["Period"]
            names = tuple(sorted(one["Value"] for one in of["Metric"]["Dimensions"]))
            for ts in range(int(request["StartTime"]), int(request["EndTime"]), period_s):
                found[(*names, of["Metric"]["MetricName"], of["Stat"], period_s, ts)] += 1
    some.world.requests.clear()
    return found


def test_two_recorders_on_one_archive_ask_what_one_would_ask(tmp_path: Path) -> None:
    with recorders(tmp_path) as some:
        for _ in range(2):  # all of the past, and a minute later what is new
            assert [ended(one) for one in (some.start(), some.start())] == [0, 0]
            assert set(asked(some).values()) == {1}
            some.now_s += 60
        some.now_s -= 60
        points, wrong, doubled = some.difference()
        assert points > 10_000
        assert (wrong, doubled) == (set(), 0)
