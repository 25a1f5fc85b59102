"""Whole windows: asked when somebody looks, once for everybody, and kept."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from collector.collector import Keeper
from domain import Window
from domain.latency import Latencies
from sources.base import Problem
from sources.window_latency import Whole
from tests.fakes.metric_source import World, at, open_archive, span

pytestmark = pytest.mark.usefixtures("both_engines")

EC2 = Latencies("baseline", "photo-ec2", 870, 860, 0.12, {"p50": 0.1, "p99": 2.5}, {0.1: 0.99, 1.0: 1.0})
ECS = Latencies("canary", "photo-ecs", 9, None, None, {}, {})
DENIED = Problem("denied", "cloudwatch", "cloudwatch:GetMetricData")


@dataclass
class Merging(World):
    """A World that also answers for whole windows: with EC2 and ECS, or as `answer` says."""

    answer: dict[str, object] = field(default_factory=dict)
    wholes: list[Window] = field(default_factory=list)

    def whole(self, window: Window) -> Whole:
        self.wholes.append(window)
        told = Whole(window, Window(window.start, window.end - 60), int(self.now.timestamp()), (EC2, ECS))
        return replace(told, **self.answer)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def ask(archive: Archive, source: Merging, window: Window, now: datetime) -> Whole | None:
    source.now = now
    assert archive.ask_whole(window, source, now=now)
    return archive.whole(window, source.name)


def test_what_was_said_comes_back_as_it_was(archive, tmp_path: Path):
    source, window = Merging(answer={"problems": (DENIED,), "complete": False}), span(-70, -10)
    told = ask(archive, source, window, at(0))
    assert told == Whole(window, span(-70, -11), int(at(0).timestamp()), (EC2, ECS), (DENIED,), complete=False)
    with open_archive(tmp_path) as other:
        assert other.whole(window, "cloudwatch") == told
        assert other.whole(window, "demo") is None
        assert other.whole(span(-60, -10), "cloudwatch") is None


def test_a_window_is_asked_again_until_it_is_settled_and_then_never(archive):
    source, window, asked = Merging(), span(-60, -5), []
    for minute in range(40):
        ask(archive, source, window, at(minute))
        if len(source.wholes) > len(asked):
            asked.append(minute)
    assert asked == [0, 5, 10], "every five minutes, until its end is fifteen minutes old or was when it was asked"


def test_a_longer_window_takes_the_place_of_the_one_that_began_with_it(archive):
    source = Merging()
    ask(archive, source, span(-60, -5), at(0))
    longer = span(-60, 0)
    before = archive.whole(longer, "cloudwatch")
    assert before and before.window == span(-60, -5), "shown until the longer one is answered"
    after = ask(archive, source, longer, at(1))
    assert after and after.window == longer
    assert source.wholes == [span(-60, -5), longer]


def test_a_refusal_leaves_the_last_numbers_and_is_tried_again_after_a_minute(archive):
    source = Merging()
    ask(archive, source, span(-60, -5), at(0))
    source.answer = {"groups": (), "covered": None, "problems": (DENIED,), "complete": False}
    told = ask(archive, source, span(-60, 0), at(3))
    assert told and (told.groups, told.covered, told.problems) == ((EC2, ECS), span(-60, -6), (DENIED,))
    ask(archive, source, span(-60, 0), at(3.9))
    assert len(source.wholes) == 2
    source.answer = {}
    told = ask(archive, source, span(-60, 0), at(4))
    assert told and (told.covered, told.problems) == (span(-60, -1), ())


def test_who_finds_somebody_asking_waits(archive, tmp_path: Path):
    window, seen = span(-60, -5), []

    class Slow(Merging):
        def whole(self, window: Window) -> Whole:
            with open_archive(tmp_path) as other:
                seen.append(other.ask_whole(window, Merging(), now=at(0)))
            return super().whole(window)

    slow = Slow()
    assert archive.ask_whole(window, slow, now=at(0))
    assert (seen, slow.wholes) == ([False], [window])


def test_what_cannot_be_written_is_shown_and_not_asked_again(archive, monkeypatch):
    source, window = Merging(), span(-60, -5)

    def full(*_: object) -> None:
        raise ArchiveError("disk_full", "database or disk is full")

    monkeypatch.setattr("archive.metrics.window_latency.write", full)
    with pytest.raises(ArchiveError):
        archive.ask_whole(window, source, now=at(0))
    assert archive.problem and archive.problem.kind == "disk_full"
    told = ask(archive, source, window, at(1))
    assert told and told.groups == (EC2, ECS)
    assert len(source.wholes) == 1


def test_the_keeper_asks_what_a_page_wants_and_nothing_by_itself(archive):
    source, window = Merging(), span(-60, -5)
    keeper = Keeper(archive, [source], None, [], horizon_minutes=60, clock=lambda: at(0))
    keeper.start()
    assert keeper.wait_until(lambda: archive.revision("cloudwatch") > 0, timeout_s=10)
    assert source.wholes == []
    for _ in range(3):
        keeper.want_whole(window, "cloudwatch")
    assert keeper.wait_until(lambda: archive.whole(window, "cloudwatch") is not None, timeout_s=10)
    keeper.want_whole(window, "mackerel")  # which cannot, and nothing comes of it
    keeper.stop()
    assert source.wholes == [window]
