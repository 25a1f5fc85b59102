"""Which windows to fetch, without a database."""

import pytest

from archive.metrics.fetch_plan import (
    NO_COVERAGE,
    Coverage,
    FailedFetch,
    FetchRequest,
    FreshnessPolicy,
    count_periods,
    due_in_s,
    plan_fetches,
    resolution_tiers,
    update_coverage,
)
from domain import Window
from sources.base import AnsweredRange
from tests.fakes.metric_source import EC2, ECS, HOURLY, LATENCY, NOON, minute_ranges, minute_window

POLICY = FreshnessPolicy(NOON, final_after_s=900)


def always_minutes(_start: int) -> int:
    return 60


def plan(
    window: Window, known, *, policy: FreshnessPolicy = POLICY, finest_period=always_minutes, max_periods: int = 1440
):
    return plan_fetches(window, (EC2, ECS, LATENCY), known, policy, finest_period, max_periods=max_periods)


def covered(first: int, end: int, **more) -> Coverage:
    return Coverage({60: (minute_window(first, end),)}, **more)


def test_series_that_miss_the_same_window_share_a_request():
    known = {EC2: covered(-60, -15), ECS: covered(-60, -15), LATENCY: covered(-30, -15)}
    assert plan(minute_window(-60, -15), known) == (FetchRequest((LATENCY,), minute_window(-60, -30), 60),)
    assert plan(minute_window(-60, 0), known) == (
        FetchRequest((EC2, ECS, LATENCY), minute_window(-15, 0), 60),
        FetchRequest((LATENCY,), minute_window(-60, -30), 60),
    )


def test_long_windows_are_cut_from_the_newest_end_but_not_provisional_minutes():
    requests = plan(minute_window(-400, 0), {}, max_periods=180)
    assert minute_ranges(request.window for request in requests) == [(-180, 0), (-360, -180), (-400, -360)]
    slow = FreshnessPolicy(NOON, final_after_s=240 * 60)
    requests = plan(minute_window(-400, 0), {}, max_periods=180, policy=slow)
    assert minute_ranges(request.window for request in requests) == [(-300, 0), (-400, -300)]


def test_an_incomplete_period_is_not_requested():
    policy = FreshnessPolicy(NOON + 170, final_after_s=900)
    (request,) = plan(minute_window(-10, 2), {}, policy=policy, finest_period=lambda _: 300)
    assert request == FetchRequest((EC2, ECS, LATENCY), minute_window(-15, 0), 300)


def test_an_incomplete_coarse_period_is_not_requested_before_the_refresh():
    known = {series: Coverage({300: (minute_window(-60, -15),)}, asked_at=NOON) for series in (EC2, ECS, LATENCY)}
    policy = FreshnessPolicy(NOON + 30, final_after_s=900 - 120)
    assert plan(minute_window(-60, 0), known, policy=policy, finest_period=lambda _: 300) == ()


def test_finer_coverage_counts_for_a_coarser_period_but_not_vice_versa():
    known = {series: covered(-120, -60) for series in (EC2, ECS, LATENCY)}
    assert plan(minute_window(-120, -60), known, finest_period=lambda _: 300) == ()
    known = {series: Coverage({300: (minute_window(-120, -60),)}) for series in (EC2, ECS, LATENCY)}
    assert minute_ranges(request.window for request in plan(minute_window(-120, -60), known)) == [(-120, -60)]


@pytest.mark.parametrize(("border", "parts"), [(-60, [(-120, -60), (-60, 0)]), (-119, [(-120, -119), (-119, 0)])])
def test_a_window_is_cut_where_the_finest_period_changes(border: int, parts: list[tuple[int, int]]):
    tiers = resolution_tiers(minute_window(-120, 0), lambda start: 60 if start >= NOON + border * 60 else 300)
    assert minute_ranges(window for window, _ in tiers) == parts
    assert [period_s for _, period_s in tiers] == [300, 60]


def test_the_back_off_doubles_up_to_fifteen_minutes():
    waits = [FailedFetch(minute_window(-1, 0), failures, NOON).retry_at - NOON for failures in range(1, 8)]
    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_the_back_off_of_a_series_does_not_grow_if_the_source_is_down():
    request = FetchRequest((EC2,), minute_window(-60, 0), 60)
    known = NO_COVERAGE
    for _ in range(3):
        known = update_coverage(known, EC2, request, (), POLICY, source_failed=True)
    assert known.failed_fetches == (FailedFetch(minute_window(-60, 0), 1, NOON),)
    known = update_coverage(known, EC2, request, (), POLICY, source_failed=False)
    assert known.failed_fetches == (FailedFetch(minute_window(-60, 0), 2, NOON),)


def test_coverage_ends_with_final_time_and_is_merged():
    request = FetchRequest((EC2,), minute_window(-60, 0), 60)
    known = update_coverage(
        NO_COVERAGE,
        EC2,
        request,
        (AnsweredRange(frozenset({EC2}), minute_window(-60, 0), 60),),
        POLICY,
        source_failed=False,
    )
    assert known == Coverage({60: (minute_window(-60, -15),)}, NOON, ())
    earlier = FetchRequest((EC2,), minute_window(-90, -60), 60)
    answer = AnsweredRange(frozenset({EC2}), minute_window(-90, -60), 60)
    assert update_coverage(known, EC2, earlier, (answer,), POLICY, source_failed=False).covered == {
        60: (minute_window(-90, -15),)
    }


