"""The demo's answers and traits, from its counts. Since the step to 50:50 ECS sends half of one route's bytes, and most of its errors are of one target."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.log_counts import FAILED, OUTCOME_EDGES_MS, SIZES, TRAIT_BLOCK_S, TRAITS
from domain.window import MINUTE_S
from sources.demo.metrics import Floats, Ints, uniform
from sources.demo.scenario import EC2

HALVED_ROUTE = "/users/:id/albums"  # the thumbnails of its albums are missing on ECS
BAD_TARGET = "10.0.11.41:8080"
BAD_TARGET_SHARE = 0.6  # of the failed requests of ECS since the last step
_TARGET_HOSTS = (20, 27, 34, 41)
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
    keys = ["minute", "target_group", "outcome"]
    sums = table.group_by(keys).aggregate([("n", "sum")]).sort_by([(key, "ascending") for key in keys])
    parts = [_of_block(row, is_last_step=row["minute"] >= last_step) for row in sums.to_pylist()]
    return pa.Table.from_pylist([item for part in parts for item in part], TRAITS)


def _of_block(row: Mapping[str, Any], *, is_last_step: bool) -> list[dict[str, object]]:
    """The requests of a block, target group and outcome, by each trait."""
    group, outcome, minute = row["target_group"], row["outcome"], row["minute"]
    targets = {"-": 1.0}
    if group:
        targets = {f"10.0.{10 if group == EC2 else 11}.{host}:8080": 1 / len(_TARGET_HOSTS) for host in _TARGET_HOSTS}
    if outcome == FAILED and is_last_step and BAD_TARGET in targets:
        others = (1 - BAD_TARGET_SHARE) / (len(targets) - 1)
        targets = {name: BAD_TARGET_SHARE if name == BAD_TARGET else others for name in targets}
    long_time = "target" if outcome >= 100 else "none"
    traits = {"target": targets, "agent": _AGENTS, "protocol": _PROTOCOLS, "tls": _TLS, "long_time": {long_time: 1.0}}
    n = np.array([row["n_sum"]])
    result = []
    for number, (trait, shares) in enumerate(traits.items()):
        stream = _RANDOM_STREAM + 10 + number + 10 * (outcome % 97)
        parts = _distribute(n, np.array([list(shares.values())]), np.array([minute]), stream)[0].tolist()
        result += [
            {"minute": minute, "target_group": group, "trait": trait, "value": value, "outcome": outcome, "n": part}
            for value, part in zip(shares, parts, strict=True)
            if part
        ]
    return result


def _distribute(n: Ints, shares: Floats, minutes: Ints, stream: int) -> Ints:
    """Integers that add up to each `n`, in the proportions of its row of `shares`."""
    cumulative = np.cumsum(shares, axis=1) * n[:, None]
    cumulative[:, -1] = n
    u: npt.NDArray[np.float64] = uniform(minutes // MINUTE_S, stream)
    rounded = np.floor(cumulative + u[:, None]).astype(np.int64)
    return np.diff(rounded, axis=1, prepend=0)
