"""The read-through cache: what it fetches, what it stores, and what it returns."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import Archive
from domain import Series, Window, check_frame
from sources.base import Problem
from tests.factories.archives import open_archive, set_read_only
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


def get_at(archive: Archive, source: FakeMetricSource, window: Window, minute: float):
    source.now = minute_time(minute)
    return archive.metrics.get(window, source, now=source.now)


def test_the_first_fetch_is_one_pull_of_everything(archive):
    source = FakeMetricSource(configured_series=(EC2, ECS, LATENCY))
    result = get_at(archive, source, minute_window(-60, 0), 0)

    assert source.pulls == [(minute_window(-60, 0), (EC2, ECS, LATENCY))]
    check_frame(result.frame)
    assert values_by_minute(result, LATENCY)[-60] == pytest.approx(-59.9)
    assert list(values_by_minute(result, EC2)) == list(range(-60, 0))
    assert result.datapoints_requested == 180
    assert result.data_until == NOON
    assert result.last_asked_at == NOON
    assert result.missing == ()
    assert result.periods == ((minute_window(-60, 0), 60),)
    assert result.problems == ()
    assert result.archive_problem is None
    assert result.frame["ts"].is_monotonic_increasing


def test_nothing_is_fetched_again_within_a_minute(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-60, 0), 0)
    again = get_at(archive, source, minute_window(-60, 0), 0.9)
    assert len(source.pulls) == 1
    assert again.datapoints_requested == 0
    assert len(again.frame) == 120


def test_a_minute_later_only_provisional_minutes_are_fetched(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-180, 0), 0)
    get_at(archive, source, minute_window(-179, 1), 1)
    get_at(archive, source, minute_window(-178, 2), 2)
    assert source.new_requests == [(-180, 0), (-15, 1), (-14, 2)]


def test_a_minute_that_became_final_waits_for_the_next_refresh(archive):
    """A minute becomes final every minute; a page opened at :05 must not fetch it alone."""
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-60, 0), 0.9)
    get_at(archive, source, minute_window(-60, 1), 1.5)
    assert source.new_requests == [(-60, 0)]


def test_an_older_window_fetches_only_older_time(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-60, 0), 0)
    get_at(archive, source, minute_window(-120, 0), 0.5)
    get_at(archive, source, minute_window(-90, -70), 0.5)
    assert source.new_requests == [(-60, 0), (-120, -60)]


def test_a_window_of_some_provisional_minutes_fetches_all_of_them(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-5, 0), 0)
    get_at(archive, source, minute_window(-10, 0), 0.5)
    assert source.new_requests == [(-15, 0)]


def test_the_future_is_never_fetched(archive):
    source = FakeMetricSource()
    result = get_at(archive, source, minute_window(-10, 30), 0.5)
    get_at(archive, source, minute_window(10, 30), 0.6)
    assert source.new_requests == [(-15, 0)]
    assert list(values_by_minute(result, EC2)) == list(range(-10, 0))


def test_a_provisional_minute_is_revised_and_a_final_one_is_not(archive):
    source = FakeMetricSource(value_at=lambda series, ts, asked_at: float(asked_at - NOON))
    get_at(archive, source, minute_window(-20, 0), 0)
    result = get_at(archive, source, minute_window(-20, 5), 5)
    assert [values_by_minute(result, EC2)[minute] for minute in (-20, -16, -15, -1, 4)] == [0, 0, 300, 300, 300]


def test_a_provisional_point_that_the_source_removed_is_deleted(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-20, 0), 0)
    source.value_at = lambda series, ts, asked_at: None if ts >= NOON - 18 * 60 else 1.0
    result = get_at(archive, source, minute_window(-20, 1), 1)
    assert list(values_by_minute(result, EC2)) == [-20, -19, -18, -17, -16]


def test_final_points_stay_if_a_later_answer_overlaps_them(archive):
    class OverlappingSource(FakeMetricSource):
        def pull(self, window, series=None):
            return super().pull(Window(window.start - 600, window.end), series)

    get_at(archive, FakeMetricSource(), minute_window(-60, -40), 0)
    result = get_at(archive, OverlappingSource(value_at=lambda *_: None), minute_window(-60, -30), 0)
    assert list(values_by_minute(result, EC2)) == list(range(-60, -40))


def test_no_data_is_not_the_same_as_not_fetched(archive):
    source = FakeMetricSource(value_at=lambda *_: None)
    result = get_at(archive, source, minute_window(-60, -30), 0)
    assert result.frame.empty
    assert result.missing == ()
    assert result.data_until is None
    assert archive.metrics.read(minute_window(-90, -30), "cloudwatch", now=minute_time(0)).missing == (
        minute_window(-90, -60),
    )
    assert source.new_requests == [(-60, -30)]


def test_read_never_fetches(archive):
    source = FakeMetricSource()
    assert archive.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)).frame.empty
    get_at(archive, source, minute_window(-60, 0), 0)
    source.pulls.clear()
    result = archive.metrics.read(minute_window(-90, 30), "cloudwatch", now=minute_time(60))
    assert source.pulls == []
    assert result.missing == (minute_window(-90, -60), minute_window(-15, 30))


def test_a_new_target_group_is_fetched_alone(archive):
    source = FakeMetricSource(configured_series=(EC2, ECS))
    get_at(archive, source, minute_window(-60, 0), 0)
    green = Series("cloudwatch", "canary", "photo-green", "requests", "sum", "count")
    source.configured_series = (EC2, ECS, green)
    result = get_at(archive, source, minute_window(-60, 0), 0.5)
    assert source.pulls[1:] == [(minute_window(-60, 0), (green,))]
    assert len(values_by_minute(result, green)) == 60
    assert len(result.frame) == 180


def test_a_series_that_is_no_longer_configured_is_neither_returned_nor_missing(archive):
    source = FakeMetricSource(configured_series=(EC2, ECS))
    get_at(archive, source, minute_window(-60, 0), 0)
    source.configured_series = (EC2,)
    result = get_at(archive, source, minute_window(-60, 2), 2)
    assert set(result.frame["target_group"]) == {"photo-ec2"}
    assert result.missing == ()


def test_a_forbidden_series_backs_off_and_the_others_are_refreshed(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "forbidden_metric" if series == ECS else None)
    result = get_at(archive, source, minute_window(-20, 0), 0)
    assert result.problems == (Problem("forbidden_metric", "cloudwatch", "cloudwatch:GetMetricData", "requests"),)
    assert result.missing == (minute_window(-20, -15),)
    retried_at = []
    for minute in range(1, 45):
        source.pulls.clear()
        result = get_at(archive, source, minute_window(-20, 0 + minute), minute)
        assert result.problems, "a problem stays visible during the back-off"
        assert any(EC2 in series for _, series in source.pulls)
        if any(ECS in series for _, series in source.pulls):
            retried_at.append(minute)
    assert retried_at == [1, 3, 7, 15, 30]


def test_unanswered_counts_are_unknown_even_if_provisional(archive):
    source = FakeMetricSource(
        configured_series=(EC2, ECS, LATENCY),
        problem_kind=lambda series, window: None if series == EC2 else "internal_error",
    )
    assert get_at(archive, source, minute_window(-20, 0), 0).unknown == {ECS: (minute_window(-20, 0),)}
    source.problem_kind = lambda series, window: None
    assert get_at(archive, source, minute_window(-20, 2), 2).unknown == {}
    source.problem_kind = lambda series, window: "internal_error" if series == ECS else None
    assert get_at(archive, source, minute_window(-20, 5), 5).unknown == {ECS: (minute_window(2, 5),)}


def test_a_series_that_is_allowed_again_is_filled_and_its_problem_removed(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "forbidden_metric" if series == ECS else None)
    get_at(archive, source, minute_window(-20, 0), 0)
    source.problem_kind = lambda series, window: None
    result = get_at(archive, source, minute_window(-20, 1), 1)
    assert values_by_minute(result, ECS).keys() == values_by_minute(result, EC2).keys()
    assert (result.problems, result.missing) == ((), ())


def test_a_source_that_is_down_is_polled_once_a_minute_with_one_request(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    for minute in (0, 0.2, 0.9, 1, 1.5, 2, 3, 4, 5):
        result = get_at(archive, source, minute_window(-4000, 0), minute)
    assert len(source.pulls) == 6
    assert [problem.kind for problem in result.problems] == ["timeout"]
    source.problem_kind = lambda series, window: None
    result = get_at(archive, source, minute_window(-4000, 6), 6)
    assert len(result.frame) == 2 * 4006
    assert result.problems == ()


def test_a_gap_that_cannot_be_filled_does_not_stop_the_refresh(archive):
    source = FakeMetricSource(
        problem_kind=lambda series, window: "partial_data" if window.start < NOON - 3600 else None
    )
    get_at(archive, source, minute_window(-60, 0), 0)
    for minute in range(1, 10):
        result = get_at(archive, source, minute_window(-120, minute), minute)
    old = [window for window, _ in source.pulls if window.start < NOON - 3600]
    assert minute_ranges(old) == [(-120, -60)] * 4  # after 0, 1, 3, 7 minutes
    assert result.data_until == NOON + 9 * 60
    assert result.missing == (minute_window(-120, -60),)


def test_fetching_goes_on_after_a_clock_is_set_back(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-60, 0), 0)
    result = get_at(archive, source, minute_window(-120, -60), -60)
    assert list(values_by_minute(result, EC2)) == list(range(-120, -60))
    result = get_at(archive, source, minute_window(-60, 1), 1)
    assert list(values_by_minute(result, EC2)) == list(range(-60, 1))
    assert result.last_asked_at == NOON + 60


def test_a_clock_that_is_set_back_does_not_prolong_a_back_off(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    get_at(archive, source, minute_window(-20, 0), 0)
    source.problem_kind = lambda series, window: None
    assert len(get_at(archive, source, minute_window(-20, -3), -3).frame) == 34


def test_a_clock_that_ran_ahead_leaves_no_false_coverage(archive):
    source = FakeMetricSource(value_at=lambda series, ts, asked_at: None if ts >= NOON else 1.0)
    get_at(archive, source, minute_window(-60, 120), 120)  # two hours fast: the future was answered without points
    source.value_at = lambda series, ts, asked_at: 2.0
    result = get_at(archive, source, minute_window(-60, 0), 0)
    assert result.missing == ()
    result = get_at(archive, source, minute_window(-60, 30), 30)
    assert list(values_by_minute(result, EC2)) == list(range(-60, 30))
    assert values_by_minute(result, EC2)[20] == 2.0


@pytest.mark.parametrize("clock_ahead_s", [3 * 3600.0, 0.0])
def test_a_clock_that_ran_ahead_costs_no_hour_of_hourly_percentiles(archive, clock_ahead_s):
    """0: the source's replies have no Date."""
    source = FakeMetricSource(
        configured_series=(EC2, HOURLY),
        value_at=lambda series, ts, asked_at: 1.0 if ts < NOON else None,
        clock_ahead_s=clock_ahead_s,
    )
    for minute in (180, 181):  # three hours ahead, for two looks
        get_at(archive, source, minute_window(-180, minute), minute)
    source.value_at, source.clock_ahead_s = (lambda series, ts, asked_at: 1.0), 0.0
    for minute in range(0, 260, 5):
        get_at(archive, source, minute_window(-180, minute), minute)
    result = archive.metrics.read(
        minute_window(-180, 240), source.name, now=minute_time(260), series_filter=lambda series: series.hourly
    )
    assert list(values_by_minute(result, HOURLY)) == [-180, -120, -60, 0, 60, 120, 180]


