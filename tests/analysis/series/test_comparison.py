"""Comparisons of both fleets: the blind spot, low samples, and gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from analysis import (
    Comparison,
    earlier_line,
    error_rate,
    finest_grid,
    latency,
    latest_values,
    requests,
    required_samples,
    slow_share,
    time_grid,
)
from domain import FLEETS, FleetName, Series, Window
from tests.factories.frames import START, SeriesValues, tidy_frame, window

NAN = np.nan


def fleet_rows(fleet: str, served: list[float | None], **metrics: list[float | None]) -> SeriesValues:
    """Rows of one target group: `latency__p95=` is a statistic of latency, anything else a sum."""
    rows = {(fleet, f"{fleet}-group", "requests", "sum"): served}
    for name, values in metrics.items():
        metric, _, stat = name.partition("__")
        rows[(fleet, f"{fleet}-group", metric, stat or "sum")] = values
    return rows


def alb_5xx(values: list[float | None]) -> SeriesValues:
    return {("load_balancer", "", "alb_5xx", "sum"): values}


def test_all_requests_of_a_dead_fleet_fail_without_target_5xx() -> None:
    """The blind spot: requests are counted, but neither status codes nor latency; 5xx / requests would be 0%."""
    frame = tidy_frame(
        fleet_rows("baseline", [100] * 8, target_2xx=[100] * 8)
        | fleet_rows("canary", [10] * 8, target_2xx=[10, 10, 10] + [None] * 5)
        | alb_5xx([None] * 3 + [10] * 5)
    )
    result = error_rate(time_grid(frame, window(8)))
    assert_array_equal(result.components["target_5xx"]["canary"], [0] * 8)
    assert_allclose(result.values["canary"], [0, 0, 0, 1 / 4, 2 / 5, 3 / 5, 4 / 5, 1])
    assert_array_equal(result.values["baseline"], [0] * 8)


def unanswered_and_unexplained(rows: SeriesValues, fleet: FleetName = "canary", *, minutes: int = 5) -> list[float]:
    """The newest shares of requests without a counted response: those that are errors, and those that are not."""
    components = error_rate(time_grid(tidy_frame(rows), window(minutes))).components
    return [round(float(components[name][fleet][-1]), 4) for name in ("unanswered", "unexplained")]


BASELINE_WITH_WEBSOCKETS = fleet_rows("baseline", [540] * 5, target_2xx=[486] * 5)


def test_websockets_and_clients_that_went_away_are_no_errors() -> None:
    """101 and 460 are in RequestCount and in no target count; the load balancer made no 5xx in their place."""
    rows = BASELINE_WITH_WEBSOCKETS | fleet_rows("canary", [600] * 5, target_2xx=[480] * 5)
    assert unanswered_and_unexplained(rows) == [0, 0.2]
    assert unanswered_and_unexplained(rows, "baseline") == [0, 0.1]
    assert error_rate(time_grid(tidy_frame(rows), window(5))).values["canary"].tolist() == [0] * 5


def test_connection_errors_are_errors_beside_websockets() -> None:
    rows = fleet_rows("canary", [600] * 5, target_2xx=[480] * 5, connection_errors=[30] * 5)
    assert unanswered_and_unexplained(BASELINE_WITH_WEBSOCKETS | rows) == [0.05, 0.15]


def test_what_cannot_be_the_other_fleets_is_the_fleets() -> None:
    """A canary that hangs, 504, beside a baseline with 54 WebSockets a minute: of 90 errors 36 are certainly the canary's."""
    rows = fleet_rows("canary", [100] * 5, target_2xx=[10] * 5) | alb_5xx([90] * 5)
    assert unanswered_and_unexplained(BASELINE_WITH_WEBSOCKETS | rows) == [0.36, 0.54]
    assert unanswered_and_unexplained(BASELINE_WITH_WEBSOCKETS | rows, "baseline") == [0, 0.1]


