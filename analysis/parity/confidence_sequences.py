"""Confidence sequences for the difference between two fleets: CIs that hold at every time simultaneously. docs/MATH.md has the derivations.

The last axis of every array is time (minutes), and results are given for every time at once, from running sums; leading axes are independent
repetitions. So the same code serves the current verdict, its trace over a day, and the simulations in benchmarks/judge.py.
Suffixes: `_b` baseline, `_c` canary.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Self

import numpy as np

from analysis.series.grid import BoolArray, FloatArray

MIN_MINUTES = 10  # fewer do not allow an estimate of their variance: no interval
MIN_MINUTES_WITH_HISTORY = 3
MIN_HISTORY = 60.0  # periods that make the smaller number enough

# Scale of the normal mixture, which decides where the interval is tightest. Chosen for the traffic of migrations, not fitted to data.
LOG_RATIO_SCALE = 1.25  # standard deviation of log rate ratios: relevant alternatives lie within a factor of about e
TIGHTEST_AT_MINUTES = 10.0  # for paired differences; the interval is tightest at about eight times as many minutes

MAX_NEWTON_STEPS = 40
NEWTON_TOLERANCE = 1e-10

# Priors for variance and autocorrelation, see docs/MATH.md, "What was tuned".
MAX_AUTOCORRELATION = 0.98
EARLY_MINUTES = 10.0  # prior bursts and autocorrelation fade as (EARLY_MINUTES / n)²…³
BLOCK_MINUTES = 15  # block length for long-run variance
MAX_HISTORY = 240.0  # periods; more count as so many
MAX_MEMORY = 0.95  # autocorrelation of the excess, which few events hardly show


@dataclass(frozen=True, slots=True)
class Scatter:
    """How the `periods` of a criterion scattered before the window that is judged.

    `variance`: of the paired difference of a latency; for a rate the excess over that of independent events, divided by the information of a
    period. `long_run`: how many times more the mean of many periods varies. `weight`: of a latency, the mean of `paired_weights`.
    """

    periods: float
    variance: float
    long_run: float
    weight: float = 0.0

    @property
    def counted_periods(self) -> float:
        return min(self.periods, MAX_HISTORY)

    def is_enough(self, n: FloatArray) -> BoolArray:
        """Whether with `n` periods more the variance is known well enough for an interval."""
        return n >= (MIN_MINUTES_WITH_HISTORY if self.periods >= MIN_HISTORY else MIN_MINUTES)

    def pooled(self, n: FloatArray, own: FloatArray, before: FloatArray | float) -> FloatArray:
        """The mean of two factors of a variance, by periods: geometric, because few periods allow for a factor that is far too large."""
        n_before = self.counted_periods
        pooled: FloatArray = np.exp((n * np.log(own) + n_before * np.log(before)) / (n + n_before))
        return pooled


NO_HISTORY = Scatter(0.0, 0.0, 1.0)


class Running:
    """Estimates after each minute. `is_enough`: whether there are enough minutes for an estimate of their variance."""

    __slots__: tuple[str, ...] = ()
    is_enough: BoolArray

    def at(self, index: Any) -> Self:
        """Those after some of the minutes."""
        return type(self)(*(getattr(self, name)[..., index] for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class RunningRates(Running):
    """Two rates: weighted events and exposures of both fleets, and `overdispersion` (≥ 1), the variance of their difference over that of
    independent events."""

    minutes: FloatArray
    events_b: FloatArray
    exposure_b: FloatArray
    events_c: FloatArray
    exposure_c: FloatArray
    overdispersion: FloatArray
    is_enough: BoolArray

    @property
    def rate_b(self) -> FloatArray:
        return _safe_divide(self.events_b, self.exposure_b)

    @property
    def rate_c(self) -> FloatArray:
        return _safe_divide(self.events_c, self.exposure_c)

    @property
    def information(self) -> FloatArray:
        """Events, weighted by how much they say of the difference: K·s·(1 − s) with s the canary's share of the exposure."""
        exposure = self.exposure_b + self.exposure_c
        return (self.events_b + self.events_c) * _safe_divide(self.exposure_b * self.exposure_c, exposure**2)

    @property
    def swapped(self) -> "RunningRates":
        """The same with baseline and canary swapped."""
        b, c = (self.events_b, self.exposure_b), (self.events_c, self.exposure_c)
        return RunningRates(self.minutes, *c, *b, self.overdispersion, self.is_enough)