def test_nothing_is_covered_that_is_not_final_by_the_clock_of_the_source(archive):
    source = FakeMetricSource(clock_ahead_s=3600.0)
    get_at(archive, source, minute_window(-120, 0), 0)
    assert archive.metrics.coverage_of(source.name)[EC2].covered == {60: (minute_window(-120, -75),)}
    source.clock_ahead_s = 0.0
    get_at(archive, source, minute_window(-120, 1), 1)
    assert archive.metrics.coverage_of(source.name)[EC2].covered == {60: (minute_window(-120, -14),)}
    source.clock_ahead_s = -3600.0  # the local clock is behind: it decides
    get_at(archive, source, minute_window(-120, 2), 2)
    assert archive.metrics.coverage_of(source.name)[EC2].covered == {60: (minute_window(-120, -13),)}


def test_time_that_the_source_has_dropped_is_not_fetched(archive):
    source = FakeMetricSource(finest_period=lambda start, now: 60 if start >= now - 7200 else 0)
    get_at(archive, source, minute_window(-180, 0), 0)
    assert source.new_requests == [(-120, 0)]


def test_each_age_is_fetched_in_the_finest_period(archive):
    border = NOON - 3600
    source = FakeMetricSource(finest_period=lambda start, now: 60 if start >= border else 300)
    result = get_at(archive, source, minute_window(-93, 0), 0)
    assert source.new_requests == [(-60, 0), (-95, -60)]
    assert result.periods == ((minute_window(-93, -60), 300), (minute_window(-60, 0), 60))
    assert result.resolutions == (60, 300)
    assert list(values_by_minute(result, EC2))[:7] == [-90, -85, -80, -75, -70, -65, -60]
    get_at(archive, source, minute_window(-93, 0), 0.5)
    assert source.new_requests == []