def test_errors_of_other_target_groups_explain_nothing() -> None:
    """Another service behind the same load balancer answers 502, 5,000 a minute."""
    rows = BASELINE_WITH_WEBSOCKETS | fleet_rows("canary", [600] * 5, target_2xx=[480] * 5) | alb_5xx([5000] * 5)
    assert unanswered_and_unexplained(rows) == [0, 0.2]


def test_503_are_no_errors_of_a_request_that_a_fleet_received() -> None:
    """They are made if no target can be chosen; such a request is in no group's count."""
    rows = fleet_rows("baseline", [100] * 5, target_2xx=[100] * 5) | fleet_rows(
        "canary", [100] * 5, target_2xx=[90] * 5
    )
    rows |= alb_5xx([12] * 5) | {("load_balancer", "", "alb_503", "sum"): [8] * 5}
    assert unanswered_and_unexplained(rows) == [0.04, 0.06]


@pytest.mark.parametrize(("served", "shares"), [(4, [1, 0]), (3, [0, 1])])
def test_a_fleet_that_responds_to_nothing_fails_whatever_explains_it(served: int, shares: list[float]) -> None:
    """Targets hang, and every client gives up (460) before the load balancer does; from 20 requests on."""
    rows = fleet_rows("baseline", [100] * 5, target_2xx=[100] * 5) | fleet_rows("canary", [served] * 5)
    assert unanswered_and_unexplained(rows) == shares


def test_without_the_load_balancers_count_every_unanswered_request_is_an_error() -> None:
    rows = BASELINE_WITH_WEBSOCKETS | fleet_rows("canary", [600] * 5, target_2xx=[480] * 5)
    unread = {Series("test", "load_balancer", "", "alb_5xx", "sum", ""): (window(5),)}
    components = error_rate(time_grid(tidy_frame(rows), window(5), unread)).components
    assert_allclose(components["unanswered"]["canary"], [0.2] * 5)
    assert_allclose(components["unexplained"]["canary"], [0] * 5)


def test_more_responses_than_requests_are_no_negative_rate() -> None:
    assert unanswered_and_unexplained(fleet_rows("canary", [10, 10], target_2xx=[12, 10]), minutes=2) == [0, 0]


def test_an_unknown_status_metric_is_no_outage() -> None:
    rows = fleet_rows("canary", [100] * 5, latency__sample_count=[99] * 5) | alb_5xx([100] * 5)
    assert unanswered_and_unexplained(rows | {("load_balancer", "", "alb_5xx", "sum"): [1] * 5}) == [0.01, 0]


def unread_counts(*metrics: str) -> dict[Series, tuple[Window, ...]]:
    return {Series("test", "canary", "canary-group", metric, "sum", ""): (window(5),) for metric in metrics}


def test_an_unknown_5xx_count_is_not_zero() -> None:
    """CloudWatch returns everything but the 5xx: the rate is unknown, though all requests were answered."""
    frame = tidy_frame(fleet_rows("canary", [100] * 5, target_2xx=[92] * 5, latency__sample_count=[100] * 5))
    result = error_rate(time_grid(frame, window(5), unread_counts("target_5xx")))
    assert_array_equal(result.values["canary"], [NAN] * 5)
    assert_array_equal(result.components["unanswered"]["canary"], [0] * 5)


def test_unknown_answers_are_neither_outage_nor_health() -> None:
    frame = tidy_frame(fleet_rows("canary", [100] * 5, target_4xx=[1] * 5))
    result = error_rate(time_grid(frame, window(5), unread_counts("target_2xx")))
    assert_array_equal(result.components["unanswered"]["canary"], [NAN] * 5)
    assert_array_equal(result.values["canary"], [NAN] * 5)


def test_error_rate_adds_target_5xx_and_unanswered() -> None:
    frame = tidy_frame(fleet_rows("canary", [100] * 5, target_2xx=[90] * 5, target_5xx=[4] * 5) | alb_5xx([6] * 5))
    result = error_rate(time_grid(frame, window(5)))
    assert_allclose(result.values["canary"], [0.04 + 0.06] * 5)


