"""The tidy frame on a grid: absent values, zeros, and several target groups."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal

from analysis import finest_grid, time_grid
from analysis.series.grid import nan_ratio
from domain import Series
from tests.factories.frames import START, tidy_frame, window

NAN = np.nan


def test_an_omitted_count_is_zero_only_if_its_group_had_requests() -> None:
    frame = tidy_frame(
        {
            ("canary", "ecs", "requests", "sum"): [100, 100, None],
            ("canary", "ecs", "target_5xx", "sum"): [None, 3, None],
        }
    )
    canary = time_grid(frame, window(3)).fleets["canary"]
    assert_array_equal(canary.counts["target_5xx"], [0, 3, NAN])
    assert_array_equal(canary.requests, [100, 100, NAN])


def test_an_unknown_count_is_not_zero() -> None:
    frame = tidy_frame(
        {
            ("canary", "blue", "requests", "sum"): [100, 100, 100, 100],
            ("canary", "blue", "target_5xx", "sum"): [1, None, 3, None],
            ("canary", "green", "requests", "sum"): [None, None, 50, 50],
            ("canary", "green", "target_5xx", "sum"): [None, None, 2, 2],
        }
    )
    unread = {Series("test", "canary", "blue", "target_5xx", "sum", ""): (window(3, start=START + 60),)}
    canary = time_grid(frame, window(4), unread).fleets["canary"]
    assert_array_equal(canary.counts["target_5xx"], [1, NAN, 5, NAN])
    assert_array_equal(canary.counts["target_4xx"], [0, 0, 0, 0])


def test_an_answer_may_arrive_in_a_minute_without_requests() -> None:
    frame = tidy_frame(
        {("canary", "ecs", "requests", "sum"): [5, None], ("canary", "ecs", "target_2xx", "sum"): [4, 1]},
    )
    assert_array_equal(time_grid(frame, window(2)).fleets["canary"].counts["target_2xx"], [4, 1])


def test_a_fleet_without_rows_is_all_nan() -> None:
    canary = time_grid(tidy_frame({("canary", "ecs", "requests", "sum"): [1]}), window(1)).fleets["baseline"]
    assert np.isnan(canary.requests).all()
    assert np.isnan(canary.latency["p95"]).all()


def test_target_groups_are_summed_and_the_busier_one_has_the_percentiles() -> None:
    frame = tidy_frame(
        {
            ("canary", "blue", "requests", "sum"): [90, 10, None],
            ("canary", "green", "requests", "sum"): [None, 30, 80],
            ("canary", "blue", "latency", "p95"): [0.1, 0.1, None],
            ("canary", "green", "latency", "p95"): [None, 0.2, 0.2],
        }
    )
    canary = time_grid(frame, window(3)).fleets["canary"]
    assert_array_equal(canary.requests, [90, 40, 80])
    assert_array_equal(canary.latency["p95"], [0.1, 0.2, 0.2])
    assert_array_equal(canary.multi_group, [False, True, False])


def test_shares_within_a_threshold_merge_by_their_answers() -> None:
    frame = tidy_frame(
        {
            ("canary", "blue", "requests", "sum"): [10],
            ("canary", "green", "requests", "sum"): [30],
            ("canary", "blue", "latency", "sample_count"): [10],
            ("canary", "green", "latency", "sample_count"): [30],
            ("canary", "blue", "latency", "within_0.3s"): [1.0],
            ("canary", "green", "latency", "within_0.3s"): [0.9],
        }
    )
    assert_allclose(time_grid(frame, window(1)).fleets["canary"].within["within_0.3s"], [(10 * 1.0 + 30 * 0.9) / 40])


def test_the_load_balancers_own_5xx_are_zero_in_periods_with_requests() -> None:
    frame = tidy_frame(
        {
            ("baseline", "ec2", "requests", "sum"): [100, 100, None],
            ("load_balancer", "", "alb_5xx", "sum"): [None, 7, None],
        }
    )
    assert_array_equal(time_grid(frame, window(3)).alb["alb_5xx"], [0, 7, NAN])


def test_finer_counts_are_summed_and_finer_percentiles_dropped() -> None:
    coarse = tidy_frame(
        {("canary", "ecs", "requests", "sum"): [500], ("canary", "ecs", "latency", "p95"): [0.2]}, period_s=300
    )
    fine = tidy_frame(
        {("canary", "ecs", "requests", "sum"): [10, 20, 30, 40, 50], ("canary", "ecs", "latency", "p95"): [0.1] * 5},
        start=START + 300,
    )
    canary = time_grid(pd.concat([coarse, fine], ignore_index=True), window(10))
    assert canary.period_s == 300
    assert_array_equal(canary.fleets["canary"].requests, [500, 150])
    assert_array_equal(canary.fleets["canary"].latency["p95"], [0.2, NAN])


def test_each_part_of_a_window_in_its_own_finest_period() -> None:
    """Five-minute periods, then one-minute periods: each with its own counts and percentiles."""
    coarse = tidy_frame(
        {
            ("canary", "ecs", "requests", "sum"): [500],
            ("canary", "ecs", "target_5xx", "sum"): [5],
            ("canary", "ecs", "latency", "p95"): [0.2],
            ("canary", "ecs", "latency", "within_0.3s"): [0.9],
            ("canary", "ecs", "latency", "sample_count"): [500],
        },
        period_s=300,
    )
    fine = tidy_frame(
        {
            ("canary", "ecs", "requests", "sum"): [10, 20, None, 40],
            ("canary", "ecs", "target_5xx", "sum"): [1, None, None, None],
            ("canary", "ecs", "latency", "p95"): [0.1, 0.3, None, 0.1],
            ("canary", "ecs", "latency", "within_0.3s"): [1.0, 0.5, None, 1.0],
            ("canary", "ecs", "latency", "sample_count"): [10, 20, None, 40],
        },
        start=START + 300,
    )
    grid = finest_grid(pd.concat([coarse, fine], ignore_index=True), window(10))
    canary = grid.fleets["canary"]
    assert_array_equal(grid.ts - START, [0, 300, 360, 420, 480, 540])
    assert_array_equal(grid.lengths_s, [300, 60, 60, 60, 60, 60])
    assert_array_equal(canary.requests, [500, 10, 20, NAN, 40, NAN])
    assert_array_equal(canary.counts["target_5xx"], [5, 1, 0, NAN, 0, NAN])
    assert_array_equal(canary.latency["p95"], [0.2, 0.1, 0.3, NAN, 0.1, NAN])
    assert_array_equal(canary.within["within_0.3s"], [0.9, 1.0, 0.5, NAN, 1.0, NAN])


def test_a_five_minute_period_between_minutes_keeps_its_length() -> None:
    """Minutes that were backfilled after CloudWatch's retention, as a five-minute period."""
    frame = pd.concat(
        [
            tidy_frame({("canary", "ecs", "latency", "p95"): [0.1] * 5}),
            tidy_frame({("canary", "ecs", "latency", "p95"): [0.2]}, period_s=300, start=START + 300),
            tidy_frame({("canary", "ecs", "latency", "p95"): [0.3] * 5}, start=START + 600),
        ],
        ignore_index=True,
    )
    grid = finest_grid(frame, window(15))
    assert_array_equal(grid.lengths_s, [60] * 5 + [300] + [60] * 5)
    assert_array_equal(grid.fleets["canary"].latency["p95"], [0.1] * 5 + [0.2] + [0.3] * 5)


def test_a_window_that_begins_inside_five_minutes_and_one_without_rows() -> None:
    coarse = tidy_frame({("canary", "ecs", "requests", "sum"): [None, 500]}, period_s=300)
    inside = finest_grid(coarse, window(8, start=START + 120))
    assert_array_equal(inside.ts - START, [0, 300])
    assert_array_equal(inside.fleets["canary"].requests, [NAN, 500])
    assert_array_equal(time_grid(coarse, window(8, start=START + 120)).ts - START, [0, 300])
    nothing = finest_grid(coarse, window(3, start=START + 900))
    assert_array_equal(nothing.lengths_s, [60, 60, 60])
    assert np.isnan(nothing.fleets["canary"].requests).all()


def test_a_ratio_without_denominator_is_unknown() -> None:
    assert_array_equal(nan_ratio(np.array([1.0, 1.0]), np.array([0.0, 4.0])), [NAN, 0.25])
