"""Boundaries of phases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import phases, weight_steps
from analysis.series.phases import MergedSwap, Phase, phase_outcome
from domain import Event, WeightChange, Window
from domain.events import weight_event
from tests.factories.frames import START

MINUTE = 60


def event(minute: float, kind: str, fleet: str = "canary") -> Event:
    ts = START + int(minute * MINUTE)
    return Event(ts, None, kind, "", "", fleet, "", "test", f"{ts}")  # type: ignore[arg-type]


def change(minute: float, before: float | None, after: float | None, since: float | None = None) -> WeightChange:
    ts = START + int(minute * MINUTE)
    first = ts if since is None else START + int(since * MINUTE)
    return WeightChange(ts, first, before, after, operation="" if since else "ModifyRule", key=f"{ts}")


def step(minute: float, before: float | None, after: float | None, since: float | None = None) -> Event:
    return weight_event(change(minute, before, after, since))


def window_minutes(first: int, last: int) -> Window:
    return Window(START + first * MINUTE, START + last * MINUTE)


def summary(phases: tuple[Phase, ...]) -> list[tuple[Window, Window | None, float | None, str, float]]:
    """Window, judged window, share, start and bake time in minutes."""
    return [
        (phase.window, phase.judged, phase.canary_share, phase.started_by, phase.bake_time_s / MINUTE)
        for phase in phases
    ]


def test_without_a_change_the_whole_window_is_one_phase() -> None:
    whole = window_minutes(0, 60)
    assert phases([], whole) == (Phase(whole, None, "window", 3600, judged=whole),)


def test_a_phase_begins_after_the_minute_of_its_change_and_is_judged_from_the_next() -> None:
    result = phases([step(20.5, 0.1, 0.25)], window_minutes(0, 60))
    assert summary(result) == [
        (window_minutes(0, 21), window_minutes(0, 20), 0.1, "window", 20.5),
        (window_minutes(21, 60), window_minutes(22, 60), 0.25, "weight", 39.5),
    ]
    assert [phase.change for phase in result] == [None, change(20.5, 0.1, 0.25)]


def test_a_change_on_the_minute_begins_a_phase_at_once() -> None:
    assert [phase.window for phase in phases([step(20, 0.1, 0.25)], window_minutes(0, 60))] == [
        window_minutes(0, 20),
        window_minutes(20, 60),
    ]


def test_the_time_between_two_snapshots_around_a_change_is_counted_before_it_and_not_judged() -> None:
    result = phases([step(20.5, 0.1, 0.25, since=8.5)], window_minutes(0, 60))
    assert [(phase.window, phase.judged) for phase in result] == [
        (window_minutes(0, 21), window_minutes(0, 8)),
        (window_minutes(21, 60), window_minutes(22, 60)),
    ]


def test_a_deployment_of_the_canary_starts_a_phase_with_the_same_share() -> None:
    events = [step(10, None, 0.5), event(30, "deployment"), event(40, "deployment", fleet="baseline")]
    assert summary(phases(events, window_minutes(0, 60))) == [
        (window_minutes(0, 10), window_minutes(0, 10), None, "window", 10),
        (window_minutes(10, 30), window_minutes(12, 30), 0.5, "weight", 20),
        (window_minutes(30, 60), window_minutes(32, 60), 0.5, "deployment", 30),
    ]


def test_a_change_before_the_window_gives_its_share() -> None:
    assert summary(phases([step(-30, 0.01, 0.1)], window_minutes(0, 60))) == [
        (window_minutes(0, 60), window_minutes(0, 60), 0.1, "window", 60)
    ]


def test_a_share_seen_at_the_start_of_the_window_needs_no_change() -> None:
    assert [phase.canary_share for phase in phases([], window_minutes(0, 60), 0.1)] == [0.1]


def test_the_share_is_unknown_without_a_split() -> None:
    assert [phase.canary_share for phase in phases([step(30, 0.5, None)], window_minutes(0, 60))] == [0.5, None]


def test_steps_in_quick_succession_leave_no_empty_phases() -> None:
    events = [step(10, 0.1, 0.25), step(10.5, 0.25, 0.1), step(11, 0.1, 0.0)]
    result = phases(events, window_minutes(0, 60))
    assert [(phase.window, phase.judged, phase.canary_share) for phase in result] == [
        (window_minutes(0, 10), window_minutes(0, 10), 0.1),
        (window_minutes(10, 11), None, 0.25),
        (window_minutes(11, 60), window_minutes(13, 60), 0.0),
    ]


def test_a_phase_without_a_settled_minute_is_counted() -> None:
    """The first change unsettles the minutes 10 and 11, the second one starts in minute 12."""
    result = phases([step(10, 0.1, 0.25), step(12.5, 0.25, 0.5)], window_minutes(0, 60))
    assert [(phase.window, phase.judged) for phase in result] == [
        (window_minutes(0, 10), window_minutes(0, 10)),
        (window_minutes(10, 13), None),
        (window_minutes(13, 60), window_minutes(14, 60)),
    ]


def test_right_after_a_change_the_current_phase_is_the_newest_minute() -> None:
    assert summary(phases([step(59.5, 0.1, 0.25)], window_minutes(0, 60))) == [
        (window_minutes(0, 59), window_minutes(0, 59), 0.1, "window", 59.5),
        (window_minutes(59, 60), None, 0.25, "weight", 0.5),
    ]


@given(
    st.lists(
        st.tuples(
            st.floats(-10, 70),
            st.floats(0, 30),
            st.sampled_from((None, 0.0, 0.1, 1.0)),
            st.sampled_from(("weight", "deployment")),
        ),
        max_size=12,
    )
)
def test_phases_tile_the_window_and_the_judged_part_is_inside(
    changes: list[tuple[float, float, float | None, str]],
) -> None:
    events = [
        step(at, None, after, since=at - unseen) if kind == "weight" else event(at, kind)
        for at, unseen, after, kind in changes
    ]
    window = window_minutes(0, 60)
    result = phases(events, window)
    edges = [window.start, *(phase.window.end for phase in result)]
    assert edges == [*(phase.window.start for phase in result), window.end]
    assert all(
        phase.window.start <= phase.judged.start and phase.judged.end <= phase.window.end
        for phase in result
        if phase.judged
    )


def test_alerts_notes_and_weight_events_without_a_change_start_no_phase() -> None:
    events = [event(10, kind) for kind in ("alert", "annotation", "note", "weight")]
    assert len(phases(events, window_minutes(0, 60))) == 1


def test_a_weight_step_is_brief_if_it_is_over_within_half_an_hour() -> None:
    changes = [change(0, 0.25, 0.0), change(12, 0.0, 0.25), change(600, 0.25, 0.5), change(900, 0.5, 1.0)]
    result = weight_steps(changes, START + 610 * MINUTE)
    assert [
        (weight_step.change.after, weight_step.bake_time_s / MINUTE, weight_step.is_brief, weight_step.is_current)
        for weight_step in result
    ] == [
        (0.0, 12, True, False),
        (0.25, 588, False, False),
        (0.5, 10, False, True),
    ]
    assert weight_steps([], START) == ()


@pytest.mark.parametrize(
    ("share", "following", "outcome"),
    [
        (0.1, None, "running"),
        (0.1, Phase(Window(START, START + 60), 0.25, "weight"), "advanced"),
        (0.1, Phase(Window(START, START + 60), 0.05, "weight"), "rolled_back"),
        (0.1, Phase(Window(START, START + 60), 0.1, "deployment"), "deployed"),
        (0.1, Phase(Window(START, START + 60), 0.1, "weight", merged_swaps=(MergedSwap(0, 60, 0.0),)), "deployed"),
        (0.1, Phase(Window(START, START + 60), 0.25, "weight", merged_swaps=(MergedSwap(0, 60, 0.0),)), "advanced"),
        (0.1, Phase(Window(START, START + 60), 0.1, "weight"), None),
        (None, Phase(Window(START, START + 60), 0.1, "weight"), None),
    ],
)
def test_the_outcome_of_a_phase(share: float | None, following: Phase | None, outcome: str | None) -> None:
    assert phase_outcome(Phase(Window(START - 60, START), share, "weight"), following) == outcome
