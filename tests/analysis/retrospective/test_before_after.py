"""The week before against the week after: which hours pair, what their differences are, and a change of the clocks in between."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analysis.retrospective.before_after import BeforeAfter, before_after, weeks
from analysis.retrospective.timeline import Timeline
from domain import Window
from tests.factories.timelines import NAN, make_fleet_timeline, make_timeline

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400


def hours(start: int, count: int, *, errors: float = 2.0, p95: float = 0.2, requests: float = 1000.0) -> Timeline:
    """So many hours in which EC2 serves nine tenths, with a little scatter that repeats every seven hours."""
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


def test_the_weeks_end_and_begin_with_whole_hours() -> None:
    first, last = MONDAY + 10 * HOUR + 1800, MONDAY + 30 * DAY + 60
    assert weeks(first, last, until=MONDAY + 60 * DAY) == (
        Window(MONDAY + 10 * HOUR - WEEK, MONDAY + 10 * HOUR),
        Window(MONDAY + 30 * DAY + HOUR, MONDAY + 30 * DAY + HOUR + WEEK),
    )
    assert weeks(first, last, until=MONDAY + 31 * DAY + 1)[1] == Window(MONDAY + 30 * DAY + HOUR, MONDAY + 31 * DAY)


def test_a_whole_week_pairs_every_hour_and_finds_what_changed() -> None:
    found = compare(MONDAY + 4 * WEEK, 168, errors=1.0, p95=0.19)
    assert (found.hours, found.complete, found.clocks_changed) == (168, True, False)
    by = {one.measure: one for one in found.changes}
    assert list(by) == ["requests", "error_rate", "p95"]
    assert (by["requests"].difference, by["requests"].relative) == (pytest.approx(0.0, abs=1e-9), True)
    rate = by["error_rate"]
    assert (rate.before, rate.after) == (pytest.approx(0.002), pytest.approx(0.001))
    assert rate.difference == pytest.approx(-0.001)
    assert rate.lower is not None and rate.upper is not None and rate.lower < -0.001 < rate.upper < 0
    latency = by["p95"]
    assert latency.difference == pytest.approx(-0.05)
    assert latency.lower == pytest.approx(-0.05) and latency.upper == pytest.approx(-0.05)  # every pair says the same


def test_while_the_week_goes_on_it_is_not_complete_and_below_ten_hours_there_is_no_interval() -> None:
    found = compare(MONDAY + 4 * WEEK + 9 * HOUR, 6)
    assert (found.hours, found.complete) == (6, False)
    assert [(one.lower, one.upper) for one in found.changes] == [(None, None)] * 3


def test_only_the_same_weekdays_pair() -> None:
    monday_only = before_after(
        Window(MONDAY, MONDAY + DAY), hours(MONDAY, 24),
        Window(MONDAY + 8 * DAY, MONDAY + 9 * DAY), hours(MONDAY + 8 * DAY, 24), ZoneInfo("UTC"),
    )  # fmt: skip
    assert (monday_only.hours, monday_only.changes) == (0, ())


def test_after_a_change_of_the_clocks_hours_pair_by_the_wall_clock() -> None:
    # Berlin's clocks went forward on 29 March 2026: noon is 11:00 UTC before and 10:00 UTC after.
    after = MONDAY + 6 * WEEK
    noon_before, noon_after = MONDAY + 11 * HOUR, after + 10 * HOUR
    one = before_after(
        Window(noon_before, noon_before + HOUR), hours(noon_before, 1),
        Window(noon_after, noon_after + HOUR), hours(noon_after, 1), BERLIN,
    )  # fmt: skip
    assert (one.hours, one.clocks_changed) == (1, True)
    assert before_after(
        Window(noon_before, noon_before + HOUR), hours(noon_before, 1),
        Window(noon_before + 6 * WEEK, noon_before + 6 * WEEK + HOUR), hours(noon_before + 6 * WEEK, 1), BERLIN,
    ).hours == 0  # fmt: skip


def test_a_week_with_a_change_of_the_clocks_inside_loses_or_repeats_one_hour() -> None:
    forward = int(datetime(2026, 3, 23, tzinfo=UTC).timestamp())
    found = compare(forward, 168, BERLIN)
    assert (found.hours, found.clocks_changed) == (
        168,
        True,
    )  # 167 hours of the week, and one that a week of 168 begins the next with


def test_hours_without_requests_pair_with_nothing() -> None:
    after = MONDAY + 4 * WEEK
    silent = hours(after, 168, requests=0.0)
    found = before_after(Window(MONDAY, MONDAY + WEEK), hours(MONDAY, 168), Window(after, after + WEEK), silent, TOKYO)
    assert (found.hours, found.changes) == (0, ())
