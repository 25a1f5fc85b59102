"""Intervals that hold at every look: what minutes so far say about a difference between two sides. docs/MATH.md has the derivations.

Every function takes arrays whose last axis is time and answers for every moment at once, from sums over the minutes so far; axes before it are
worlds that do not know of each other. So one code makes the verdict of now, the ribbon over a day, and the simulations that prove both.
"""

from dataclasses import dataclass

import numpy as np

from analysis.series.grid import FloatArray

MIN_MINUTES = 10  # before that nothing is known of how the minutes scatter, and nothing is said

# The normal mixture that spends alpha over time: where it is tightest. Set by the traffic that migrations have, not by any data set.
LOG_RATIO_SCALE = 1.25  # of log rate ratios: most alternatives that matter lie within a factor of e or so
TIGHTEST_AT_MINUTES = 10.0  # of paired differences, in minutes: the interval is tightest at about eight times as many

MAX_NEWTON_STEPS = 40  # of Newton's at most, until they are CLOSE: it is convex, so they never miss
NEWTON_TOLERANCE = 1e-10

# How far the minutes' own scatter is believed. See docs/MATH.md, "What was tuned".
MAX_AUTOCORRELATION = 0.98
EARLY_MINUTES = 10.0  # minutes: what is not known yet of bursts and of memory is assumed, and fades as (EARLY / n)²…³
BLOCK_MINUTES = 15  # minutes: memory that one minute does not show may show in blocks


@dataclass(frozen=True, slots=True, eq=False)
class RunningRates:
    """What is known by each minute of two rates: events and exposures (matched minute by minute), and by how much they scatter beyond chance."""

    minutes: FloatArray
    events_b: FloatArray
    exposure_b: FloatArray
    events_c: FloatArray
    exposure_c: FloatArray
    overdispersion: FloatArray  # ≥ 1: variance of the difference over that of independent events
    dof: FloatArray  # how well that is known, in degrees of freedom; ∞ where independent events explain it all

    @property
    def rate_b(self) -> FloatArray:
        return _safe_divide(self.events_b, self.exposure_b)

    @property
    def rate_c(self) -> FloatArray:
        return _safe_divide(self.events_c, self.exposure_c)


@dataclass(frozen=True, slots=True, eq=False)
class RunningDifferences:
    """What is known by each minute of a paired difference: its mean, its variance in a minute, and how many independent minutes they amount to."""

    minutes: FloatArray
    mean: FloatArray
    variance: FloatArray
    effective_minutes: FloatArray