def test_the_unanswered_part_of_a_request_has_failed():
    request = FetchRequest((EC2,), minute_window(-60, 0), 60)
    known = update_coverage(
        NO_COVERAGE,
        EC2,
        request,
        (AnsweredRange(frozenset({EC2}), minute_window(-40, 0), 60),),
        POLICY,
        source_failed=False,
    )
    assert known.covered == {60: (minute_window(-40, -15),)}
    assert known.failed_fetches == (FailedFetch(minute_window(-60, -40), 1, NOON),)


def test_an_answer_about_newer_minutes_does_not_shorten_the_back_off_of_an_old_gap():
    before = Coverage(failed_fetches=(FailedFetch(minute_window(-60, 0), 3, NOON - 60),))
    request = FetchRequest((EC2,), minute_window(-15, 0), 60)
    known = update_coverage(
        before, EC2, request, (AnsweredRange(frozenset({EC2}), minute_window(-15, 0), 60),), POLICY, source_failed=False
    )
    assert known.failed_fetches == (FailedFetch(minute_window(-60, -15), 3, NOON - 60),)


def test_a_coarser_answer_than_requested_is_a_failure():
    request = FetchRequest((EC2,), minute_window(-60, -30), 60)
    known = update_coverage(
        NO_COVERAGE,
        EC2,
        request,
        (AnsweredRange(frozenset({EC2}), minute_window(-60, -30), 300),),
        POLICY,
        source_failed=False,
    )
    assert plan_fetches(minute_window(-60, -30), (EC2,), {EC2: known}, POLICY, always_minutes) == ()


def test_when_provisional_minutes_are_due_again():
    policy = FreshnessPolicy(NOON + 20, final_after_s=900)
    assert due_in_s((EC2,), {}, policy) == 0
    assert due_in_s((EC2,), {EC2: Coverage(asked_at=NOON)}, policy) == 40
    assert due_in_s((EC2,), {EC2: Coverage(asked_at=NOON + 3600)}, policy) == 0
    failed = Coverage(failed_fetches=(FailedFetch(minute_window(-60, 0), 2, NOON),))
    assert due_in_s((EC2,), {EC2: failed}, policy) == 100
    assert due_in_s((EC2, ECS), {EC2: failed, ECS: Coverage(asked_at=NOON)}, policy) == 40


def test_hourly_series_are_requested_once_for_final_whole_hours_inside_the_window():
    known = {EC2: covered(-240, -15, asked_at=NOON)}
    late = FreshnessPolicy(NOON + 14 * 60, final_after_s=900)  # the hour that ended at noon is not final yet
    assert plan_fetches(minute_window(-200, 0), (HOURLY,), known, late, always_minutes) == (
        FetchRequest((HOURLY,), minute_window(-180, -60), 3600),
    )
    later = FreshnessPolicy(NOON + 15 * 60, final_after_s=900)
    assert plan_fetches(minute_window(-200, 0), (HOURLY,), known, later, always_minutes) == (
        FetchRequest((HOURLY,), minute_window(-180, 0), 3600),
    )
    known = {HOURLY: Coverage({3600: (minute_window(-180, 0),)})}
    assert plan_fetches(minute_window(-200, 0), (HOURLY,), known, later, always_minutes) == ()
    assert plan_fetches(minute_window(-50, -10), (HOURLY,), {}, later, always_minutes) == ()
    assert plan_fetches(minute_window(-500, -300), (HOURLY,), {}, later, lambda _: 0) == ()
    (middle,) = plan_fetches(minute_window(-500, -300), (HOURLY,), {}, later, lambda _: 300)
    assert middle == FetchRequest((HOURLY,), minute_window(-480, -300), 3600)


def test_an_hourly_series_does_not_shorten_the_refresh_interval():
    known = {EC2: covered(-60, -15, asked_at=NOON)}
    assert due_in_s((EC2, HOURLY), known, POLICY) == 60


def test_a_failure_is_forgotten_after_a_day():
    old = Coverage(failed_fetches=(FailedFetch(minute_window(-900, -800), 3, NOON - 86_400),))
    request = FetchRequest((EC2,), minute_window(-60, -30), 60)
    answer = AnsweredRange(frozenset({EC2}), minute_window(-60, -30), 60)
    assert update_coverage(old, EC2, request, (answer,), POLICY, source_failed=False).failed_fetches == ()


def test_coverage_of_another_machine_may_be_two_minutes_ahead():
    ahead = covered(-60, -13)
    assert ahead.clamp_to_final(POLICY) == ahead
    assert covered(-60, -12).clamp_to_final(POLICY) == covered(-60, -15)


def test_overlapping_time_counts_once():
    parts = [
        (minute_window(0, 60), 60),
        (minute_window(30, 90), 60),
        (minute_window(0, 60), 300),
        (minute_window(0, 9), 0),
    ]
    assert count_periods(parts) == 90 + 12
