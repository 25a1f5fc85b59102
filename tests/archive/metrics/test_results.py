"""Up to where a reading may be judged, whoever read it and when."""

import pytest

from archive import Brought
from domain import Window, empty_frame
from tests.factories.frames import START

PROVISIONAL_S = 180
SETTLED = START + 3_600
LONG_AGO = START - 86_400


@pytest.mark.parametrize(
    ("last_asked", "missing", "firm_until"),
    [
        (SETTLED + 900, (), SETTLED + 720),  # read just now: all but the last three minutes
        (None, (), SETTLED),  # a window long past, read once: nobody ever asked for the newest minutes
        (LONG_AGO, (), SETTLED),  # read young long ago, and again since then
        (
            LONG_AGO + 20,
            (Window(LONG_AGO - 120, LONG_AGO - 60),),
            LONG_AGO - 180,
        ),  # … and not again: they may have changed
        (LONG_AGO, (Window(START, START + 60),), SETTLED),  # what is missing elsewhere makes nothing provisional
    ],
)
def test_numbers_that_were_read_too_young_are_not_judged(
    last_asked: int | None, missing: tuple[Window, ...], firm_until: int
) -> None:
    brought = Brought(empty_frame(), Window(START, SETTLED), missing=missing, last_asked=last_asked)
    assert brought.firm_until(provisional_s=PROVISIONAL_S, settled=SETTLED) == firm_until
