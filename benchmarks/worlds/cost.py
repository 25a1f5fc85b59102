"""Coverage of the cost interval: errors of the canary beyond those that its requests would have met on the baseline."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.retrospective.impact import PairedBuckets, excess_errors
from analysis.series.grid import FloatArray
from benchmarks.worlds import WorldRow, ar1

BUCKET_MINUTES = 10


@dataclass(frozen=True, slots=True)
class CostWorld:
    """1,200 requests a minute, more by day; the canary has `share` of them, and equal errors, at `rate`.

    `storms`: every other hour each fleet has its own minute with 1,000 to 2,000 errors at half of the traffic ("even"), or at least 1,000 (Pareto,
    shape 1.5). `phi`: log-AR(1) of each fleet's rate by minutes, with a standard deviation of 0.3.
    """

    hours: int
    share: float = 0.5
    rate: float = 2e-3
    storms: str = ""
    phi: float | None = None


def covered(random: np.random.Generator, reps: int, world: CostWorld) -> FloatArray:
    """Whether the 95% interval covers the excess over a third fleet, which has the canary's requests and the baseline's errors."""
    shape = (reps, world.hours * 60)
    served = random.poisson(1200 * (1 + 0.3 * np.cos(2 * np.pi * np.arange(shape[1]) / 1440)), shape)
    requests_c = random.binomial(served, world.share)

    def errors(requests: FloatArray) -> FloatArray:
        wander = np.ones(shape) if world.phi is None else np.exp(ar1(random, shape, world.phi, 0.3) - 0.045)
        result = random.poisson(requests * world.rate * wander).astype(float)
        if world.storms:
            size = 1 + (random.pareto(1.5, shape) if world.storms == "Pareto" else random.random(shape))
            result += (random.random(shape) < 1 / 120) * random.poisson(1000 * size * requests / 600)
        return result

    counts = [errors(served - requests_c), served - requests_c, errors(requests_c), requests_c]
    without_migration = errors(requests_c).sum(axis=1)
    buckets = [count.reshape(reps, -1, BUCKET_MINUTES).sum(axis=2).astype(float) for count in counts]
    ts = np.arange(buckets[0].shape[1]) * BUCKET_MINUTES * 60
    hits = np.zeros(reps)
    for rep in range(reps):
        result = excess_errors([PairedBuckets(ts, *(count[rep] for count in buckets))])
        truth = counts[2][rep].sum() - without_migration[rep]
        hits[rep] = result.lower is not None and result.upper is not None and result.lower <= truth <= result.upper
    return hits


WORLDS = {
    "independent errors, 24 h": CostWorld(24),
    "own storms, 8 h": CostWorld(8, storms="even"),
    "own storms, 24 h": CostWorld(24, storms="even"),
    "own storms, canary at 10%, 24 h": CostWorld(24, share=0.1, storms="even"),
    "own storms, five days": CostWorld(120, storms="even"),
    "own storms of any size, 24 h": CostWorld(24, storms="Pareto"),
    "AR(1) φ = 0.98, 8 h": CostWorld(8, phi=0.98),
    "AR(1) φ = 0.98, 24 h": CostWorld(24, phi=0.98),
    "AR(1) φ = 0.98, ten times the errors, 24 h": CostWorld(24, rate=2e-2, phi=0.98),
    "AR(1) φ = 0.98, five days": CostWorld(120, phi=0.98),
}


def rows() -> list[WorldRow]:
    return [
        (f"cost, 95% interval covers: {name}", partial(covered, world=world), "—", ("≥", 90), "share")
        for name, world in WORLDS.items()
    ]
