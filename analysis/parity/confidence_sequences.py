"""Intervals that hold at every look: what minutes so far say about a difference between two sides. docs/MATH.md has the derivations.

Every function takes arrays whose last axis is time and answers for every moment at once, from sums over the minutes so far; axes before it are
worlds that do not know of each other. So one code makes the verdict of now, the ribbon over a day, and the simulations that prove both.
"""

from dataclasses import dataclass

import numpy as np

from analysis.series.grid import Values

FEWEST_MINUTES = 10  # before that nothing is known of how the minutes scatter, and nothing is said

# The normal mixture that spends alpha over time: where it is tightest. Set by the traffic that migrations have, not by any data set.
RATIO_SCALE = 1.25  # of log rate ratios: most alternatives that matter lie within a factor of e or so
TIGHTEST_AT = 10.0  # of paired differences, in minutes: the interval is tightest at about eight times as many

STEPS = 40  # of Newton's at most, until they are CLOSE: it is convex, so they never miss
CLOSE = 1e-10

# How far the minutes' own scatter is believed. See docs/MATH.md, "What was tuned".
LONGEST_MEMORY = 0.98
EARLY = 10.0  # minutes: what is not known yet of bursts and of memory is assumed, and fades as (EARLY / n)²…³
BLOCK = 15  # minutes: memory that one minute does not show may show in blocks


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What is known by each minute of two rates: events and exposures (matched minute by minute), and by how much they scatter beyond chance."""

    minutes: Values
    events_b: Values
    exposure_b: Values
    events_c: Values
    exposure_c: Values
    inflation: Values  # ≥ 1: variance of the difference over that of independent events
    freedom: Values  # how well that is known, in degrees of freedom; ∞ where independent events explain it all

    @property
    def rate_b(self) -> Values:
        return _over(self.events_b, self.exposure_b)

    @property
    def rate_c(self) -> Values:
        return _over(self.events_c, self.exposure_c)


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """What is known by each minute of a paired difference: its mean, its variance in a minute, and how many independent minutes they amount to."""

    minutes: Values
    mean: Values
    variance: Values
    effective: Values


def counts(events_b: Values, requests_b: Values, events_c: Values, requests_c: Values) -> Counts:
    """Events among requests of both sides, minute by minute (requests > 0 on both), as running evidence.

    Each minute weighs w = N_b·N_c / (N_b + N_c) on both sides (Mantel & Haenszel 1959), so that an hour with another split or a shared burst
    cannot pass for a difference; with a constant split these are the plain totals. Exposure is effective: (Σw)² / Σ(w²/N).
    """
    n = np.arange(1.0, events_b.shape[-1] + 1)
    w = requests_b * requests_c / (requests_b + requests_c)
    a, b = w * events_c / requests_c, w * events_b / requests_b
    weight, sum_a, sum_b = _sum(w), _sum(a), _sum(b)
    exposure_b, exposure_c = weight**2 / _sum(w**2 / requests_b), weight**2 / _sum(w**2 / requests_c)
    events_b_, events_c_ = sum_b / weight * exposure_b, sum_a / weight * exposure_c

    # Residuals r = f_b·a − f_c·b have mean 0 whatever both sides share, if only the ratio of the rates is constant. Half an event more on each
    # side keeps a side that has none yet from hiding the other's bursts.
    f_b, f_c = (events_b_ + 0.5) / exposure_b, (events_c_ + 0.5) / exposure_c
    scatter = _scatter((a, b, w), (f_b, -f_c, -(f_b * sum_a - f_c * sum_b) / weight))

    # What independent events would give: the variance, and the variance of its estimate.
    part_a, part_b = f_b**2 * _sum(w**2 * events_c / requests_c**2), f_c**2 * _sum(w**2 * events_b / requests_b**2)
    chance = part_a + part_b
    fourth = f_b**4 * _sum(w**4 * events_c / requests_c**4) + f_c**4 * _sum(w**4 * events_b / requests_b**4)
    excess = np.maximum(_over(scatter.squares, chance) * n / np.maximum(n - 1, 1) - 1, 0.0)
    excess = _shrunk(excess, 2 * (2 / n + _over(fourth, chance**2))) * (1 + EARLY / np.sqrt(n))
    in_a_minute = _over(part_a * events_c_ + part_b * events_b_, chance) / n  # that many events could be one burst
    error = _error(scatter.step, n)
    memory = _shrunk(_unbiased(scatter.step, n), 4 * error)
    hidden = _under_noise(_unbiased(scatter.step, n), _unbiased(scatter.two_steps, n), error, excess / (1 + excess))
    memory = np.maximum(np.maximum(_long_run(memory * (1 + 2 * np.sqrt(error))), hidden), scatter.by_blocks)
    inflation = (1 + excess + in_a_minute * (EARLY / n) ** 3) * np.maximum(memory, 1.0)
    # Satterthwaite's: only the scatter beyond chance had to be estimated, from so many minutes as do not resemble each other.
    freedom = np.maximum(n / memory - 1, 0.1) * np.square(inflation / np.maximum(inflation - 1, 1e-9))
    return Counts(n, events_b_, exposure_b, events_c_, exposure_c, inflation, freedom)


def difference_bounds(known: Counts, alpha: float | Values) -> tuple[Values, Values]:
    """Where the difference of the rates (canary − baseline) lies: each bound is wrong at any time with probability ≤ alpha.

    The likelihood of two Poisson rates under a given difference, at its best common level (Miettinen & Nurminen 1985), divided by the inflation
    and held against the mixture's boundary. Without events the bounds are what so many requests without any can say.
    """
    height = _height(known, alpha)
    low = -_difference_above(known.events_c, known.exposure_c, known.events_b, known.exposure_b, height)
    high = _difference_above(known.events_b, known.exposure_b, known.events_c, known.exposure_c, height)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def log_ratio_bounds(known: Counts, alpha: float | Values) -> tuple[Values, Values]:
    """Where the logarithm of the rates' ratio (canary / baseline) lies, likewise; ∓∞ where one side has no events yet.

    Given how many events there were in all, the canary's are binomial: the split of rare errors, exact at 1:99 as at 50:50.
    """
    height = _height(known, alpha)
    low = -_log_ratio_above(known.events_c, known.exposure_c, known.events_b, known.exposure_b, height)
    return low, _log_ratio_above(known.events_b, known.exposure_b, known.events_c, known.exposure_c, height)


def differences(values: Values) -> Differences:
    """Paired differences, one a minute, as running evidence.

    Memory between minutes is an AR(1)'s, estimated without its bias (Kendall 1954), shrunk towards none while it is within its own error, and
    taken at its upper side as it grows; and, where blocks of fifteen minutes show more of it than one step does, theirs.
    """
    n = np.arange(1.0, values.shape[-1] + 1)
    mean = _sum(values) / n
    first = values[..., :1]  # sums of squares without the level, for the digits' sake
    moved = np.where(np.abs(values - first) <= 1e-12 * np.abs(values), 0.0, values - first)  # rounding is no scatter
    scatter = _scatter((moved, np.ones_like(values)), (np.ones_like(values), -_sum(moved) / n))
    error = _error(scatter.step, n)
    memory = _shrunk(_unbiased(scatter.step, n), 4 * error)
    long_run = _long_run(memory * (1 + 4 * np.sqrt(error)) + 0.2 * (EARLY / n) ** 2)
    long_run = np.maximum(long_run, scatter.by_blocks)
    return Differences(n, mean, scatter.squares / np.maximum(n - 1, 1), n / long_run)


def mean_bounds(known: Differences, alpha: float) -> tuple[Values, Values]:
    """Where the mean difference lies: each bound is wrong at any time with probability ≤ alpha.

    The t-test's e-process with a normal mixture over effect sizes (Wang & Ramdas 2024; Pérez-Ortiz et al. 2024), on effective minutes.
    """
    n, x = known.effective, known.effective / TIGHTEST_AT
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        c = np.exp((np.log1p(x) - 2 * np.log(2 * alpha)) / n)
        t2 = np.where(c < 1 + x, (c - 1) / (1 - c / (1 + x)), np.inf)
        half = np.sqrt(t2 * np.maximum(n - 1, 0.0) * known.variance / n)
    half = np.where((known.variance == 0) & np.isfinite(t2), 0.0, half)
    half = np.where((known.minutes < FEWEST_MINUTES) | np.isnan(half) | (n <= 1), np.inf, half)
    return known.mean - half, known.mean + half


def recent_mean_above(mean: Values, minutes: Values, history: Differences, alpha: Values) -> Values:
    """A lower bound for the mean of some `minutes` that came after `history`, whose scatter and memory they are taken to have."""
    effective = np.maximum(minutes, 1e-9) * history.effective / history.minutes
    x = effective / TIGHTEST_AT
    boundary = (1 + x) / x * (np.log1p(x) / 2 - np.log(2 * alpha))
    freedom = np.maximum(history.effective - 1, 0.1)
    half = np.sqrt(freedom * np.expm1(np.minimum(2 * boundary / (freedom + 1), 30.0)) * history.variance / effective)
    return np.where(minutes > 0, mean - half, -np.inf)


def _height(known: Counts, alpha: float | Values) -> Values:
    """How far the log-likelihood may fall from its top before a value is out: the one-sided normal mixture's boundary (Robbins 1970), inflated."""
    events, exposure = known.events_b + known.events_c, known.exposure_b + known.exposure_c
    information = events * _over(known.exposure_b * known.exposure_c, exposure**2) / known.inflation
    x = np.maximum(information, 0.25) * RATIO_SCALE**2
    boundary = (1 + x) / x * (np.log1p(x) / 2 - np.log(2 * alpha))
    # The same evidence from a t statistic: (1 + t²/ν)^((ν + 1)/2) = e^boundary.
    power = 2 * boundary / (known.freedom + 1)  # beyond 12 nothing would be excluded that anybody believes
    height = known.freedom / 2 * np.expm1(np.minimum(power, 12.0)) * known.inflation
    return np.where((known.minutes < FEWEST_MINUTES) | (power > 12.0), np.inf, height)