@dataclass(frozen=True, slots=True, eq=False)
class RunningDifferences(Running):
    """A paired difference: its mean weighted by requests, its variance per minute, the number of independent minutes it is worth, and the degrees
    of freedom of the variance."""

    minutes: FloatArray
    mean: FloatArray
    variance: FloatArray
    effective_minutes: FloatArray
    dof: FloatArray
    is_enough: BoolArray


def paired_weights(requests_b: FloatArray, requests_c: FloatArray) -> FloatArray:
    """The weight of a minute on both fleets (Mantel & Haenszel 1959), so that neither a shared burst nor an hour with other traffic weights looks
    like a difference."""
    weights: FloatArray = requests_b * requests_c / (requests_b + requests_c)
    return weights


def weighted_rates(
    events_b: FloatArray, requests_b: FloatArray, events_c: FloatArray, requests_c: FloatArray
) -> RunningRates:
    """Rates of weighted minutes, with the exposures (Σw)² / Σ(w²/N): the plain totals if the split is constant. Of independent events."""
    w = paired_weights(requests_b, requests_c)
    sum_w, ones = _running_sum(w), np.ones_like(w)
    exposure_b, exposure_c = (sum_w**2 / _running_sum(w**2 / requests) for requests in (requests_b, requests_c))
    weighted_b = _running_sum(w * events_b / requests_b) / sum_w * exposure_b
    weighted_c = _running_sum(w * events_c / requests_c) / sum_w * exposure_c
    return RunningRates(_running_sum(ones), weighted_b, exposure_b, weighted_c, exposure_c, ones, ones > 0)


def running_rates(
    events_b: FloatArray,
    requests_b: FloatArray,
    events_c: FloatArray,
    requests_c: FloatArray,
    history: Scatter = NO_HISTORY,
) -> RunningRates:
    """Running rates from events among requests per minute (requests > 0 on both fleets), with their overdispersion."""
    rates, relative_variance, per_minute, raw = _rate_residuals(events_b, requests_b, events_c, requests_c)
    n = rates.minutes
    excess = _shrink(relative_variance - 1, 4 / n) * (1 + EARLY_MINUTES / np.sqrt(n))
    lag_1, lag_2 = (_unbiased_autocorrelation(lag, n) for lag in raw)
    error_variance = _autocorrelation_variance(raw[0], n)
    masked = _masked_long_run_factor(lag_1, lag_2, error_variance, excess / (1 + excess))
    long_run = _long_run_factor(_shrink(lag_1, 4 * error_variance) * (1 + 2 * np.sqrt(error_variance)))
    overdispersion = (1 + excess + per_minute * (EARLY_MINUTES / n) ** 3) * np.maximum(long_run, masked)
    before = 1 + history.variance * history.long_run * rates.information / n
    return replace(rates, overdispersion=history.pooled(n, overdispersion, before), is_enough=history.is_enough(n))


def _rate_residuals(
    events_b: FloatArray, requests_b: FloatArray, events_c: FloatArray, requests_c: FloatArray
) -> tuple[RunningRates, FloatArray, FloatArray, list[FloatArray]]:
    """The rates; the variance of their residuals over that of independent events; the events of a mean minute, which may be a single burst; and
    the residuals' autocorrelation at lags of one and two minutes.

    Residuals r = f_b·a − f_c·b have mean 0 under any shared burst if the ratio of the rates is constant. Half an event is added to each rate f:
    a rate of 0 would hide the other fleet's bursts.
    """
    rates, w = weighted_rates(events_b, requests_b, events_c, requests_c), paired_weights(requests_b, requests_c)
    f_b, f_c = (rates.events_b + 0.5) / rates.exposure_b, (rates.events_c + 0.5) / rates.exposure_c
    parts = w * events_c / requests_c, w * events_b / requests_b, w
    squares, *lags = _autocorrelations(parts, (f_b, -f_c, f_c * rates.rate_b - f_b * rates.rate_c), 1, 2)
    variance_c = f_b**2 * _running_sum(w**2 * events_c / requests_c**2)
    variance_b = f_c**2 * _running_sum(w**2 * events_b / requests_b**2)
    independent, n = variance_c + variance_b, rates.minutes
    relative_variance = _safe_divide(squares, independent) * n / np.maximum(n - 1, 1)
    per_minute = _safe_divide(variance_c * rates.events_c + variance_b * rates.events_b, independent) / n
    return rates, relative_variance, per_minute, lags


