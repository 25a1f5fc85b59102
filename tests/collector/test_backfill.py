"""The back-fill: what of the past is asked for, in which order, and how it gives way."""

from collections.abc import Hashable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from collector.backfill import KEPT_S
from collector.collector import Keeper
from domain import Window, epoch_s
from sources.base import Events
from tests.collector.test_collector import Alerts
from tests.fakes.metric_source import ECS, HOURLY, NOON, World, at, open_archive, rising, said, span

pytestmark = pytest.mark.usefixtures("both_engines")

DAY = 1440


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def cloudwatch(start: int, now: int) -> int:
    """As CloudWatch keeps periods, with a few days instead of months."""
    days = (now - start) / 86_400
    return 60 if days <= 2 else 300 if days <= 4 else 3600 if days <= 10 else 0


def keeper_of(archive: Archive, world: World, *, since: int | None = None, horizon_minutes: int = 60) -> Keeper:
    return Keeper(
        archive, [world], None, [], horizon_minutes=horizon_minutes, backfill=True, since=since, clock=lambda: world.now
    )


def steps(keeper: Keeper, world: World, *, at_most: int = 200) -> list[float]:
    """Rounds until the keeper waits for something, and what each said."""
    told = []
    for _ in range(at_most):
        told.append(keeper.keep_metrics(world))
        if told[-1] >= 15:
            return told
    raise AssertionError("It never comes to rest.")


def test_it_fills_what_the_source_still_keeps_newest_first_each_age_in_its_period(archive):
    world = World(wanted=(ECS,), finest=cloudwatch)
    keeper = keeper_of(archive, world)
    steps(keeper, world)
    asked = [((window.start - NOON) / 60, (window.end - NOON) / 60) for window, _ in world.pulls]
    assert asked[:4] == [(-60, 0), (-60 - 720, -60), (-60 - 1440, -60 - 720), (-60 - 2160, -60 - 1440)]
    assert [end for _, end in asked] == sorted((end for _, end in asked), reverse=True)
    assert all(newer[0] == older[1] for newer, older in pairwise(asked))
    brought = archive.read(span(-11 * DAY, 0), "cloudwatch", now=at(0))
    lengths = brought.frame.groupby("period_s")["ts"]
    spans = {period_s: ((ts.min() - at(0)).total_seconds() / 86_400, len(ts)) for period_s, ts in lengths}
    assert spans == {60: (-2, 2 * DAY), 300: (-4, 2 * 288), 3600: (-10, 6 * 24)}
    backfilled = keeper.backfilled("cloudwatch")
    assert (backfilled.state, backfilled.back_to) == ("done", NOON - 10 * 86_400), (
        "before that the source keeps nothing"
    )
    assert len(brought.frame) == len(set(epoch_s(brought.frame))), "nothing is there twice"
    done = keeper.backfilled("cloudwatch")
    assert done and (done.state, done.there) == ("done", done.whole)