def test_stored_minutes_stay_after_the_source_has_only_five_minutes(archive):
    source = FakeMetricSource()
    get_at(archive, source, minute_window(-62, -31), 0)
    source.finest_period = lambda start, now: 300
    result = get_at(archive, source, minute_window(-70, -20), 30)
    assert result.missing == ()
    # -65 to -60 is covered in minutes only in part, so the coarse row counts.
    assert list(values_by_minute(result, EC2)) == [-70, -65, *range(-60, -35), -35, -30, -25]
    assert result.periods == (
        (minute_window(-70, -60), 300),
        (minute_window(-60, -35), 60),
        (minute_window(-35, -20), 300),
    )


def test_a_clock_skew_without_an_answer_means_down(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "clock_skew")
    get_at(archive, source, minute_window(-20, 0), 0)
    assert [(state.state, state.last_success_at) for state in archive.events.source_states()] == [("down", None)]
    source.problem_kind = lambda series, window: "clock_skew" if series == ECS else None
    get_at(archive, source, minute_window(-20, 5), 5)
    assert [state.state for state in archive.events.source_states()] == ["up"]


def test_the_state_of_a_source_is_shared_by_all_processes(archive, tmp_path):
    source = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    get_at(archive, FakeMetricSource(), minute_window(-20, 0), 0)
    get_at(archive, source, minute_window(-20, 1), 1)
    with open_archive(tmp_path) as other:
        (state,) = other.events.source_states()
    assert (state.source, state.state, state.checked_at, state.last_success_at) == (
        "cloudwatch",
        "down",
        NOON + 60,
        NOON,
    )
    assert state.problems[0].kind == "timeout"


