"""The load of the fleets, current and at its peak."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.deployments.rollback import FleetLoad, rollback_readiness
from domain import Group, Series, Target, Window
from services.rollback import fleet_load
from sources.base import ProblemKind, TrafficSnapshot
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.events import weighted_traffic
from tests.fakes.metric_source import EC2, ECS, NOON, FakeMetricSource, minute_time, minute_window

both_engines = pytest.mark.usefixtures("both_engines")

HOSTS = Series("cloudwatch", "baseline", "photo-ec2", "healthy_hosts", "minimum", "count")
MORNING_END = NOON - 60 * 60


def value_of(series: Series, ts: int, _asked_at: int) -> float | None:
    """In the morning two targets served 6,000 requests a minute; now four serve 400, and ECS 100. One minute has a burst."""
    if series == HOSTS:
        return 2.0 if ts < MORNING_END else 4.0
    if series == EC2:
        burst = 90_000.0 if ts == NOON - 30 * 60 else 0.0
        return 6000.0 if ts < MORNING_END else 400.0 + burst
    return 100.0


@both_engines
def test_load_is_that_of_the_last_quarter_hour_with_the_peak_hour(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        assert fleet_load(archive, MIGRATION, "cloudwatch", until=NOON) == FleetLoad(None, None, None)
        source = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=value_of, now=minute_time(0))
        archive.metrics.get(minute_window(-180, 0), source, now=minute_time(0))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
        assert load == FleetLoad(400.0, 500.0, pytest.approx(3000.0))


@both_engines
def test_the_load_of_one_fleet_alone_is_unknown(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        source = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=value_of, now=minute_time(0))
        source.problem_kind = lambda series, _window: "partial_data" if series == ECS else None
        archive.metrics.get(minute_window(-180, 0), source, now=minute_time(0))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
        assert (load.baseline, load.total) == (None, None)


TARGETS, REQUESTS = 3, 3000.0
SHARES = st.sampled_from([0, 1, 100, 500, 750, 1000])  # per mille of the canary


@dataclass(frozen=True)
class ConstantWorld:
    """3,000 requests a minute on 3 targets. `steps`: (second after noon, the canary's weight per mille); `gaps`: (minute, length) for which ECS is
    unanswered; `dead`: no ECS request is counted in the last 20 minutes."""

    steps: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int], ...]
    archived_minutes: int
    dead: bool

    def share_at(self, ts: int) -> float:
        return [weight for second, weight in self.steps if NOON + second <= ts][-1] / 1000

    def value_at(self, series: Series, ts: int, _asked_at: int) -> float | None:
        """The mean of a minute with a step in it; no row for a fleet without requests, as CloudWatch does."""
        if series == HOSTS:
            return float(TARGETS)
        share = float(np.mean([self.share_at(ts + second) for second in range(0, 60, 10)]))
        if series == ECS and self.dead and ts >= NOON - 20 * 60:
            return None
        return REQUESTS * (share if series == ECS else 1 - share) or None

    def problem_kind(self, series: Series, window: Window) -> ProblemKind | None:
        missing = any(window.overlap(minute_window(start, start + length)) for start, length in self.gaps)
        return "partial_data" if missing and series == ECS else None


@st.composite
def constant_worlds(draw: st.DrawFn) -> ConstantWorld:
    dead = draw(st.booleans())
    seconds = draw(st.lists(st.integers(-9000, -1260 if dead else 200), max_size=4, unique=True))
    steps = ((-30_000, draw(SHARES)), *((second, draw(SHARES)) for second in sorted(seconds)))
    gaps = draw(st.lists(st.tuples(st.integers(-180, -1), st.integers(1, 40)), max_size=3))
    return ConstantWorld(steps, tuple(gaps), draw(st.integers(1, 200)), dead)


@given(constant_worlds())
@settings(max_examples=80, deadline=None)
def test_constant_traffic_never_shows_an_impossible_load(world: ConstantWorld) -> None:
    """Whatever the weights, the gaps and the age of the archive: 1,000 each after a rollback, the current share of it now, never more before."""
    target = Target("i-1", 80, "", "healthy", "", "")
    group = Group("arn:ec2", "photo-ec2", "baseline", (target,) * TARGETS)
    with TemporaryDirectory() as folder, open_archive(Path(folder)) as archive:
        source = FakeMetricSource(
            configured_series=(EC2, ECS, HOSTS),
            value_at=world.value_at,
            now=minute_time(4),
            problem_kind=world.problem_kind,
        )
        for start in range(-world.archived_minutes, 4, 31):
            archive.metrics.get(minute_window(start, min(start + 31, 4)), source, now=minute_time(4))
        for second, weight in world.steps:
            traffic = replace(weighted_traffic(1000 - weight, weight), groups=(group,))
            archive.events.save_snapshot(TrafficSnapshot(NOON + second, traffic))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
    readiness = rollback_readiness(traffic, load)
    assert readiness
    if readiness.expected_load is not None:
        assert readiness.expected_load == pytest.approx(1000, rel=0.002)
    if readiness.current_load is not None:
        assert readiness.current_load == pytest.approx(1000 * (1 - world.share_at(NOON + 240)))
    if load.max_load is not None:
        assert load.max_load <= 1000.001


def test_a_constant_load_of_three_targets_through_a_step_from_0() -> None:
    """The canary has no datapoints before its first step, five minutes ago; the archive begins in the middle of an hour."""
    world = ConstantWorld(((-30_000, 0), (-300, 100)), (), 45, dead=False)
    with TemporaryDirectory() as folder, open_archive(Path(folder)) as archive:
        source = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=world.value_at, now=minute_time(4))
        archive.metrics.get(minute_window(-45, 4), source, now=minute_time(4))
        for second, weight in world.steps:
            archive.events.save_snapshot(TrafficSnapshot(NOON + second, weighted_traffic(1000 - weight, weight)))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
    assert (load.baseline, load.total) == (2700.0, 3000.0)
    assert load.max_load == pytest.approx((40 * 3000 + 5 * 2700) / 45 / 3)


def test_requests_of_a_dead_canary_are_part_of_the_load() -> None:
    """Its target group has no targets: the load balancer counts its requests for no group."""
    world = ConstantWorld(((-30_000, 750),), (), 60, dead=True)
    with TemporaryDirectory() as folder, open_archive(Path(folder)) as archive:
        source = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=world.value_at, now=minute_time(4))
        archive.metrics.get(minute_window(-60, 4), source, now=minute_time(4))
        archive.events.save_snapshot(TrafficSnapshot(NOON - 30_000, weighted_traffic(250, 750)))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
    assert (load.baseline, load.total) == (750.0, 3000.0)