def test_every_part_of_the_error_rate_is_of_the_same_five_minutes() -> None:
    """Four minutes without a response, then one with 5xx alone: (100 + 400) / 500."""
    rows = fleet_rows("canary", [100] * 5, target_2xx=[None] * 5, target_5xx=[None] * 4 + [100])
    result = error_rate(time_grid(tidy_frame(rows | alb_5xx([100] * 4 + [None])), window(5)))
    assert_allclose(result.values["canary"], [1.0] * 5)
    assert_allclose(result.components["target_5xx"]["canary"], [0, 0, 0, 0, 0.2])
    assert_allclose(result.components["unanswered"]["canary"], [1, 1, 1, 1, 0.8])
    assert_array_equal(result.samples["canary"], [100, 200, 300, 400, 500])


def test_the_load_balancers_own_5xx_are_a_count_a_minute() -> None:
    rows = fleet_rows("baseline", [60], target_2xx=[60]) | fleet_rows("canary", [40], target_2xx=[40]) | alb_5xx([5000])
    assert error_rate(time_grid(tidy_frame(rows), window(1))).alb_5xx == [5000]
    assert error_rate(time_grid(tidy_frame(rows, period_s=300), window(5))).alb_5xx == [1000]


def test_the_load_balancers_own_5xx_are_known_without_requests() -> None:
    """No target group has targets: every request ends in 503, and none is counted for a group."""
    result = error_rate(time_grid(tidy_frame(alb_5xx([70, None])), window(2)))
    assert_array_equal(result.alb_5xx, [70, NAN])


def test_no_traffic_is_a_gap_not_zero_percent() -> None:
    result = error_rate(
        time_grid(tidy_frame(fleet_rows("canary", [10, None, 10], target_2xx=[10, None, 10])), window(3))
    )
    assert_array_equal(result.values["canary"], [0, NAN, 0])
    assert np.isnan(result.difference).all()


@pytest.mark.parametrize(("percentile", "samples"), [("p50", 20), ("p90", 100), ("p95", 200), ("p99", 1000)])
def test_required_samples_of_a_percentile(percentile: str, samples: int) -> None:
    assert required_samples(percentile) == samples


def test_a_percentile_of_too_few_answers_is_low() -> None:
    frame = tidy_frame(fleet_rows("canary", [300, 300], latency__p95=[0.1, 0.2], latency__sample_count=[199, 200]))
    result = latency(time_grid(frame, window(2)), "p95")
    assert_array_equal(result.low_sample["canary"], [True, False])
    assert_array_equal(result.values["canary"], [0.1, 0.2])


def test_the_slow_share_is_one_minus_within() -> None:
    frame = tidy_frame(fleet_rows("canary", [100], latency__sample_count=[100], **{"latency__within_0.3s": [0.97]}))
    assert_allclose(slow_share(time_grid(frame, window(1)), 0.3).values["canary"], [0.03])


def test_requests_are_per_minute_whatever_the_period() -> None:
    assert_array_equal(
        requests(time_grid(tidy_frame(fleet_rows("canary", [500]), period_s=300), window(5))).values["canary"], [100]
    )


def test_latest_values_are_final() -> None:
    frame = tidy_frame(fleet_rows("baseline", [10, 20, 30]) | fleet_rows("canary", [1, 2, 3]))
    result = latest_values(requests(time_grid(frame, window(3))), before=START + 120)
    assert result is not None
    assert (result.start, result.baseline, result.canary, result.difference) == (START + 60, 20, 2, -18)
    assert latest_values(requests(time_grid(frame, window(3))), before=START) is None


def test_the_latest_error_rate_is_the_quotient_of_five_minutes_counts() -> None:
    rows = fleet_rows("canary", [100] * 20 + [50], target_2xx=[100] * 20 + [49], target_5xx=[0] * 20 + [1])
    result = latest_values(error_rate(time_grid(tidy_frame(rows), window(21))), before=START + 21 * 60)
    assert result is not None and result.canary is not None
    assert_allclose(result.canary, 1 / (4 * 100 + 50))
    assert (result.start, result.end) == (START + 16 * 60, START + 21 * 60)


