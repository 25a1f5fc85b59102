"""Many equal routes, some of which have no traffic at first: any false alarm. And how soon a worse one is found."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.endpoints.endpoints import route_comparisons
from analysis.parity.confidence_sequences import MIN_MINUTES, log_ratio_bounds, running_rates
from analysis.parity.intervals import ALPHA_PER_SIDE
from analysis.series.grid import FloatArray
from benchmarks.worlds import WorldRow


@dataclass(frozen=True, slots=True)
class RoutesWorld:
    """`routes` with 60 requests a minute of each fleet and 3 errors, from minute 0 on if they are in the `early` part, else from one in the `minutes`.

    `ratio`: of the canary's error rate to the baseline's, on the first route. `rule`: "blocks" is ours; "growing": α by the number of routes so far.
    """

    routes: int
    early: float
    minutes: int = 240
    ratio: float = 1.0
    rule: str = "blocks"


def first_alarm(random: np.random.Generator, world: RoutesWorld) -> tuple[float, float]:
    """The first minute with an alarm on any route, and on the first one; ∞ without."""
    begins = np.where(
        np.arange(world.routes) < world.early * world.routes, 0, random.integers(0, world.minutes - 20, world.routes)
    )
    judgeable_after = begins + MIN_MINUTES
    alarms = np.zeros((world.routes, world.minutes), dtype=bool)
    for route, begin in enumerate(begins):
        n = np.full((1, world.minutes - begin), 60.0)
        ratio = world.ratio if route == 0 else 1.0
        b, c = (random.poisson(3.0 * factor, n.shape).astype(float) for factor in (1.0, ratio))
        elapsed = np.arange(begin, world.minutes) + 1
        if world.rule == "growing":
            comparisons = np.searchsorted(np.sort(judgeable_after), elapsed, side="right")
        else:
            ends = MIN_MINUTES * 2 ** np.arange(12)
            at_ends = [route_comparisons(judgeable_after, int(end), 1)[route] for end in ends]
            comparisons = np.array(at_ends)[np.maximum(np.searchsorted(ends, elapsed, side="right") - 1, 0)]
        lower, upper = log_ratio_bounds(running_rates(b, n, c, n), ALPHA_PER_SIDE / np.maximum(comparisons, 1))
        alarms[route, begin:] = ((lower > 0) | (upper < 0))[0]
    first = [np.argmax(any_) + 1.0 if any_.any() else np.inf for any_ in (alarms.any(axis=0), alarms[0])]
    return first[0], first[1]


def any_alarm(random: np.random.Generator, reps: int, world: RoutesWorld) -> FloatArray:
    return np.array([float(np.isfinite(first_alarm(random, world)[0])) for _ in range(reps)])


def found(random: np.random.Generator, reps: int, world: RoutesWorld) -> FloatArray:
    return np.array([first_alarm(random, world)[1] for _ in range(reps)])


def rows() -> list[WorldRow]:
    table: list[WorldRow] = []
    for rule in ("blocks", "growing"):
        goal = ("≤", 5.0) if rule == "blocks" else None
        for routes, early in ((20, 1.0), (20, 0.1)):
            world = RoutesWorld(routes, early, rule=rule)
            name = f"routes, {rule}: {routes} equal, {early:.0%} from the start, 4 h: any alarm"
            table.append((name, partial(any_alarm, world=world), "—", goal, "share"))
        worse = RoutesWorld(20, 1.0, ratio=2.0, rule=rule, minutes=120)
        table.append((f"… {rule}, one × 2: minutes to worse", partial(found, world=worse), "—", None, "median"))
    return table
