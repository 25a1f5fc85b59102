"""The thresholds of slow answers on the Live page."""

import pytest

from tests.factories.config import make_migration
from ui.live import view


def test_thresholds_have_names_for_the_url() -> None:
    assert view.slow_choices(make_migration()) == {"100ms": 0.1, "300ms": 0.3, "1s": 1.0}


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [("slow_1s", "1s"), ("slow_100ms", "100ms"), ("error_rate", "300ms")],
    ids=["judged", "judged in ms", "none is judged: the middle one"],
)
def test_default_is_the_judged_threshold(criterion: str, expected: str) -> None:
    assert view.default_slow(make_migration("criteria.0", {"metric": criterion, "margin": "1pp"})) == expected
