"""The keeper: in which order it fills, how it waits, and what does not stop it."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from collector import collector
from collector.collector import Keeper
from domain import Event, Window
from sources.base import Events, Look
from tests.archive.events.test_store import TRAFFIC, alert
from tests.fakes.metric_source import ECS, NOON, World, at, open_archive, said, span, spans

pytestmark = pytest.mark.usefixtures("both_engines")


class Weights:
    """A TrafficSource that always says the same."""

    name = "load_balancer"

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> Look:
        self.looks += 1
        return Look(NOON + self.looks, TRAFFIC)

    def check(self):
        return ()


class Alerts:
    """An EventSource with one alert."""

    name = "mackerel_events"

    def __init__(self) -> None:
        self.asked: list[Window] = []

    def events(self, window: Window) -> Events:
        self.asked.append(window)
        told: tuple[Event, ...] = (alert("a", -10),)
        return Events(window, NOON, told)

    def check(self):
        return ()


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def keeper_of(archive: Archive, world: World, *, horizon_minutes: int = 600, **more) -> Keeper:
    return Keeper(archive, [world], None, [], horizon_minutes=horizon_minutes, clock=lambda: world.now, **more)


def test_the_newest_hours_come_first_then_the_rest_in_pieces_each_kept_as_it_comes(archive):
    world = World()
    collector = keeper_of(archive, world)
    told = []
    for _ in range(5):
        wait_s = collector.keep_metrics(world)
        told.append((world.asked, collector.progress("cloudwatch"), wait_s))
    assert told == [
        ([(-180, 0)], (180, 600), 0.0),
        ([(-360, -180)], (360, 600), 0.0),
        ([(-540, -360)], (540, 600), 0.0),
        ([(-600, -540)], None, 0.0),
        ([], None, 60.0),
    ]
    assert len(said(archive.read(span(-600, 0), "cloudwatch", now=at(0)), ECS)) == 600


def test_in_steady_state_it_asks_for_the_unsettled_minutes_once_a_minute(archive):
    world = World()
    collector = keeper_of(archive, world, horizon_minutes=60)
    collector.keep_metrics(world)
    for second in range(0, 300, 5):
        world.now = at(second / 60)
        collector.keep_metrics(world)
    assert world.asked == [(-60, 0), (-15, 1), (-14, 2), (-13, 3), (-12, 4)]


def test_what_a_page_waits_for_comes_before_the_rest_the_newest_wish_first(archive):
    world = World()
    collector = keeper_of(archive, world)
    collector.want(span(-3000, -2990), "cloudwatch")
    collector.want(span(-5000, -4990), "cloudwatch")
    collector.want(span(-3000, -2990), "cloudwatch")
    collector.want(span(-4000, -3600), "cloudwatch")
    for _ in range(6):
        collector.keep_metrics(world)
    assert world.asked == [
        (-180, 0),
        (-3780, -3600),
        (-3960, -3780),
        (-4000, -3960),
        (-3000, -2990),
        (-5000, -4990),
    ]


def test_a_page_that_wants_very_much_is_heard_for_its_last_wishes(archive):
    world = World()
    collector = keeper_of(archive, world, horizon_minutes=60)
    for wish in range(100):
        collector.want(span(-1000 - wish, -900 - wish), "cloudwatch")
    while collector.keep_metrics(world) == 0.0:
        pass
    assert min(first for first, _ in world.asked) == -1099
    assert len(archive.read(span(-900, -800), "cloudwatch", now=at(0)).frame) == 0


def test_a_source_that_is_down_is_left_alone_for_a_minute(archive):
    world = World(refuses=lambda series, window: "unreachable")
    collector = keeper_of(archive, world)
    assert [collector.keep_metrics(world) for _ in range(4)] == [60.0] * 4
    assert world.asked == [(-180, 0), (-360, -180)]
    world.now, world.refuses = at(2), lambda series, window: None
    while collector.keep_metrics(world) == 0.0:
        pass
    assert len(said(archive.read(span(-598, 2), "cloudwatch", now=at(2)), ECS)) == 600


def test_keepers_of_several_processes_ask_as_often_as_one(archive, tmp_path):
    world, weights, alerts = World(), Weights(), Alerts()
    with open_archive(tmp_path) as second:
        keepers = [
            Keeper(each, [world], weights, [alerts], horizon_minutes=60, clock=lambda: world.now)
            for each in (archive, second)
        ]
        for tick in range(0, 120, 5):
            world.now = at(tick / 60)
            for each in keepers:
                each.keep_metrics(world)
                each.keep_traffic()
                each.keep_events(alerts)
    assert world.asked == [(-60, 0), (-15, 1)]
    assert weights.looks == 8
    assert spans(alerts.asked) == [(-60, 0), (-59, 1)]
    assert [event.key for event in archive.events(span(-60, 0))] == ["a"]


def test_a_wish_for_older_events_is_granted(archive):
    alerts = Alerts()
    collector = Keeper(archive, [], None, [alerts], horizon_minutes=60, clock=lambda: at(0))
    collector.keep_events(alerts)
    collector.want(span(-500, -400), "mackerel_events")
    assert collector.keep_events(alerts) == 60.0
    collector.keep_events(alerts)
    assert spans(alerts.asked) == [(-60, 0), (-500, -400)]


def test_a_source_that_hangs_holds_up_none_of_the_others_nor_the_stop(archive):
    entered, release = threading.Event(), threading.Event()

    class Hanging(World):
        def pull(self, window, series=None):
            entered.set()
            release.wait(30)
            return super().pull(window, series)

    hanging = Hanging(name="mackerel", wanted=(replace(ECS, source="mackerel"),))
    world, weights = World(), Weights()
    collector = Keeper(archive, [hanging, world], weights, [Alerts()], horizon_minutes=60, clock=lambda: world.now)
    collector.start()
    assert entered.wait(10)
    assert collector.wait_until(lambda: len(archive.states()) == 3 and archive.traffic() is not None, timeout_s=10)
    assert {state.source for state in archive.states()} == {"cloudwatch", "load_balancer", "mackerel_events"}
    collector.stop(timeout_s=0.05)
    release.set()
    collector.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("keeper of")]


def test_a_wish_wakes_the_thread(archive):
    world = World()
    collector = keeper_of(archive, world, horizon_minutes=60)
    collector.start()
    assert collector.wait_until(lambda: archive.revision("cloudwatch") > 0, timeout_s=10)
    collector.want(span(-500, -400), "cloudwatch")
    there = lambda: not archive.read(span(-500, -400), "cloudwatch", now=at(0)).missing  # noqa: E731
    assert collector.wait_until(there, timeout_s=10)
    rounds: list[None] = []
    spins = collector.wait_until(lambda: rounds.append(None) or len(rounds) > 20, timeout_s=0.2)
    assert not spins, "once it is granted the thread waits again"
    collector.stop()


def test_an_archive_that_fails_is_said_and_tried_again(archive, monkeypatch):
    monkeypatch.setattr(collector, "RETRY_S", 0.01)
    kept = archive.keep_look
    fails = [ArchiveError("disk_full", "database or disk is full")] * 3

    def keep_look(look: Look, name: str) -> None:
        if fails:
            raise fails.pop()
        kept(look, name)

    monkeypatch.setattr(archive, "keep_look", keep_look)
    seen = []
    each = Keeper(archive, [], Weights(), [], look_every_s=0, clock=lambda: at(0))
    each.start()
    assert each.wait_until(lambda: seen.append(each.problem) or archive.traffic() is not None, timeout_s=10)
    each.stop()
    assert each.problem is None
    assert {problem.kind for problem in seen if problem} == {"disk_full"}