def running_rates(
    events_b: FloatArray, requests_b: FloatArray, events_c: FloatArray, requests_c: FloatArray
) -> RunningRates:
    """Events among requests of both sides, minute by minute (requests > 0 on both), as running evidence.

    Each minute weighs w = N_b·N_c / (N_b + N_c) on both sides (Mantel & Haenszel 1959), so that an hour with another split or a shared burst
    cannot pass for a difference; with a constant split these are the plain totals. Exposure is effective: (Σw)² / Σ(w²/N).
    """
    n = np.arange(1.0, events_b.shape[-1] + 1)
    w = requests_b * requests_c / (requests_b + requests_c)
    a, b = w * events_c / requests_c, w * events_b / requests_b
    weight, sum_a, sum_b = _running_sum(w), _running_sum(a), _running_sum(b)
    exposure_b, exposure_c = weight**2 / _running_sum(w**2 / requests_b), weight**2 / _running_sum(w**2 / requests_c)
    events_b_, events_c_ = sum_b / weight * exposure_b, sum_a / weight * exposure_c

    # Residuals r = f_b·a − f_c·b have mean 0 whatever both sides share, if only the ratio of the rates is constant. Half an event more on each
    # side keeps a side that has none yet from hiding the other's bursts.
    f_b, f_c = (events_b_ + 0.5) / exposure_b, (events_c_ + 0.5) / exposure_c
    scatter = _residual_variance((a, b, w), (f_b, -f_c, -(f_b * sum_a - f_c * sum_b) / weight))

    # What independent events would give: the variance, and the variance of its estimate.
    part_a, part_b = (
        f_b**2 * _running_sum(w**2 * events_c / requests_c**2),
        f_c**2 * _running_sum(w**2 * events_b / requests_b**2),
    )
    chance = part_a + part_b
    fourth = f_b**4 * _running_sum(w**4 * events_c / requests_c**4) + f_c**4 * _running_sum(
        w**4 * events_b / requests_b**4
    )
    excess = np.maximum(_safe_divide(scatter.sum_of_squares, chance) * n / np.maximum(n - 1, 1) - 1, 0.0)
    excess = _shrink(excess, 2 * (2 / n + _safe_divide(fourth, chance**2))) * (1 + EARLY_MINUTES / np.sqrt(n))
    in_a_minute = (
        _safe_divide(part_a * events_c_ + part_b * events_b_, chance) / n
    )  # that many events could be one burst
    error = _autocorrelation_variance(scatter.lag_1, n)
    memory = _shrink(_unbiased_autocorrelation(scatter.lag_1, n), 4 * error)
    hidden = _masked_long_run_factor(
        _unbiased_autocorrelation(scatter.lag_1, n),
        _unbiased_autocorrelation(scatter.lag_2, n),
        error,
        excess / (1 + excess),
    )
    memory = np.maximum(np.maximum(_long_run_factor(memory * (1 + 2 * np.sqrt(error))), hidden), scatter.block_factor)
    inflation = (1 + excess + in_a_minute * (EARLY_MINUTES / n) ** 3) * np.maximum(memory, 1.0)
    # Satterthwaite's: only the scatter beyond chance had to be estimated, from so many minutes as do not resemble each other.
    freedom = np.maximum(n / memory - 1, 0.1) * np.square(inflation / np.maximum(inflation - 1, 1e-9))
    return RunningRates(n, events_b_, exposure_b, events_c_, exposure_c, inflation, freedom)


