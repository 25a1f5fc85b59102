"""Why: what one fleet's failed or slow requests have in common, against the rest of that fleet and against the other fleet. Where to look first.

docs/MATH.md, "Why", has the method.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from statistics import NormalDist
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.endpoints.endpoints import AnyArray, dictionary_encode
from analysis.series.grid import BoolArray, FloatArray
from domain import FLEETS, FleetName
from domain.log_counts import FAILED, NO_STATUS, OTHER_VALUE, OUTCOME_EDGES_MS, TRAIT_BLOCK_S, TRAITS, add_up

MAX_COMMON = 5
ALPHA = 0.05  # of any value named in a window without a cause
MIN_EVENTS = 20  # of the worse fleet; of the other, from which on its own divergence is subtracted
MIN_DIVERGENCE = 0.1  # of the events: less is no reason to look there first
SLOW_SHARE = 0.05  # of the other fleet's answers at most are slow
# Traits that an event has by its definition: they are compared with the events of the other fleet, and not without them.
OF_THE_EVENT = ("status", "long_time")

_COUNTED = {"method": ["method"], "route": ["route"], "status": ["elb_status", "target_status"]}

Trait = Literal["target", "zone", "agent", "method", "protocol", "tls", "status", "long_time", "route"]
TroubleKind = Literal["failed", "slow"]
MAY_BE_MISSING: tuple[Trait, ...] = ("target", "zone")


@dataclass(frozen=True, slots=True)
class Side:
    """One fleet's requests with a value: `events` of `all_events` have it, and `requests` of `all_requests`."""

    events: int
    all_events: int
    requests: int
    all_requests: int

    @property
    def divergence(self) -> float:
        """By how much the value's share of the events exceeds its share of the requests."""
        return _share(self.events, self.all_events) - _share(self.requests, self.all_requests)


@dataclass(frozen=True, slots=True)
class Common:
    """A value of a trait that the events have in common. `divergence`: that of the fleet, minus the other's if `is_against_other`; `p_value`:
    multiplied by the number of values that were looked at."""

    trait: Trait
    value: str
    worse: Side
    other: Side
    divergence: float
    p_value: float
    is_against_other: bool


@dataclass(frozen=True, slots=True)
class Why:
    """What the `events` ("failed", or "slow" from `slow_from_ms` on) of the fleet `worse` have in common: at most MAX_COMMON, the most divergent first.

    `looked_at`: the number of values; `missing`: traits that are not known; `is_enough`: whether there were MIN_EVENTS.
    """

    worse: FleetName
    kind: TroubleKind
    slow_from_ms: int
    events: int
    requests: int
    common: tuple[Common, ...]
    looked_at: int
    missing: tuple[Trait, ...]

    @property
    def is_enough(self) -> bool:
        return self.events >= MIN_EVENTS