def test_after_a_recovery_the_head_of_the_error_rate_is_not_smoothed_twice() -> None:
    """Dead for ten minutes, then well for five: no error among the requests of the last five minutes."""
    rows = fleet_rows("canary", [100] * 15, target_2xx=[None] * 10 + [100] * 5) | alb_5xx([100] * 10 + [None] * 5)
    comparison = error_rate(time_grid(tidy_frame(rows), window(15)))
    newest = [latest_values(comparison, before=START + minutes * 60) for minutes in (12, 15)]
    assert [values.canary for values in newest if values] == [pytest.approx(3 / 5), 0]


def test_the_latest_share_of_slow_answers_is_pooled_over_five_minutes() -> None:
    answers = {"latency__sample_count": [100] * 4 + [50], "latency__within_0.3s": [1.0] * 4 + [0.9]}
    comparison = slow_share(time_grid(tidy_frame(fleet_rows("canary", [100] * 5, **answers)), window(5)), 0.3)
    result = latest_values(comparison, before=START + 300)
    assert result is not None and (result.start, result.end) == (START, START + 300)
    assert_allclose(result.canary, 5 / 450)


def test_latest_values_with_low_samples_have_no_difference() -> None:
    rows = fleet_rows("baseline", [300], latency__p95=[0.1], latency__sample_count=[300])
    rows |= fleet_rows("canary", [60], latency__p95=[0.3], latency__sample_count=[60])
    result = latest_values(latency(time_grid(tidy_frame(rows), window(1)), "p95"), before=START + 60)
    assert result is not None
    assert (result.canary, result.low_sample, result.difference) == (0.3, {"canary"}, None)


COUNTS = st.lists(st.integers(0, 500), min_size=4, max_size=30)


@given(served=COUNTS, answered=COUNTS, failed=COUNTS, refused=COUNTS, by_alb=COUNTS)
def test_parts_of_the_error_rate_are_never_larger_than_the_whole(
    served: list[int], answered: list[int], failed: list[int], refused: list[int], by_alb: list[int]
) -> None:
    length = min(len(counts) for counts in (served, answered, failed, refused, by_alb))
    rows = fleet_rows("baseline", served[::-1][:length], target_2xx=answered[::-1][:length])
    rows |= fleet_rows("canary", served[:length], target_2xx=answered[:length], target_5xx=failed[:length])
    rows |= fleet_rows("canary", served[:length], connection_errors=refused[:length]) | alb_5xx(by_alb[:length])
    result = error_rate(time_grid(tidy_frame(rows), window(length)))
    for fleet in FLEETS:
        whole = result.values[fleet]
        known = ~np.isnan(whole)
        parts = [result.components[name][fleet][known] for name in ("target_5xx", "unanswered", "unexplained")]
        assert_allclose(parts[0] + parts[1], whole[known])
        assert all((part >= 0).all() for part in parts)
        assert (sum(parts) <= 1 + 1e-9).all()


@given(a=COUNTS, b=COUNTS)
def test_swapping_the_fleets_mirrors_the_difference(a: list[int], b: list[int]) -> None:
    length = min(len(a), len(b))
    frame = tidy_frame(fleet_rows("baseline", a[:length]) | fleet_rows("canary", b[:length]))
    swapped = tidy_frame(fleet_rows("baseline", b[:length]) | fleet_rows("canary", a[:length]))
    assert_array_equal(
        requests(time_grid(frame, window(length))).difference, -requests(time_grid(swapped, window(length))).difference
    )


def across_resolutions(coarse: SeriesValues, fine: SeriesValues) -> pd.DataFrame:
    """A five-minute period, then one-minute periods."""
    return pd.concat([tidy_frame(coarse, period_s=300), tidy_frame(fine, start=START + 300)], ignore_index=True)


