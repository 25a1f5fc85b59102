"""Steps of the window on the Live page."""

from domain import Window
from tests.factories.app_context import NOW
from ui.live.time_controls import shifted, zoomed_out
from ui.url import MAX_WINDOW_MINUTES

NOW_S = int(NOW.timestamp())
HOUR = Window(NOW_S - 7200, NOW_S - 3600)


def test_a_step_shows_the_neighbour_of_the_same_length() -> None:
    assert shifted(HOUR, -1, NOW) == Window(NOW_S - 10_800, NOW_S - 7200)
    assert shifted(HOUR, 1, NOW) == Window(NOW_S - 3600, NOW_S)


def test_a_step_ends_now_at_the_latest() -> None:
    assert shifted(Window(NOW_S - 4200, NOW_S - 600), 1, NOW) == Window(NOW_S - 3540, NOW_S + 60)


def test_zooming_out_doubles_around_the_middle_up_to_now_and_to_the_longest_range() -> None:
    assert zoomed_out(Window(NOW_S - 10_800, NOW_S - 7200), NOW) == Window(NOW_S - 12_600, NOW_S - 5400)
    assert zoomed_out(Window(NOW_S - 3600, NOW_S), NOW) == Window(NOW_S - 7140, NOW_S + 60)
    longest = zoomed_out(Window(NOW_S - 10 * 86_400, NOW_S), NOW)
    assert longest.minutes == MAX_WINDOW_MINUTES and longest.end == NOW_S + 60