def explain(
    traits: pa.Table,
    fleet_by_group: Mapping[str, FleetName],
    *,
    kind: TroubleKind = "failed",
    worse: FleetName | None = None,
    zones: Mapping[str, str] | None = None,
) -> Why | None:
    """What the events of the worse fleet have in common; None without requests.

    `traits` (domain.log_counts.TRAITS): those that were counted, and `counted_traits` of the same blocks. `worse`: by default the fleet with the higher
    rate of events. `zones`: the availability zone of each network of targets, as CIDR blocks.
    """
    rows, slow_from_ms = _rows(traits, fleet_by_group, kind)
    rows = _with_zones(rows, zones or {})
    if worse is None:
        rates = [_share(*_totals(rows, index)) for index in range(len(FLEETS))]
        worse = FLEETS[int(rates[1] >= rates[0])]
    index = FLEETS.index(worse)
    events, requests = _totals(rows, index)
    if not requests:
        return None
    known = {trait for trait, _ in rows.names}
    missing = tuple(trait for trait in MAY_BE_MISSING if trait not in known)
    tested = _tested(rows, index) if events >= MIN_EVENTS else []
    found = [item for item in tested if item.p_value <= ALPHA and item.divergence >= MIN_DIVERGENCE]
    ranked = sorted(found, key=lambda item: (-item.divergence, item.trait, item.value))[:MAX_COMMON]
    return Why(worse, kind, slow_from_ms, events, requests, tuple(ranked), len(tested), missing)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Requests `n` and `events` among them, of a fleet (an index into FLEETS), a block of time, and a value (an index into `names`)."""

    names: Sequence[tuple[Trait, str]]
    fleet: AnyArray
    block: AnyArray
    value: AnyArray
    n: AnyArray
    events: AnyArray


def _rows(counted: pa.Table, fleet_by_group: Mapping[str, FleetName], kind: TroubleKind) -> tuple[_Rows, int]:
    """The rows of both fleets (TRAITS), and from which latency on a request is slow."""
    groups, group_names = dictionary_encode(counted["target_group"])
    fleets = [FLEETS.index(fleet_by_group[name]) if name in fleet_by_group else -1 for name in group_names]
    fleet = np.array([*fleets, -1], dtype=np.int64)[groups]
    outcome, n = counted["outcome"].to_numpy(), counted["n"].to_numpy()
    minute = counted["minute"].to_numpy()
    slow_from_ms = _slow_from_ms(counted, fleet, outcome, n) if kind == "slow" else 0
    event = outcome == FAILED if kind == "failed" else outcome >= slow_from_ms
    used = (fleet >= 0) & ((outcome != FAILED) | (kind == "failed"))
    trait_codes, trait_names = dictionary_encode(counted["trait"])
    value_codes, value_names = dictionary_encode(counted["value"])
    pairs, value = np.unique(trait_codes.astype(np.int64) * (len(value_names) + 1) + value_codes, return_inverse=True)
    names = [divmod(int(pair), len(value_names) + 1) for pair in pairs]
    named = [(trait_names[trait], value_names[of_trait]) for trait, of_trait in names]
    rows = _Rows(named, fleet[used], minute[used] // TRAIT_BLOCK_S, value[used], n[used], (n * event)[used])  # type: ignore[arg-type]
    return rows, slow_from_ms


def counted_traits(counts: pa.Table) -> pa.Table:
    """Method, route and status of counts (domain.log_counts.COUNTS), as TRAITS."""
    elb, ms = (counts[name].to_numpy() for name in ("elb_status", "latency_ms"))
    edges = np.array(OUTCOME_EDGES_MS)
    outcome = np.where(elb >= 500, FAILED, edges[np.maximum(np.searchsorted(edges, ms, side="right") - 1, 0)])
    keys = {name: counts[name] for name in ("target_group", "method", "route", "elb_status", "target_status")}
    keys |= {"minute": counts["minute"].to_numpy() // TRAIT_BLOCK_S * TRAIT_BLOCK_S, "outcome": outcome}
    rows = add_up(pa.table({**keys, "n": counts["n"]}), [*keys])  # once, as there are far more latencies than outcomes
    parts = []
    for trait, columns in _COUNTED.items():
        sums = add_up(rows, ["minute", "target_group", "outcome", *columns])
        values = [pc.replace_substring_regex(sums[name].cast(pa.string()), f"^{NO_STATUS}$", "-") for name in columns]
        value = pc.binary_join_element_wise(*values, " ")
        part = sums.append_column("trait", pa.repeat(pa.scalar(trait), len(sums))).append_column("value", value)
        parts.append(part.select(TRAITS.names).cast(TRAITS))
    return pa.concat_tables(parts)


def _slow_from_ms(counted: pa.Table, fleet: AnyArray, outcome: AnyArray, n: AnyArray) -> int:
    """The lowest edge that at most SLOW_SHARE of the answers of both fleets' better one reach; the fleets' methods are known for all requests."""
    of_method = pc.equal(counted["trait"], "method").to_numpy() & (outcome != FAILED)
    for edge in OUTCOME_EDGES_MS[1:]:
        shares = []
        for index in range(len(FLEETS)):
            rows = of_method & (fleet == index)
            shares.append(_share(int(n[rows & (outcome >= edge)].sum()), int(n[rows].sum())))
        if min(shares) <= SLOW_SHARE:
            return edge
    return OUTCOME_EDGES_MS[-1]


def _with_zones(rows: _Rows, zones: Mapping[str, str]) -> _Rows:
    """With the availability zone of each target as another trait."""
    if not zones:
        return rows
    networks = {ip_network(network): zone for network, zone in zones.items()}
    zone_of = {
        index: zone
        for index, (trait, value) in enumerate(rows.names)
        if trait == "target" and (zone := _zone(value, networks))
    }
    names = list(dict.fromkeys(zone_of.values()))
    new = np.full(len(rows.names), -1)
    for index, zone in zone_of.items():
        new[index] = len(rows.names) + names.index(zone)
    chosen = new[rows.value] >= 0
    return _Rows(
        [*rows.names, *(("zone", name) for name in names)],
        np.append(rows.fleet, rows.fleet[chosen]),
        np.append(rows.block, rows.block[chosen]),
        np.append(rows.value, new[rows.value][chosen]),
        np.append(rows.n, rows.n[chosen]),
        np.append(rows.events, rows.events[chosen]),
    )


def _zone(target: str, zones: Mapping[IPv4Network | IPv6Network, str]) -> str | None:
    try:
        address = ip_address(target.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None
    return next((zone for network, zone in zones.items() if address in network), None)


def _totals(rows: _Rows, fleet: int) -> tuple[int, int]:
    """Events and requests of a fleet: of its methods, which are known for all requests."""
    of_method = np.array([trait == "method" for trait, _ in rows.names])
    chosen = (rows.fleet == fleet) & of_method[rows.value] if len(rows.value) else rows.fleet == fleet
    return int(rows.events[chosen].sum()), int(rows.n[chosen].sum())


def _tested(rows: _Rows, worse: int) -> list[Common]:
    """Every value that can be tested, with its corrected p-value."""
    of_fleet = [_score(rows, fleet) for fleet in (worse, 1 - worse)]
    results = []
    for index, (trait, value) in enumerate(rows.names):
        own, other = of_fleet[0].of(index), of_fleet[1].of(index)
        is_against_other = other.side.all_events >= MIN_EVENTS
        if value == OTHER_VALUE or not own.side.requests or (trait in OF_THE_EVENT and not is_against_other):
            continue
        p_value = _own_p_value(own)
        divergence = own.divergence
        if is_against_other:
            divergence -= other.divergence
            p_value = max(p_value, _p_value(divergence, own.share_variance + other.share_variance))
        results.append(Common(trait, value, own.side, other.side, divergence, p_value, is_against_other))
    return [_corrected(item, len(results)) for item in results]


def _corrected(item: Common, n_values: int) -> Common:
    p_value = min(1.0, item.p_value * n_values)
    return Common(item.trait, item.value, item.worse, item.other, item.divergence, p_value, item.is_against_other)


@dataclass(frozen=True, slots=True)
class _ValueScore:
    """`excess`: events with the value beyond those expected, block by block, with its variance."""

    side: Side
    excess: float
    variance: float

    @property
    def divergence(self) -> float:
        return self.excess / self.side.all_events if self.side.all_events else 0.0

    @property
    def share_variance(self) -> float:
        return self.variance / self.side.all_events**2 if self.side.all_events else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Of each value of one fleet; in step with `_Rows.names`."""

    events: AnyArray
    all_events: AnyArray
    requests: AnyArray
    all_requests: AnyArray
    excess: FloatArray
    variance: FloatArray

    def of(self, index: int) -> _ValueScore:
        numbers = (self.events, self.all_events, self.requests, self.all_requests)
        side = Side(*(int(array[index]) for array in numbers))
        return _ValueScore(side, float(self.excess[index]), float(self.variance[index]))


