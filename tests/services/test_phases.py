"""The phases of a migration: from the first look on, numbered, and counted once."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from domain import FLEETS, Event, Slo, WeightChange, Window
from domain.events import weight_event
from domain.weight_changes import InitialShare
from services.phases import count_phase, known_phases, phase_timelines, read_budget, read_phases, settled_end
from services.retrospective import build_outline, build_retrospective
from tests.factories.archived_migration import END, MINUTE, NOW, OUTAGE, archived_migration, make_migration, time_of

DAY = 86_400
NOW_S = 40 * DAY
MIGRATION = make_migration()


def step(ts: int, before: float | None, after: float, *, since: int | None = None) -> Event:
    operation = "ModifyRule" if since is None else ""
    return weight_event(WeightChange(ts, ts if since is None else since, before, after, operation=operation))


def summary(events: list[Event], initial: InitialShare | None, **more: int) -> list[tuple[object, ...]]:
    phases = known_phases(events, initial, end=NOW_S, **more)
    return [
        (phase.number, phase.canary_share, phase.started_by, phase.window, phase.judged_window == phase.window)
        for phase in phases
    ]


def test_the_phase_of_the_first_look_stays_when_a_step_is_seen() -> None:
    look = NOW_S - 5 * DAY
    initial = InitialShare(0.1, look, look)
    assert summary([], initial) == [(1, 0.1, "first_look", Window(look, NOW_S), True)]
    changed = NOW_S - DAY
    assert summary([step(changed, 0.1, 0.25)], initial) == [
        (1, 0.1, "first_look", Window(look, changed), True),
        (2, 0.25, "weight", Window(changed, NOW_S), False),
    ]


def test_right_after_the_first_look_the_last_day_is_judged_until_a_step_is_seen() -> None:
    look = NOW_S - 3600
    initial = InitialShare(0.1, look, look)
    assert summary([], initial) == [(1, 0.1, "window", Window(NOW_S - DAY, NOW_S), True)]
    assert summary([step(NOW_S - 600, 0.1, 0.25)], initial)[0] == (
        1, 0.1, "first_look", Window(look, NOW_S - 600), True
    )  # fmt: skip


def test_before_the_first_known_change_there_is_no_phase_unless_the_weights_were_read() -> None:
    changed = NOW_S - DAY + 20
    initial = InitialShare(0.0, NOW_S - 30 * DAY, None)  # from an audit log
    assert summary([step(changed, 0.0, 0.1)], initial) == [
        (1, 0.1, "weight", Window(NOW_S - DAY, NOW_S), False)
    ]  # fmt: skip


def test_without_weights_the_phase_is_all_of_the_data_and_its_last_day_is_judged() -> None:
    (only,) = known_phases([], end=NOW_S, data_since=NOW_S - 9 * DAY)
    assert (only.canary_share, only.started_by, only.number) == (None, "window", 1)
    assert (only.window, only.judged_window) == (Window(NOW_S - 9 * DAY, NOW_S), Window(NOW_S - DAY, NOW_S))


def test_one_phase_has_one_count(tmp_path: Path) -> None:
    """The outage ended a phase: every request of it is an error of that phase."""
    with archived_migration(tmp_path) as archive:
        phases = read_phases(archive, "mackerel", now=NOW)
        outline = build_outline(archive, "mackerel", end=settled_end(MIGRATION, NOW))
        assert outline is not None
        rows = build_retrospective(archive, MIGRATION, outline).phase_rows
        counted = [count_phase(archive, MIGRATION, "mackerel", phases, phase, until=END, now=NOW) for phase in phases]
        assert [(item.requests, item.errors) for item in counted] == [(row.requests, row.errors) for row in rows]
        assert counted[1].errors["canary"] == 72 * 5 + OUTAGE.minutes // 5 * 2500
        (whole,) = phase_timelines(archive, MIGRATION, "mackerel", [Window(time_of(8, 9), END)])
        for fleet in FLEETS:
            assert sum(item.requests[fleet] for item in counted) == np.nansum(whole.fleets[fleet].requests)


@pytest.mark.parametrize("cuts", [(), (7,), (3, 4, 9, 613), (1, 2, 3), (599, 600, 601, 1439)])
def test_the_counts_of_adjoining_windows_add_up(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    start = time_of(9, 9)
    edges = [start, *(start + cut * MINUTE for cut in cuts), start + 2 * DAY]
    with archived_migration(tmp_path) as archive:
        windows = [Window(*edge) for edge in pairwise(edges)]
        parts = phase_timelines(archive, MIGRATION, "mackerel", windows)
        (whole,) = phase_timelines(archive, MIGRATION, "mackerel", [Window(start, edges[-1])])
    for fleet in FLEETS:
        for name in ("requests", "errors"):
            total = sum(float(np.nansum(getattr(part.fleets[fleet], name))) for part in parts)
            assert total == pytest.approx(float(np.nansum(getattr(whole.fleets[fleet], name))))


def test_a_phase_without_data_has_no_counts_instead_of_0(tmp_path: Path) -> None:
    with archived_migration(tmp_path, start=time_of(9, 9)) as archive:
        phases = read_phases(archive, "mackerel", now=NOW)
        first, second = (
            count_phase(archive, MIGRATION, "mackerel", phases, phase, until=END, now=NOW) for phase in phases[:2]
        )
    assert (first.requests, first.errors) == ({"baseline": None, "canary": None},) * 2
    assert second.requests == {"baseline": 76 * 7500, "canary": 76 * 2500}


def test_a_phase_burns_the_budget_of_the_week_before_its_end(tmp_path: Path) -> None:
    """2,000 requests a minute are 86.4 million in 30 days, of which 86,400 may fail; the outage took an eighth of that."""
    migration = make_migration().model_copy(update={"slo": Slo.model_validate("99.9% over 30d")})
    with archived_migration(tmp_path) as archive:
        phases = read_phases(archive, "mackerel", now=NOW)
        counted = [count_phase(archive, migration, "mackerel", phases, phase, until=END, now=NOW) for phase in phases]
        outline = build_outline(archive, "mackerel", end=settled_end(migration, NOW))
        assert outline is not None
        retrospective = build_retrospective(archive, migration, outline)
    budget = counted[1].budget
    assert budget is not None and (budget.errors, budget.covered_s) == (pytest.approx(86_400), 7 * DAY)
    assert budget.burned(counted[1].errors)["canary"] == pytest.approx((72 * 5 + 10_000) / 86_400)
    rows = retrospective.phase_rows
    assert [row.budget for row in rows] == [item.budget for item in counted]
    assert retrospective.budget_burned["canary"] == pytest.approx(sum(row.budget_burned["canary"] or 0 for row in rows))


def test_of_traffic_that_is_archived_in_part_the_covered_time_counts(tmp_path: Path) -> None:
    slo = Slo.model_validate("99.9% over 30d")
    with archived_migration(tmp_path, start=time_of(9, 9)) as archive:
        budgets = [read_budget(archive, slo, "mackerel", until=time_of(*end)) for end in ((9, 15), (11, 9))]
    assert [(budget.errors, budget.covered_s) for budget in budgets] == [
        (None, 6 * 3600),
        (pytest.approx(86_400), 2 * DAY),
    ]
