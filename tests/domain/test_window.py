"""Windows: construction, alignment, intersection, subtraction, chunks and union."""

import itertools
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from domain.window import merge_windows, parse_datetime

NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())


def minutes(first: int, last: int) -> Window:
    """The window from `first` to `last` minutes after noon."""
    return Window(NOON + first * 60, NOON + last * 60)


windows = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda drawn: minutes(drawn[0], drawn[0] + drawn[1]))


def minutes_of(*windows: Window) -> set[int]:
    return {minute for window in windows for minute in range(window.start, window.end, 60)}


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (30, 60, "A window holds whole minutes, but 30–60 does not."),
        (60, 90, "A window holds whole minutes, but 60–90 does not."),
        (60, 60, "A window ends after it starts, but 60–60 does not."),
        (120, 60, "A window ends after it starts, but 120–60 does not."),
    ],
)
def test_invalid_windows(start: int, end: int, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Window(start, end)
    assert str(caught.value) == text


def test_between_contains_the_range() -> None:
    start = datetime(2026, 11, 22, 12, 0, 59, 999999, tzinfo=UTC)
    assert Window.between(start, start + timedelta(microseconds=2)) == minutes(0, 2)
    assert Window.between(start.replace(second=0, microsecond=0), start.replace(second=0, microsecond=1)) == minutes(
        0, 1
    )
    assert Window.between(datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 22, 13, tzinfo=UTC)) == minutes(
        0, 60
    )


def test_between_needs_aware_times() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert Window.between(
        datetime(2026, 11, 22, 21, tzinfo=tokyo), datetime(2026, 11, 22, 22, tzinfo=tokyo)
    ) == minutes(0, 60)
    with pytest.raises(ValueError, match="A window needs times that know their time zone"):
        Window.between(datetime(2026, 11, 22, 12), datetime(2026, 11, 22, 13, tzinfo=UTC))


def test_last_excludes_the_current_minute() -> None:
    assert Window.last(30, now=datetime(2026, 11, 22, 12, 0, 59, tzinfo=UTC)) == minutes(-30, 0)
    assert Window.last(30, now=datetime(2026, 11, 22, 12, tzinfo=UTC)) == minutes(-30, 0)


def test_properties() -> None:
    window = minutes(0, 90)
    assert (window.minutes, window.length) == (90, timedelta(hours=1, minutes=30))
    assert (window.starts_at, window.ends_at) == (
        datetime(2026, 11, 22, 12, tzinfo=UTC),
        datetime(2026, 11, 22, 13, 30, tzinfo=UTC),
    )


def test_aligned() -> None:
    assert minutes(1, 4).aligned(300) == minutes(0, 5)
    assert minutes(0, 5).aligned(300) == minutes(0, 5)
    assert minutes(59, 61).aligned(3600) == minutes(0, 120)


def test_overlap() -> None:
    assert minutes(0, 10).overlap(minutes(5, 20)) == minutes(5, 10)
    assert minutes(0, 10).overlap(minutes(10, 20)) is None


def test_clip() -> None:
    assert minutes(0, 30).clip(minutes(5, 20), 10) == minutes(10, 20)
    assert minutes(0, 10).clip(minutes(5, 20), 10) == minutes(5, 10)
    assert minutes(0, 10).clip(minutes(10, 20)) is None


@given(windows, windows, st.integers(1, 30))
def test_clip_is_within_both_and_bounded(window: Window, extent: Window, max_minutes: int) -> None:
    clipped = window.clip(extent, max_minutes)
    if clipped is None:
        assert window.overlap(extent) is None
    else:
        assert clipped.overlap(window) == clipped.overlap(extent) == clipped and clipped.minutes <= max_minutes


def test_chunks() -> None:
    assert list(minutes(0, 25).chunks(600)) == [minutes(0, 10), minutes(10, 20), minutes(20, 25)]


@given(windows, st.lists(windows, max_size=6))
def test_subtract_is_set_difference(window: Window, others: list[Window]) -> None:
    remaining = window.subtract(others)
    assert minutes_of(*remaining) == minutes_of(window) - minutes_of(*others)
    assert all(first.end < second.start for first, second in itertools.pairwise(remaining))


@given(st.lists(windows, max_size=8))
def test_merge_windows_is_the_union_with_gaps(overlapping: list[Window]) -> None:
    merged = merge_windows(overlapping)
    assert minutes_of(*merged) == minutes_of(*overlapping)
    assert all(first.end < second.start for first, second in itertools.pairwise(merged))


@given(windows, st.integers(1, 30))
def test_chunks_are_consecutive(window: Window, longest: int) -> None:
    chunks = list(window.chunks(longest * 60))
    assert merge_windows(chunks) == (window,)
    assert sum(chunk.minutes for chunk in chunks) == window.minutes
    assert all(chunk.minutes <= longest for chunk in chunks)


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31T23:59-12:00", "2009-12-31", "2100-01-01", "9999-12-31"])
def test_a_time_far_from_now_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="between 2010 and 2100"):
        parse_datetime(text, UTC)


@pytest.mark.parametrize(
    ("zone", "end", "expected"),
    [
        ("Asia/Tokyo", "2026-11-27T06:00:00+00:00", "2026-11-20T06:00:00+00:00"),
        ("Europe/Berlin", "2026-10-26T11:00:00+00:00", "2026-10-19T10:00:00+00:00"),  # 12:00 in both weeks
        ("Europe/Berlin", "2026-03-30T10:00:00+00:00", "2026-03-23T11:00:00+00:00"),
    ],
)
def test_a_week_before_is_the_same_time_of_the_day(zone: str, end: str, expected: str) -> None:
    window = Window.last(90, now=datetime.fromisoformat(end))
    assert window.week_before(ZoneInfo(zone)) == Window.last(90, now=datetime.fromisoformat(expected))
