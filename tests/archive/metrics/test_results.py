"""Up to where a reading may be judged, whoever read it and when."""

import pytest

from archive import MetricsResult
from domain import Window, empty_frame
from tests.factories.frames import START

PROVISIONAL_S = 180
FINAL = START + 3_600
LONG_AGO = START - 86_400


@pytest.mark.parametrize(
    ("last_asked", "missing", "firm_until"),
    [
        (FINAL + 900, (), FINAL + 720),  # read just now: all but the last three minutes
        (None, (), FINAL),  # a window long past, read once: nobody ever asked for the newest minutes
        (LONG_AGO, (), FINAL),  # read young long ago, and again since then
        (
            LONG_AGO + 20,
            (Window(LONG_AGO - 120, LONG_AGO - 60),),
            LONG_AGO - 180,
        ),  # … and not again: they may have changed
        (LONG_AGO, (Window(START, START + 60),), FINAL),  # what is missing elsewhere makes nothing provisional
    ],
)
def test_numbers_that_were_read_too_young_are_not_judged(
    last_asked: int | None, missing: tuple[Window, ...], firm_until: int
) -> None:
    brought = MetricsResult(empty_frame(), Window(START, FINAL), missing=missing, last_asked_at=last_asked)
    assert brought.final_until(provisional_s=PROVISIONAL_S, final_by_age=FINAL) == firm_until
