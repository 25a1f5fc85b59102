"""What the Live page works out before it draws: its thresholds, and from when on its numbers are provisional."""

from dataclasses import replace

import pytest

from archive import MetricsResult
from domain import Window, empty_frame
from tests.factories.config import make_migration
from ui import chart_payload
from ui.live import view

NOON = 1_795_348_800
NOTHING = MetricsResult(empty_frame(), Window(NOON - 3600, NOON))


def test_thresholds_are_spelt_as_an_address_may_hold_them() -> None:
    assert view.slow_choices(make_migration()) == {"100ms": 0.1, "300ms": 0.3, "1s": 1.0}


@pytest.mark.parametrize(
    ("criterion", "chosen"),
    [("slow_1s", "1s"), ("slow_100ms", "100ms"), ("error_rate", "300ms")],
    ids=["judged", "judged in ms", "none is judged: the middle one"],
)
def test_the_threshold_that_is_judged_is_shown_first(criterion: str, chosen: str) -> None:
    assert view.default_slow(make_migration("criteria.0", {"metric": criterion, "margin": "1pp"})) == chosen


def test_numbers_are_provisional_from_three_minutes_before_they_were_last_asked_for() -> None:
    asked = replace(NOTHING, last_asked_at=NOON + 59)
    assert chart_payload.provisional_from(make_migration(), asked) == NOON - 180
    # Whatever was asked for long ago was provisional then and still is.
    assert chart_payload.provisional_from(make_migration(), replace(NOTHING, last_asked_at=NOON - 600)) == NOON - 780
    assert chart_payload.provisional_from(make_migration("migration.provisional_minutes", 0), asked) == NOON
