"""When data is provisional and when it is stale."""

from datetime import UTC, datetime

import pytest

from archive.metrics.results import MetricsResult
from domain import Window, empty_frame
from services.freshness import is_stale, provisional_from, result_provisional_from
from tests.factories.config import make_migration

NOON = 1_795_348_800
NOW = datetime.fromtimestamp(NOON, UTC)


def test_data_is_provisional_from_three_minutes_before_it_was_read() -> None:
    assert provisional_from(make_migration(), NOON + 59) == NOON - 180
    # Data that was read long ago is still as provisional as it was then.
    assert provisional_from(make_migration(), NOON - 600) == NOON - 780
    assert provisional_from(make_migration("migration.provisional_minutes", 0), NOON + 59) == NOON


@pytest.mark.parametrize(("asked_at", "expected"), [(NOON - 600, NOON - 780), (None, NOON)], ids=["asked", "never"])
def test_a_result_that_was_read_when_it_was_final_has_no_provisional_minutes(
    asked_at: int | None, expected: int
) -> None:
    result = MetricsResult(empty_frame(), Window(NOON - 3600, NOON), last_asked_at=asked_at)
    assert result_provisional_from(make_migration(), result) == expected


@pytest.mark.parametrize(
    ("source", "age_minutes", "stale"),
    [("cloudwatch", 8, False), ("cloudwatch", 9, True), ("mackerel", 15, False), ("mackerel", 16, True)],
)
def test_data_is_stale_if_the_delay_of_its_source_does_not_explain_its_age(
    source: str, age_minutes: int, *, stale: bool
) -> None:
    assert is_stale(make_migration(), source, NOON - age_minutes * 60, NOW) is stale


def test_no_data_is_stale() -> None:
    assert is_stale(make_migration(), "cloudwatch", None, NOW)
