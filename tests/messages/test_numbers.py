"""Formatting of numbers."""

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import numbers


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0%"),
        (0.000001, "< 0.001%"),
        (0.00004, "0.004%"),
        (0.00043, "0.043%"),
        (0.0006, "0.06%"),
        (0.0021, "0.21%"),
        (0.0124, "1.24%"),
        (0.123, "12.3%"),
        (0.5, "50.0%"),
        (0.9987, "99.87%"),
        (0.999999, "> 99.999%"),
        (1, "100%"),
        (Fraction(1, 3), "33.3%"),
        (12.5, "1,250.0%"),
        (None, "–"),
        (nan, "–"),
        (inf, "–"),
    ],
)
def test_percent(fraction: float | None, text: str) -> None:
    assert numbers.percent(fraction) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (Fraction(1, 1000), "0.1%"),
        (Fraction(999, 1000), "99.9%"),
        (0.498, "49.8%"),
        (0.5, "50.0%"),
        (0, "0.0%"),
        (1, "100.0%"),
        (0.0004, "< 0.1%"),
        (0.9996, "> 99.9%"),
        (None, "–"),
    ],
)
def test_share(fraction: float | None, text: str) -> None:
    assert numbers.share(fraction) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.0006, "+0.06 pp"),
        (-0.00004, "−0.004 pp"),
        (0.00051, "+0.051 pp"),
        (-0.0123, "−1.23 pp"),
        (0.25, "+25.0 pp"),
        (0, "±0 pp"),
        (-0.0000001, "±0 pp"),
        (None, "–"),
    ],
)
def test_points(difference: float | None, text: str) -> None:
    assert numbers.points(difference) == text


@pytest.mark.parametrize(
    ("seconds", "plain", "signed"),
    [
        (0.284, "284 ms", "+284 ms"),
        (0.0042, "4.2 ms", "+4.2 ms"),
        (0.012, "12 ms", "+12 ms"),
        (0.99951, "1.00 s", "+1.00 s"),
        (1.24, "1.24 s", "+1.24 s"),
        (12.44, "12.4 s", "+12.4 s"),
        (-0.0034, "−3.4 ms", "−3.4 ms"),
        (0, "0 ms", "±0 ms"),
        (None, "–", "–"),
        (nan, "–", "–"),
    ],
)
def test_milliseconds(seconds: float | None, plain: str, signed: str) -> None:
    assert numbers.milliseconds(seconds) == plain
    assert numbers.signed_milliseconds(seconds) == signed


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (8412, "8,412"),
        (999_999, "999,999"),
        (1_234_567, "1.2M"),
        (2_592_000_000, "2.6B"),
        (-3, "−3"),
        (None, "–"),
    ],
)
def test_counts(number: float | None, text: str) -> None:
    assert numbers.count(number) == text


@pytest.mark.parametrize(
    ("number", "text", "signed"),
    [
        (None, "–", "–"),
        (0, "0", "±0"),
        (0.00042, "0.00042", "+0.00042"),
        (-0.042, "−0.042", "−0.042"),
        (0.5, "0.5", "+0.5"),
        (9.996, "10", "+10"),
        (12.34, "12.3", "+12.3"),
        (-99.96, "−100", "−100"),
        (8412.4, "8,412", "+8,412"),
        (1_234_567, "1.2M", "+1.2M"),
    ],
)
def test_values_of_ones_own(number: float | None, text: str, signed: str) -> None:
    assert (numbers.plain_value(number), numbers.signed_value(number)) == (text, signed)


def test_per_minute() -> None:
    assert [numbers.per_minute(rate) for rate in (0, 0.4, 9.94, 9.96, 8412, None)] == [
        "0/min", "0.4/min", "9.9/min", "10/min", "8,412/min", "–",
    ]  # fmt: skip


def test_relative_and_threshold() -> None:
    assert [numbers.relative(value) for value in (0.123, -0.041, 0, None)] == ["+12.3%", "−4.1%", "±0%", "–"]
    assert [numbers.threshold(value) for value in (0.1, 0.25, 1, 1.5)] == ["100 ms", "250 ms", "1 s", "1.5 s"]


@given(st.floats(0, 1))
def test_percent_is_close_to_the_value(fraction: float) -> None:
    text = numbers.percent(fraction)
    if "<" not in text and ">" not in text:
        assert float(text.removesuffix("%")) / 100 == pytest.approx(fraction, rel=0.051, abs=0.000005001)
    assert (text == "0%") == (fraction == 0)


@given(st.floats(-1, 1))
def test_negation_changes_only_the_sign(difference: float) -> None:
    first, second = numbers.points(difference), numbers.points(-difference)
    assert first == second == "±0 pp" or (first[1:] == second[1:] and {first[0], second[0]} == {"+", "−"})
