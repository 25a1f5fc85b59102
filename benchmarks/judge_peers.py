"""Other judges, re-implemented from their publications, on the counts or percentiles of minutes: 1 worse, −1 better, 0 neither, after each minute."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from analysis.series.grid import FloatArray

Signs = npt.NDArray[np.int8]
# From events and requests of the baseline, then of the canary, per minute.
RatePeer = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], Signs]

ALPHA = 0.05
GROWTHBOOK_TUNING = 5000  # requests at which its interval is tightest
SAVVI_PRIOR = 100.0  # requests that its prior is worth
KAYENTA_EVERY, KAYENTA_Z, KAYENTA_TOLERANCE = 5, 2.326, 0.25
RULE_MINUTES, RULE_RATIO, RULE_DIFFERENCE = 5, 2.0, 0.0005


def growthbook(b: FloatArray, n_b: FloatArray, c: FloatArray, n_c: FloatArray) -> Signs:
    """GrowthBook's sequential test: the asymptotic confidence sequence of Waudby-Smith et al. for the difference of proportions."""
    k_b, k_c, total_b, total_c = (np.cumsum(values) for values in (b, c, n_b, n_c))
    p_b, p_c, n = k_b / total_b, k_c / total_c, total_b + total_c
    variance = n * (p_b * (1 - p_b) / total_b + p_c * (1 - p_c) / total_c)
    rho2 = (-2 * np.log(ALPHA) + np.log(-2 * np.log(ALPHA) + 1)) / GROWTHBOOK_TUNING
    half = np.sqrt(variance * 2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / ALPHA))
    return _signs(p_c - p_b, half)


_log_gamma = np.vectorize(math.lgamma, otypes=[float])


def savvi(b: FloatArray, n_b: FloatArray, c: FloatArray, n_c: FloatArray) -> Signs:
    """The closed form of Lindon & Malek (2022), as in Netflix's savvi: is the canary's share of the errors its share of the requests?"""
    share = n_c.sum() / (n_b.sum() + n_c.sum())
    k_c, k = np.cumsum(c), np.cumsum(b + c)
    prior_c, prior_b = SAVVI_PRIOR * share, SAVVI_PRIOR * (1 - share)
    log_factor = _log_beta(prior_c + k_c, prior_b + k - k_c) - _log_beta(np.array(prior_c), np.array(prior_b))
    log_factor -= k_c * np.log(share) + (k - k_c) * np.log1p(-share)
    return np.where(log_factor >= -np.log(ALPHA), np.sign(k_c - share * k), 0).astype(np.int8)


def _log_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    result: FloatArray = _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)
    return result


def kayenta(baseline: FloatArray, canary: FloatArray) -> Signs:
    """Kayenta's classifier on the values of all minutes so far: Mann–Whitney at 98%, and medians that differ by more than a quarter."""
    signs = np.zeros(len(baseline), dtype=np.int8)
    for end in range(KAYENTA_EVERY, len(baseline) + 1, KAYENTA_EVERY):
        b, c = baseline[:end], canary[:end]
        values, index, counts = np.unique(np.concatenate((b, c)), return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[index]
        u = ranks[end:].sum() - end * (end + 1) / 2 - end**2 / 2
        ties = (counts**3 - counts).sum() / (2 * end * (2 * end - 1))
        deviation = np.sqrt(end**2 / 12 * (2 * end + 1 - ties))
        shift = np.mean(c) / max(np.mean(b), 1e-12) - 1
        if len(values) > 1 and abs(u) > KAYENTA_Z * deviation and abs(shift) > KAYENTA_TOLERANCE:
            signs[end - 1 : end - 1 + KAYENTA_EVERY] = np.sign(u)
    return signs


def threshold_rule(b: FloatArray, n_b: FloatArray, c: FloatArray, n_c: FloatArray) -> Signs:
    """In the last five minutes, twice the other's rate, and 0.05 pp above it."""
    sums = [np.convolve(values, np.ones(RULE_MINUTES))[: len(values)] for values in (b, n_b, c, n_c)]
    rate_b, rate_c = sums[0] / sums[1], sums[2] / sums[3]
    worse = (rate_c > RULE_RATIO * rate_b) & (rate_c - rate_b > RULE_DIFFERENCE)
    better = (rate_b > RULE_RATIO * rate_c) & (rate_b - rate_c > RULE_DIFFERENCE)
    return worse.astype(np.int8) - better.astype(np.int8)


def _signs(difference: FloatArray, half: FloatArray) -> Signs:
    return np.where(np.abs(difference) > half, np.sign(difference), 0).astype(np.int8)
