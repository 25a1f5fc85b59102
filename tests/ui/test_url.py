"""The address: what is read from it, what makes no sense in it, and what a drag writes into it."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import EVENT_KINDS, EventKind, Window
from ui.url import (
    InvalidParam,
    LiveParams,
    format_event_kinds,
    format_time,
    parse_event_kinds,
    parse_live_params,
    range_from_drag,
)

TOKYO = ZoneInfo("Asia/Tokyo")
SOURCES = ("cloudwatch", "mackerel")
NOON = 1_795_348_800  # 2026-11-22 12:00 UTC
DEFAULTS = LiveParams("3h", None, "cloudwatch", "p95", True)


def read(query: str) -> LiveParams:
    return parse_live_params(dict(parse_qsl(query, keep_blank_values=True)), zone=TOKYO, sources=SOURCES)


def test_an_empty_address_shows_the_defaults() -> None:
    assert read("") == DEFAULTS
    assert read("utm_source=mail") == DEFAULTS


def test_every_parameter_is_read() -> None:
    assert read("window=30m&source=mackerel&percentile=p50&live=off") == LiveParams(
        "30m", None, "mackerel", "p50", False
    )


@pytest.mark.parametrize(
    ("query", "trouble"),
    [
        ("window=5y", "window"),
        ("window=", "window"),
        ("percentile=p42", "percentile"),
        ("source=prometheus", "source"),
        ("from=2026-11-22T12:00Z", "range"),
        ("to=2026-11-22T12:00Z", "range"),
        ("from=yesterday&to=today", "range"),
        ("from=&to=", "range"),
        ("from=2026-02-30T12:00Z&to=2026-03-01T12:00Z", "range"),
        ("from=0001-01-01T00:00Z&to=0001-01-01T01:00Z", "range"),
        ("from=9999-12-31T23:58Z&to=9999-12-31T23:59Z", "range"),
        ("from=2026-11-22T13:00Z&to=2026-11-22T12:00Z", "range_order"),
        ("from=2026-11-22T12:00Z&to=2026-11-22T12:00Z", "range_order"),
        ("from=2026-11-22T12:00Z&to=2026-11-23T12:01Z", "range_too_long"),
    ],
)
def test_what_makes_no_sense_is_named_and_falls_back(query: str, trouble: InvalidParam) -> None:
    assert read(query) == LiveParams("3h", None, "cloudwatch", "p95", True, (trouble,))


def test_troubles_are_named_together() -> None:
    assert read("window=x&percentile=x&source=x&from=x&to=x").invalid_params == (
        "window",
        "percentile",
        "source",
        "range",
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-22T12:00Z", "2026-11-22T13:00Z"),
        ("2026-11-22T21:00", "2026-11-22T22:00"),  # as the page shows it, in the configured zone
        ("2026-11-22T21:00%2B09:00", "2026-11-22T22:00%2B09:00"),
        ("2026-11-22T21:00+09:00", "2026-11-22T22:00+09:00"),  # somebody forgot to escape it: the + is a blank
        ("2026-11-22T12:00:40Z", "2026-11-22T12:59:01Z"),  # whole minutes that touch it
        ("2026-11-22 21:00", "2026-11-22 22:00"),
    ],
)
def test_a_fixed_window_may_be_written_in_many_ways(start: str, end: str) -> None:
    assert read(f"from={start}&to={end}").fixed_window == Window(NOON, NOON + 3600)


def test_a_fixed_window_has_five_minutes_at_least_and_a_day_at_most() -> None:
    assert read("from=2026-11-22T12:00Z&to=2026-11-22T12:01Z").fixed_window == Window(NOON, NOON + 300)
    assert read("from=2026-11-22T12:00Z&to=2026-11-23T12:00Z").fixed_window == Window(NOON, NOON + 86_400)


def test_a_window_counts_back_from_now_unless_it_is_fixed() -> None:
    now = datetime.fromtimestamp(NOON + 59, UTC)
    assert read("window=1h").window(now) == Window(NOON - 3540, NOON + 60)
    fixed = read("window=1h&from=2026-11-22T12:00Z&to=2026-11-22T13:00Z")
    assert fixed.window(now) == Window(NOON, NOON + 3600)


NAMES = ("window", "from", "to", "source", "percentile", "live", "slow")
TIMES = st.datetimes().map(lambda moment: moment.isoformat(timespec="minutes") + "Z")
VALUES = st.text() | TIMES | st.sampled_from(["3h", "p99", "off", "2026-11-22T12:00Z", "12:00", "2026-W47-7"])


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES), st.sampled_from(["Asia/Tokyo", "America/New_York"]))
@example({"from": "9999-12-31T23:58", "to": "9999-12-31T23:59"}, "America/New_York")
def test_no_address_breaks_a_page(parameters: dict[str, str], zone: str) -> None:
    address = parse_live_params(parameters, zone=ZoneInfo(zone), sources=SOURCES)
    window = address.window(datetime.fromtimestamp(NOON, UTC))
    assert 5 <= window.minutes <= 1442
    assert window.starts_at.astimezone(ZoneInfo(zone)) < window.ends_at.astimezone(ZoneInfo(zone))


@given(st.integers(min_value=0, max_value=10**7), st.integers(min_value=5, max_value=1440))
def test_what_is_written_is_read_again(start_minute: int, minutes: int) -> None:
    window = Window(NOON + start_minute * 60, NOON + (start_minute + minutes) * 60)
    assert read(f"from={format_time(window.start)}&to={format_time(window.end)}").fixed_window == window


@pytest.mark.parametrize("ends", [("21:00", "22:00"), ("22:00", "21:00")])
def test_a_drag_is_read_by_the_clock_of_its_chart(ends: tuple[str, str]) -> None:
    found = range_from_drag(
        [f"2026-11-22 {end}:00.1234567" if end == "21:00" else f"2026-11-22 {end}" for end in ends],
        utc_offset_s=9 * 3600,
    )
    assert found == Window(NOON, NOON + 3600)


def test_a_short_drag_grows_around_its_middle() -> None:
    assert range_from_drag(["2026-11-22 12:10:00", "2026-11-22 12:10:00"], utc_offset_s=0) == Window(
        NOON + 420, NOON + 780
    )
    assert range_from_drag(["2026-11-22 12:10:00", "2026-11-22 12:13:00"], utc_offset_s=0) == Window(
        NOON + 540, NOON + 840
    )


@pytest.mark.parametrize(
    "ends",
    [
        ["2026-11-22 12:10"],
        ["2026-11-22 12:10", "soon"],
        ["", ""],
        ["1", "2", "3"],
        ["0001-01-01 00:00", "0001-01-01 00:01"],
        ["9999-12-31 23:58", "9999-12-31 23:59"],
    ],
)
def test_a_drag_that_is_no_window_changes_nothing(ends: list[str]) -> None:
    assert range_from_drag(ends, utc_offset_s=9 * 3600) is None


@given(st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)), st.floats(0, 86_400), st.integers(-50_400, 50_400))
def test_a_dragged_window_holds_what_was_dragged(first: datetime, length_s: float, offset_s: int) -> None:
    last = first + timedelta(seconds=length_s)
    found = range_from_drag([first.isoformat(" "), last.isoformat(" ")], utc_offset_s=offset_s)
    assert found is not None
    shift = timedelta(seconds=offset_s)
    assert found.starts_at <= (first - shift).replace(tzinfo=UTC)
    assert found.ends_at >= (last - shift).replace(tzinfo=UTC)
    assert found.minutes >= 5


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (None, set(EVENT_KINDS)),
        ("weight,alert", {"weight", "alert"}),
        (" alert , nonsense", {"alert"}),
        ("none", set()),
        ("", None),
        ("nonsense", None),
        ("<script>", None),
    ],
)
def test_the_kinds_of_events_that_are_shown(text: str | None, kinds: set[EventKind] | None) -> None:
    assert parse_event_kinds(text) == kinds


def test_a_choice_of_kinds_is_spelt_so_that_it_is_read_again_and_all_goes_without_saying() -> None:
    assert format_event_kinds(EVENT_KINDS) is None
    assert format_event_kinds(()) == "none"
    assert format_event_kinds({"alert", "weight"}) == "weight,alert"
    for kinds in ({"weight"}, {"note", "alert"}, set()):
        assert parse_event_kinds(format_event_kinds(kinds)) == kinds


def test_kinds_that_make_no_sense_show_all_and_say_so() -> None:
    found = parse_live_params({"events": "nonsense"}, zone=TOKYO, sources=("demo",))
    assert (found.event_kinds, found.invalid_params) == (frozenset(EVENT_KINDS), ("events",))
