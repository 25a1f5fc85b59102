"""Simulated worlds by subject: each module's `rows()` are rows of the table of `python -m benchmarks.judge`."""

from collections.abc import Callable

import numpy as np

from analysis.series.grid import FloatArray

# The name, from a number of repetitions to the outcome of each, what Kayenta reaches, the goal (≤ or ≥ a bound), and how outcomes are summarised:
# the fields of benchmarks.judge.BenchmarkRow, which imports these modules.
WorldRow = tuple[str, Callable[[np.random.Generator, int], FloatArray], str, tuple[str, float] | None, str]


def ar1(random: np.random.Generator, shape: tuple[int, int], phi: float, sd: float) -> FloatArray:
    """A stationary AR(1) with standard deviation `sd`."""
    series = random.normal(size=shape) * sd
    for minute in range(1, shape[1]):
        series[:, minute] = phi * series[:, minute - 1] + np.sqrt(1 - phi**2) * series[:, minute]
    return series
