"""Query parameters: parsing, defaults of invalid ones, and ranges that were dragged on a chart."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import EVENT_KINDS, EventKind, Window
from domain.config.releases import ReleaseSpan
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
DEFAULTS = LiveParams("3h", None, "cloudwatch", "p95", 15)


def read(query: str) -> LiveParams:
    return parse_live_params(dict(parse_qsl(query, keep_blank_values=True)), zone=TOKYO, sources=SOURCES)


def test_no_parameters_mean_defaults() -> None:
    assert read("") == DEFAULTS
    assert read("utm_source=mail") == DEFAULTS


def test_every_parameter_is_parsed() -> None:
    assert read("window=30m&source=mackerel&percentile=p50&refresh=off") == LiveParams(
        "30m", None, "mackerel", "p50", 0
    )


def test_a_fan_is_compared_by_the_default_percentile() -> None:
    params = read("percentile=fan")
    assert (params.percentile, params.fan, params.percentile_choice, params.invalid_params) == ("p95", True, "fan", ())
    assert read("percentile=p50").percentile_choice == "p50"


def test_last_week_is_chosen_by_name() -> None:
    assert [read(query).with_last_week for query in ("", "compare=week", "compare=")] == [False, True, False]


@pytest.mark.parametrize(
    ("query", "invalid"),
    [
        ("compare=month", "compare"),
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
        ("from=2026-11-22T12:00Z&to=2026-12-06T12:01Z", "range_too_long"),
    ],
)
def test_invalid_parameter_is_named_and_has_its_default(query: str, invalid: InvalidParam) -> None:
    assert read(query) == LiveParams("3h", None, "cloudwatch", "p95", 15, (invalid,))


def test_all_invalid_parameters_are_named() -> None:
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
        ("2026-11-22T21:00+09:00", "2026-11-22T22:00+09:00"),  # not escaped: the + becomes a blank
        ("2026-11-22T12:00:40Z", "2026-11-22T12:59:01Z"),  # extended to whole minutes
        ("2026-11-22 21:00", "2026-11-22 22:00"),
    ],
)
def test_formats_of_a_range(start: str, end: str) -> None:
    assert read(f"from={start}&to={end}").fixed_window == Window(NOON, NOON + 3600)


def test_range_has_between_five_minutes_and_a_day() -> None:
    assert read("from=2026-11-22T12:00Z&to=2026-11-22T12:01Z").fixed_window == Window(NOON, NOON + 300)
    assert read("from=2026-11-22T12:00Z&to=2026-11-23T12:00Z").fixed_window == Window(NOON, NOON + 86_400)


def test_window_counts_back_from_now_without_a_range() -> None:
    now = datetime.fromtimestamp(NOON + 59, UTC)
    assert read("window=1h").window(now) == Window(NOON - 3540, NOON + 60)
    fixed = read("window=1h&from=2026-11-22T12:00Z&to=2026-11-22T13:00Z")
    assert fixed.window(now) == Window(NOON, NOON + 3600)


NAMES = ("window", "from", "to", "source", "percentile", "refresh", "slow", "compare")
TIMES = st.datetimes().map(lambda time: time.isoformat(timespec="minutes") + "Z")
VALUES = st.text() | TIMES | st.sampled_from(["3h", "p99", "off", "2026-11-22T12:00Z", "12:00", "2026-W47-7"])


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES), st.sampled_from(["Asia/Tokyo", "America/New_York"]))
@example({"from": "9999-12-31T23:58", "to": "9999-12-31T23:59"}, "America/New_York")
def test_any_parameters_give_a_valid_window(query_params: dict[str, str], zone: str) -> None:
    params = parse_live_params(query_params, zone=ZoneInfo(zone), sources=SOURCES)
    window = params.window(datetime.fromtimestamp(NOON, UTC))
    assert 5 <= window.minutes <= 1442
    assert window.starts_at.astimezone(ZoneInfo(zone)) < window.ends_at.astimezone(ZoneInfo(zone))


@given(st.integers(min_value=0, max_value=10**7), st.integers(min_value=5, max_value=20160))
def test_format_and_parse_round_trip(start_minute: int, minutes: int) -> None:
    window = Window(NOON + start_minute * 60, NOON + (start_minute + minutes) * 60)
    assert read(f"from={format_time(window.start)}&to={format_time(window.end)}").fixed_window == window


@pytest.mark.parametrize("ends", [("21:00", "22:00"), ("22:00", "21:00")])
def test_drag_is_in_the_time_zone_of_the_chart(ends: tuple[str, str]) -> None:
    dragged = range_from_drag(
        [f"2026-11-22 {end}:00.1234567" if end == "21:00" else f"2026-11-22 {end}" for end in ends],
        utc_offset_s=9 * 3600,
    )
    assert dragged == Window(NOON, NOON + 3600)


def test_short_drag_is_extended_around_its_middle() -> None:
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
def test_invalid_drag(ends: list[str]) -> None:
    assert range_from_drag(ends, utc_offset_s=9 * 3600) is None


@given(st.datetimes(datetime(2010, 1, 2), datetime(2099, 12, 29)), st.floats(0, 86_400), st.integers(-50_400, 50_400))
def test_window_contains_the_dragged_range(first: datetime, length_s: float, offset_s: int) -> None:
    last = first + timedelta(seconds=length_s)
    dragged = range_from_drag([first.isoformat(" "), last.isoformat(" ")], utc_offset_s=offset_s)
    assert dragged is not None
    shift = timedelta(seconds=offset_s)
    assert dragged.starts_at <= (first - shift).replace(tzinfo=UTC)
    assert dragged.ends_at >= (last - shift).replace(tzinfo=UTC)
    assert dragged.minutes >= 5


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
def test_parse_event_kinds(text: str | None, kinds: set[EventKind] | None) -> None:
    assert parse_event_kinds(text) == kinds


def test_event_kinds_round_trip() -> None:
    assert format_event_kinds(EVENT_KINDS) is None
    assert format_event_kinds(()) == "none"
    assert format_event_kinds({"alert", "weight"}) == "weight,alert"
    for kinds in ({"weight"}, {"note", "alert"}, set()):
        assert parse_event_kinds(format_event_kinds(kinds)) == kinds


def test_invalid_event_kinds_show_all() -> None:
    params = parse_live_params({"events": "nonsense"}, zone=TOKYO, sources=("demo",))
    assert (params.event_kinds, params.invalid_params) == (frozenset(EVENT_KINDS), ("events",))


RELEASE = ReleaseSpan(id="1", slug="web-42", key="web @ 1", start=36_000, end=43_200)
AFTER = datetime.fromtimestamp(90_000, UTC)


@pytest.mark.parametrize(
    ("fixed", "shown"),
    [
        (None, Window(36_000, 43_200)),
        (Window(37_000 // 60 * 60, 39_000), Window(36_960, 39_000)),
        (Window(0, 39_000), Window(36_000, 39_000)),
        (Window(50_400, 54_000), Window(36_000, 43_200)),
    ],
    ids=["default", "inside", "partly", "after"],
)
def test_a_release_that_has_ended_shows_its_own_time_alone(fixed: Window | None, shown: Window) -> None:
    """At any other its target groups served other revisions."""
    params = LiveParams("3h", fixed, "cloudwatch", "p95", 15, with_last_week=True).of_release(RELEASE, AFTER)
    assert params.window(AFTER) == params.fixed_window == shown
    assert not params.with_last_week


def test_a_release_that_runs_shows_nothing_before_it() -> None:
    running, now = RELEASE.model_copy(update={"end": None}), datetime.fromtimestamp(39_600, UTC)
    params = LiveParams("3h", None, "cloudwatch", "p95", 15).of_release(running, now)
    assert (params.fixed_window, params.window(now)) == (None, Window(36_000, 39_660))
    assert LiveParams("30m", None, "cloudwatch", "p95", 15).of_release(running, now).window(now).minutes == 30
    just_begun = datetime.fromtimestamp(36_030, UTC)
    assert (
        LiveParams("3h", None, "cloudwatch", "p95", 15).of_release(running, just_begun).window(just_begun).minutes == 1
    )
