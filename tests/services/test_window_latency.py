"""The part of a phase whose latency is requested as one period."""

from datetime import UTC, datetime
from typing import Literal

from analysis import Phase
from domain import Window
from services.window_latency import latency_window
from tests.factories.config import make_migration

HOUR = 1_790_000_000 // 86_400 * 86_400


def phase(first: int, end: int, started_by: Literal["weight", "window"] = "weight") -> Phase:
    return Phase(Window(HOUR + first * 60, HOUR + end * 60), 0.5, started_by)


def latency_minutes(phase: Phase, now: int) -> tuple[int, int] | None:
    """First and last minute of the window that is requested in minute `now`; three minutes are provisional."""
    window = latency_window(make_migration(), phase, now=datetime.fromtimestamp(HOUR + now * 60, UTC))
    return window and ((window.start - HOUR) // 60, (window.end - HOUR) // 60)


def test_current_phase_grows_every_five_minutes_and_less_often_when_long() -> None:
    windows = [latency_minutes(phase(2, now), now) for now in (7, 8, 12, 13, 14)]
    assert windows == [None, (2, 5), (2, 5), (2, 10), (2, 10)]
    assert len({latency_minutes(phase(2, now), now) for now in range(720, 780)}) == 3


def test_closed_phase_is_requested_as_a_whole() -> None:
    assert latency_minutes(phase(2, 17), 100) == (2, 17)
    assert latency_minutes(phase(2, 17), 18) == (2, 15), "its last minutes are provisional"


def test_last_day_does_not_move_every_minute() -> None:
    assert len({latency_minutes(phase(now - 1440, now, "window"), now) for now in range(1440, 1500)}) <= 3
    for now in range(1440, 1500):
        start, end = latency_minutes(phase(now - 1440, now, "window"), now) or (0, 0)
        assert now - 1440 <= start < end <= now - 3
