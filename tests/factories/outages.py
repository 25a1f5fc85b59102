"""A canary that stops responding at the step from 50% to 75%, as the fakes report it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.fakes.services import FakeServices, fake_services
from tests.fakes.traffic_model import SteadyTraffic


def this_minute() -> int:
    return int(datetime.now(UTC).timestamp()) // 60 * 60


@contextmanager
def services_with_outage(first: int, end: int = 0) -> Iterator[FakeServices]:
    """The outage lasts from `first` to `end` minutes from now, in whole minutes; both ≤ 0. The weights are those after the step."""
    start, until = this_minute() + first * 60, this_minute() + end * 60

    def shares(ts: int) -> dict[str, float]:
        return {"photo-ec2": 0.25, "photo-ecs": 0.75} if ts >= start else {"photo-ec2": 0.5, "photo-ecs": 0.5}

    def unresponsive(ts: int) -> tuple[str, ...]:
        return ("photo-ecs",) if start <= ts < until or (end == 0 and ts >= start) else ()

    with fake_services(SteadyTraffic(shares, requests_per_minute=1200, unresponsive=unresponsive)) as services:
        services.elbv2.set_weights({"photo-ec2": 25, "photo-ecs": 75})
        yield services