def rate_scatter(events_b: FloatArray, requests_b: FloatArray, events_c: FloatArray, requests_c: FloatArray) -> Scatter:
    """How both fleets' rates scattered in earlier periods, for `running_rates`."""
    rates, relative_variance, _, lags = _rate_residuals(events_b, requests_b, events_c, requests_c)
    n = rates.minutes
    excess = _shrink(relative_variance - 1, 4 / n)
    # Independent events have no autocorrelation: all of it is the excess's.
    memory = _unbiased_autocorrelation(lags[0], n) * (1 + excess) / np.maximum(excess, 1e-9)
    variance, long_run = _safe_divide(excess * n, rates.information), _long_run_factor(np.minimum(memory, MAX_MEMORY))
    return Scatter(float(n[-1]), float(variance[-1]), float(long_run[-1]))


def difference_bounds(rates: RunningRates, alpha: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of the difference of the rates (canary − baseline), each wrong at any time with probability ≤ alpha.

    The profile likelihood of two Poisson rates with a given difference (Miettinen & Nurminen 1985), divided by the overdispersion and compared
    with the mixture's boundary. Valid without events, too.
    """
    threshold = llr_threshold(rates, alpha)

    def upper_bound(rates: RunningRates) -> FloatArray:
        spread = (rates.events_b + threshold) / rates.exposure_b**2 + (rates.events_c + threshold) / rates.exposure_c**2
        start = rates.rate_c - rates.rate_b, np.sqrt(2 * threshold * spread)
        return np.minimum(_upper_bound(difference_llr, rates, threshold, *start), 1.0)

    return -upper_bound(rates.swapped), upper_bound(rates)


def log_ratio_bounds(rates: RunningRates, alpha: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of the log ratio of the rates (canary / baseline), likewise; ∓∞ if one fleet has no events yet.

    Given the total, the canary's events are binomial: exact for rare errors at any split.
    """
    threshold = llr_threshold(rates, alpha)

    def upper_bound(rates: RunningRates) -> FloatArray:
        b, c = rates.events_b + 0.5, rates.events_c + 0.5
        width = np.sqrt(2 * threshold * (1 / b + 1 / c)) + _safe_divide(threshold, rates.events_b)
        start = np.log(c / b) - np.log(rates.exposure_c / rates.exposure_b), width
        return np.where(rates.events_b > 0, _upper_bound(log_ratio_llr, rates, threshold, *start), np.inf)

    return -upper_bound(rates.swapped), upper_bound(rates)


def running_differences(
    values: FloatArray, weights: FloatArray | None = None, history: Scatter = NO_HISTORY
) -> RunningDifferences:
    """Running mean and variance of paired differences, one a minute, weighted by `weights` (of traffic; None: equally).

    Autocorrelation: AR(1), bias-corrected (Kendall 1954), shrunk towards 0 while within its standard error, and raised by a multiple of it; if
    blocks of BLOCK_MINUTES show a larger long-run variance, that is used.
    """
    n = np.arange(1.0, values.shape[-1] + 1)
    n_before = history.counted_periods
    w = np.ones_like(values) if weights is None else weights
    sum_w, sum_w2 = _running_sum(w), _running_sum(w**2)
    # Subtract the level before squaring, for precision; a difference by rounding alone is none.
    first = values[..., :1]
    centred = w * np.where(np.abs(values - first) <= 1e-12 * np.abs(values), 0.0, values - first)
    mean = _running_sum(centred) / sum_w
    parts, factors = (centred, w), (np.ones_like(values), -mean)
    squares, lag_1 = _autocorrelations(parts, factors, 1)
    n_equal = sum_w**2 / sum_w2  # as many minutes of equal weight
    before = n_before * history.variance * np.maximum(history.weight * n / sum_w, 1.0)
    variance = (squares / sum_w2 * n_equal + before) / np.maximum(n_equal - 1 + n_before, 1)
    error_variance = _autocorrelation_variance(lag_1, n)
    autocorrelation = _shrink(_unbiased_autocorrelation(lag_1, n), 4 * error_variance)
    long_run = _long_run_factor(autocorrelation * (1 + 4 * np.sqrt(error_variance)) + 0.2 * (EARLY_MINUTES / n) ** 2)
    own = np.maximum(long_run, _block_factor(parts, factors, squares / n))
    long_run = history.pooled(n, own, history.long_run)
    effective, dof = n_equal / long_run, (n_equal + n_before) / long_run - 1
    return RunningDifferences(n, first + mean, variance, effective, dof, history.is_enough(n))


def difference_scatter(values: FloatArray, weights: FloatArray | None = None) -> Scatter:
    """How paired differences scattered in earlier periods, for `running_differences`."""
    n, last = len(values), running_differences(values).at(-1)
    weight = 0.0 if weights is None else float(weights.mean())
    return Scatter(n, float(last.variance), n / float(last.effective_minutes), weight)


def mean_bounds(differences: RunningDifferences, alpha: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of the mean difference, each wrong at any time with probability ≤ alpha; infinite while there are too few minutes.

    The t-test's e-process with a normal mixture over effect sizes (Wang & Ramdas 2024; Pérez-Ortiz et al. 2024), on effective minutes.
    """
    half_width = mean_half_width(
        differences.effective_minutes, differences.variance, np.maximum(differences.dof, 0.0), alpha
    )
    half_width = np.where(~differences.is_enough | (differences.effective_minutes <= 1), np.inf, half_width)
    return differences.mean - half_width, differences.mean + half_width


def mean_half_width(n: FloatArray, variance: FloatArray, dof: FloatArray, alpha: float | FloatArray) -> FloatArray:
    """Half the width of the interval for a mean of `n` effective minutes, with a variance that is known to `dof` degrees of freedom."""
    x = n / TIGHTEST_AT_MINUTES
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        c = np.exp((np.log1p(x) - 2 * np.log(2 * alpha)) / (dof + 1))
        t2 = np.where(c < 1 + x, dof * (c - 1) / (1 - c / (1 + x)), np.inf)
        half_width: FloatArray = np.sqrt(t2 * variance / n)
    return np.where(np.isnan(half_width), np.inf, half_width)


def llr_threshold(rates: RunningRates, alpha: float | FloatArray) -> FloatArray:
    """How far the log-likelihood of a value inside the CI may lie below the maximum: the log-likelihood ratio that a one-sided normal mixture
    (Robbins 1970) ever exceeds with probability ≤ alpha, times the overdispersion."""
    x = np.maximum(rates.information / rates.overdispersion, 0.25) * LOG_RATIO_SCALE**2
    threshold: FloatArray = (1 + x) / x * (np.log1p(x) / 2 - np.log(2 * alpha)) * rates.overdispersion
    return threshold


def difference_llr(rates: RunningRates, difference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far the log-likelihood of two rates with this difference (canary − baseline) lies below its maximum; and its slope."""
    total, exposure = rates.events_b + rates.events_c, rates.exposure_b + rates.exposure_c
    # The most likely common level solves N·b² + (N·δ − K)·b − K_b·δ = 0, and the same with the fleets swapped.
    b, product_b = total - exposure * difference, 4 * exposure * rates.events_b * difference
    c, product_c = total + exposure * difference, -4 * exposure * rates.events_c * difference
    root = np.sqrt(np.maximum(b**2 + product_b, 0.0))
    expected_b = rates.exposure_b * _positive_root(b, product_b, root) / (2 * exposure)
    expected_c = rates.exposure_c * _positive_root(c, product_c, root) / (2 * exposure)
    llr = _deviance(rates.events_b, expected_b) + _deviance(rates.events_c, expected_c)
    # The two are equal, unless one of the rates can only be 0: then it cannot change.
    slope_b = rates.exposure_b * (_safe_divide(rates.events_b, expected_b) - 1)
    slope_c = rates.exposure_c * (1 - _safe_divide(rates.events_c, expected_c))
    return llr, np.where(expected_c > 0, slope_c, slope_b)


def log_ratio_llr(rates: RunningRates, log_ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same of two rates with this log ratio (canary / baseline), given the total of their events."""
    events_b, events_c, total = rates.events_b, rates.events_c, rates.events_b + rates.events_c
    maximum = _x_log_y(events_c, _safe_divide(events_c, total)) + _x_log_y(events_b, _safe_divide(events_b, total))
    # With x the log odds and q the probability: log q = −log(1 + e^−x), log(1 − q) = −log(1 + e^x).
    log_odds = log_ratio + np.log(rates.exposure_c / rates.exposure_b)
    llr = maximum + events_c * np.logaddexp(0.0, -log_odds) + events_b * np.logaddexp(0.0, log_odds)
    return llr, events_b - total / (1 + np.exp(np.minimum(log_odds, 700.0)))


def _upper_bound(
    llr_and_slope: Callable[[RunningRates, FloatArray], tuple[FloatArray, FloatArray]],
    rates: RunningRates,
    threshold: FloatArray,
    estimate: FloatArray,
    width: FloatArray,
) -> FloatArray:
    """Where a convex log-likelihood ratio reaches `threshold`, by Newton's method from `estimate + width` above it; ∞ without enough minutes."""
    bound = estimate + width
    for _ in range(MAX_NEWTON_STEPS if rates.is_enough.any() else 0):
        llr, slope = llr_and_slope(rates, bound)
        step = _safe_divide(llr - threshold, np.where(slope > 0, slope, 0.0))
        bound = bound - step
        if (np.abs(step) <= NEWTON_TOLERANCE * width).all():
            break
    return np.where(rates.is_enough, bound, np.inf)


# Residuals Σ factor·part, whose factors are re-estimated at every time.
_Parts = tuple[FloatArray, ...]


def _autocorrelations(parts: _Parts, factors: _Parts, *lags: int) -> tuple[FloatArray, ...]:
    """The residuals' sum of squares after each minute, and their autocorrelation at each of `lags`."""
    squares = np.maximum(_cross_moment(parts, factors, 0), 0.0)
    return squares, *(_safe_divide(_cross_moment(parts, factors, lag), squares) for lag in lags)


def _block_factor(parts: _Parts, factors: _Parts, variance: FloatArray) -> FloatArray:
    """A lower bound of the long-run variance over the `variance` of a minute, from blocks of BLOCK_MINUTES; 0 before there are four of them.

    Overlapping batch means (Meketon & Schmeiser 1984), with the autocorrelation from each block to the next.
    """
    n = np.arange(1.0, parts[0].shape[-1] + 1)
    blocks = tuple(_block_sums(part) for part in parts)
    squares, ratio = _autocorrelations(blocks, factors, BLOCK_MINUTES)
    of_blocks = squares / np.maximum(n - BLOCK_MINUTES + 1, 1)
    lag_1 = ratio * np.maximum(n - BLOCK_MINUTES + 1, 1) / np.maximum(n - 2 * BLOCK_MINUTES + 1, 1)
    n_blocks = n / BLOCK_MINUTES  # that do not overlap
    z = np.clip(150 / n, 0.6, 1.75)  # standard errors to subtract: fewer with more data
    error = np.sqrt(_autocorrelation_variance(lag_1, n_blocks))
    autocorrelation = np.clip(_unbiased_autocorrelation(lag_1, n_blocks) - z * error, -0.3, MAX_AUTOCORRELATION)
    factor = _safe_divide(of_blocks / BLOCK_MINUTES, variance) / (1 + z * np.sqrt(2 / np.maximum(1.3 * n_blocks, 1)))
    return np.where(n_blocks >= 4, factor * (1 + autocorrelation) / (1 - autocorrelation), 0.0)


def _block_sums(values: FloatArray) -> FloatArray:
    """The sum of the block that ends with each minute; 0 before the first whole one."""
    sums = _running_sum(values)
    sums[..., BLOCK_MINUTES:] -= sums[..., :-BLOCK_MINUTES].copy()
    sums[..., : BLOCK_MINUTES - 1] = 0.0
    return sums


def _cross_moment(parts: _Parts, factors: _Parts, lag: int) -> FloatArray:
    """Running sum of the products of the residuals with those `lag` minutes before, each time with its own factors."""
    total = np.zeros_like(factors[0])
    length = total.shape[-1] - lag
    if length > 0:
        for (part, factor), (other, other_factor) in product(zip(parts, factors, strict=True), repeat=2):
            total[..., lag:] += (factor * other_factor)[..., lag:] * _running_sum(part[..., lag:] * other[..., :length])
    return total


def _unbiased_autocorrelation(autocorrelation: FloatArray, n: FloatArray) -> FloatArray:
    """A lag-1 autocorrelation estimated from n values, corrected for its bias towards −1/n (Kendall 1954)."""
    return np.where(n > 4, (n * autocorrelation + 1) / np.maximum(n - 3, 1), 0.0)


def _autocorrelation_variance(autocorrelation: FloatArray, n: FloatArray) -> FloatArray:
    """The variance of an autocorrelation estimated from n values (Bartlett 1946)."""
    return np.maximum(1 - np.clip(_unbiased_autocorrelation(autocorrelation, n), -1, 1) ** 2, 0.0) / n


def _shrink(estimate: FloatArray, variance: float | FloatArray) -> FloatArray:
    """Shrinks an estimate towards 0 if it is small beside its error variance; 0 if negative."""
    return np.where(estimate > 0, estimate**3 / np.maximum(estimate**2 + variance, 1e-300), 0.0)


def _masked_long_run_factor(
    lag_1: FloatArray, lag_2: FloatArray, variance: FloatArray, share: FloatArray
) -> FloatArray:
    """Long-run variance over the variance of a minute, if only a `share` of the variance is autocorrelated: Poisson noise is not.

    Noise lowers the lag-1 autocorrelation but not its decay lag_2 / lag_1, which is taken at its upper bound. The square of the share makes
    the correction vanish for independent events.
    """
    decay = _safe_divide(lag_2 + 4 * np.sqrt(variance), np.where(lag_1 > 0, lag_1, 0.0))
    raised = _shrink(lag_1, variance) * (1 + 8 * np.sqrt(variance))
    factor: FloatArray = 1 + 2 * share**2 * raised / (1 - np.clip(decay, 0.0, MAX_AUTOCORRELATION))
    return factor


def _long_run_factor(autocorrelation: FloatArray) -> FloatArray:
    """Long-run variance over the variance of a minute, for an AR(1)."""
    autocorrelation = np.clip(autocorrelation, 0.0, MAX_AUTOCORRELATION)
    return (1 + autocorrelation) / (1 - autocorrelation)


def _positive_root(b: FloatArray, product: FloatArray, root: FloatArray) -> FloatArray:
    """b + √(b² + product) without cancellation."""
    return np.where(b >= 0, b + root, _safe_divide(product, root - b))


def _deviance(events: FloatArray, expected: FloatArray) -> FloatArray:
    """Log-likelihood ratio of a Poisson count: its maximum minus its value at `expected`."""
    return np.maximum(_x_log_y(events, _safe_divide(events, expected)) - (events - expected), 0.0)


def _x_log_y(x: FloatArray, y: FloatArray) -> FloatArray:
    return x * np.log(np.where(y > 0, y, 1.0))


def _running_sum(values: FloatArray) -> FloatArray:
    total: FloatArray = np.cumsum(values, axis=-1)
    return total


def _safe_divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Element-wise quotient; 0 if the denominator is 0."""
    ratio: FloatArray = np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator != 0)
    return ratio
