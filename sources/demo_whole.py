"""The demo's latency over a long period: the minutes' distributions mixed, each with the weight of its answers, and the mixture asked for percentiles."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from migration import FleetName, Window
from migration.latencies import LADDER_S, Latencies
from migration.series import PERCENTILES
from sources.demo_numbers import LONGEST_S, Floats, Mixture, average, mixtures, share_within
from sources.demo_story import Story

_HALVINGS = 40  # of the interval in which a percentile lies, as a logarithm: to far less than a microsecond


def latencies(
    story: Story, window: Window, *, now: int, fleets: Mapping[str, FleetName], slow_thresholds_s: Iterable[float]
) -> tuple[Latencies, ...]:
    """Every target group of `fleets` (group → fleet) that answered anything in `window`."""
    thresholds_s = sorted({*LADDER_S, *slow_thresholds_s})
    every = mixtures(story, np.arange(window.start, window.end, 60, dtype=np.int64), now=now)
    return tuple(
        Latencies(
            fleet=fleet,
            target_group=group,
            requests=float(every[group].requests.sum()),
            answers=float(every[group].answered.sum()),
            average_s=round(_mean(every[group], average(every[group].median, every[group].stretch)), 6),
            percentiles={name: round(_percentile(every[group], float(name[1:]) / 100), 6) for name in PERCENTILES},
            within={threshold_s: round(_share(every[group], threshold_s), 6) for threshold_s in thresholds_s},
        )
        for group, fleet in fleets.items()
        if every[group].answered.any()
    )


def _share(mixture: Mixture, threshold_s: float) -> float:
    """The share of all answers that took at most `threshold_s`: shares do add up, weighted by the answers."""
    if threshold_s >= LONGEST_S:
        return 1.0
    return _mean(mixture, share_within(mixture.median, mixture.stretch, threshold_s))


def _percentile(mixture: Mixture, share: float) -> float:
    """The seconds within which this share of all answers came: `_share` turned around, by halving."""
    low, high = math.log(1e-6), math.log(LONGEST_S)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _share(mixture, math.exp(middle)) < share else (low, middle)
    return math.exp(high)


def _mean(mixture: Mixture, value: Floats) -> float:
    return float(np.average(value, weights=mixture.answered))