def _difference_above(
    events_b: Values, exposure_b: Values, events_c: Values, exposure_c: Values, height: Values
) -> Values:
    """The largest difference c − b whose likelihood has not fallen by `height`. The fall is convex, so Newton's steps end above it and come down."""
    total, exposure = events_b + events_c, exposure_b + exposure_c
    finite = np.where(np.isfinite(height), height, 1.0)
    spread = (events_b + finite) / exposure_b**2 + (events_c + finite) / exposure_c**2
    at = _over(events_c, exposure_c) - _over(events_b, exposure_b) + np.sqrt(2 * finite * spread)
    for _ in range(STEPS):
        # The likeliest common level solves N·b² + (N·at − K)·b − K_b·at = 0, and the same with the sides changed.
        root = np.sqrt(np.maximum((total - exposure * at) ** 2 + 4 * exposure * events_b * at, 0.0))
        rate_b = _positive_root(total - exposure * at, 4 * exposure * events_b * at, root) / (2 * exposure)
        rate_c = _positive_root(total + exposure * at, -4 * exposure * events_c * at, root) / (2 * exposure)
        fall = _deviance(events_b, exposure_b * rate_b) + _deviance(events_c, exposure_c * rate_c)
        slope = exposure_c - _over(events_c, rate_c)
        step = _over(fall - finite, np.where(slope > 0, slope, 0.0))
        at = at - step
        if (np.abs(step) <= CLOSE * np.abs(at)).all():
            break
    return np.where(np.isfinite(height), at, np.inf)


