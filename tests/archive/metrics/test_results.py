"""Up to which minute a result may be judged."""

import pytest

from archive import MetricsResult
from domain import Window, empty_frame
from tests.factories.frames import START

PROVISIONAL_S = 180
FINAL = START + 3_600
LONG_AGO = START - 86_400


@pytest.mark.parametrize(
    ("last_asked_at", "missing", "final_until"),
    [
        (FINAL + 900, (), FINAL + 720),  # read now: all but the last three minutes
        (None, (), FINAL),  # an old window, fetched once: its provisional minutes never were
        (LONG_AGO, (), FINAL),  # fetched while provisional, and again since
        (
            LONG_AGO + 20,
            (Window(LONG_AGO - 120, LONG_AGO - 60),),
            LONG_AGO - 180,
        ),  # … and not again: the minutes may have changed
        (LONG_AGO, (Window(START, START + 60),), FINAL),  # a gap elsewhere makes nothing provisional
    ],
)
def test_minutes_that_were_fetched_while_provisional_are_not_judged(
    last_asked_at: int | None, missing: tuple[Window, ...], final_until: int
) -> None:
    result = MetricsResult(empty_frame(), Window(START, FINAL), missing=missing, last_asked_at=last_asked_at)
    assert result.final_until(provisional_s=PROVISIONAL_S, final_by_age=FINAL) == final_until
