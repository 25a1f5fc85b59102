"""The read-through: what it asks for, what it keeps, and what it says of it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import Archive
from domain import Series, Window, check_frame
from sources.base import Problem
from tests.factories.archives import open_archive
from tests.fakes.metric_source import (
    EC2,
    ECS,
    HOURLY,
    LATENCY,
    NOON,
    FakeMetricSource,
    minute_ranges,
    minute_time,
    minute_window,
    rising_values,
    values_by_minute,
)

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def get_at(archive: Archive, world: FakeMetricSource, window: Window, minute: float):
    world.now = minute_time(minute)
    return archive.metrics.get(window, world, now=world.now)


def test_the_first_time_everything_is_asked_in_one_pull(archive):
    world = FakeMetricSource(configured_series=(EC2, ECS, LATENCY))
    brought = get_at(archive, world, minute_window(-60, 0), 0)

    assert world.pulls == [(minute_window(-60, 0), (EC2, ECS, LATENCY))]
    check_frame(brought.frame)
    assert values_by_minute(brought, LATENCY)[-60] == pytest.approx(-59.9)
    assert list(values_by_minute(brought, EC2)) == list(range(-60, 0))
    assert brought.datapoints_requested == 180
    assert brought.data_until == NOON
    assert brought.last_asked_at == NOON
    assert brought.missing == ()
    assert brought.periods == ((minute_window(-60, 0), 60),)
    assert brought.problems == ()
    assert brought.archive_problem is None
    assert brought.frame["ts"].is_monotonic_increasing


def test_within_a_minute_nothing_is_asked_again(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-60, 0), 0)
    again = get_at(archive, world, minute_window(-60, 0), 0.9)
    assert len(world.pulls) == 1
    assert again.datapoints_requested == 0
    assert len(again.frame) == 120


def test_a_minute_later_only_the_unsettled_minutes_are_asked(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-180, 0), 0)
    get_at(archive, world, minute_window(-179, 1), 1)
    get_at(archive, world, minute_window(-178, 2), 2)
    assert world.new_requests == [(-180, 0), (-15, 1), (-14, 2)]


def test_the_settled_minutes_between_two_askings_wait_for_the_next(archive):
    """A minute settles every minute: it must not be asked for by itself just because the page was opened at :05."""
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-60, 0), 0.9)
    get_at(archive, world, minute_window(-60, 1), 1.5)
    assert world.new_requests == [(-60, 0)]


def test_an_older_window_asks_only_for_what_is_older(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-60, 0), 0)
    get_at(archive, world, minute_window(-120, 0), 0.5)
    get_at(archive, world, minute_window(-90, -70), 0.5)
    assert world.new_requests == [(-60, 0), (-120, -60)]


def test_zooming_into_the_live_edge_asks_for_all_of_it(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-5, 0), 0)
    get_at(archive, world, minute_window(-10, 0), 0.5)
    assert world.new_requests == [(-15, 0)]


def test_the_future_is_never_asked_for(archive):
    world = FakeMetricSource()
    brought = get_at(archive, world, minute_window(-10, 30), 0.5)
    get_at(archive, world, minute_window(10, 30), 0.6)
    assert world.new_requests == [(-15, 0)]
    assert list(values_by_minute(brought, EC2)) == list(range(-10, 0))


def test_an_unsettled_minute_takes_its_revised_value_and_a_settled_one_keeps_its_own(archive):
    world = FakeMetricSource(value_at=lambda series, ts, asked_at: float(asked_at - NOON))
    get_at(archive, world, minute_window(-20, 0), 0)
    brought = get_at(archive, world, minute_window(-20, 5), 5)
    assert [values_by_minute(brought, EC2)[minute] for minute in (-20, -16, -15, -1, 4)] == [0, 0, 300, 300, 300]


def test_a_point_that_vanished_from_the_live_edge_is_gone(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-20, 0), 0)
    world.value_at = lambda series, ts, asked_at: None if ts >= NOON - 18 * 60 else 1.0
    brought = get_at(archive, world, minute_window(-20, 1), 1)
    assert list(values_by_minute(brought, EC2)) == [-20, -19, -18, -17, -16]


def test_settled_numbers_stay_though_a_later_answer_reaches_back_over_them(archive):
    class Generous(FakeMetricSource):
        def pull(self, window, series=None):
            return super().pull(Window(window.start - 600, window.end), series)

    get_at(archive, FakeMetricSource(), minute_window(-60, -40), 0)
    brought = get_at(archive, Generous(value_at=lambda *_: None), minute_window(-60, -30), 0)
    assert list(values_by_minute(brought, EC2)) == list(range(-60, -40))


def test_nothing_is_not_the_same_as_not_asked(archive):
    world = FakeMetricSource(value_at=lambda *_: None)
    asked = get_at(archive, world, minute_window(-60, -30), 0)
    assert asked.frame.empty
    assert asked.missing == ()
    assert asked.data_until is None
    assert archive.metrics.read(minute_window(-90, -30), "cloudwatch", now=minute_time(0)).missing == (
        minute_window(-90, -60),
    )
    assert world.new_requests == [(-60, -30)]


def test_reading_never_asks(archive):
    world = FakeMetricSource()
    assert archive.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)).frame.empty
    get_at(archive, world, minute_window(-60, 0), 0)
    world.pulls.clear()
    brought = archive.metrics.read(minute_window(-90, 30), "cloudwatch", now=minute_time(60))
    assert world.pulls == []
    assert brought.missing == (minute_window(-90, -60), minute_window(-15, 30))


def test_a_new_target_group_asks_only_for_itself(archive):
    world = FakeMetricSource(configured_series=(EC2, ECS))
    get_at(archive, world, minute_window(-60, 0), 0)
    green = Series("cloudwatch", "canary", "photo-green", "requests", "sum", "count")
    world.configured_series = (EC2, ECS, green)
    brought = get_at(archive, world, minute_window(-60, 0), 0.5)
    assert world.pulls[1:] == [(minute_window(-60, 0), (green,))]
    assert len(values_by_minute(brought, green)) == 60
    assert len(brought.frame) == 180


def test_a_series_that_is_no_longer_configured_is_no_longer_shown_nor_missed(archive):
    world = FakeMetricSource(configured_series=(EC2, ECS))
    get_at(archive, world, minute_window(-60, 0), 0)
    world.configured_series = (EC2,)
    brought = get_at(archive, world, minute_window(-60, 2), 2)
    assert set(brought.frame["target_group"]) == {"photo-ec2"}
    assert brought.missing == ()


def test_a_forbidden_series_backs_off_and_the_others_go_on(archive):
    world = FakeMetricSource(problem_kind=lambda series, window: "forbidden_metric" if series == ECS else None)
    brought = get_at(archive, world, minute_window(-20, 0), 0)
    assert brought.problems == (Problem("forbidden_metric", "cloudwatch", "cloudwatch:GetMetricData", "requests"),)
    assert brought.missing == (minute_window(-20, -15),)
    asked_at = []
    for minute in range(1, 45):
        world.pulls.clear()
        brought = get_at(archive, world, minute_window(-20, 0 + minute), minute)
        assert brought.problems, "a standing refusal stays visible while it waits"
        assert any(EC2 in series for _, series in world.pulls)
        if any(ECS in series for _, series in world.pulls):
            asked_at.append(minute)
    assert asked_at == [1, 3, 7, 15, 30]


def test_what_was_not_answered_of_a_count_is_unknown_also_where_it_is_not_settled(archive):
    world = FakeMetricSource(
        configured_series=(EC2, ECS, LATENCY),
        problem_kind=lambda series, window: None if series == EC2 else "internal_error",
    )
    assert get_at(archive, world, minute_window(-20, 0), 0).unknown == {ECS: (minute_window(-20, 0),)}
    world.problem_kind = lambda series, window: None
    assert get_at(archive, world, minute_window(-20, 2), 2).unknown == {}
    world.problem_kind = lambda series, window: "internal_error" if series == ECS else None
    assert get_at(archive, world, minute_window(-20, 5), 5).unknown == {ECS: (minute_window(2, 5),)}


def test_a_series_that_is_allowed_again_is_filled_and_its_problem_gone(archive):
    world = FakeMetricSource(problem_kind=lambda series, window: "forbidden_metric" if series == ECS else None)
    get_at(archive, world, minute_window(-20, 0), 0)
    world.problem_kind = lambda series, window: None
    brought = get_at(archive, world, minute_window(-20, 1), 1)
    assert values_by_minute(brought, ECS).keys() == values_by_minute(brought, EC2).keys()
    assert (brought.problems, brought.missing) == ((), ())


def test_a_source_that_is_down_is_asked_once_a_minute_and_not_for_every_piece(archive):
    world = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    for minute in (0, 0.2, 0.9, 1, 1.5, 2, 3, 4, 5):
        brought = get_at(archive, world, minute_window(-4000, 0), minute)
    assert len(world.pulls) == 6
    assert [problem.kind for problem in brought.problems] == ["timeout"]
    world.problem_kind = lambda series, window: None
    brought = get_at(archive, world, minute_window(-4000, 6), 6)
    assert len(brought.frame) == 2 * 4006
    assert brought.problems == ()


def test_a_hole_that_cannot_be_filled_does_not_stop_the_live_edge(archive):
    world = FakeMetricSource(problem_kind=lambda series, window: "partial_data" if window.start < NOON - 3600 else None)
    get_at(archive, world, minute_window(-60, 0), 0)
    for minute in range(1, 10):
        brought = get_at(archive, world, minute_window(-120, minute), minute)
    old = [window for window, _ in world.pulls if window.start < NOON - 3600]
    assert minute_ranges(old) == [(-120, -60)] * 4  # after 0, 1, 3, 7 minutes
    assert brought.data_until == NOON + 9 * 60
    assert brought.missing == (minute_window(-120, -60),)


def test_a_clock_that_is_set_back_freezes_nothing(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-60, 0), 0)
    brought = get_at(archive, world, minute_window(-120, -60), -60)
    assert list(values_by_minute(brought, EC2)) == list(range(-120, -60))
    brought = get_at(archive, world, minute_window(-60, 1), 1)
    assert list(values_by_minute(brought, EC2)) == list(range(-60, 1))
    assert brought.last_asked_at == NOON + 60


def test_a_clock_that_is_set_back_does_not_prolong_a_wait(archive):
    world = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    get_at(archive, world, minute_window(-20, 0), 0)
    world.problem_kind = lambda series, window: None
    assert len(get_at(archive, world, minute_window(-20, -3), -3).frame) == 34


def test_a_clock_that_ran_ahead_leaves_no_false_coverage(archive):
    world = FakeMetricSource(value_at=lambda series, ts, asked_at: None if ts >= NOON else 1.0)
    get_at(archive, world, minute_window(-60, 120), 120)  # two hours fast: the future was "answered" with nothing
    world.value_at = lambda series, ts, asked_at: 2.0
    brought = get_at(archive, world, minute_window(-60, 0), 0)
    assert brought.missing == ()
    brought = get_at(archive, world, minute_window(-60, 30), 30)
    assert list(values_by_minute(brought, EC2)) == list(range(-60, 30))
    assert values_by_minute(brought, EC2)[20] == 2.0


def test_what_a_source_no_longer_keeps_is_not_asked_for(archive):
    world = FakeMetricSource(finest_period=lambda start, now: 60 if start >= now - 7200 else 0)
    get_at(archive, world, minute_window(-180, 0), 0)
    assert world.new_requests == [(-120, 0)]


def test_each_age_is_asked_in_the_period_that_is_kept(archive):
    border = NOON - 3600
    world = FakeMetricSource(finest_period=lambda start, now: 60 if start >= border else 300)
    brought = get_at(archive, world, minute_window(-93, 0), 0)
    assert world.new_requests == [(-60, 0), (-95, -60)]
    assert brought.periods == ((minute_window(-93, -60), 300), (minute_window(-60, 0), 60))
    assert brought.resolutions == (60, 300)
    assert list(values_by_minute(brought, EC2))[:7] == [-90, -85, -80, -75, -70, -65, -60]
    get_at(archive, world, minute_window(-93, 0), 0.5)
    assert world.new_requests == []


def test_minutes_that_were_kept_outlive_the_source_that_now_has_only_five_minutes(archive):
    world = FakeMetricSource()
    get_at(archive, world, minute_window(-62, -31), 0)
    world.finest_period = lambda start, now: 300
    brought = get_at(archive, world, minute_window(-70, -20), 30)
    assert brought.missing == ()
    # -65..-60 was covered in minutes only in part: the coarse row stands for all of it.
    assert list(values_by_minute(brought, EC2)) == [-70, -65, *range(-60, -35), -35, -30, -25]
    assert brought.periods == (
        (minute_window(-70, -60), 300),
        (minute_window(-60, -35), 60),
        (minute_window(-35, -20), 300),
    )


def test_a_clock_that_keeps_a_source_from_answering_is_no_mere_remark(archive):
    world = FakeMetricSource(problem_kind=lambda series, window: "clock_skew")
    get_at(archive, world, minute_window(-20, 0), 0)
    assert [(state.state, state.last_success_at) for state in archive.events.source_states()] == [("down", None)]
    world.problem_kind = lambda series, window: "clock_skew" if series == ECS else None
    get_at(archive, world, minute_window(-20, 5), 5)
    assert [state.state for state in archive.events.source_states()] == ["up"]


def test_the_state_of_a_source_is_kept_for_every_process(archive, tmp_path):
    world = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    get_at(archive, FakeMetricSource(), minute_window(-20, 0), 0)
    get_at(archive, world, minute_window(-20, 1), 1)
    with open_archive(tmp_path) as other:
        (state,) = other.events.source_states()
    assert (state.source, state.state, state.checked_at, state.last_success_at) == (
        "cloudwatch",
        "down",
        NOON + 60,
        NOON,
    )
    assert state.problems[0].kind == "timeout"


def test_the_revision_grows_with_what_changes_and_only_then(archive):
    world, other = (
        FakeMetricSource(),
        FakeMetricSource(name="mackerel", configured_series=(Series("mackerel", *list(_series_fields(EC2))[1:]),)),
    )
    before = archive.change_counter("cloudwatch")
    get_at(archive, world, minute_window(-20, 0), 0)
    after = archive.change_counter("cloudwatch")
    assert after > before
    archive.metrics.read(minute_window(-20, 0), "cloudwatch", now=minute_time(0))
    get_at(archive, world, minute_window(-20, 0), 0.5)
    get_at(archive, other, minute_window(-20, 0), 0.5)
    assert archive.change_counter("cloudwatch") == after
    assert archive.change_counter() == after + archive.change_counter("mackerel")


def _series_fields(series: Series):
    return (series.source, series.fleet, series.target_group, series.metric, series.stat, series.unit)


minutes = st.integers(-300, 300)


@settings(max_examples=40, deadline=None)
@given(
    rounds=st.lists(
        st.tuples(
            st.integers(0, 7),  # minutes since the round before
            minutes,
            st.integers(1, 200),
            st.sets(st.sampled_from([EC2, ECS, LATENCY])),  # refused this time
        ),
        min_size=1,
        max_size=12,
    )
)
def test_what_was_answered_is_what_the_source_says_and_no_settled_minute_is_asked_twice(rounds, tmp_path_factory):
    settle = 15
    answered_at: dict[tuple[Series, int], int] = {}  # (series, minute) -> when it was last answered
    world = FakeMetricSource(
        configured_series=(EC2, ECS, LATENCY),
        # A value moves until it is settled; every seventh minute has no row.
        value_at=lambda series, ts, at_s: None if ts // 60 % 7 == 0 else float(min(at_s, ts + 60 + settle * 60) - NOON),
    )
    with open_archive(tmp_path_factory.mktemp("law")) as archive:
        now = 0
        for wait, start, length, refused in rounds:
            now += wait
            world.problem_kind = lambda series, window, refused=refused: "internal_error" if series in refused else None
            brought = get_at(archive, world, minute_window(start, start + length), now)
            for window, series in world.pulls:
                for one in series:
                    for minute in range(*minute_ranges([window])[0]):
                        before = answered_at.get((one, minute))
                        assert before is None or before < minute + 1 + settle, "a settled minute was asked twice"
                        assert minute < now, "the future was asked for"
                        if one not in refused:
                            answered_at[one, minute] = now
            world.pulls.clear()
            check_frame(brought.frame)
            for one in world.configured_series:
                expected = {
                    minute: world.value_at(one, NOON + minute * 60, NOON + then * 60)
                    for (series, minute), then in answered_at.items()
                    if series == one and start <= minute < start + length
                }
                assert values_by_minute(brought, one) == {
                    m: value for m, value in expected.items() if value is not None
                }


def test_hourly_series_are_read_apart_and_never_stand_for_minutes(archive):
    def no_minutes_before_eleven(series: Series, ts: int, asked_at: int) -> float | None:
        return None if series != HOURLY and ts < NOON - 3600 else rising_values(series, ts, asked_at)

    world = FakeMetricSource(configured_series=(ECS, LATENCY, HOURLY), value_at=no_minutes_before_eleven)
    minutes = get_at(archive, world, minute_window(-120, 15), 15)
    assert minutes.resolutions == (60,)
    assert set(minutes.frame["stat"]) == {"sum", "p95"}
    hours = archive.metrics.read(
        minute_window(-120, 15), "cloudwatch", now=minute_time(15), series_filter=lambda one: one.hourly
    )
    assert values_by_minute(hours, HOURLY) == {-120: pytest.approx(-119.9), -60: pytest.approx(-59.9)}
    assert set(hours.frame["period_s"]) == {3600}


def test_the_newest_number_is_that_of_the_series_that_goes_furthest(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert archive.metrics.latest_ts("cloudwatch") is None
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert archive.metrics.latest_ts("cloudwatch") == NOON - 60
        assert archive.metrics.latest_ts("mackerel") is None