def test_progress_is_told_in_periods_and_how_far_back_all_is_there(archive):
    world = World(wanted=(ECS, HOURLY))
    keeper = keeper_of(archive, world, since=NOON - 36 * 3600)
    told = []
    for _ in range(20):
        keeper.keep_metrics(world)
        if done := keeper.backfilled("cloudwatch"):
            told.append((done.state, done.there, done.whole, (NOON - done.back_to) // 60))
    settled = 36 * 60 - 15
    assert list(dict.fromkeys(told)) == [
        ("filling", 45, settled, 60),
        ("filling", 45 + 720, settled, 60 + 720),
        ("filling", 45 + 1440, settled, 60 + 1440),
        ("done", settled, settled, 36 * 60),
    ]
    hours = archive.read(span(-36 * 60, 0), "cloudwatch", now=at(0), only=lambda one: one.hourly)
    assert sorted(said(hours, HOURLY)) == list(range(-36 * 60, -60, 60))


def test_the_live_edge_comes_first_however_much_of_the_past_is_left(archive):
    world = World(wanted=(ECS,))
    keeper = keeper_of(archive, world)
    for minute in range(6):
        world.now = at(minute)
        for _ in range(3):
            keeper.keep_metrics(world)
    live = [window for window, _ in world.pulls if window.end > NOON - 900]
    assert [(window.end - NOON) // 60 for window in live] == [0, 1, 2, 3, 4, 5]
    assert len(world.pulls) == 18


def test_what_a_page_waits_for_comes_before_the_past(archive):
    world = World(wanted=(ECS,))
    keeper = keeper_of(archive, world)
    keeper.keep_metrics(world)
    keeper.keep_metrics(world)
    keeper.want(span(-9000, -8990), "cloudwatch")
    keeper.keep_metrics(world)
    assert world.asked == [(-60, 0), (-780, -60), (-9000, -8990)]


def test_throttled_it_waits_longer_each_time_and_the_live_edge_goes_on(archive):
    world = World(wanted=(ECS,))
    world.refuses = lambda series, window: "throttled" if window.end < NOON - 900 else None
    keeper = keeper_of(archive, world)
    for second in range(0, 900, 5):
        world.now = at(second / 60)
        keeper.keep_metrics(world)
    live = [window for window, _ in world.pulls if window.end > NOON - 900]
    past = len(world.pulls) - len(live)
    assert len(live) == 15
    assert 4 <= past <= 8, "without a pause it would be one a round"
    waiting = keeper.backfilled("cloudwatch")
    assert waiting and waiting.state == "waiting"
    world.refuses = lambda series, window: None
    world.now = at(40)
    assert keeper.keep_metrics(world) == 0.0
    keeper.keep_metrics(world)
    filling = keeper.backfilled("cloudwatch")
    assert filling and filling.state == "filling"


def test_a_source_that_is_down_at_the_start_is_filled_when_it_comes_back(archive):
    world = World(wanted=(ECS,), refuses=lambda series, window: "unreachable")
    keeper = keeper_of(archive, world, since=NOON - 86_400)
    for second in range(0, 600, 5):
        world.now = at(second / 60)
        keeper.keep_metrics(world)
    assert len(world.pulls) <= 11, "once a minute"
    world.refuses = lambda series, window: None
    world.now = at(40)
    steps(keeper, world)
    assert sorted(said(archive.read(span(-DAY, 40), "cloudwatch", now=world.now), ECS)) == list(range(-DAY, 40))


def test_one_series_that_is_forbidden_costs_no_more_than_one_try_at_a_time(archive):
    forbidden = replace(ECS, metric="target_5xx")
    world = World(wanted=(ECS, forbidden))
    world.refuses = lambda series, window: "forbidden_metric" if series == forbidden else None
    keeper = keeper_of(archive, world, since=NOON - 20 * 86_400)
    steps(keeper, world)
    assert sum(forbidden in series for _, series in world.pulls) == 1
    done = keeper.backfilled("cloudwatch")
    assert done and (done.state, done.there) == ("waiting", done.whole)


def test_it_stops_where_a_source_had_nothing_for_long(archive):
    first = NOON - 3 * 86_400
    world = World(wanted=(ECS,), finest=lambda start, now: 60 if now - start < 5 * 86_400 else 3600)
    world.numbers = lambda series, ts, asked_at: rising(series, ts, asked_at) if ts >= first else None
    keeper = keeper_of(archive, world)
    steps(keeper, world)
    oldest = min(window.start for window, _ in world.pulls)
    assert NOON - KEPT_S < oldest < first - 15 * 86_400
    done = keeper.backfilled("cloudwatch")
    assert done and done.state == "done" and done.window.start <= first - 15 * 86_400
    world.pulls.clear()
    again = keeper_of(archive, world)
    steps(again, world)
    assert world.pulls == [], "another process finds the same"


def test_a_source_that_keeps_minutes_for_ever_is_asked_for_two_months_of_them(archive):
    world = World(wanted=(ECS,))
    keeper = keeper_of(archive, world)
    for _ in range(4):
        keeper.keep_metrics(world)
    told = keeper.backfilled("cloudwatch")
    assert told and told.window.start == NOON - 63 * 86_400


def test_a_clock_that_jumps_back_does_not_stop_it(archive):
    world = World(wanted=(ECS,), now=at(3000))
    world.refuses = lambda series, window: "throttled" if window.end < at(2900).timestamp() else None
    keeper = keeper_of(archive, world, since=NOON - 86_400)
    while not (told := keeper.backfilled("cloudwatch")) or told.state != "waiting":
        keeper.keep_metrics(world)
    world.refuses, world.now = lambda series, window: None, at(0)
    steps(keeper, world)
    assert sorted(said(archive.read(span(-DAY, 0), "cloudwatch", now=at(0)), ECS)) == list(range(-DAY, 0))


def test_while_the_archive_cannot_be_written_the_past_is_not_asked_for(archive, monkeypatch):
    world = World(wanted=(ECS,))
    keeper = keeper_of(archive, world)
    keeper.keep_metrics(world)
    keeper.keep_metrics(world)
    full = type(archive)._keeping

    def disk_full(self, name):
        held = self._held_of(name)
        error = ArchiveError("disk_full", "database or disk is full")
        held.problem = error.problem
        raise error

    monkeypatch.setattr(type(archive), "_keeping", disk_full)
    world.now = at(1)
    keeper.keep_metrics(world)
    for _ in range(10):
        with pytest.raises(ArchiveError):
            keeper.keep_metrics(world)
    assert len(world.pulls) == 3, "the live edge once, and nothing else"
    waiting = keeper.backfilled("cloudwatch")
    assert waiting and waiting.state == "waiting"
    monkeypatch.setattr(type(archive), "_keeping", full)
    world.now = at(2)
    keeper.keep_metrics(world)
    keeper.keep_metrics(world)
    filling = keeper.backfilled("cloudwatch")
    assert filling and filling.state == "filling"
    assert sorted(said(archive.read(span(-1500, 2), "cloudwatch", now=at(2)), ECS)) == list(range(-1500, 2))


def test_what_happened_before_is_asked_once_and_nothing_of_it_is_forgotten(archive):
    alerts, clock = Alerts(), [at(0)]
    world = World(wanted=(ECS,))

    def keeper() -> Keeper:
        return Keeper(archive, [world], None, [alerts], backfill=True, since=NOON - 70 * 86_400, clock=lambda: clock[0])

    one = keeper()
    for second in range(0, 50, 2):
        clock[0] = at(second / 60)
        one.keep_events(alerts)
    days = [((window.start - NOON) / 86_400, (window.end - NOON) / 86_400) for window in alerts.asked]
    assert days == [(-1, 0), (-31, -1), (-61, -31), (-70, -61)]
    assert [event.key for event in archive.events(span(-100 * DAY, 0))] == ["a"]
    clock[0] = at(1)
    another = keeper()
    another.keep_events(alerts)
    another.keep_events(alerts)
    assert len(alerts.asked) == 5, "the last day again, and nothing before it"
    clock[0] = at(5 * DAY)
    another.keep_events(alerts)
    another.keep_events(alerts)
    assert days_of(alerts.asked[-1]) == (1 / 1440, 4), "an outage of five days leaves no gap"


def days_of(window: Window) -> tuple[float, float]:
    return (window.start - NOON) / 86_400, (window.end - NOON) / 86_400


def test_a_source_that_does_not_tell_of_the_past_is_left_alone_for_a_while(archive):
    class Silent(Alerts):
        def events(self, window: Window) -> Events:
            old = window.end < NOON - 3600
            return replace(super().events(window), complete=not old)

    alerts, clock = Silent(), [at(0)]
    keeper = Keeper(archive, [World()], None, [alerts], backfill=True, clock=lambda: clock[0])
    for second in range(0, 58, 2):
        clock[0] = at(second / 60)
        keeper.keep_events(alerts)
    assert len(alerts.asked) == 2
    assert not keeper.up_to_date(alerts.name)


def test_what_comes_of_the_past_leaves_alone_what_was_worked_out_from_the_newest_hours(archive):
    """Every page would be drawn and judged anew with each piece of the past."""

    def version() -> Hashable:
        return archive.version(span(-60, 5), "cloudwatch", now=world.now)

    world = World(wanted=(ECS,))
    archive.fill(span(-60, 0), world, now=world.now)
    newest, everything = version(), archive.revision("cloudwatch")
    archive.fill(span(-720, -120), world, now=world.now)
    assert version() == newest
    assert archive.revision("cloudwatch") > everything
    world.now = at(1)
    archive.fill(span(-60, 1), world, now=world.now)
    answered = version()
    assert answered != newest  # the unsettled minutes were read again
    world.now, world.refuses = at(2), lambda _series, _window: "denied"
    archive.fill(span(-60, 2), world, now=world.now)
    assert version() != answered