def test_the_change_counter_grows_only_with_changes(archive):
    source, other = (
        FakeMetricSource(),
        FakeMetricSource(name="mackerel", configured_series=(Series("mackerel", *list(_series_fields(EC2))[1:]),)),
    )
    before = archive.change_counter("cloudwatch")
    get_at(archive, source, minute_window(-20, 0), 0)
    after = archive.change_counter("cloudwatch")
    assert after > before
    archive.metrics.read(minute_window(-20, 0), "cloudwatch", now=minute_time(0))
    get_at(archive, source, minute_window(-20, 0), 0.5)
    get_at(archive, other, minute_window(-20, 0), 0.5)
    assert archive.change_counter("cloudwatch") == after
    assert archive.change_counter() == after + archive.change_counter("mackerel")


def _series_fields(series: Series):
    return (series.source, series.fleet, series.target_group, series.metric, series.stat, series.unit)


minutes = st.integers(-300, 300)


def test_the_next_window_that_misses_something_is_filled_with_one_pull(archive):
    source = FakeMetricSource()
    newest, requested, horizon = minute_window(-180, 0), minute_window(-400, -340), minute_window(-720, 0)

    def fill_next(minute: float):
        source.now = minute_time(minute)
        return archive.metrics.fill_next((newest, requested, horizon), source, now=source.now, max_periods=180)

    final_until = NOON - 15 * 60
    result = fill_next(0)
    assert (result.pulls, result.complete_windows) == (1, (newest,))
    assert result.missing_minutes(horizon, final_until=final_until) == 720 - 180
    result = fill_next(0.1)
    assert (result.pulls, result.complete_windows) == (1, (newest, requested))
    assert source.new_requests == [(-180, 0), (-400, -340)]
    while fill_next(0.2).pulls:
        pass
    result = fill_next(0.3)
    assert result.complete_windows == (newest, requested, horizon)
    assert (result.missing_minutes(horizon, final_until=final_until), result.due_in_s) == (0, 42)


def test_nothing_remains_to_be_fetched_from_a_source_that_is_down(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "timeout")
    result = archive.metrics.fill(minute_window(-4000, 0), source, now=minute_time(0))
    assert (result.pulls, result.answered, result.remaining, result.due_in_s) == (1, False, (), 60)


