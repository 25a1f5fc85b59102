"""Counts of access logs, as literal rows or generated."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from domain import FleetName, Window
from domain.log_counts import COUNTS

START = 1_789_992_000  # 2026-09-21 12:00 UTC
FLEET_OF: dict[str, FleetName] = {"photo-ec2": "baseline", "photo-ecs": "canary", "photo-ecs-green": "canary"}
EC2, ECS = "photo-ec2", "photo-ecs"
HOST = "photo.example.com"


def first_minutes(minutes: int) -> Window:
    return Window(START, START + minutes * 60)


def count_row(
    group: str,
    n: int,
    *,
    minute: int = 0,
    route: str = "/",
    elb: int = 200,
    target: int | None = None,
    ms: int = 50,
    method: str = "GET",
    host: str = HOST,
) -> dict[str, Any]:
    """`n` equal requests; `target`: the target's status code, by default the same as `elb`."""
    return {
        "minute": START + minute * 60, "host": host, "method": method, "route": route, "target_group": group,
        "elb_status": elb, "target_status": elb if target is None else target, "latency_ms": ms, "n": n,
    }  # fmt: skip


def count_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), COUNTS)


def busy_route(
    minutes: int,
    per_minute: int,
    *,
    route: str = "/",
    errors: float = 0.002,
    canary_error_factor: float = 1.0,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """A route on which both fleets get `per_minute` requests. The share `errors` of EC2's fails, of ECS's `canary_error_factor` times as many."""
    rng, rows = np.random.default_rng(seed), []
    for minute in range(minutes):
        for group, rate in ((EC2, errors), (ECS, errors * canary_error_factor)):
            failed = int(rng.binomial(per_minute, min(1.0, rate)))
            counts = rng.multinomial(per_minute - failed, [0.25] * 4)
            rows += [count_row(group, int(n), minute=minute, route=route, ms=ms) for n, ms in zip(counts, (40, 50, 60, 90), strict=True) if n]  # fmt: skip
            rows += [count_row(group, failed, minute=minute, route=route, elb=500, ms=20)] if failed else []
    return rows
