"""The longest aligned period of a window."""

from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from sources.window_latency import longest_aligned_period


@given(st.integers(0, 50_000_000), st.integers(1, 3000), st.sampled_from([1, 5, 60]))
def test_period_is_aligned_to_epoch_and_start(first: int, minutes: int, step: int) -> None:
    window = Window(first * 60, (first + minutes) * 60)
    period = longest_aligned_period(window, step * 60)
    if period is None:
        assert minutes < 2 * step
        return
    length_s = period.end - period.start
    assert window.start <= period.start < period.end <= window.end
    assert period.start % length_s == 0
    assert length_s % (step * 60) == 0
    assert length_s <= 86_400


def test_little_of_a_phase_is_left_out() -> None:
    left_out = []
    for first in range(29_000_000, 29_000_400):
        period = longest_aligned_period(Window(60 * first, 60 * (first + 370)), 60)
        assert period
        left_out.append(370 - period.minutes)
    assert sum(left_out) / len(left_out) < 30
    assert max(left_out) < 100
