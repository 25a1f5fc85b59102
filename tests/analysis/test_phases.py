"""Where one phase ends and the next begins."""

from analysis import phases
from analysis.phases import Phase
from migration import Event, Window
from tests.frames import START

MINUTE = 60


def event(minute: float, kind: str, title: str = "", fleet: str = "canary") -> Event:
    ts = START + int(minute * MINUTE)
    return Event(ts, None, kind, title, "", fleet, "", "test", f"{ts}{title}")  # type: ignore[arg-type]


def stretch(first: int, last: int) -> Window:
    return Window(START + first * MINUTE, START + last * MINUTE)


def test_without_a_change_the_whole_window_is_one_phase() -> None:
    assert phases([], stretch(0, 60)) == (Phase(stretch(0, 60), None, "window"),)


def test_a_weight_change_ends_one_phase_and_begins_the_next_after_its_minute_and_one_more() -> None:
    assert phases([event(20.5, "weight", "10.0% → 25.0%")], stretch(0, 60)) == (
        Phase(stretch(0, 20), None, "window"),
        Phase(stretch(22, 60), 0.25, "weight"),
    )


def test_a_deployment_of_the_canary_cuts_and_keeps_the_share() -> None:
    events = [event(10, "weight", "? → 50.0%"), event(30, "deployment"), event(40, "deployment", fleet="baseline")]
    assert [(phase.window, phase.canary_share, phase.begun_by) for phase in phases(events, stretch(0, 60))] == [
        (stretch(0, 10), None, "window"),
        (stretch(12, 30), 0.5, "weight"),
        (stretch(32, 60), 0.5, "deployment"),
    ]


def test_what_changed_before_the_window_tells_its_share() -> None:
    assert phases([event(-30, "weight", "1.0% → 10.0%")], stretch(0, 60)) == (Phase(stretch(0, 60), 0.1, "window"),)


def test_steps_in_quick_succession_leave_no_empty_phases() -> None:
    events = [
        event(10, "weight", "10.0% → 25.0%"),
        event(10.5, "weight", "25.0% → 10.0%"),
        event(11.2, "weight", "10.0% → 0.0%"),
    ]
    assert [phase.window for phase in phases(events, stretch(0, 60))] == [stretch(0, 10), stretch(13, 60)]


def test_right_after_a_change_the_newest_minute_stands_for_the_phase_that_has_just_begun() -> None:
    assert phases([event(59.5, "weight", "10.0% → 25.0%")], stretch(0, 60)) == (
        Phase(stretch(0, 59), None, "window"),
        Phase(stretch(59, 60), 0.25, "weight"),
    )


def test_alerts_and_notes_cut_nothing() -> None:
    assert len(phases([event(10, "alert"), event(20, "annotation"), event(30, "note")], stretch(0, 60))) == 1
