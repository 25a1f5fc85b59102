"""What each function computes, and what it does with gaps, by literal minutes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from sources.mackerel.expressions.evaluation import Lines, MetricPoints, PairingError, Steps, evaluate, required_windows
from sources.mackerel.expressions.parser import parse
from sources.mackerel.expressions.syntax import Call

START = 1_767_355_200  # 2026-01-02 12:00 UTC
NAN = float("nan")
A, B = parse("host(a, x)"), parse("host(b, x)")


def points(*values: float, start: int = START, name: str = "x") -> MetricPoints:
    """One point a minute from `start`; NaN is a minute without a point."""
    at = [(start + 60 * minute, value) for minute, value in enumerate(values) if value == value]
    times, numbers = zip(*at, strict=True) if at else ((), ())
    return MetricPoints(name, np.array(times, dtype="int64"), np.array(numbers, dtype="float64"))


def run(
    text: str, count: int, *, start: int = START, step_s: int = 60, **series: MetricPoints | list[MetricPoints]
) -> Lines:
    """The expression over `count` steps, in which a, b … are the hosts of `series`."""
    by_selector: dict[Call, list[MetricPoints]] = {
        parse(f"host({host}, x)"): items if isinstance(items, list) else [items] for host, items in series.items()
    }
    for host in "abc":
        text = text.replace(f"{{{host}}}", f"host({host}, x)")
    return evaluate(parse(text), by_selector, Steps(start, count, step_s))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a}", [1, NAN, 3, 4]),
        ("group({a}, {b})", [[1, NAN, 3, 4], [10, 0, NAN, 2]]),
        ("sum(group({a}, {b}))", [11, 0, 3, 6]),
        ("avg(group({a}, {b}))", [5.5, 0, 3, 3]),
        ("max(group({a}, {b}))", [10, 0, 3, 4]),
        ("min(group({a}, {b}))", [1, 0, 3, 2]),
        ("product(group({a}, {b}))", [10, 0, 3, 8]),
        ("percentile(group({a}, {b}), 50)", [5.5, 0, 3, 3]),
        ("percentile(group({a}, {b}), 90)", [9.1, 0, 3, 3.8]),
        ("diff({a}, {b})", [-9, NAN, NAN, 2]),
        ("divide({a}, {b})", [0.1, NAN, NAN, 2]),
        ("divide({b}, diff({b}, {b}))", [NAN, NAN, NAN, NAN]),
        ("scale({a}, 1/2)", [0.5, NAN, 1.5, 2]),
        ("offset({a}, -1)", [0, NAN, 2, 3]),
        ("stack({a})", [1, NAN, 3, 4]),
        ("alias({a}, 'A')", [1, NAN, 3, 4]),
        ("timeShift({a}, 1m)", [9, 1, NAN, 3]),
        ("movingAverage({a}, 2m)", [5, NAN, 3, 3.5]),
        ("linearRegression({b}, 2m)", [10, 0, NAN, NAN]),
        ("linearRegression({b}, 3m)", [10, 0, -10, 2]),
    ],
)
def test_a_function_of_four_minutes(text: str, expected: list[float] | list[list[float]]) -> None:
    before = START - 60
    lines = run(text, 4, a=points(9, 1, NAN, 3, 4, start=before), b=points(20, 10, 0, NAN, 2, start=before))
    np.testing.assert_allclose(lines.values, np.atleast_2d(np.array(expected, dtype=float)), atol=1e-12)


def test_the_time_left_until_the_line_reaches_the_threshold() -> None:
    lines = run("timeLeftForecast({a}, 3m, 10)", 3, a=points(1, 2, 3, 4, 5, start=START - 120))
    np.testing.assert_allclose(lines.values, [[420, 360, 300]])
    falling = run("timeLeftForecast({a}, 3m, 10)", 3, a=points(5, 4, 3, 2, 1, start=START - 120))
    assert np.isnan(falling.values).all()  # never
    level = run("timeLeftForecast({a}, 3m, 10)", 3, a=points(5, 5, 5, 5, 5, start=START - 120))
    assert np.isnan(level.values).all()


def test_two_series_are_paired_in_order_and_one_with_each() -> None:
    two, one = [points(1, 2), points(3, 4)], points(10, 10)
    assert run("diff({a}, {b})", 2, a=two, b=one).values.tolist() == [[-9, -8], [-7, -6]]
    assert run("divide({b}, {a})", 2, a=two, b=one).values.tolist() == [[10, 5], [10 / 3, 2.5]]
    assert run("diff({a}, {a})", 2, a=two).values.tolist() == [[0, 0], [0, 0]]
    with pytest.raises(PairingError) as caught:
        run("diff({a}, {b})", 2, a=two, b=[one, one, one])
    assert (caught.value.function, caught.value.first, caught.value.second) == ("diff", 2, 3)


@pytest.mark.parametrize(
    "text", ["{a}", "diff({a}, {b})", "group({a}, {a})", "alias({a}, x)", "movingAverage({a}, 5m)"]
)
def test_a_host_that_is_gone_has_no_series(text: str) -> None:
    assert run(text, 3, b=points(1, 2, 3)).values.shape == (0, 3)


@pytest.mark.parametrize("function", ["sum", "avg", "max", "min", "product"])
def test_a_function_of_no_series_is_a_gap(function: str) -> None:
    assert np.isnan(run(f"{function}({{a}})", 3).values).tolist() == [[True, True, True]]
    assert np.isnan(run("percentile({a}, 50)", 3).values).tolist() == [[True, True, True]]


def test_the_last_point_of_a_minute_counts() -> None:
    twice = MetricPoints("x", np.array([START + 5, START + 50]), np.array([1.0, 2.0]))
    assert run("{a}", 1, a=twice).values.tolist() == [[2.0]]


def test_longer_steps_have_the_average_of_their_minutes() -> None:
    lines = run("{a}", 2, step_s=300, a=points(1, 2, NAN, 4, 5, NAN, 6))
    assert lines.values.tolist() == [[3.0, 6.0]]
    shifted = run("timeShift({a}, 7m)", 2, start=START, step_s=300, a=points(1, 1, 1, 1, 1, 5, start=START - 300))
    assert shifted.values.tolist() == [[1.0, 5.0]]  # a duration is rounded to whole steps


def test_names_follow_aliases() -> None:
    lines = run("group(alias({a}, '古い'), {b}, sum({b}))", 1, a=points(1, name="a"), b=points(2, name="b"))
    assert lines.names == ("古い", "b", "sum(host(b, x))")


def test_only_the_needed_time_is_required() -> None:
    window = Window(START, START + 600)
    expression = parse("diff(movingAverage(host(a, x), 1h), timeShift(group(host(a, x), host(b, x)), 1w))")
    week = 7 * 86_400
    assert required_windows(expression, window) == {
        A: (Window(START - week, START + 600 - week), Window(START - 59 * 60, START + 600)),
        B: (Window(START - week, START + 600 - week),),
    }


VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(NAN), min_size=12, max_size=12)
FACTORS = st.floats(-1e3, 1e3)


def same(first: np.ndarray, second: np.ndarray) -> None:
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-3)


@given(VALUES, FACTORS, FACTORS)
def test_scale_and_offset_are_linear(values: list[float], factor: float, constant: float) -> None:
    plain = run("{a}", 12, a=points(*values)).values
    same(run(f"scale({{a}}, {factor!r})", 12, a=points(*values)).values, plain * factor)
    same(run(f"offset({{a}}, {constant!r})", 12, a=points(*values)).values, plain + constant)
    both = run(f"offset(scale({{a}}, {factor!r}), {constant!r})", 12, a=points(*values)).values
    same(both, plain * factor + constant)


@given(VALUES, VALUES, FACTORS)
def test_sum_is_linear(first: list[float], second: list[float], factor: float) -> None:
    series = {"a": points(*first), "b": points(*second)}
    total = run("sum(group({a}, {b}))", 12, **series).values
    same(run("sum(group({b}, {a}))", 12, **series).values, total)
    same(run(f"sum(group(scale({{a}}, {factor!r}), scale({{b}}, {factor!r})))", 12, **series).values, total * factor)
    same(
        run("scale(avg(group({a}, {b})), 2)", 12, a=points(*first), b=points(*first)).values,
        2 * run("{a}", 12, a=points(*first)).values,
    )


@given(VALUES, st.integers(1, 11))
def test_time_shift_shifts(values: list[float], minutes: int) -> None:
    shifted = run(f"timeShift({{a}}, {minutes}m)", 12, a=points(*values)).values
    plain = run("{a}", 12, a=points(*values)).values
    np.testing.assert_array_equal(shifted[:, minutes:], plain[:, : 12 - minutes])
    assert np.isnan(shifted[:, :minutes]).all()
    again = run(f"timeShift(timeShift({{a}}, {minutes}m), {minutes}m)", 12, a=points(*values)).values
    np.testing.assert_array_equal(again, run(f"timeShift({{a}}, {2 * minutes}m)", 12, a=points(*values)).values)


@given(VALUES, st.integers(1, 12))
def test_later_minutes_change_no_earlier_value(values: list[float], count: int) -> None:
    for text in ("movingAverage({a}, 4m)", "linearRegression({a}, 4m)"):
        whole = run(text, 12, a=points(*values)).values
        same(run(text, count, a=points(*values[:count])).values, whole[:, :count])
