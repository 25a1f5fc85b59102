"""An expression of ten functions over 24 hours × 20 series, and the same written by hand with pandas, in turns in one run.

`python -m benchmarks.expressions [--repeat 200]`. Both start from the points as they were read and end with one value a minute. Exits with 1 if
evaluating takes more than MAX_RATIO times as long as pandas, or if the values differ.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import numpy as np
import pandas as pd

from sources.mackerel.expressions.evaluation import MetricPoints, Steps, evaluate
from sources.mackerel.expressions.parser import parse
from sources.mackerel.expressions.syntax import Call

MAX_RATIO = 5.0
TEXT = (
    "alias(offset(scale(divide(sum(movingAverage(host(web, custom.errors.*), 10m)), "
    "sum(timeShift(host(web, custom.requests.*), 1h))), 100), 1), 'errors %')"
)
N_FUNCTIONS, N_SERIES, MINUTES, LEAD_IN = 10, 20, 1_440, 60


def random_points(start: int) -> list[MetricPoints]:
    """Series of MINUTES and LEAD_IN before them, with a tenth of the minutes missing."""
    random, times = np.random.default_rng(7), start + 60 * np.arange(-LEAD_IN, MINUTES)
    series = []
    for number in range(N_SERIES // 2):
        present = random.random(len(times)) > 0.1
        series.append(MetricPoints(f"{number}", times[present], random.gamma(4, 25, int(present.sum()))))
    return series


def by_hand(errors: Sequence[MetricPoints], requests: Sequence[MetricPoints], start: int) -> np.ndarray:
    minutes = pd.Index(range(start - LEAD_IN * 60, start + MINUTES * 60, 60))

    def table(series: Sequence[MetricPoints]) -> pd.DataFrame:
        return pd.DataFrame({item.name: pd.Series(item.values, item.times) for item in series}).reindex(minutes)

    errors_table = table(errors)
    moving = errors_table.rolling(10, min_periods=1).mean().where(errors_table.notna()).sum(axis=1, min_count=1)
    shifted = table(requests).shift(60).sum(axis=1, min_count=1)
    return (moving / shifted * 100 + 1).to_numpy()[LEAD_IN:]


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=200)
    repeat, start = parser.parse_args().repeat, 1_767_355_200
    expression = parse(TEXT)
    errors, requests = random_points(start), random_points(start)
    selectors = [call for call in expression.walk() if call.function == "host"]
    points: Mapping[Call, Sequence[MetricPoints]] = dict(zip(selectors, (errors, requests), strict=True))
    steps = Steps(start, MINUTES)

    def evaluated() -> np.ndarray:
        return evaluate(expression, points, steps).values[0]

    def with_pandas() -> np.ndarray:
        return by_hand(errors, requests, start)

    assert len(list(expression.walk())) == N_FUNCTIONS
    np.testing.assert_allclose(evaluated(), with_pandas(), rtol=1e-9)
    took = [(seconds(evaluated), seconds(with_pandas)) for _ in range(repeat)]
    own_s, pandas_s = (median(column) for column in zip(*took, strict=True))
    parse_s = median(seconds(lambda: parse(TEXT)) for _ in range(repeat))
    ratio = own_s / pandas_s
    print(
        f"evaluate {own_s * 1e3:.2f} ms, pandas by hand {pandas_s * 1e3:.2f} ms: {ratio:.2f} × (goal: ≤ {MAX_RATIO:g} ×)"
    )
    print(f"parse    {parse_s * 1e3:.2f} ms")
    return int(ratio > MAX_RATIO)


if __name__ == "__main__":
    raise SystemExit(main())
