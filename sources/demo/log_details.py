"""The demo's answers and traits, from its counts. Since the step to 50:50 ECS sends half of one route's bytes, and most of its errors are of one target."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.log_counts import FAILED, OUTCOME_EDGES_MS, SIZES, TRAIT_BLOCK_S, TRAIT_NAMES, TRAITS, add_up
from domain.window import MINUTE_S
from sources.demo.metrics import Floats, Ints, uniform
from sources.demo.scenario import EC2

HALVED_ROUTE = "/users/:id/albums"  # the thumbnails of its albums are missing on ECS
BAD_TARGET = "10.0.11.41:8080"
BAD_TARGET_SHARE = 0.6  # of the failed requests of ECS since the last step
_TARGET_HOSTS = (20, 27, 34, 41)
_EC2_TARGETS, _ECS_TARGETS = (
    {f"10.0.{network}.{host}:8080": 1 / len(_TARGET_HOSTS) for host in _TARGET_HOSTS} for network in (10, 11)
)
_BAD_ECS_TARGETS = dict.fromkeys(_ECS_TARGETS, (1 - BAD_TARGET_SHARE) / (len(_TARGET_HOSTS) - 1)) | {
    BAD_TARGET: BAD_TARGET_SHARE
}
_MEAN_BYTES = {"/": 18_400, "/img/:id.jpg": 61_000, "/static/app.css": 9_200, HALVED_ROUTE: 24_300, "/healthz": 230}
_BYTES_BY_STATUS = {304: 210, 404: 1_130, 500: 520, 502: 300, 503: 300, 504: 300}
_DEFAULT_BYTES = 5_600
_PROTOCOLS = {"h2": 0.94, "https": 0.06}
_AGENTS = {
    "Safari · iOS": 0.36,
    "Chrome · Android": 0.26,
    "Chrome · Windows": 0.19,
    "Safari · macOS": 0.1,
    "okhttp": 0.06,
    "Bot": 0.03,
}
_TLS = {"TLSv1.3": 0.91, "TLSv1.2": 0.09}
_RANDOM_STREAM = 5000  # above those of access_logs.py


def demo_sizes(counts: pa.Table, last_step: int) -> pa.Table:
    """What was answered (SIZES): the mean size of each route and status, within 5 %, whatever the minute."""
    keys = ["minute", "host", "method", "route", "target_group", "elb_status"]
    sums = counts.group_by(keys).aggregate([("n", "sum")]).sort_by([(key, "ascending") for key in keys])
    minute, status, n = (sums[name].to_numpy() for name in ("minute", "elb_status", "n_sum"))
    route, group = (np.array(sums[name].to_pylist(), dtype=object) for name in ("route", "target_group"))
    mean: Floats = np.array([_MEAN_BYTES.get(name, _DEFAULT_BYTES) for name in route], dtype=np.float64)
    for code, of_status in _BYTES_BY_STATUS.items():
        mean[status == code] = of_status
    mean *= 0.95 + 0.1 * uniform(minute * 31 + np.arange(len(minute)) - np.searchsorted(minute, minute), _RANDOM_STREAM)
    halved = (route == HALVED_ROUTE) & (status == 200) & (group != EC2) & (minute >= last_step)
    mean[halved] /= 2
    of_protocol = _distribute(n, np.tile(list(_PROTOCOLS.values()), (len(n), 1)), minute, _RANDOM_STREAM + 1)
    row, protocol = np.nonzero(of_protocol)
    columns = {name: sums[name].take(pa.array(row)) for name in keys}
    columns["protocol"] = pa.array(np.array(list(_PROTOCOLS), dtype=object)[protocol])
    columns["n"] = pa.array(of_protocol[row, protocol])
    columns["bytes"] = pa.array((mean[row] * of_protocol[row, protocol]).astype(np.int64))
    return pa.table({name: columns[name] for name in SIZES.names}).cast(SIZES)


def demo_traits(counts: pa.Table, last_step: int) -> pa.Table:
    """What requests had in common (TRAITS): the same everywhere, but for the failed requests of ECS."""
    status, ms = (counts[name].to_numpy() for name in ("elb_status", "latency_ms"))
    edges = np.array(OUTCOME_EDGES_MS)
    outcome = np.where(status >= 500, FAILED, edges[np.maximum(np.searchsorted(edges, ms, side="right") - 1, 0)])
    block = counts["minute"].to_numpy() // TRAIT_BLOCK_S * TRAIT_BLOCK_S
    table = pa.table({"minute": block, "target_group": counts["target_group"], "outcome": outcome, "n": counts["n"]})
    sums = add_up(table, ["minute", "target_group", "outcome"])
    minute, outcome = (sums[name].to_numpy() for name in ("minute", "outcome"))
    no_group, ec2 = (pc.equal(sums["target_group"], name).to_numpy() for name in ("", EC2))
    ecs = ~no_group & ~ec2
    bad = ecs & (outcome == FAILED) & (minute >= last_step)
    every = np.ones(len(sums), dtype=bool)
    shares_of = (
        ("target", no_group, {"-": 1.0}),
        ("target", ec2, _EC2_TARGETS),
        ("target", ecs & ~bad, _ECS_TARGETS),
        ("target", bad, _BAD_ECS_TARGETS),
        ("agent", every, _AGENTS),
        ("protocol", every, _PROTOCOLS),
        ("tls", every, _TLS),
        ("long_time", outcome >= 100, {"target": 1.0}),
        ("long_time", outcome < 100, {"none": 1.0}),
    )
    parts = (_distribute_trait(sums.filter(pa.array(rows)), trait, shares) for trait, rows, shares in shares_of)
    return pa.concat_tables(parts)


def _distribute_trait(sums: pa.Table, trait: str, shares: Mapping[str, float]) -> pa.Table:
    """The requests of blocks, target groups and outcomes, by the values of a trait."""
    minute, outcome, n = (sums[name].to_numpy() for name in ("minute", "outcome", "n"))
    stream = _RANDOM_STREAM + 10 + TRAIT_NAMES.index(trait) + 10 * (outcome % 97)
    of_value = _distribute(n, np.tile(list(shares.values()), (len(n), 1)), minute, stream)
    row, value = np.nonzero(of_value)
    columns = {name: sums[name].take(pa.array(row)) for name in ("minute", "target_group", "outcome")}
    columns["trait"] = pa.repeat(pa.scalar(trait), len(row))
    columns["value"] = pa.array(list(shares)).take(pa.array(value))
    columns["n"] = pa.array(of_value[row, value])
    return pa.table({name: columns[name] for name in TRAITS.names}).cast(TRAITS)


def _distribute(n: Ints, shares: Floats, minutes: Ints, stream: int | Ints) -> Ints:
    """Integers that add up to each `n`, in the proportions of its row of `shares`."""
    cumulative = np.cumsum(shares, axis=1) * n[:, None]
    cumulative[:, -1] = n
    u: npt.NDArray[np.float64] = uniform(minutes // MINUTE_S, stream)
    rounded = np.floor(cumulative + u[:, None]).astype(np.int64)
    return np.diff(rounded, axis=1, prepend=0)
