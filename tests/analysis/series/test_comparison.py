"""What the lines mean: the blind spot, low samples, and gaps that stay gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from analysis import (
    error_rate,
    finest_grid,
    latency,
    latest_values,
    requests,
    required_samples,
    slow_share,
    time_grid,
    unanswered_rate,
)
from domain import Series, Window
from tests.factories.frames import START, SeriesValues, tidy_frame, window

NAN = np.nan


def fleet_rows(fleet: str, served: list[float | None], **metrics: list[float | None]) -> SeriesValues:
    """Rows of one target group: `latency_p95=` and the like become statistics of latency, anything else is a sum."""
    rows = {(fleet, f"{fleet}-group", "requests", "sum"): served}
    for name, values in metrics.items():
        metric, _, stat = name.partition("__")
        rows[(fleet, f"{fleet}-group", metric, stat or "sum")] = values
    return rows


def test_a_dead_fleet_has_no_target_5xx_and_yet_all_its_requests_fail() -> None:
    """The blind spot: RequestCount goes on, no status is ever counted, nothing is timed; 5xx ÷ requests would say 0 %."""
    frame = tidy_frame(
        fleet_rows("baseline", [100] * 8, target_2xx=[100] * 8)
        | fleet_rows("canary", [10] * 8, target_2xx=[10, 10, 10] + [None] * 5)
    )
    found = error_rate(time_grid(frame, window(8)))
    assert_array_equal(found.components["target_5xx"]["canary"], [0] * 8)
    assert_allclose(found.values["canary"], [0, 0, 0, 1 / 4, 2 / 5, 3 / 5, 4 / 5, 1])
    assert_array_equal(found.values["baseline"], [0] * 8)


def test_more_answers_than_requests_in_a_minute_is_not_less_than_nothing_unanswered() -> None:
    frame = tidy_frame(fleet_rows("canary", [10, 10], target_2xx=[12, 10]))
    assert_array_equal(unanswered_rate(time_grid(frame, window(2)), "canary"), [0, 0])


def test_a_status_metric_that_could_not_be_read_is_not_an_outage() -> None:
    frame = tidy_frame(fleet_rows("canary", [100] * 5, latency__sample_count=[99] * 5))
    assert_allclose(unanswered_rate(time_grid(frame, window(5)), "canary"), [0.01] * 5)


def unread_counts(*metrics: str) -> dict[Series, tuple[Window, ...]]:
    return {Series("test", "canary", "canary-group", metric, "sum", ""): (window(5),) for metric in metrics}


def test_errors_that_could_not_be_read_are_not_zero() -> None:
    """CloudWatch answers everything but the 5xx: the rate is not known, though nothing was unanswered."""
    frame = tidy_frame(fleet_rows("canary", [100] * 5, target_2xx=[92] * 5, latency__sample_count=[100] * 5))
    found = error_rate(time_grid(frame, window(5), unread_counts("target_5xx")))
    assert_array_equal(found.values["canary"], [NAN] * 5)
    assert_array_equal(found.components["unanswered"]["canary"], [0] * 5)


def test_answers_that_could_not_be_read_are_no_outage_and_no_health() -> None:
    frame = tidy_frame(fleet_rows("canary", [100] * 5, target_4xx=[1] * 5))
    found = error_rate(time_grid(frame, window(5), unread_counts("target_2xx")))
    assert_array_equal(found.components["unanswered"]["canary"], [NAN] * 5)
    assert_array_equal(found.values["canary"], [NAN] * 5)


def test_error_rate_adds_target_5xx_and_unanswered() -> None:
    frame = tidy_frame(fleet_rows("canary", [100] * 5, target_2xx=[90] * 5, target_5xx=[4] * 5))
    found = error_rate(time_grid(frame, window(5)))
    assert_allclose(found.values["canary"], [0.04 + 0.06] * 5)


def test_the_balancers_own_5xx_stand_beside_as_a_share_of_all_requests() -> None:
    rows = fleet_rows("baseline", [60], target_2xx=[60]) | fleet_rows("canary", [40], target_2xx=[40])
    frame = tidy_frame(rows | {("load_balancer", "", "alb_5xx", "sum"): [5]})
    assert_allclose(error_rate(time_grid(frame, window(1))).unattributed, [0.05])


def test_no_traffic_is_a_gap_not_zero_percent() -> None:
    found = error_rate(
        time_grid(tidy_frame(fleet_rows("canary", [10, None, 10], target_2xx=[10, None, 10])), window(3))
    )
    assert_array_equal(found.values["canary"], [0, NAN, 0])
    assert np.isnan(found.difference).all()


@pytest.mark.parametrize(("percentile", "samples"), [("p50", 20), ("p90", 100), ("p95", 200), ("p99", 1000)])
def test_samples_that_a_percentile_needs(percentile: str, samples: int) -> None:
    assert required_samples(percentile) == samples


def test_a_percentile_of_too_few_answers_is_low() -> None:
    frame = tidy_frame(fleet_rows("canary", [300, 300], latency__p95=[0.1, 0.2], latency__sample_count=[199, 200]))
    found = latency(time_grid(frame, window(2)), "p95")
    assert_array_equal(found.low_sample["canary"], [True, False])
    assert_array_equal(found.values["canary"], [0.1, 0.2])


def test_slow_answers_are_what_is_not_within() -> None:
    frame = tidy_frame(fleet_rows("canary", [100], latency__sample_count=[100], **{"latency__within_0.3s": [0.97]}))
    assert_allclose(slow_share(time_grid(frame, window(1)), 0.3).values["canary"], [0.03])


def test_requests_are_per_minute_whatever_the_period() -> None:
    assert_array_equal(
        requests(time_grid(tidy_frame(fleet_rows("canary", [500]), period_s=300), window(5))).values["canary"], [100]
    )


def test_the_newest_reading_is_the_last_that_is_no_longer_provisional() -> None:
    frame = tidy_frame(fleet_rows("baseline", [10, 20, 30]) | fleet_rows("canary", [1, 2, 3]))
    found = latest_values(requests(time_grid(frame, window(3))), before=START + 120)
    assert found is not None
    assert (found.start, found.baseline, found.canary, found.difference) == (START + 60, 20, 2, -18)
    assert latest_values(requests(time_grid(frame, window(3))), before=START) is None


def test_the_reading_of_a_rate_is_that_of_the_last_five_minutes() -> None:
    rows = fleet_rows("canary", [100] * 20 + [50], target_2xx=[100] * 20 + [49], target_5xx=[0] * 20 + [1])
    found = latest_values(error_rate(time_grid(tidy_frame(rows), window(21))), before=START + 21 * 60)
    assert found is not None and found.canary is not None
    assert_allclose(found.canary, 1 / (4 * 100 + 50))
    assert (found.start, found.end) == (START + 16 * 60, START + 21 * 60)


def test_a_reading_of_too_few_answers_has_no_difference() -> None:
    rows = fleet_rows("baseline", [300], latency__p95=[0.1], latency__sample_count=[300])
    rows |= fleet_rows("canary", [60], latency__p95=[0.3], latency__sample_count=[60])
    found = latest_values(latency(time_grid(tidy_frame(rows), window(1)), "p95"), before=START + 60)
    assert found is not None
    assert (found.canary, found.low_sample, found.difference) == (0.3, {"canary"}, None)


COUNTS = st.lists(st.integers(0, 500), min_size=4, max_size=30)


@given(served=COUNTS, answered=COUNTS)
def test_error_rate_lies_between_nothing_and_everything(served: list[int], answered: list[int]) -> None:
    length = min(len(served), len(answered))
    frame = tidy_frame(fleet_rows("canary", served[:length], target_2xx=answered[:length]))
    line = error_rate(time_grid(frame, window(length))).values["canary"]
    assert ((line[~np.isnan(line)] >= 0) & (line[~np.isnan(line)] <= 1)).all()


@given(a=COUNTS, b=COUNTS)
def test_swapping_the_fleets_mirrors_the_difference(a: list[int], b: list[int]) -> None:
    length = min(len(a), len(b))
    one = tidy_frame(fleet_rows("baseline", a[:length]) | fleet_rows("canary", b[:length]))
    other = tidy_frame(fleet_rows("baseline", b[:length]) | fleet_rows("canary", a[:length]))
    assert_array_equal(
        requests(time_grid(one, window(length))).difference, -requests(time_grid(other, window(length))).difference
    )


def across_resolutions(coarse: SeriesValues, fine: SeriesValues) -> pd.DataFrame:
    """Five minutes left of the border, minutes right of it."""
    return pd.concat([tidy_frame(coarse, period_s=300), tidy_frame(fine, start=START + 300)], ignore_index=True)


def test_both_sides_of_the_border_of_resolution_mean_the_same() -> None:
    """100 a minute with 2 % of errors, and one more never answered of the fourth minute's: five minutes on the left, single ones on the right."""
    left = fleet_rows("canary", [500], target_2xx=[490], target_5xx=[10])
    right = fleet_rows("canary", [100] * 5, target_2xx=[98, 98, 98, 97, 98], target_5xx=[2] * 5)
    grid = finest_grid(across_resolutions(left, right), window(10))
    assert_array_equal(requests(grid).values["canary"], [100] * 6)
    rate = error_rate(grid)
    assert_allclose(rate.components["target_5xx"]["canary"], [0.02] * 6)
    # Right of the border the five minutes before a minute reach into the last five on the left, until there are five on the right.
    assert_allclose(rate.components["unanswered"]["canary"], [0, 0, 0, 0, 1 / 900, 1 / 500])
    found = latest_values(rate, before=START + 600)
    assert found is not None and found.canary is not None
    assert (found.start, found.end) == (START + 300, START + 600)
    assert_allclose(found.canary, 0.02 + (1 / 900 + 1 / 500) / 5)


def test_a_percentile_needs_its_answers_in_its_own_period() -> None:
    """50 answers a minute: 250 in five are enough for a p95, 50 in one are not."""
    left = fleet_rows("canary", [250], latency__p95=[0.2], latency__sample_count=[250])
    left |= fleet_rows("baseline", [5000], latency__p95=[0.1], latency__sample_count=[5000])
    right = fleet_rows("canary", [50] * 2, latency__p95=[0.3] * 2, latency__sample_count=[50] * 2)
    right |= fleet_rows("baseline", [1000] * 2, latency__p95=[0.1] * 2, latency__sample_count=[1000] * 2)
    found = latency(finest_grid(across_resolutions(left, right), window(7)), "p95")
    assert_allclose(found.values["canary"], [0.2, 0.3, 0.3])
    assert_allclose(found.difference, [0.1, 0.2, 0.2])
    assert_array_equal(found.low_sample["canary"], [False, True, True])
    assert_array_equal(found.low_sample["baseline"], [False, False, False])