def _score(rows: _Rows, fleet: int) -> _Scores:
    """The score of the Mantel–Haenszel test of each value against all others of its trait, with blocks of time as strata (Mantel and Haenszel 1959)."""
    chosen: BoolArray = rows.fleet == fleet
    blocks, block = np.unique(rows.block[chosen], return_inverse=True)
    shape = (len(rows.names), len(blocks))
    cell = rows.value[chosen] * len(blocks) + block
    events, requests = (
        np.bincount(cell, weights=numbers[chosen], minlength=shape[0] * shape[1]).reshape(shape)
        for numbers in (rows.events, rows.n)
    )
    codes = {trait: code for code, trait in enumerate(dict.fromkeys(trait for trait, _ in rows.names))}
    trait = np.array([codes[name] for name, _ in rows.names], dtype=np.int64)
    all_events, all_requests = (np.zeros((len(codes), len(blocks))) for _ in range(2))
    np.add.at(all_events, trait, events)
    np.add.at(all_requests, trait, requests)
    of_trait = all_requests[trait]
    share = np.divide(requests, of_trait, out=np.zeros(shape), where=of_trait > 0)
    failed = all_events[trait]
    score = events - failed * share
    finite = np.divide(of_trait - failed, of_trait - 1, out=np.zeros(shape), where=of_trait > 1)
    variance = (failed * share * (1 - share) * finite).sum(axis=1)
    totals = (events.sum(axis=1), failed.sum(axis=1), requests.sum(axis=1), of_trait.sum(axis=1))
    return _Scores(*totals, score.sum(axis=1), variance)


def _own_p_value(own: "_ValueScore") -> float:
    """An upper bound of the probability of as many events with the value, if each had it with the share of its block (Hoeffding 1963, theorem 1)."""
    share, expected = own.side.events / own.side.all_events, (own.side.events - own.excess) / own.side.all_events
    if share <= expected or expected <= 0:
        return 1.0
    exponent = share * math.log(share / expected)
    if share < 1:
        exponent += (1 - share) * math.log((1 - share) / (1 - expected))
    return math.exp(-own.side.all_events * exponent)


def _p_value(difference: float, variance: float) -> float:
    """One-sided, of the normal distribution."""
    return NormalDist().cdf(-difference / math.sqrt(variance)) if variance > 0 else 1.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