def _log_ratio_above(
    events_b: Values, exposure_b: Values, events_c: Values, exposure_c: Values, height: Values
) -> Values:
    """The largest log(c / b) whose likelihood, given the number of events in all, has not fallen by `height`; ∞ where b has no events."""
    total = events_b + events_c
    finite = np.where(np.isfinite(height), height, 1.0)
    odds = np.log(exposure_c) - np.log(exposure_b)  # of an event to be the canary's, were the rates the same
    top = _times_log(events_c, _over(events_c, total)) + _times_log(events_b, _over(events_b, total))
    spread = _over(np.ones_like(total), events_c + 0.5) + _over(np.ones_like(total), events_b + 0.5)
    at = (
        np.log((events_c + 0.5) / (events_b + 0.5)) + np.sqrt(2 * finite * spread) + _over(finite, events_b)
    )  # log odds
    for _ in range(STEPS):
        # log q = −log(1 + e^−at), log(1 − q) = −log(1 + e^at)
        fall = top + events_c * np.logaddexp(0.0, -at) + events_b * np.logaddexp(0.0, at)
        slope = events_b - total / (1 + np.exp(np.minimum(at, 700.0)))
        step = _over(fall - finite, np.where(slope > 0, slope, 0.0))
        at = at - step
        if (np.abs(step) <= CLOSE).all():
            break
    return np.where(np.isfinite(height) & (events_b > 0), at - odds, np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class _Scatter:
    """How residuals scatter so far: their sum of squares, their autocorrelation from one minute to the next and to the one after, and by how many
    times the variance of a minute blocks of BLOCK minutes scatter more, at its lower side while that is uncertain; 0 before there are four."""

    squares: Values
    step: Values
    two_steps: Values
    by_blocks: Values


def _scatter(parts: tuple[Values, ...], factors: tuple[Values, ...]) -> _Scatter:
    """The scatter of Σ factor·part, minute by minute, where the factors are what is known by then: they are re-estimated at every moment.

    Blocks: overlapping batch means (Meketon & Schmeiser 1984), with the memory from each block to the next.
    """
    n = np.arange(1.0, parts[0].shape[-1] + 1)
    squares = np.maximum(_moment(parts, parts, factors), 0.0)
    step = _over(
        _moment(tuple(part[..., 1:] for part in parts), tuple(part[..., :-1] for part in parts), factors), squares
    )

    two_steps = _over(
        _moment(tuple(part[..., 2:] for part in parts), tuple(part[..., :-2] for part in parts), factors), squares
    )
    sums = tuple(_sum(np.concatenate((np.zeros_like(part[..., :1]), part), axis=-1)) for part in parts)
    blocks = tuple(total[..., BLOCK:] - total[..., :-BLOCK] for total in sums)
    variance = np.maximum(_moment(blocks, blocks, factors), 0.0) / np.maximum(n - BLOCK + 1, 1)
    later, before = (tuple(part[..., cut] for part in blocks) for cut in (slice(BLOCK, None), slice(None, -BLOCK)))
    next_block = _over(_moment(later, before, factors) / np.maximum(n - 2 * BLOCK + 1, 1), variance)
    apart = n / BLOCK  # blocks that do not overlap
    sure = np.clip(150 / n, 0.6, 1.75)  # in standard errors: the longer it was watched, the more it is believed
    memory = _unbiased(next_block, apart) - sure * np.sqrt(_error(next_block, apart))
    memory = np.clip(memory, -0.3, LONGEST_MEMORY)
    times = _over(variance / BLOCK, squares / n) / (1 + sure * np.sqrt(2 / np.maximum(1.3 * apart, 1)))
    return _Scatter(squares, step, two_steps, np.where(apart >= 4, times * (1 + memory) / (1 - memory), 0.0))


def _moment(left: tuple[Values, ...], right: tuple[Values, ...], factors: tuple[Values, ...]) -> Values:
    """The running sum of (Σ factor·left) (Σ factor·right), every moment with its own factors; series that start later are short at the front."""
    total = np.zeros_like(factors[0])
    length = left[0].shape[-1]
    late = (..., slice(total.shape[-1] - length, None))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            total[late] += factors[i][late] * factors[j][late] * _sum(one * other) if length else 0.0
    return total


def _unbiased(step: Values, n: Values) -> Values:
    """An autocorrelation at one step that was estimated from n values, without its bias towards −1/n."""
    return np.where(n > 4, (n * step + 1) / np.maximum(n - 3, 1), 0.0)


def _error(step: Values, n: Values) -> Values:
    """The variance of that estimate (Bartlett 1946)."""
    return np.maximum(1 - np.clip(_unbiased(step, n), -1, 1) ** 2, 0.0) / n


def _shrunk(found: Values, error: Values) -> Values:
    """What was found, if it is positive and large beside the variance of its error; towards 0 otherwise."""
    return np.where(found > 0, found**3 / np.maximum(found**2 + error, 1e-300), 0.0)


def _under_noise(step: Values, two_steps: Values, error: Values, share: Values) -> Values:
    """How many times the variance of a minute the long run has, where only a `share` of it can have memory: what chance adds to a count has none.

    From one minute to the next memory then looks weaker than it is, but it fades from one step to two as it really does. How it fades is taken at
    its upper side; all of it counts by the square of the share, so that it costs nothing where counts scatter as independent events do.
    """
    fades = _over(two_steps + 2 * np.sqrt(error), np.where(step > 0, step, 0.0))
    seen = _shrunk(step, 2 * error) * (1 + 3 * np.sqrt(error))
    times: Values = 1 + 2 * share**2 * seen / (1 - np.clip(fades, 0.0, LONGEST_MEMORY))
    return times


def _long_run(memory: Values) -> Values:
    """How many times the variance of a minute the long run has, for an AR(1)."""
    memory = np.clip(memory, 0.0, LONGEST_MEMORY)
    return (1 + memory) / (1 - memory)


def _positive_root(b: Values, product: Values, root: Values) -> Values:
    """b + √(b² + product) without cancellation."""
    return np.where(b >= 0, b + root, _over(product, root - b))


def _deviance(events: Values, expected: Values) -> Values:
    """By how much the log-likelihood of a Poisson count falls from its top when so many are expected."""
    return np.maximum(_times_log(events, _over(events, expected)) - (events - expected), 0.0)


def _times_log(value: Values, argument: Values) -> Values:
    return value * np.log(np.where(argument > 0, argument, 1.0))


def _sum(values: Values) -> Values:
    total: Values = np.cumsum(values, axis=-1)
    return total


def _over(part: Values, whole: Values) -> Values:
    """part / whole; 0 where the whole is 0."""
    ratio: Values = np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)
    return ratio
