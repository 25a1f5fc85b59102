"""Percentiles of counted values: those of the values one by one, and as sure of themselves as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from analysis.series.quantiles import Percentile, percentile

SHARES = some.sampled_from([0.0, 0.05, 0.5, 0.9, 0.95, 0.99, 1.0])
COUNTED = some.dictionaries(some.integers(0, 100_000), some.integers(1, 50), min_size=1, max_size=30)


def percentile_of(counted: dict[int, int], quantile: float) -> Percentile:
    ms, n = (np.array(column, dtype=np.int64) for column in zip(*sorted(counted.items()), strict=True))
    found = percentile(ms, n, quantile)
    assert found is not None
    return found


@given(counted=COUNTED, share=SHARES)
def test_it_is_the_percentile_of_the_values_one_by_one(counted: dict[int, int], share: float) -> None:
    values = np.repeat(list(counted), list(counted.values()))
    assert percentile_of(counted, share).value_s == pytest.approx(np.quantile(values, share) / 1000)


@given(counted=COUNTED, share=SHARES, times=some.integers(2, 9))
def test_more_of_the_same_makes_it_surer(counted: dict[int, int], share: float, times: int) -> None:
    few, many = percentile_of(counted, share), percentile_of({ms: n * times for ms, n in counted.items()}, share)
    if few.lower_s is not None:
        assert many.lower_s is not None and few.lower_s <= many.lower_s
    if few.upper_s is not None:
        assert many.upper_s is not None and many.upper_s <= few.upper_s


def test_literal_values() -> None:
    # 1 to 100 ms, one each: the ranks that bound a binomial of 100 draws at a half with 95 % are 41 and 61, rounded outwards.
    assert percentile_of(dict.fromkeys(range(1, 101), 1), 0.5) == Percentile(0.0505, 0.04, 0.061)
    assert percentile_of({20: 3}, 0.95) == Percentile(
        0.02, 0.02, None
    )  # nothing bounds the p95 of three answers from above
    assert percentile_of({20: 1}, 0.5).lower_s is None


def test_of_nothing_there_is_none() -> None:
    nothing = np.array([], dtype=np.int64)
    assert percentile(nothing, nothing, 0.5) is None


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("answers", [500, 5000])
def test_the_interval_holds_the_truth_as_often_as_it_says(share: float, answers: int) -> None:
    dice = np.random.default_rng(5)
    truth = float(np.exp(4.5 + 0.7 * {0.5: 0.0, 0.95: 1.644854, 0.99: 2.326348}[share]))
    held = 0
    for _ in range(400):
        ms, n = np.unique(
            np.rint(np.exp(4.5 + 0.7 * dice.standard_normal(answers))).astype(np.int64), return_counts=True
        )
        found = percentile(ms, n, share)
        assert found and found.lower_s is not None
        held += found.lower_s * 1000 - 0.5 <= truth and (found.upper_s is None or truth <= found.upper_s * 1000 + 0.5)
    assert held >= 0.935 * 400  # 95 %, less what 400 dice may take off
