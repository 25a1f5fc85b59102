"""The configured share in each period."""

import numpy as np
from numpy.testing import assert_allclose

from analysis.series.shares import mean_share

TS, LENGTHS = np.arange(0, 300, 60), np.full(5, 60)


def test_a_step_within_a_period_counts_for_its_part() -> None:
    assert_allclose(mean_share([(0, 0.1), (90, 0.3), (180, 0.5)], TS, LENGTHS), [0.1, 0.2, 0.3, 0.5, 0.5])


def test_what_is_unknown_stays_unknown() -> None:
    assert_allclose(mean_share([(60, 0.1), (200, None)], TS, LENGTHS), [np.nan, 0.1, 0.1, np.nan, np.nan])
    assert np.isnan(mean_share([], TS, LENGTHS)).all()


def test_of_steps_at_one_time_the_last_holds() -> None:
    assert_allclose(mean_share([(0, 0.1), (0, 0.2), (30, 0.4), (30, 0.6)], TS, LENGTHS), [0.4, 0.6, 0.6, 0.6, 0.6])
