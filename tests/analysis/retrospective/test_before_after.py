"""The week before against the week after: pairing of hours, days as the sample, and daylight saving time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analysis.retrospective.before_after import BeforeAfter, before_after, day_half_width, weeks
from analysis.retrospective.timeline import Timeline
from domain import Window
from tests.factories.timelines import NAN, make_fleet_timeline, make_timeline

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400


def hours(start: int, count: int, *, errors: float = 2.0, p95: float = 0.2, requests: float = 1000.0) -> Timeline:
    """`count` hours in which EC2 serves 90%, with a small variation that repeats every seven hours."""
    wave = 1 + 0.01 * (np.arange(count) % 7 - 3)
    return make_timeline(
        make_fleet_timeline(list(requests * 0.9 * wave), list(errors * 0.9 * wave), list(p95 * wave), periods=1),
        make_fleet_timeline(list(requests * 0.1 * wave), list(errors * 0.1 * wave), [NAN] * count, periods=1),
        bucket_s=HOUR,
        start=start,
    )


def compare(after: int, count: int, zone: ZoneInfo = TOKYO, **changed: float) -> BeforeAfter:
    """The week from MONDAY against `count` hours from `after` on."""
    before = Window(MONDAY, MONDAY + WEEK)
    return before_after(
        before, hours(MONDAY, 168), Window(after, after + count * HOUR), hours(after, count, **changed), zone
    )


def test_the_week_after_consists_of_whole_days() -> None:
    first, last = MONDAY + 10 * HOUR + 1800, MONDAY + 30 * DAY + 60
    start = MONDAY + 30 * DAY + HOUR
    assert weeks(first, last, until=MONDAY + 60 * DAY) == (
        Window(MONDAY + 10 * HOUR - WEEK, MONDAY + 10 * HOUR),
        Window(start, start + WEEK),
    )
    assert weeks(first, last, until=start + 3 * DAY - 60)[1] == Window(start, start + 2 * DAY)
    assert weeks(first, last, until=start + 60)[1] == Window(start, start + DAY)  # not over


def test_a_whole_week_pairs_every_hour_and_has_seven_days() -> None:
    result = compare(MONDAY + 4 * WEEK, 168, errors=1.0, p95=0.19)
    assert (result.hours, result.days, result.complete, result.clocks_changed) == (168, 7, True, False)
    by = {change.measure: change for change in result.changes}
    assert list(by) == ["requests", "error_rate", "p95"] and {change.days for change in result.changes} == {7}
    assert (by["requests"].difference, by["requests"].relative) == (pytest.approx(0.0, abs=1e-9), True)
    rate = by["error_rate"]
    assert (rate.before, rate.after) == (pytest.approx(0.002), pytest.approx(0.001))
    assert rate.difference == pytest.approx(-0.001)
    # All days are equal. 48 and 24 errors among 24,000 requests a day: √(48.5 + 24.5)/24,000, times 1.66 for seven days.
    assert rate.lower == pytest.approx(-0.001 - 1.66 * 73**0.5 / 24_000, rel=1e-3)
    latency = by["p95"]
    assert latency.difference == pytest.approx(-0.05)
    assert latency.lower == pytest.approx(-0.05) and latency.upper == pytest.approx(-0.05)


def test_the_interval_of_seven_days_by_hand() -> None:
    """x = 28, c = (29/0.05²)^(1/7) = 3.8, t² = 6 · 2.8/(1 − 3.8/29); the days have a standard deviation of 0.1."""
    differences = np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.0]) * (7 / 6) ** -0.5 * (7 / 6) ** 0.5
    c = (29 / 0.05**2) ** (1 / 7)
    assert day_half_width(differences) == pytest.approx((6 * (c - 1) / (1 - c / 29) / 7) ** 0.5 * 0.1)
    assert day_half_width(differences, 0.04) == pytest.approx(2 * day_half_width(differences))
    assert np.isinf(day_half_width(differences[:4])) and np.isfinite(day_half_width(differences[:5]))


def test_below_five_days_there_is_no_interval() -> None:
    result = compare(MONDAY + 4 * WEEK + 9 * HOUR, 4 * 24)
    assert (result.hours, result.days, result.complete) == (96, 4, False)
    assert [(change.lower, change.upper) for change in result.changes] == [(None, None)] * 3


def test_a_day_counts_from_half_of_its_hours_on() -> None:
    assert [compare(MONDAY + 4 * WEEK, count).days for count in (11, 12, 35, 36)] == [0, 1, 1, 2]
    assert compare(MONDAY + 4 * WEEK, 11).changes == ()


def test_equal_weeks_with_days_that_differ_rarely_differ() -> None:
    """Days vary by 5%, looked at from the fifth day on."""
    random = np.random.default_rng(3)
    differences = random.normal(0, 0.05 * 2**0.5, (400, 7))
    excluded = [any(abs(days[:n].mean()) > day_half_width(days[:n]) for n in (5, 6, 7)) for days in differences]
    assert 2 <= sum(excluded) <= 30  # 5 % are 20


def test_only_the_same_weekdays_pair() -> None:
    monday_only = before_after(
        Window(MONDAY, MONDAY + DAY), hours(MONDAY, 24),
        Window(MONDAY + 8 * DAY, MONDAY + 9 * DAY), hours(MONDAY + 8 * DAY, 24), ZoneInfo("UTC"),
    )  # fmt: skip
    assert (monday_only.hours, monday_only.changes) == (0, ())


def test_after_a_change_of_the_clocks_hours_pair_by_the_wall_clock() -> None:
    # Berlin's clocks went forward on 29 March 2026: noon is 11:00 UTC before, 10:00 UTC after.
    after = MONDAY + 6 * WEEK
    noon_before, noon_after = MONDAY + 11 * HOUR, after + 10 * HOUR
    half_a_day = Window(noon_before, noon_before + 12 * HOUR)
    result = before_after(
        half_a_day, hours(noon_before, 12),
        Window(noon_after, noon_after + 12 * HOUR), hours(noon_after, 12), BERLIN,
    )  # fmt: skip
    assert (result.hours, result.days, result.clocks_changed) == (12, 1, True)
    assert before_after(
        half_a_day, hours(noon_before, 12),
        Window(noon_before + 6 * WEEK, noon_before + 6 * WEEK + 12 * HOUR), hours(noon_before + 6 * WEEK, 12), BERLIN,
    ).hours == 11  # fmt: skip


def test_of_a_repeated_hour_in_autumn_the_first_is_paired() -> None:
    # Berlin's clocks went back on 25 October 2026: 02:00 is at 00:00 and at 01:00 UTC; a week later at 01:00 UTC.
    twice, once = (int(datetime(2026, *day, tzinfo=UTC).timestamp()) for day in ((10, 25, 0), (11, 1, 1)))
    timeline = make_timeline(
        make_fleet_timeline([1000, 3000, *[1000] * 11]), make_fleet_timeline([NAN] * 13), bucket_s=HOUR, start=twice
    )
    later = Window(once, once + 12 * HOUR)
    result = before_after(Window(twice, twice + 13 * HOUR), timeline, later, hours(once, 12), BERLIN)
    assert (result.hours, result.clocks_changed) == (12, True)
    assert result.changes[0].measure == "requests" and result.changes[0].before == 1000


def test_an_interval_without_a_useful_bound_is_none() -> None:
    after = MONDAY + 4 * WEEK
    wild = make_timeline(
        make_fleet_timeline([*[1] * 24, *[1e30] * 24] * 3), make_fleet_timeline([NAN] * 144), bucket_s=HOUR, start=after
    )
    result = before_after(
        Window(MONDAY, MONDAY + WEEK), hours(MONDAY, 168), Window(after, after + 6 * DAY), wild, TOKYO
    )
    assert result.changes[0].measure == "requests" and (result.changes[0].lower, result.changes[0].upper) == (
        None,
        None,
    )


def test_a_week_with_a_clock_change_loses_or_repeats_one_hour() -> None:
    forward = int(datetime(2026, 3, 23, tzinfo=UTC).timestamp())
    result = compare(forward, 168, BERLIN)
    assert (result.hours, result.clocks_changed) == (
        168,
        True,
    )  # 167 hours of the week, and one that a week of 168 begins the next with


def test_hours_without_requests_pair_with_nothing() -> None:
    after = MONDAY + 4 * WEEK
    silent = hours(after, 168, requests=0.0)
    result = before_after(Window(MONDAY, MONDAY + WEEK), hours(MONDAY, 168), Window(after, after + WEEK), silent, TOKYO)
    assert (result.hours, result.changes) == (0, ())
