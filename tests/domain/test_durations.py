"""A histogram of durations counts each up to its bound."""

from math import inf

from domain.durations import BOUNDS_S, DurationHistogram


def test_durations_are_counted_up_to_their_bounds() -> None:
    histogram = DurationHistogram()
    for duration_s in (0.002, 0.05, 0.0501, 40.0, 7200.0):
        histogram.add(duration_s)
    expected = dict.fromkeys(BOUNDS_S, 3) | {0.05: 2, 300.0: 4, 3600.0: 4, inf: 5}
    assert dict(histogram.cumulative) == expected
    assert histogram.total_s == 0.002 + 0.05 + 0.0501 + 40.0 + 7200.0


def test_histograms_are_added() -> None:
    one, other = DurationHistogram(), DurationHistogram()
    one.add(0.2)
    other.add(2.0)
    both = one + other
    assert (dict(both.cumulative)[1.0], dict(both.cumulative)[inf], both.total_s) == (1, 2, 2.2)
    assert dict(one.cumulative)[inf] == 1
