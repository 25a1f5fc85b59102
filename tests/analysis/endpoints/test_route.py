"""One route: status codes, latency distribution and timeline."""

import numpy as np
import pytest

from analysis.endpoints.route import StatusCount, route_detail
from analysis.series.quantiles import Percentile
from domain import Window
from domain.log_counts import COUNTS, NO_STATUS, UNANSWERED_MS
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, count_row, count_table, first_minutes

ROWS = [
    count_row(EC2, 880, ms=40),
    count_row(EC2, 100, ms=80),
    count_row(EC2, 20, elb=404, ms=10),
    count_row(ECS, 90, ms=60),
    count_row(ECS, 1, minute=2, elb=404, ms=10),
    count_row(ECS, 5, minute=2, elb=500, ms=900),
    count_row(ECS, 4, minute=2, elb=502, target=NO_STATUS, ms=UNANSWERED_MS),
    count_row(EC2, 7, route="/another", elb=500),
    count_row("", 3, elb=503, target=NO_STATUS, ms=UNANSWERED_MS),
]


def test_status_codes_by_fleet() -> None:
    detail = route_detail(count_table(ROWS), FLEET_OF, first_minutes(3), "/")
    assert detail.on_both == (StatusCount(404, 404, {"baseline": 20, "canary": 1}, {"baseline": 10.0, "canary": 2.0}),)
    assert detail.only_on("baseline") == ()
    assert detail.only_on("canary") == (
        StatusCount(500, 500, {"baseline": 0, "canary": 5}, {"baseline": 50.0, "canary": 0.0}),
        StatusCount(502, None, {"baseline": 0, "canary": 4}, {"baseline": 40.0, "canary": 0.0}),
    )


def test_percentiles_are_those_of_answers() -> None:
    percentiles = route_detail(count_table(ROWS), FLEET_OF, first_minutes(3), "/").percentiles
    baseline, canary = ([found.value_s for found in of_fleet.values() if found] for of_fleet in percentiles.values())
    assert baseline == pytest.approx([0.04, 0.04, 0.044, 0.08, 0.08])
    assert canary == pytest.approx([0.06, 0.06, 0.06, 0.27, 0.9])
    assert percentiles["baseline"]["p95"] == Percentile(0.08, 0.08, 0.08)


def test_blocks_are_aligned_to_the_clock() -> None:
    timeline = route_detail(count_table(ROWS), FLEET_OF, first_minutes(3), "/").timelines["canary"]
    assert timeline.block_s == 60 and timeline.ts.tolist() == [START, START + 60, START + 120]
    assert timeline.requests.tolist() == [90.0, 0.0, 10.0]
    assert timeline.error_rate.tolist() == pytest.approx([0.0, np.nan, 0.9], nan_ok=True)
    assert timeline.p95.tolist() == pytest.approx(
        [0.06, np.nan, np.nan], nan_ok=True
    )  # six answers are too few for a p95
    day_timeline = route_detail(count_table(ROWS), FLEET_OF, Window(START - 86_400 + 120, START + 120), "/").timelines[
        "baseline"
    ]
    assert day_timeline.block_s == 300 and day_timeline.ts[0] == START - 86_400
    assert day_timeline.requests[-1] == 500.0  # two minutes of that block are in the window


def test_missing_new_minutes_are_no_drop() -> None:
    """An hour with the logs of three minutes."""
    timeline = route_detail(count_table(ROWS), FLEET_OF, first_minutes(60), "/").timelines["canary"]
    assert len(timeline.ts) == 3


def test_all_routes_together_and_none() -> None:
    total = route_detail(count_table(ROWS), FLEET_OF, first_minutes(3), "")
    assert total.percentiles["baseline"]["p50"] == Percentile(0.04, 0.04, 0.04)
    empty = route_detail(COUNTS.empty_table(), FLEET_OF, first_minutes(3), "/")
    assert empty.codes == () and set(empty.percentiles["canary"].values()) == {None}
    assert np.isnan(empty.timelines["canary"].error_rate).all()
