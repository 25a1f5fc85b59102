"""What to ask, worked out without a database."""

import pytest

from archive.metrics.fetch_plan import (
    NO_COVERAGE,
    Coverage,
    FailedFetch,
    FetchRequest,
    FreshnessPolicy,
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


def test_series_that_lack_the_same_are_asked_together_and_no_series_for_more_than_it_lacks():
    known = {EC2: covered(-60, -15), ECS: covered(-60, -15), LATENCY: covered(-30, -15)}
    assert plan(minute_window(-60, -15), known) == (FetchRequest((LATENCY,), minute_window(-60, -30), 60),)
    assert plan(minute_window(-60, 0), known) == (
        FetchRequest((EC2, ECS, LATENCY), minute_window(-15, 0), 60),
        FetchRequest((LATENCY,), minute_window(-60, -30), 60),
    )


def test_long_windows_are_cut_from_the_newest_end_and_the_unsettled_minutes_never():
    pieces = plan(minute_window(-400, 0), {}, max_periods=180)
    assert minute_ranges(ask.window for ask in pieces) == [(-180, 0), (-360, -180), (-400, -360)]
    slow = FreshnessPolicy(NOON, final_after_s=240 * 60)
    pieces = plan(minute_window(-400, 0), {}, max_periods=180, policy=slow)
    assert minute_ranges(ask.window for ask in pieces) == [(-300, 0), (-400, -300)]


def test_a_period_that_is_not_over_waits():
    edge = FreshnessPolicy(NOON + 170, final_after_s=900)
    (ask,) = plan(minute_window(-10, 2), {}, policy=edge, finest_period=lambda _: 300)
    assert ask == FetchRequest((EC2, ECS, LATENCY), minute_window(-15, 0), 300)


def test_while_a_coarse_source_waits_its_open_period_is_not_asked_either():
    known = {one: Coverage({300: (minute_window(-60, -15),)}, asked_at=NOON) for one in (EC2, ECS, LATENCY)}
    edge = FreshnessPolicy(NOON + 30, final_after_s=900 - 120)
    assert plan(minute_window(-60, 0), known, policy=edge, finest_period=lambda _: 300) == ()


def test_finer_coverage_satisfies_a_coarser_want_but_not_the_other_way_round():
    known = {one: covered(-120, -60) for one in (EC2, ECS, LATENCY)}
    assert plan(minute_window(-120, -60), known, finest_period=lambda _: 300) == ()
    known = {one: Coverage({300: (minute_window(-120, -60),)}) for one in (EC2, ECS, LATENCY)}
    assert minute_ranges(ask.window for ask in plan(minute_window(-120, -60), known)) == [(-120, -60)]


@pytest.mark.parametrize(("border", "parts"), [(-60, [(-120, -60), (-60, 0)]), (-119, [(-120, -119), (-119, 0)])])
def test_a_window_is_cut_where_the_finest_period_changes(border: int, parts: list[tuple[int, int]]):
    found = resolution_tiers(minute_window(-120, 0), lambda start: 60 if start >= NOON + border * 60 else 300)
    assert minute_ranges(window for window, _ in found) == parts
    assert [period_s for _, period_s in found] == [300, 60]


def test_the_waits_double_up_to_a_quarter_of_an_hour():
    waits = [FailedFetch(minute_window(-1, 0), failures, NOON).retry_at - NOON for failures in range(1, 8)]
    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_a_series_is_not_blamed_for_a_source_that_answers_nothing():
    ask = FetchRequest((EC2,), minute_window(-60, 0), 60)
    known = NO_COVERAGE
    for _ in range(3):
        known = update_coverage(known, EC2, ask, (), POLICY, source_failed=True)
    assert known.failed_fetches == (FailedFetch(minute_window(-60, 0), 1, NOON),)
    known = update_coverage(known, EC2, ask, (), POLICY, source_failed=False)
    assert known.failed_fetches == (FailedFetch(minute_window(-60, 0), 2, NOON),)


def test_coverage_ends_where_settled_time_ends_and_grows_together():
    ask = FetchRequest((EC2,), minute_window(-60, 0), 60)
    known = update_coverage(
        NO_COVERAGE,
        EC2,
        ask,
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


def test_an_answer_in_part_leaves_the_rest_refused():
    ask = FetchRequest((EC2,), minute_window(-60, 0), 60)
    known = update_coverage(
        NO_COVERAGE,
        EC2,
        ask,
        (AnsweredRange(frozenset({EC2}), minute_window(-40, 0), 60),),
        POLICY,
        source_failed=False,
    )
    assert known.covered == {60: (minute_window(-40, -15),)}
    assert known.failed_fetches == (FailedFetch(minute_window(-60, -40), 1, NOON),)


def test_an_answer_to_the_newest_minutes_does_not_shorten_the_wait_for_an_old_hole():
    before = Coverage(failed_fetches=(FailedFetch(minute_window(-60, 0), 3, NOON - 60),))
    ask = FetchRequest((EC2,), minute_window(-15, 0), 60)
    known = update_coverage(
        before, EC2, ask, (AnsweredRange(frozenset({EC2}), minute_window(-15, 0), 60),), POLICY, source_failed=False
    )
    assert known.failed_fetches == (FailedFetch(minute_window(-60, -15), 3, NOON - 60),)


def test_an_answer_coarser_than_was_asked_for_does_not_make_it_ask_for_ever():
    ask = FetchRequest((EC2,), minute_window(-60, -30), 60)
    known = update_coverage(
        NO_COVERAGE,
        EC2,
        ask,
        (AnsweredRange(frozenset({EC2}), minute_window(-60, -30), 300),),
        POLICY,
        source_failed=False,
    )
    assert plan_fetches(minute_window(-60, -30), (EC2,), {EC2: known}, POLICY, always_minutes) == ()


def test_when_the_newest_minutes_are_due_again():
    edge = FreshnessPolicy(NOON + 20, final_after_s=900)
    assert due_in_s((EC2,), {}, edge) == 0
    assert due_in_s((EC2,), {EC2: Coverage(asked_at=NOON)}, edge) == 40
    assert due_in_s((EC2,), {EC2: Coverage(asked_at=NOON + 3600)}, edge) == 0
    refused = Coverage(failed_fetches=(FailedFetch(minute_window(-60, 0), 2, NOON),))
    assert due_in_s((EC2,), {EC2: refused}, edge) == 100
    assert due_in_s((EC2, ECS), {EC2: refused, ECS: Coverage(asked_at=NOON)}, edge) == 40


def test_hourly_series_are_asked_for_settled_whole_hours_inside_the_window_each_once():
    known = {EC2: covered(-240, -15, asked_at=NOON)}
    late = FreshnessPolicy(NOON + 14 * 60, final_after_s=900)  # the hour that ended at noon is not settled yet
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


def test_an_hourly_series_makes_nobody_ask_sooner():
    known = {EC2: covered(-60, -15, asked_at=NOON)}
    assert due_in_s((EC2, HOURLY), known, POLICY) == 60