def test_rates_are_consistent_across_resolutions() -> None:
    """100 requests per minute with 2% errors, and one unanswered in the fourth minute: a five-minute period, then five one-minute periods."""
    coarse = fleet_rows("canary", [500], target_2xx=[490], target_5xx=[10])
    fine = fleet_rows("canary", [100] * 5, target_2xx=[98, 98, 98, 97, 98], target_5xx=[2] * 5)
    fine |= alb_5xx([None] * 3 + [1, None])
    grid = finest_grid(across_resolutions(coarse, fine), window(10))
    assert_array_equal(requests(grid).values["canary"], [100] * 6)
    rate = error_rate(grid)
    assert_allclose(rate.components["target_5xx"]["canary"], [0.02] * 6)
    # At first the trailing five minutes of a one-minute period include the five-minute period before it.
    assert_allclose(rate.components["unanswered"]["canary"], [0, 0, 0, 0, 1 / 900, 1 / 500])
    result = latest_values(rate, before=START + 600)
    assert result is not None and result.canary is not None
    assert (result.start, result.end) == (START + 300, START + 600)
    assert_allclose(result.canary, 0.02 + 1 / 500)


def test_required_samples_refer_to_the_period() -> None:
    """50 answers per minute: 250 in five minutes suffice for a p95, 50 in one do not."""
    coarse = fleet_rows("canary", [250], latency__p95=[0.2], latency__sample_count=[250])
    coarse |= fleet_rows("baseline", [5000], latency__p95=[0.1], latency__sample_count=[5000])
    fine = fleet_rows("canary", [50] * 2, latency__p95=[0.3] * 2, latency__sample_count=[50] * 2)
    fine |= fleet_rows("baseline", [1000] * 2, latency__p95=[0.1] * 2, latency__sample_count=[1000] * 2)
    result = latency(finest_grid(across_resolutions(coarse, fine), window(7)), "p95")
    assert_allclose(result.values["canary"], [0.2, 0.3, 0.3])
    assert_allclose(result.difference, [0.1, 0.2, 0.2])
    assert_array_equal(result.low_sample["canary"], [False, True, True])
    assert_array_equal(result.low_sample["baseline"], [False, False, False])


WEEK_S = 7 * 86_400


def test_last_week_is_both_fleets_together_at_the_time_of_this_week() -> None:
    frame = tidy_frame(
        fleet_rows("baseline", [300, 100, None], latency__sample_count=[300, 100, None], latency__p95=[0.2, 0.2, None])
        | fleet_rows(
            "canary", [100, None, None], latency__sample_count=[100, None, None], latency__p95=[0.4, None, None]
        )
    )
    grid = time_grid(frame, window(3))
    line = earlier_line(requests(grid), shift_s=WEEK_S)
    assert line is not None
    assert_array_equal(line.ts, START + WEEK_S + np.array([0, 60, 120]))
    assert_array_equal(line.lengths_s, [60, 60, 60])
    assert_array_equal(line.values, [400, 100, NAN])
    percentile = earlier_line(latency(grid, "p95"), shift_s=WEEK_S)
    assert percentile is not None
    assert_array_equal(percentile.values, [0.2, 0.2, NAN])  # of the busier fleet


def test_last_weeks_rate_is_weighted_and_unknown_if_that_of_a_fleet_is() -> None:
    def line(**canary: list[float]) -> list[float]:
        rates = {"baseline": np.array([0.01, 0.01, 0.01]), "canary": np.array([0.05, NAN, NAN])}
        samples = {"baseline": np.array([300.0, 300, 300]), "canary": np.array(canary["samples"])}
        low = dict.fromkeys(FLEETS, np.zeros(3, dtype=bool))
        ts = START + np.arange(3) * 60
        result = earlier_line(Comparison(ts, np.full(3, 60), "rate", rates, samples, low), shift_s=WEEK_S)  # type: ignore[arg-type]
        assert result is not None
        return [round(float(value), 6) for value in result.values]

    assert line(samples=[100, 0, NAN]) == [0.02, 0.01, 0.01], "without requests, a fleet has no part in the rate"
    assert_array_equal(line(samples=[100, 100, 100]), [0.02, NAN, NAN])


def test_a_week_without_values_has_no_line() -> None:
    assert earlier_line(requests(time_grid(tidy_frame({}), window(3))), shift_s=WEEK_S) is None
