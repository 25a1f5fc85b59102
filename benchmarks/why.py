"""Whether "why" names the cause first, and nothing without one: `python -m benchmarks.why --help`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import typer

from analysis.endpoints.why import Why, counted_traits, explain
from domain import FleetName
from domain.log_counts import COUNTS, FAILED, TRAIT_BLOCK_S, TRAITS

START = 1_789_992_000
FLEETS: Mapping[str, FleetName] = {"photo-ec2": "baseline", "photo-ecs": "canary"}
ZONES = {"10.0.0.0/24": "a", "10.0.1.0/24": "b", "10.0.2.0/24": "c"}
N_TARGETS = 20
AGENTS = {"Safari · iOS": 0.35, "Chrome · Android": 0.25, "Chrome · Windows": 0.2, "okhttp": 0.12, "Bot": 0.08}
ROUTES = 12
REQUESTS = 60_000  # of each fleet in an hour
ERROR_RATE = 0.002
EXTRA = 0.03  # of the requests with the bad value fail beside
MIN_NAMED, MAX_FALSE = 0.9, 0.05


@dataclass(frozen=True, slots=True)
class World:
    """`trait` and `value`: the cause, of the canary; None without one. `uneven`: some routes fail more, and clients prefer routes, on both fleets."""

    name: str
    trait: str | None = None
    value: str = ""
    uneven: bool = True


BAD_TARGET = "10.0.1.7:8080"
WORLDS = (
    World("one bad target of 20", "target", BAD_TARGET),
    World("one bad user agent", "agent", "okhttp"),
    World("one bad zone", "zone", "b"),
    World("healthy, even", uneven=False),
    World("healthy, routes and clients differ"),
)


def simulate(world: World, rng: np.random.Generator) -> Why | None:
    """What is said about an hour of this world."""
    tables = [_fleet(group, world, rng) for group in FLEETS]
    counts, traits = (pa.concat_tables(parts) for parts in zip(*tables, strict=True))
    worse: FleetName | None = "canary" if world.trait else None
    return explain(pa.concat_tables([traits, counted_traits(counts)]), FLEETS, worse=worse, zones=ZONES)


def _fleet(group: str, world: World, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    n = int(rng.poisson(REQUESTS))
    targets = np.array([f"10.0.{number % 3}.{number}:8080" for number in range(N_TARGETS)])
    block = rng.integers(0, 12, n) * TRAIT_BLOCK_S + START
    target = rng.integers(0, N_TARGETS, n)
    route = rng.choice(ROUTES, n, p=np.arange(ROUTES, 0, -1) / np.arange(ROUTES + 1).sum())
    agent = rng.choice(len(AGENTS), n, p=list(AGENTS.values()))
    rate = np.full(n, ERROR_RATE)
    if world.uneven:
        agent = np.where(route % 4 == 3, np.minimum(agent, 1), agent)  # no program calls these routes
        rate *= np.where(route % 5 == 4, 4.0, 1.0)
    if world.trait and group == "photo-ecs":
        rate = rate + EXTRA * _is_bad(world, targets[target], agent)
    outcome = np.where(rng.random(n) < rate, FAILED, 50)
    names = np.array(list(AGENTS))[agent]
    tls = np.where(rng.random(n) < 0.9, "TLSv1.3", "TLSv1.2")
    traits = [_sums(group, trait, values, block, outcome) for trait, values in (("target", targets[target]), ("agent", names), ("tls", tls))]  # fmt: skip
    return _counts(group, route, block, outcome), pa.concat_tables(traits)


def _is_bad(world: World, target: npt.NDArray[Any], agent: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if world.trait == "target":
        return target == world.value
    if world.trait == "zone":
        network = next(network for network, zone in ZONES.items() if zone == world.value).removesuffix("0/24")
        return np.char.startswith(target, network)
    return agent == list(AGENTS).index(world.value)


def _sums(
    group: str, trait: str, values: npt.NDArray[Any], block: npt.NDArray[Any], outcome: npt.NDArray[Any]
) -> pa.Table:
    table = pa.table({"minute": block, "value": values.astype(object), "outcome": outcome})
    sums = table.group_by(["minute", "value", "outcome"]).aggregate([([], "count_all")])
    constant = {
        name: pa.repeat(pa.scalar(text), len(sums)) for name, text in (("target_group", group), ("trait", trait))
    }
    columns = {**{name: sums[name] for name in ("minute", "value", "outcome")}, **constant, "n": sums["count_all"]}
    return pa.table({name: columns[name] for name in TRAITS.names}).cast(TRAITS)


def _counts(group: str, route: npt.NDArray[Any], block: npt.NDArray[Any], outcome: npt.NDArray[Any]) -> pa.Table:
    table = pa.table({"minute": block, "route": route, "outcome": outcome})
    sums = table.group_by(["minute", "route", "outcome"]).aggregate([([], "count_all")])
    status = np.where(sums["outcome"].to_numpy() == FAILED, 500, 200)
    columns: dict[str, Any] = {
        "minute": sums["minute"],
        "host": ["photo.example.com"] * len(sums),
        "method": ["GET"] * len(sums),
        "route": [f"/route/{number}" for number in sums["route"].to_pylist()],
        "target_group": [group] * len(sums),
        "elb_status": status,
        "target_status": status,
        "latency_ms": [60] * len(sums),
        "n": sums["count_all"],
    }
    return pa.table(columns).select(COUNTS.names).cast(COUNTS)


def main(repeats: Annotated[int, typer.Option(help="Hours of each world.")] = 200) -> None:
    """Simulates hours of each world. Exits with 1 if a goal is missed."""
    has_missed = False
    for number, world in enumerate(WORLDS):
        hits, named = 0, 0
        for repeat in range(repeats):
            why = simulate(world, np.random.default_rng([15, number, repeat]))
            common = why.common if why else ()
            named += bool(common)
            hits += bool(common) and (common[0].trait, common[0].value) == (world.trait, world.value)
        share = hits / repeats if world.trait else 1 - named / repeats
        is_met = share >= (MIN_NAMED if world.trait else 1 - MAX_FALSE)
        has_missed |= not is_met
        what = "named first" if world.trait else "nothing named"
        goal = f"{MIN_NAMED if world.trait else 1 - MAX_FALSE:.0%}"
        print(f"{'✔' if is_met else '✘'} {world.name}: {what} in {share:.1%} of {repeats} (goal ≥ {goal})", flush=True)
    raise typer.Exit(1 if has_missed else 0)


if __name__ == "__main__":
    typer.run(main)
