"""Rows of the phase table: merged swaps, events, and the basis of a p95."""

from dataclasses import replace

import pytest

from analysis import Phase
from analysis.retrospective.phase_rows import PhaseP95, PhaseRow, events_of_phase, merge_swaps, phase_p95
from analysis.series.phases import MergedSwap
from domain import WeightChange, Window
from domain.latency import LatencySummary
from tests.factories.phases import make_event, make_phase
from tests.factories.timelines import NAN, START, make_fleet_timeline, make_timeline


def phases_of(*steps: tuple[int, float]) -> list[Phase]:
    """Phases from (minute, share), as analysis.series.phases makes them: they adjoin, and the first two minutes are not judged."""
    result, before = [], None
    for (start, share), (end, _) in zip(steps, [*steps[1:], (steps[-1][0] + 600, 0.0)], strict=True):
        change = WeightChange(START + start * 60, START + start * 60, before, share)
        window, judged = (Window(START + first * 60, START + end * 60) for first in (start, start + 2))
        result.append(Phase(window, share, "weight", (end - start) * 60, change, judged))
        before = share
    return result


def merged_shares(phases: list[Phase], *events: object) -> list[tuple[float | None, tuple[MergedSwap, ...]]]:
    return [(phase.canary_share, phase.merged_swaps) for phase in merge_swaps(phases, events)]  # type: ignore[arg-type]


def test_a_swap_is_merged_into_the_next_phase() -> None:
    known = phases_of((0, 0.05), (600, 0.0), (612, 0.05))
    swap = make_event(602, "deployment", "web 1.0.3", until=606)
    assert merged_shares(known, swap) == [(0.05, ()), (0.05, (MergedSwap(START + 36_000, 720, 0.0),))]
    _, after = merge_swaps(known, [swap])
    assert (after.window, after.judged) == (
        Window(START + 36_000, START + 1212 * 60),
        Window(START + 614 * 60, START + 1212 * 60),
    ), "the swap's time is counted with the phase that follows, and not judged"


def test_a_short_reduction_without_a_deployment_is_a_rollback() -> None:
    """Six minutes back at 0, as `cli.py deployments` advises."""
    known = phases_of((0, 0.05), (600, 0.0), (606, 0.05))
    other = [
        replace(make_event(602, "deployment", "ec2", until=604), fleet="baseline"),
        make_event(580, "deployment", "web", until=599),
    ]
    assert merged_shares(known, *other) == [(0.05, ()), (0.0, ()), (0.05, ())]


def test_two_steps_down_and_up_again_are_one_swap() -> None:
    known = phases_of((0, 0.25), (600, 0.1), (605, 0.0), (615, 0.25))
    swap = make_event(606, "deployment", "web 1.0.3", until=612)
    assert merged_shares(known, swap) == [(0.25, ()), (0.25, (MergedSwap(START + 36_000, 900, 0.0),))]


@pytest.mark.parametrize(
    "steps",
    [
        ((0, 0.1), (600, 0.5), (604, 0.1)),  # an attempt of four minutes that was rolled back
        ((0, 0.25), (600, 0.0), (630, 0.25)),  # half an hour
        ((0, 0.25), (600, 0.0), (640, 0.25)),  # longer
        ((0, 0.25), (600, 0.0)),  # not back yet
        ((0, 0.25), (600, 0.0), (610, 0.1)),  # back, but not to where it was
        ((0, 0.0), (600, 0.1), (610, 0.25)),  # upwards
    ],
)
def test_other_short_phases_stay(steps: tuple[tuple[int, float], ...]) -> None:
    deployment = make_event(599, "deployment", "web 1.0.3", until=650)
    assert merged_shares(phases_of(*steps), deployment) == [(share, ()) for _, share in steps]


def test_no_phases_have_no_swaps() -> None:
    assert merge_swaps([], []) == ()


def test_a_step_that_ended_a_phase_is_among_its_events() -> None:
    current = make_phase(0, 60, 0.25)
    events = [
        make_event(-1, "alert", "before"),
        make_event(10, "alert", "5xx"),
        make_event(60, "rollback", "Back"),
        make_event(62, "note", "later"),
    ]
    result = events_of_phase([*events, make_event(20, "weight", "10% → 25%")], current, until=START + 62 * 60)
    assert [incident.title for incident in result] == ["5xx", "Back"]


def test_the_basis_of_a_p95() -> None:
    periods = make_timeline(
        make_fleet_timeline([9000] * 3, p95=[0.2, 0.22, 0.3]),
        make_fleet_timeline([3000, 3000, 100], p95=[0.21, 0.25, 9.0]),
    )
    hourly = make_timeline(
        make_fleet_timeline([9000], p95=[0.24], periods=1),
        make_fleet_timeline([3000], p95=[0.26], periods=1),
        bucket_s=3600,
    )
    window_latency = (LatencySummary("baseline", "photo-ec2", 27_000, 27_000, 0.1, {"p95": 0.231}, {}),)
    assert phase_p95(periods, "baseline") == PhaseP95(0.22, "periods", pytest.approx(0.18), pytest.approx(0.33))
    assert phase_p95(periods, "canary") == PhaseP95(
        pytest.approx(0.23), "periods", pytest.approx(0.189), pytest.approx(0.275)
    )
    assert phase_p95(periods, "canary", window_latency, hourly) == PhaseP95(
        0.26, "hours", pytest.approx(0.234), pytest.approx(0.286)
    )
    assert phase_p95(periods, "baseline", window_latency, hourly) == PhaseP95(0.231, "window")
    assert phase_p95(make_timeline(make_fleet_timeline([NAN]), make_fleet_timeline([NAN])), "canary") is None


def test_two_groups_of_one_fleet_have_no_common_p95() -> None:
    periods = make_timeline(make_fleet_timeline([9000], p95=[0.2]), make_fleet_timeline([3000], p95=[0.21]))
    groups = tuple(LatencySummary("canary", name, 100, 100, 0.1, {"p95": 0.5}, {}) for name in ("blue", "green"))
    p95 = phase_p95(periods, "canary", groups)
    assert p95 is not None and p95.basis == "periods"


def test_an_error_rate_without_requests_is_none() -> None:
    row = PhaseRow(make_phase(0, 60, 0.0), {"baseline": 1000, "canary": 0}, {"baseline": 2, "canary": 0}, {})
    assert (row.error_rate("baseline"), row.error_rate("canary")) == (0.002, None)
