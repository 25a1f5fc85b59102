"""Missing data is never parity: a fleet that has gone silent, and unknown counts."""

import numpy as np
import pytest

from domain import Criterion, Margin, Series
from tests.factories.frames import SeriesValues, tidy_frame, window
from tests.factories.judgement import judge, trace

ERRORS = (Criterion(metric="error_rate", margin=Margin(value=0.5, unit="pp"), critical=True),)
MINUTES = 240


def fleet_rows(fleet: str, *, silent_minutes: int = 0, errors: int | None = 2) -> SeriesValues:
    """`MINUTES` with 1,000 requests each, none in the last `silent_minutes`. `errors` None: target 5xx is absent."""
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
def test_a_silent_fleet_ends_parity_within_five_minutes(silent: int, verdict: str) -> None:
    frame = tidy_frame(fleet_rows("baseline") | fleet_rows("canary", silent_minutes=silent))
    judgement = judge(frame, ERRORS, window=window(MINUTES))
    assert judgement.verdict == verdict
    assert (judgement["error_rate"].reason == "one_side_gone") == (verdict != "parity")
    assert trace(frame, ERRORS, window=window(MINUTES))["verdict"].iloc[-1] == verdict


def test_unknown_errors_are_not_zero() -> None:
    frame = tidy_frame(fleet_rows("baseline") | fleet_rows("canary", errors=None))
    unread = {Series("test", "canary", "canary", "target_5xx", "sum", ""): (window(MINUTES),)}
    judgement = judge(frame, ERRORS, window=window(MINUTES), unknown=unread)
    assert (judgement.verdict, judgement["error_rate"].reason) == ("not enough data", "unread")
    assert judgement["error_rate"].excluded is not None
    assert judgement["error_rate"].excluded["unread"] == MINUTES
    assert not np.isfinite(judgement["error_rate"].lower or np.nan)
