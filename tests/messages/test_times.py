"""Formatting of times, ages and durations."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from messages import times

TOKYO = ZoneInfo("Asia/Tokyo")
LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # 23:00 in Tokyo


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 22, 13, 33, tzinfo=UTC), "22:33 JST"),
        (datetime(2026, 11, 22, 15, 5, tzinfo=UTC), "23 Nov 00:05 JST"),
        (datetime(2026, 11, 21, 13, 33, tzinfo=UTC), "21 Nov 22:33 JST"),
        (datetime(2025, 12, 31, 15, 0, tzinfo=UTC), "1 Jan 00:00 JST"),
        (datetime(2025, 12, 31, 14, 59, tzinfo=UTC), "31 Dec 2025 23:59 JST"),
    ],
)
def test_clock_has_the_zone_and_another_date(at: datetime, text: str) -> None:
    assert times.clock(at, TOKYO, now=NOW) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-11-22T04:10Z", "2026-11-22T06:40Z", "22 Nov 13:10–15:40 JST"),
        ("2026-11-22T13:00Z", "2026-11-22T16:00Z", "22 Nov 22:00 – 23 Nov 01:00 JST"),
        ("2025-11-22T13:00Z", "2025-11-22T16:00Z", "22 Nov 2025 22:00 – 23 Nov 2025 01:00 JST"),
    ],
)
def test_span(start: str, end: str, text: str) -> None:
    assert times.span(datetime.fromisoformat(start), datetime.fromisoformat(end), TOKYO, now=NOW) == text


def test_a_span_with_a_clock_change_has_both_zones() -> None:
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert times.span(start, start + timedelta(hours=1), LONDON) == "25 Oct 01:30 BST – 25 Oct 01:30 GMT"


def test_a_zone_without_a_name_has_its_offset() -> None:
    assert times.clock(NOW, ZoneInfo("Asia/Singapore"), now=NOW) == "22:00 UTC+08:00"
    assert times.clock(NOW, ZoneInfo("America/Sao_Paulo"), now=NOW) == "11:00 UTC−03:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (41.9, "41s"),
        (60, "1 min"),
        (75, "75s"),
        (3599, "59 min"),
        (3600, "1h"),
        (7500, "2h 05m"),
        (22200, "6h 10m"),
        (86400, "1d"),
        (273600, "3d 4h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert times.duration(seconds) == text


def test_ages_windows_and_dates() -> None:
    at = NOW - timedelta(seconds=41)
    assert (times.old(at, now=NOW), times.ago(at, now=NOW)) == ("41s old", "41s ago")
    assert (times.last(30), times.last(180)) == ("last 30 min", "last 3h")
    assert times.date(NOW + timedelta(hours=1), TOKYO, now=NOW) == "23 Nov"
    assert times.date(NOW - timedelta(days=365), TOKYO, now=NOW) == "22 Nov 2025"
