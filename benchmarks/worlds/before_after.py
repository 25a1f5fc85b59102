"""The week before the migration against the week after, if nothing changed, or if p95 did."""

from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np

from analysis.retrospective.before_after import ComparedMeasure, before_after
from analysis.retrospective.timeline import FleetTimeline, Timeline
from analysis.series.grid import FloatArray
from benchmarks.worlds import WorldRow
from domain import Window
from domain.window import DAY_S, HOUR_S

BEFORE, AFTER = 2900 * 7 * DAY_S, 2904 * 7 * DAY_S


@dataclass(frozen=True, slots=True)
class WeeksWorld:
    """100,000 requests an hour, more by day. Each day has its own level of requests, error rate and p95 (lognormal, `day_sd`), each hour 3% more.

    `ratio`: of the week after to that before.
    """

    measure: ComparedMeasure
    day_sd: float
    ratio: float = 1.0


def week(random: np.random.Generator, start: int, day_sd: float, ratio: float) -> Timeline:
    def level() -> FloatArray:
        return np.repeat(np.exp(random.normal(0, day_sd, 7)), 24) * np.exp(random.normal(0, 0.03, 168))

    requests = random.poisson(1e5 * level() * (1 + 0.3 * np.cos(2 * np.pi * np.arange(168) / 24))).astype(float)
    errors, p95 = random.poisson(requests * 2e-3 * level() * ratio).astype(float), 0.2 * level() * ratio
    known, none, periods = np.ones(168, dtype=bool), np.full(168, np.nan), np.ones(168, dtype=np.int64)
    fleet = FleetTimeline(requests, errors, p95, p95, p95, periods, known, none)
    empty = FleetTimeline(none, none, none, none, none, 0 * periods, ~known, none)
    return Timeline(start + np.arange(168) * HOUR_S, HOUR_S, {"baseline": fleet, "canary": empty})


def ever_excludes_zero(random: np.random.Generator, reps: int, world: WeeksWorld) -> FloatArray:
    """Whether the interval excludes 0 on any day of the week after."""
    hits = np.zeros(reps)
    for rep in range(reps):
        before = week(random, BEFORE, world.day_sd, 1.0)
        after = week(random, AFTER, world.day_sd, world.ratio)
        for days in (5, 6, 7):
            seen = Timeline(
                after.ts[: days * 24],
                HOUR_S,
                {
                    fleet: FleetTimeline(*(getattr(series, name)[: days * 24] for name in FleetTimeline.__slots__))
                    for fleet, series in after.fleets.items()
                },
            )
            result = before_after(
                Window(BEFORE, BEFORE + 7 * DAY_S), before, Window(AFTER, AFTER + days * DAY_S), seen, ZoneInfo("UTC")
            )
            change = next(change for change in result.changes if change.measure == world.measure)
            hits[rep] += change.lower is None or change.upper is None or not change.lower <= 0 <= change.upper
    return (hits > 0).astype(float)


def rows() -> list[WorldRow]:
    equal: list[WorldRow] = [
        (f"before and after, {sd:.0%} day effects: 0 excluded ({measure})", partial(ever_excludes_zero, world=WeeksWorld(measure, sd)), "—", ("≤", 5), "share")
        for measure, sd in (("requests", 0.05), ("error_rate", 0.05), ("p95", 0.05), ("p95", 0.0), ("error_rate", 0.3))
    ]  # fmt: skip
    changed = WeeksWorld("p95", 0.05, 1.2)
    return [*equal, ("… p95 +20%: found within the week", partial(ever_excludes_zero, world=changed), "—", ("≥", 90), "share")]  # fmt: skip
