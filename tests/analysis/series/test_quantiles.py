"""Percentiles of counted values: equal to those of the single values, with CIs that have their coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.series.quantiles import Percentile, RelativeDifference, block_percentiles, percentile, relative_difference

SHARES = st.sampled_from([0.0, 0.05, 0.5, 0.9, 0.95, 0.99, 1.0])
COUNTED = st.dictionaries(st.integers(0, 100_000), st.integers(1, 50), min_size=1, max_size=30)


def percentile_of(counted: dict[int, int], quantile: float) -> Percentile:
    ms, n = (np.array(column, dtype=np.int64) for column in zip(*sorted(counted.items()), strict=True))
    result = percentile(ms, n, quantile)
    assert result is not None
    return result


@given(counted=COUNTED, share=SHARES)
def test_it_equals_the_percentile_of_the_single_values(counted: dict[int, int], share: float) -> None:
    values = np.repeat(list(counted), list(counted.values()))
    assert percentile_of(counted, share).value_s == pytest.approx(np.quantile(values, share) / 1000)


@given(counted=COUNTED, share=SHARES, times=st.integers(2, 9))
def test_more_of_the_same_values_narrow_the_interval(counted: dict[int, int], share: float, times: int) -> None:
    few, many = percentile_of(counted, share), percentile_of({ms: n * times for ms, n in counted.items()}, share)
    if few.lower_s is not None:
        assert many.lower_s is not None and few.lower_s <= many.lower_s
    if few.upper_s is not None:
        assert many.upper_s is not None and many.upper_s <= few.upper_s


def test_literal_values() -> None:
    # 1 to 100 ms, once each: ranks 41 and 61 bound a binomial with n = 100, p = 0.5 with 95 %, rounded outwards.
    assert percentile_of(dict.fromkeys(range(1, 101), 1), 0.5) == Percentile(0.0505, 0.04, 0.061)
    assert percentile_of({20: 3}, 0.95) == Percentile(
        0.02, 0.02, None
    )  # nothing bounds the p95 of three answers from above
    assert percentile_of({20: 1}, 0.5).lower_s is None


def test_no_values_have_no_percentile() -> None:
    nothing = np.array([], dtype=np.int64)
    assert percentile(nothing, nothing, 0.5) is None


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("answers", [500, 5000])
def test_the_interval_has_its_coverage(share: float, answers: int) -> None:
    rng = np.random.default_rng(5)
    truth = float(np.exp(4.5 + 0.7 * {0.5: 0.0, 0.95: 1.644854, 0.99: 2.326348}[share]))
    covered = 0
    for _ in range(400):
        ms, n = np.unique(
            np.rint(np.exp(4.5 + 0.7 * rng.standard_normal(answers))).astype(np.int64), return_counts=True
        )
        result = percentile(ms, n, share)
        assert result and result.lower_s is not None
        covered += result.lower_s * 1000 - 0.5 <= truth and (
            result.upper_s is None or truth <= result.upper_s * 1000 + 0.5
        )
    assert covered >= 0.935 * 400  # 95 %, minus the sampling error of 400 repetitions


def test_a_difference_joins_the_worst_cases_of_both_intervals() -> None:
    baseline, canary = Percentile(0.1, 0.08, 0.125), Percentile(0.12, 0.1, 0.16)
    difference = relative_difference(baseline, canary)
    assert difference
    assert (difference.estimate, difference.lower, difference.upper) == pytest.approx((0.2, -0.2, 1.0))
    assert relative_difference(baseline, Percentile(0.2, None, 0.3)) == RelativeDifference(1.0, None, None)
    assert relative_difference(Percentile(0.0, 0.0, 0.1), canary) is None
    assert relative_difference(Percentile(0.1, 0.0, 0.2), canary) == RelativeDifference(pytest.approx(0.2), None, None)


def test_each_block_has_its_percentile_in_any_order_of_rows_if_it_has_enough_values() -> None:
    block, ms, counts = (np.array(column) for column in ([2, 0, 2, 2, 0], [90, 10, 10, 50, 20], [1, 2, 1, 1, 1]))
    found = block_percentiles(block, ms, counts, 0.5, 4, min_values=3)
    assert found.tolist() == pytest.approx([0.01, np.nan, 0.05, np.nan], nan_ok=True)
    assert np.isnan(block_percentiles(block, ms, counts, 0.5, 4, min_values=4)).all()


def test_the_interval_of_a_difference_has_its_coverage() -> None:
    """Two equal fleets, the canary with a tenth of the requests."""
    rng, covered = np.random.default_rng(11), 0
    for _ in range(300):
        pair = []
        for answers in (2000, 200):
            ms, counts = np.unique(rng.lognormal(5, 0.8, answers).astype(np.int64), return_counts=True)
            pair.append(percentile(ms, counts, 0.9))
        difference = relative_difference(*pair)  # type: ignore[arg-type]
        assert difference and difference.lower is not None and difference.upper is not None
        covered += difference.lower <= 0 <= difference.upper
    assert covered >= 285