@settings(max_examples=40, deadline=None)
@given(
    polls=st.lists(
        st.tuples(
            st.integers(0, 7),  # minutes since the poll before
            minutes,
            st.integers(1, 200),
            st.sets(st.sampled_from([EC2, ECS, LATENCY])),  # failing this time
        ),
        min_size=1,
        max_size=12,
    )
)
@pytest.mark.slow
def test_the_archive_equals_the_source_and_no_final_minute_is_fetched_twice(polls, tmp_path_factory):
    final_after = 15  # minutes
    answered_at: dict[tuple[Series, int], int] = {}  # (series, minute) -> when it was last answered
    source = FakeMetricSource(
        configured_series=(EC2, ECS, LATENCY),
        # A value changes until it is final; every seventh minute has no row.
        value_at=lambda series, ts, at_s: (
            None if ts // 60 % 7 == 0 else float(min(at_s, ts + 60 + final_after * 60) - NOON)
        ),
    )
    with open_archive(tmp_path_factory.mktemp("archive")) as archive:
        now = 0
        for wait, start, length, failing in polls:
            now += wait
            source.problem_kind = lambda series, window, failing=failing: (
                "internal_error" if series in failing else None
            )
            result = get_at(archive, source, minute_window(start, start + length), now)
            for window, pulled in source.pulls:
                for series in pulled:
                    for minute in range(*minute_ranges([window])[0]):
                        before = answered_at.get((series, minute))
                        assert before is None or before < minute + 1 + final_after, "a final minute was fetched twice"
                        assert minute < now, "the future was fetched"
                        if series not in failing:
                            answered_at[series, minute] = now
            source.pulls.clear()
            check_frame(result.frame)
            for series in source.configured_series:
                expected = {
                    minute: source.value_at(series, NOON + minute * 60, NOON + then * 60)
                    for (answered, minute), then in answered_at.items()
                    if answered == series and start <= minute < start + length
                }
                assert values_by_minute(result, series) == {
                    m: value for m, value in expected.items() if value is not None
                }


def test_hourly_series_are_read_separately_from_minutes(archive):
    def no_minutes_before_eleven(series: Series, ts: int, asked_at: int) -> float | None:
        return None if series != HOURLY and ts < NOON - 3600 else rising_values(series, ts, asked_at)

    source = FakeMetricSource(configured_series=(ECS, LATENCY, HOURLY), value_at=no_minutes_before_eleven)
    minutes = get_at(archive, source, minute_window(-120, 15), 15)
    assert minutes.resolutions == (60,)
    assert set(minutes.frame["stat"]) == {"sum", "p95"}
    hours = archive.metrics.read(
        minute_window(-120, 15), "cloudwatch", now=minute_time(15), series_filter=lambda series: series.hourly
    )
    assert values_by_minute(hours, HOURLY) == {-120: pytest.approx(-119.9), -60: pytest.approx(-59.9)}
    assert set(hours.frame["period_s"]) == {3600}


def test_the_latest_ts_is_that_of_the_newest_point_of_any_series(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert archive.metrics.latest_ts("cloudwatch") is None
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert archive.metrics.latest_ts("cloudwatch") == NOON - 60
        assert archive.metrics.latest_ts("mackerel") is None


def test_the_cache_key_changes_with_answers_that_cannot_be_written(archive):
    source, window = FakeMetricSource(), minute_window(-60, -30)
    get_at(archive, source, window, 0)
    before = archive.metrics.cache_key(window, "cloudwatch", now=minute_time(0))
    assert archive.metrics.cache_key(window, "cloudwatch", now=minute_time(0)) == before
    set_read_only(archive)
    get_at(archive, source, minute_window(-120, -60), 0)
    first = archive.metrics.cache_key(window, "cloudwatch", now=minute_time(0))
    get_at(archive, source, minute_window(-180, -120), 0)
    assert len({before, first, archive.metrics.cache_key(window, "cloudwatch", now=minute_time(0))}) == 3


def test_a_program_error_of_the_last_poll_does_not_stay_in_the_state(archive):
    """Unlike a problem of one series, which has an `about`, it is over with the next answer."""
    source = FakeMetricSource(problem_kind=lambda series, window: "forbidden_metric" if series == ECS else None)
    get_at(archive, source, minute_window(-20, 0), 0)
    get_at(archive, source, minute_window(-20, 1), 1)
    crash = Problem("internal_error", "cloudwatch", "poll")
    (state,) = archive.events.source_states()
    archive.events.save_source_state(replace(state, state="down", problems=(*state.problems, crash)), success=False)
    result = get_at(archive, source, minute_window(-20, 2), 2)  # the forbidden series is in back-off
    assert [problem.kind for problem in result.problems] == ["forbidden_metric"]