def difference_bounds(rates: RunningRates, alpha: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where the difference of the rates (canary − baseline) lies: each bound is wrong at any time with probability ≤ alpha.

    The likelihood of two Poisson rates under a given difference, at its best common level (Miettinen & Nurminen 1985), divided by the inflation
    and held against the mixture's boundary. Without events the bounds are what so many requests without any can say.
    """
    height = _llr_threshold(rates, alpha)
    low = -_difference_upper_bound(rates.events_c, rates.exposure_c, rates.events_b, rates.exposure_b, height)
    high = _difference_upper_bound(rates.events_b, rates.exposure_b, rates.events_c, rates.exposure_c, height)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def log_ratio_bounds(rates: RunningRates, alpha: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where the logarithm of the rates' ratio (canary / baseline) lies, likewise; ∓∞ where one side has no events yet.

    Given how many events there were in all, the canary's are binomial: the split of rare errors, exact at 1:99 as at 50:50.
    """
    height = _llr_threshold(rates, alpha)
    low = -_log_ratio_upper_bound(rates.events_c, rates.exposure_c, rates.events_b, rates.exposure_b, height)
    return low, _log_ratio_upper_bound(rates.events_b, rates.exposure_b, rates.events_c, rates.exposure_c, height)


def running_differences(values: FloatArray) -> RunningDifferences:
    """Paired differences, one a minute, as running evidence.

    Memory between minutes is an AR(1)'s, estimated without its bias (Kendall 1954), shrunk towards none while it is within its own error, and
    taken at its upper side as it grows; and, where blocks of fifteen minutes show more of it than one step does, theirs.
    """
    n = np.arange(1.0, values.shape[-1] + 1)
    mean = _running_sum(values) / n
    first = values[..., :1]  # sums of squares without the level, for the digits' sake
    moved = np.where(np.abs(values - first) <= 1e-12 * np.abs(values), 0.0, values - first)  # rounding is no scatter
    scatter = _residual_variance((moved, np.ones_like(values)), (np.ones_like(values), -_running_sum(moved) / n))
    error = _autocorrelation_variance(scatter.lag_1, n)
    memory = _shrink(_unbiased_autocorrelation(scatter.lag_1, n), 4 * error)
    long_run = _long_run_factor(memory * (1 + 4 * np.sqrt(error)) + 0.2 * (EARLY_MINUTES / n) ** 2)
    long_run = np.maximum(long_run, scatter.block_factor)
    return RunningDifferences(n, mean, scatter.sum_of_squares / np.maximum(n - 1, 1), n / long_run)


def mean_bounds(differences: RunningDifferences, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Where the mean difference lies: each bound is wrong at any time with probability ≤ alpha.

    The t-test's e-process with a normal mixture over effect sizes (Wang & Ramdas 2024; Pérez-Ortiz et al. 2024), on effective minutes.
    """
    n, x = differences.effective_minutes, differences.effective_minutes / TIGHTEST_AT_MINUTES
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        c = np.exp((np.log1p(x) - 2 * np.log(2 * alpha)) / n)
        t2 = np.where(c < 1 + x, (c - 1) / (1 - c / (1 + x)), np.inf)
        half = np.sqrt(t2 * np.maximum(n - 1, 0.0) * differences.variance / n)
    half = np.where((differences.variance == 0) & np.isfinite(t2), 0.0, half)
    half = np.where((differences.minutes < MIN_MINUTES) | np.isnan(half) | (n <= 1), np.inf, half)
    return differences.mean - half, differences.mean + half


def recent_mean_lower_bound(
    mean: FloatArray, minutes: FloatArray, history: RunningDifferences, alpha: FloatArray
) -> FloatArray:
    """A lower bound for the mean of some `minutes` that came after `history`, whose scatter and memory they are taken to have."""
    effective = np.maximum(minutes, 1e-9) * history.effective_minutes / history.minutes
    x = effective / TIGHTEST_AT_MINUTES
    boundary = (1 + x) / x * (np.log1p(x) / 2 - np.log(2 * alpha))
    freedom = np.maximum(history.effective_minutes - 1, 0.1)
    half = np.sqrt(freedom * np.expm1(np.minimum(2 * boundary / (freedom + 1), 30.0)) * history.variance / effective)
    return np.where(minutes > 0, mean - half, -np.inf)


def _llr_threshold(rates: RunningRates, alpha: float | FloatArray) -> FloatArray:
    """How far the log-likelihood may fall from its top before a value is out: the one-sided normal mixture's boundary (Robbins 1970), inflated."""
    events, exposure = rates.events_b + rates.events_c, rates.exposure_b + rates.exposure_c
    information = events * _safe_divide(rates.exposure_b * rates.exposure_c, exposure**2) / rates.overdispersion
    x = np.maximum(information, 0.25) * LOG_RATIO_SCALE**2
    boundary = (1 + x) / x * (np.log1p(x) / 2 - np.log(2 * alpha))
    # The same evidence from a t statistic: (1 + t²/ν)^((ν + 1)/2) = e^boundary.
    power = 2 * boundary / (rates.dof + 1)  # beyond 12 nothing would be excluded that anybody believes
    height = rates.dof / 2 * np.expm1(np.minimum(power, 12.0)) * rates.overdispersion
    return np.where((rates.minutes < MIN_MINUTES) | (power > 12.0), np.inf, height)


def _difference_upper_bound(
    events_b: FloatArray,
    exposure_b: FloatArray,
    events_c: FloatArray,
    exposure_c: FloatArray,
    llr_threshold: FloatArray,
) -> FloatArray:
    """The largest difference c − b whose likelihood has not fallen by `height`. The fall is convex, so Newton's steps end above it and come down."""
    total, exposure = events_b + events_c, exposure_b + exposure_c
    finite = np.where(np.isfinite(llr_threshold), llr_threshold, 1.0)
    spread = (events_b + finite) / exposure_b**2 + (events_c + finite) / exposure_c**2
    at = _safe_divide(events_c, exposure_c) - _safe_divide(events_b, exposure_b) + np.sqrt(2 * finite * spread)
    for _ in range(MAX_NEWTON_STEPS):
        # The likeliest common level solves N·b² + (N·at − K)·b − K_b·at = 0, and the same with the sides changed.
        root = np.sqrt(np.maximum((total - exposure * at) ** 2 + 4 * exposure * events_b * at, 0.0))
        rate_b = _positive_root(total - exposure * at, 4 * exposure * events_b * at, root) / (2 * exposure)
        rate_c = _positive_root(total + exposure * at, -4 * exposure * events_c * at, root) / (2 * exposure)
        fall = _deviance(events_b, exposure_b * rate_b) + _deviance(events_c, exposure_c * rate_c)
        slope = exposure_c - _safe_divide(events_c, rate_c)
        step = _safe_divide(fall - finite, np.where(slope > 0, slope, 0.0))
        at = at - step
        if (np.abs(step) <= NEWTON_TOLERANCE * np.abs(at)).all():
            break
    return np.where(np.isfinite(llr_threshold), at, np.inf)


def _log_ratio_upper_bound(
    events_b: FloatArray,
    exposure_b: FloatArray,
    events_c: FloatArray,
    exposure_c: FloatArray,
    llr_threshold: FloatArray,
) -> FloatArray:
    """The largest log(c / b) whose likelihood, given the number of events in all, has not fallen by `height`; ∞ where b has no events."""
    total = events_b + events_c
    finite = np.where(np.isfinite(llr_threshold), llr_threshold, 1.0)
    odds = np.log(exposure_c) - np.log(exposure_b)  # of an event to be the canary's, were the rates the same
    top = _x_log_y(events_c, _safe_divide(events_c, total)) + _x_log_y(events_b, _safe_divide(events_b, total))
    spread = _safe_divide(np.ones_like(total), events_c + 0.5) + _safe_divide(np.ones_like(total), events_b + 0.5)
    at = (
        np.log((events_c + 0.5) / (events_b + 0.5)) + np.sqrt(2 * finite * spread) + _safe_divide(finite, events_b)
    )  # log odds
    for _ in range(MAX_NEWTON_STEPS):
        # log q = −log(1 + e^−at), log(1 − q) = −log(1 + e^at)
        fall = top + events_c * np.logaddexp(0.0, -at) + events_b * np.logaddexp(0.0, at)
        slope = events_b - total / (1 + np.exp(np.minimum(at, 700.0)))
        step = _safe_divide(fall - finite, np.where(slope > 0, slope, 0.0))
        at = at - step
        if (np.abs(step) <= NEWTON_TOLERANCE).all():
            break
    return np.where(np.isfinite(llr_threshold) & (events_b > 0), at - odds, np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class _ResidualVariance:
    """How residuals scatter so far: their sum of squares, their autocorrelation from one minute to the next and to the one after, and by how many
    times the variance of a minute blocks of BLOCK minutes scatter more, at its lower side while that is uncertain; 0 before there are four."""

    sum_of_squares: FloatArray
    lag_1: FloatArray
    lag_2: FloatArray
    block_factor: FloatArray


def _residual_variance(parts: tuple[FloatArray, ...], factors: tuple[FloatArray, ...]) -> _ResidualVariance:
    """The scatter of Σ factor·part, minute by minute, where the factors are what is known by then: they are re-estimated at every moment.

    Blocks: overlapping batch means (Meketon & Schmeiser 1984), with the memory from each block to the next.
    """
    n = np.arange(1.0, parts[0].shape[-1] + 1)
    squares = np.maximum(_cross_moment(parts, parts, factors), 0.0)
    step = _safe_divide(
        _cross_moment(tuple(part[..., 1:] for part in parts), tuple(part[..., :-1] for part in parts), factors), squares
    )

    two_steps = _safe_divide(
        _cross_moment(tuple(part[..., 2:] for part in parts), tuple(part[..., :-2] for part in parts), factors), squares
    )
    sums = tuple(_running_sum(np.concatenate((np.zeros_like(part[..., :1]), part), axis=-1)) for part in parts)
    blocks = tuple(total[..., BLOCK_MINUTES:] - total[..., :-BLOCK_MINUTES] for total in sums)
    variance = np.maximum(_cross_moment(blocks, blocks, factors), 0.0) / np.maximum(n - BLOCK_MINUTES + 1, 1)
    later, before = (
        tuple(part[..., cut] for part in blocks) for cut in (slice(BLOCK_MINUTES, None), slice(None, -BLOCK_MINUTES))
    )
    next_block = _safe_divide(
        _cross_moment(later, before, factors) / np.maximum(n - 2 * BLOCK_MINUTES + 1, 1), variance
    )
    apart = n / BLOCK_MINUTES  # blocks that do not overlap
    sure = np.clip(150 / n, 0.6, 1.75)  # in standard errors: the longer it was watched, the more it is believed
    memory = _unbiased_autocorrelation(next_block, apart) - sure * np.sqrt(_autocorrelation_variance(next_block, apart))
    memory = np.clip(memory, -0.3, MAX_AUTOCORRELATION)
    times = _safe_divide(variance / BLOCK_MINUTES, squares / n) / (1 + sure * np.sqrt(2 / np.maximum(1.3 * apart, 1)))
    return _ResidualVariance(squares, step, two_steps, np.where(apart >= 4, times * (1 + memory) / (1 - memory), 0.0))


def _cross_moment(
    left: tuple[FloatArray, ...], right: tuple[FloatArray, ...], factors: tuple[FloatArray, ...]
) -> FloatArray:
    """The running sum of (Σ factor·left) (Σ factor·right), every moment with its own factors; series that start later are short at the front."""
    total = np.zeros_like(factors[0])
    length = left[0].shape[-1]
    late = (..., slice(total.shape[-1] - length, None))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            total[late] += factors[i][late] * factors[j][late] * _running_sum(one * other) if length else 0.0
    return total


def _unbiased_autocorrelation(autocorrelation: FloatArray, n: FloatArray) -> FloatArray:
    """An autocorrelation at one step that was estimated from n values, without its bias towards −1/n."""
    return np.where(n > 4, (n * autocorrelation + 1) / np.maximum(n - 3, 1), 0.0)


def _autocorrelation_variance(autocorrelation: FloatArray, n: FloatArray) -> FloatArray:
    """The variance of that estimate (Bartlett 1946)."""
    return np.maximum(1 - np.clip(_unbiased_autocorrelation(autocorrelation, n), -1, 1) ** 2, 0.0) / n


def _shrink(estimate: FloatArray, variance: FloatArray) -> FloatArray:
    """What was found, if it is positive and large beside the variance of its error; towards 0 otherwise."""
    return np.where(estimate > 0, estimate**3 / np.maximum(estimate**2 + variance, 1e-300), 0.0)


def _masked_long_run_factor(
    lag_1: FloatArray, lag_2: FloatArray, variance: FloatArray, share: FloatArray
) -> FloatArray:
    """How many times the variance of a minute the long run has, where only a `share` of it can have memory: what chance adds to a count has none.

    From one minute to the next memory then looks weaker than it is, but it fades from one step to two as it really does. How it fades is taken at
    its upper side; all of it counts by the square of the share, so that it costs nothing where counts scatter as independent events do.
    """
    fades = _safe_divide(lag_2 + 2 * np.sqrt(variance), np.where(lag_1 > 0, lag_1, 0.0))
    seen = _shrink(lag_1, 2 * variance) * (1 + 3 * np.sqrt(variance))
    times: FloatArray = 1 + 2 * share**2 * seen / (1 - np.clip(fades, 0.0, MAX_AUTOCORRELATION))
    return times


def _long_run_factor(autocorrelation: FloatArray) -> FloatArray:
    """How many times the variance of a minute the long run has, for an AR(1)."""
    autocorrelation = np.clip(autocorrelation, 0.0, MAX_AUTOCORRELATION)
    return (1 + autocorrelation) / (1 - autocorrelation)


def _positive_root(b: FloatArray, product: FloatArray, root: FloatArray) -> FloatArray:
    """b + √(b² + product) without cancellation."""
    return np.where(b >= 0, b + root, _safe_divide(product, root - b))


def _deviance(events: FloatArray, expected: FloatArray) -> FloatArray:
    """By how much the log-likelihood of a Poisson count falls from its top when so many are expected."""
    return np.maximum(_x_log_y(events, _safe_divide(events, expected)) - (events - expected), 0.0)


def _x_log_y(x: FloatArray, y: FloatArray) -> FloatArray:
    return x * np.log(np.where(y > 0, y, 1.0))


def _running_sum(values: FloatArray) -> FloatArray:
    total: FloatArray = np.cumsum(values, axis=-1)
    return total


def _safe_divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """part / whole; 0 where the whole is 0."""
    ratio: FloatArray = np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator != 0)
    return ratio
