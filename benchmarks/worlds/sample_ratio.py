"""The sample ratio of a load balancer that follows its weights, with sessions that stay on a fleet or not, and of one that does not."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis import ExpectedShare
from analysis.series.grid import FloatArray
from analysis.series.sample_ratio import first_counted, share_half_width
from benchmarks.worlds import WorldRow, ar1
from domain.window import MINUTE_S


@dataclass(frozen=True, slots=True)
class SplitWorld:
    """`rpm` requests a minute (Poisson), of which the canary gets `share` (binomial) of `expected`, wandering by the part `wander` of it.

    The wander is an AR(1) that forgets in `wander_minutes`. `healthy_minutes`: before them the share is the expected one.
    """

    rpm: float
    expected: float
    share: float
    wander: float = 0.0
    wander_minutes: float = 60.0
    sticky: bool = False
    minutes: int = 480
    healthy_minutes: int = 0


def first_mismatch(random: np.random.Generator, reps: int, world: SplitWorld) -> FloatArray:
    """Minutes from the mismatch until "differs", looking every five minutes; ∞ without it."""
    shape = (reps, world.minutes)
    wander = ar1(random, shape, float(np.exp(-1 / world.wander_minutes)), world.wander)
    level = np.where(np.arange(world.minutes) < world.healthy_minutes, world.expected, world.share)
    total = random.poisson(world.rpm, shape)
    canary = random.binomial(total, np.clip(level * (1 + wander), 0, 1))
    lower, upper = ExpectedShare(world.expected, sticky=world.sticky).bounds
    delays = np.full(reps, np.inf)
    for look in range(world.minutes // 5 * 5, world.healthy_minutes, -5):
        start = max(0, first_counted(look * MINUTE_S) // MINUTE_S)
        canary_so_far, total_so_far = (counts[:, start:look].astype(float) for counts in (canary, total))
        share = canary_so_far.sum(axis=1) / total_so_far.sum(axis=1)
        half_width = share_half_width(canary_so_far, total_so_far, world.expected)
        delays[(share + half_width < lower) | (share - half_width > upper)] = look - world.healthy_minutes
    return delays


def ever_differs(random: np.random.Generator, reps: int, world: SplitWorld) -> FloatArray:
    return np.isfinite(first_mismatch(random, reps, world)).astype(float)


def rows() -> list[WorldRow]:
    table: list[WorldRow] = []
    for rpm, share in ((1200.0, 0.5), (1200.0, 0.1), (100.0, 0.1), (6000.0, 0.01)):
        world = SplitWorld(rpm, share, share)
        table.append((f"sample ratio, {rpm:,g}/min at {share:.0%}, 8 h: differs", partial(ever_differs, world=world), "—", ("≤", 5), "share"))  # fmt: skip
    for wander, minutes in ((0.05, 30), (0.05, 240), (0.1, 10), (0.1, 60), (0.1, 240), (0.2, 10), (0.2, 60), (0.2, 240)):  # fmt: skip
        world = SplitWorld(1200.0, 0.1, 0.1, wander, minutes, sticky=True)
        name = f"… sticky, 1,200/min at 10%, wander ±{wander:.0%} over {minutes} min: differs"
        table.append((name, partial(ever_differs, world=world), "—", ("≤", 5), "share"))
    for name, world in {
        "30% instead of 50%, 1,200/min": SplitWorld(1200.0, 0.5, 0.3, minutes=120),
        "… sticky": SplitWorld(1200.0, 0.5, 0.3, sticky=True, minutes=120),
        "… sticky, wander ±5% over 30 min": SplitWorld(1200.0, 0.5, 0.3, 0.05, 30, sticky=True, minutes=120),
        "… sticky, 100/min": SplitWorld(100.0, 0.5, 0.3, sticky=True, minutes=120),
        "… sticky, after 7.5 h": SplitWorld(1200.0, 0.5, 0.3, sticky=True, minutes=600, healthy_minutes=450),
    }.items():
        goal = None if "after" in name else ("≤", 60.0)
        table.append((f"sample ratio, {name}: minutes to differs", partial(first_mismatch, world=world), "—", goal, "90%"))  # fmt: skip
    return table
