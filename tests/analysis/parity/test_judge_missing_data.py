"""What must never pass for parity: a side that has fallen silent, and counts that nobody could read."""

import numpy as np
import pytest

from analysis import judge, trace
from domain import Criterion, Margin, Series
from tests.factories.frames import SeriesValues, tidy_frame, window

ERRORS = (Criterion(metric="error_rate", margin=Margin(value=0.5, unit="pp"), critical=True),)
MINUTES = 240


def fleet_rows(fleet: str, *, silent_minutes: int = 0, errors: int | None = 2) -> SeriesValues:
    """`MINUTES` of 1,000 requests a minute, none in the last `silent` ones. `errors` None: target 5xx is absent."""
    served: list[float | None] = [1000.0] * (MINUTES - silent_minutes) + [None] * silent_minutes
    rows = {(fleet, fleet, "requests", "sum"): served, (fleet, fleet, "latency", "sample_count"): served}
    if errors is not None:
        rows |= {(fleet, fleet, "target_5xx", "sum"): [None if count is None else float(errors) for count in served]}
    return rows | {
        (fleet, fleet, "target_2xx", "sum"): [None if count is None else 1000.0 - (errors or 0) for count in served]
    }


def test_two_equal_sides_reach_parity() -> None:
    assert (
        judge(tidy_frame(fleet_rows("baseline") | fleet_rows("canary")), ERRORS, window=window(MINUTES)).verdict
        == "parity"
    )


@pytest.mark.parametrize(("silent", "verdict"), [(4, "parity"), (5, "not enough data"), (30, "not enough data")])
def test_a_side_that_has_fallen_silent_ends_parity_within_five_minutes(silent: int, verdict: str) -> None:
    frame = tidy_frame(fleet_rows("baseline") | fleet_rows("canary", silent_minutes=silent))
    found = judge(frame, ERRORS, window=window(MINUTES))
    assert found.verdict == verdict
    assert (found["error_rate"].reason == "one_side_gone") == (verdict != "parity")
    assert trace(frame, ERRORS, window=window(MINUTES))["verdict"].iloc[-1] == verdict


def test_errors_that_could_not_be_read_are_not_taken_for_none() -> None:
    frame = tidy_frame(fleet_rows("baseline") | fleet_rows("canary", errors=None))
    unread = {Series("test", "canary", "canary", "target_5xx", "sum", ""): (window(MINUTES),)}
    found = judge(frame, ERRORS, window=window(MINUTES), unknown=unread)
    assert (found.verdict, found["error_rate"].reason) == ("not enough data", "unread")
    assert found["error_rate"].excluded is not None
    assert found["error_rate"].excluded["unread"] == MINUTES
    assert not np.isfinite(found["error_rate"].lower or np.nan)
