"""The demo: sources that replay a scripted migration, so that the program can be tried without an AWS account or API key."""

import os
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np

from domain import (
    FLEETS,
    Clock,
    Condition,
    FleetName,
    Group,
    Migration,
    Rule,
    Series,
    Share,
    Target,
    Traffic,
    Window,
    assemble,
    empty_frame,
    series_of_load_balancer,
    series_of_target_group,
    utc_now,
)
from domain.files import create_private_folder, is_own_private_folder
from domain.traffic import find_split
from domain.window import HOUR_S, MINUTE_S
from sources.base import AnsweredRange, Events, Pull, TrafficSnapshot
from sources.demo.base import DemoSource
from sources.demo.batches import demo_batches_config
from sources.demo.criteria import CPU, UPLOADS
from sources.demo.metrics import TARGET_COUNTS, Floats, Ints, minute_metrics
from sources.demo.scenario import (
    BLUE,
    EC2,
    FLEET_OF,
    GREEN,
    RELEASE_GROUPS,
    RELEASE_SERVICE,
    SOURCE,
    Scenario,
    available_periods,
    finest_period_s,
)
from sources.demo.window_latency import group_latencies, period_metrics
from sources.window_latency import WindowLatency, longest_aligned_period

_ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
_LOAD_BALANCER = "app/photo/50dc6c495c0c9188"
GROUP_ARNS = {
    EC2: f"{_ELB}targetgroup/{EC2}/73e2d6bc24d8a067",
    BLUE: f"{_ELB}targetgroup/{BLUE}/0a1b2c3d4e5f6071",
    GREEN: f"{_ELB}targetgroup/{GREEN}/9f8e7d6c5b4a3928",
    RELEASE_GROUPS[0]: f"{_ELB}targetgroup/{RELEASE_GROUPS[0]}/5c1d0e9f8a7b6243",
    RELEASE_GROUPS[1]: f"{_ELB}targetgroup/{RELEASE_GROUPS[1]}/d4e3f2a1b0c95867",
}
HTTPS_LISTENER, _HTTP_LISTENER = "f2f7dc8efc522ab2", "0467ef3c8400ae65"
_RULE_IDS = {"10": "9683b2d02a6cabee", "20": "e17b3c5a9d024f68", "default": "4c2b9d7e1f60a835"}
# The weights are those of the listener's default action. The rule forwards requests with X-Canary: ecs to the canary.
SPLIT_LISTENER_ARN = f"{_ELB}listener/{_LOAD_BALANCER}/{HTTPS_LISTENER}"
HEADER_RULE_ARN = f"{_ELB}listener-rule/{_LOAD_BALANCER}/{HTTPS_LISTENER}/{_RULE_IDS['10']}"
_ZONES = ("ap-northeast-1a", "ap-northeast-1c")


@cache
def program_anchor() -> datetime:
    """The hour (UTC) of the first call in this process, to which the scenario is relative."""
    return utc_now().replace(minute=0, second=0, microsecond=0)


def _demo_folder() -> Path:
    """The folder of the demo's archives, shared by this user's processes; a new one if another user could read or replace it."""
    folder = Path(tempfile.gettempdir()) / f"migration-demo-{os.getuid()}"
    with suppress(FileExistsError):  # of a file, or a link that leads nowhere
        create_private_folder(folder)
    return folder if is_own_private_folder(folder) else _new_demo_folder()


@cache
def _new_demo_folder() -> Path:
    """One for each process."""
    return Path(tempfile.mkdtemp(prefix="migration-demo-"))


def demo_migration(anchor: datetime | None = None) -> Migration:
    """The demo's configuration. Its archive is a temporary file, one for each anchor."""
    return Migration.model_validate(
        {
            **_base(anchor),
            "name": "Photo service (demo)",
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": [GROUP_ARNS[EC2]]},
                "canary": {
                    "label": "ECS",
                    "target_groups": [GROUP_ARNS[BLUE], GROUP_ARNS[GREEN]],
                    "ecs_service": "photo/web",
                    "codedeploy": "AppECS-photo/DgpECS-photo",
                },
            },
            "slo": "99.5% over 30d",
            "criteria": [
                {"metric": "error_rate", "margin": "0.05pp", "critical": True},
                {"metric": "latency_p95", "margin": "10%"},
                {"metric": "slow_0.3s", "margin": "0.5pp"},
                UPLOADS,
                CPU,
            ],
            "batches": demo_batches_config(),
            "access_logs": {},
            "probe": [{"path": "/photos", "expect": 200}, {"path": "/api/photos/1207", "expect": 200}],
        }
    )


def demo_releases(anchor: datetime | None = None) -> Migration:
    """The configuration of the demo's second service, of which there are only releases. It shares the archive of `demo_migration`."""
    return Migration.model_validate(
        {
            **_base(anchor),
            "name": "Photo search (demo)",
            "criteria": [
                {"metric": "error_rate", "margin": "0.1pp", "critical": True},
                {"metric": "slow_0.3s", "margin": "0.5pp", "critical": True},
            ],
            "releases": {
                "service": RELEASE_SERVICE,
                "target_groups": [GROUP_ARNS[group] for group in RELEASE_GROUPS],
                "commit_url": "https://github.com/example/photo-search/commit/{tag}",
            },
        }
    )


def _base(anchor: datetime | None) -> dict[str, object]:
    hour, folder = (anchor or program_anchor()).astimezone(UTC), _demo_folder()
    return {
        "timezone": "Asia/Tokyo",
        "archive": f"sqlite:///{folder / f'{hour:%Y-%m-%dT%H}.db'}",
        "aws": {"region": "ap-northeast-1", "load_balancer": f"{_ELB}loadbalancer/{_LOAD_BALANCER}"},
        "demo": True,
    }


class DemoMetrics(DemoSource):
    """A MetricSource and WindowLatencySource: CloudWatch's metrics.

    Retains minutes for fifteen days and around the episodes, and periods of five minutes for the rest of the scenario.
    """

    name = "demo"

    def __init__(
        self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now, scenario: Scenario | None = None
    ) -> None:
        super().__init__(anchor=anchor, clock=clock, scenario=scenario)
        self._thresholds_s = migration.slow_thresholds_s
        self._fleets = {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}
        of_groups = (
            series_of_target_group(self.name, fleet, group, migration.slow_thresholds_s)
            for group, fleet in self._fleets.items()
        )
        self._series = (*chain.from_iterable(of_groups), *series_of_load_balancer(self.name))

    def series(self) -> tuple[Series, ...]:
        return self._series

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for fifteen days and around the episodes, else 300; 0 before the scenario."""
        return finest_period_s(self._scenario, start, now)

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The metrics in `window` known by now; only of `series`, if given. Hourly series have the complete hours inside `window`."""
        started_s, now = time.perf_counter(), self._now()
        requested = tuple(item for item in self._series if series is None or item in series)
        fine, hourly = [item for item in requested if not item.hourly], [item for item in requested if item.hourly]
        blocks = [(fine, part, period_s) for part, period_s in available_periods(self._scenario, window, now) if fine]
        first_hour = -(-max(window.start, self._scenario.start) // HOUR_S) * HOUR_S
        last_hour = min(window.end, now) // HOUR_S * HOUR_S
        if hourly and first_hour < last_hour:
            blocks.append((hourly, Window(first_hour, last_hour), HOUR_S))
        code_of = {item: code for code, item in enumerate(requested)}
        columns: list[tuple[Ints, Ints, Floats, Ints]] = []
        answered_ranges, size = [], 0
        for block, part, period_s in blocks:
            values = self._values(block, part, period_s, now)
            row, period = np.nonzero(np.isfinite(values))
            ts = np.arange(part.start, part.end, period_s, dtype=np.int64)[period]
            code = np.array([code_of[item] for item in block])[row]
            columns.append((code, ts, values[row, period], np.full(len(row), period_s)))
            size += values.size
            if past := part.overlap(Window(0, max(now // period_s * period_s, MINUTE_S))):
                answered_ranges.append(AnsweredRange(frozenset(block), past, period_s))
        return Pull(
            window=window,
            asked_at=now,
            frame=assemble(requested, *map(np.concatenate, zip(*columns, strict=True))) if columns else empty_frame(),
            answered_ranges=tuple(answered_ranges),
            datapoints_requested=size,
            took_s=time.perf_counter() - started_s,
        )

    def _values(self, series: Sequence[Series], part: Window, period_s: int, now: int) -> Floats:
        """(series, period); NaN if there is no point."""
        if period_s == MINUTE_S:
            ts = np.arange(part.start, part.end, MINUTE_S, dtype=np.int64)
            metrics = minute_metrics(self._scenario, ts, now=now, slow_thresholds_s=self._thresholds_s)
        else:
            hourly = all(item.hourly for item in series)
            metrics = period_metrics(
                self._scenario, part, period_s, now=now, slow_thresholds_s=self._thresholds_s, hourly=hourly
            )
        return np.array([metrics[item.target_group, item.metric, item.stat] for item in series])

    def window_latency(self, window: Window) -> WindowLatency:
        """The latency of all answers in one period, as CloudWatch would aggregate it."""
        now = self._now()
        step_s = self.finest_period_s(window.start, now=now)
        covered = longest_aligned_period(window, step_s) if step_s else None
        if covered is None:
            return WindowLatency(window, None, now)
        groups = group_latencies(
            self._scenario, covered, now=now, fleets=self._fleets, slow_thresholds_s=self._thresholds_s
        )
        return WindowLatency(window, covered, now, groups)


class DemoTraffic(DemoSource):
    """A TrafficSource: the load balancer's listeners and targets."""

    name = "demo_traffic"

    def snapshot(self) -> TrafficSnapshot:
        now = self._now()
        return TrafficSnapshot(now, self.traffic_at(now))

    def traffic_at(self, ts: int) -> Traffic:
        """The traffic configuration at `ts` (epoch seconds)."""
        step = self._scenario.step_at(ts)
        weights = {EC2: step.baseline, BLUE: 0, GREEN: 0} | {step.live: step.canary}
        header = Condition("http-header", "X-Canary", ("ecs",))
        rules = (
            demo_rule(HTTPS_LISTENER, "HTTPS:443", "10", demo_shares({step.live: 1}, FLEET_OF), header),
            demo_rule(HTTPS_LISTENER, "HTTPS:443", "default", demo_shares(weights, FLEET_OF)),
            demo_rule(_HTTP_LISTENER, "HTTP:80", "default", ()),
        )
        split = find_split(rules, "")
        groups = tuple(
            Group(GROUP_ARNS[name], name, fleet, self._targets(name, ts)) for name, fleet in FLEET_OF.items()
        )
        return Traffic(ts, rules, groups, split.arn if split else "")

    def _targets(self, group: str, ts: int) -> tuple[Target, ...]:
        if not any(window.start <= ts < window.end for window in self._scenario.registered_windows(group)):
            return ()
        is_live = self._scenario.step_at(ts).live == group
        dead = is_live and self._scenario.outage.start <= ts < self._scenario.outage.end
        health = ("unhealthy", "Target.Timeout", "Request timed out") if dead else ("healthy", "", "")
        return tuple(demo_target(group, number, health) for number in range(TARGET_COUNTS[group]))


class DemoEvents(DemoSource):
    """An EventSource: deployments, rollbacks, alerts and annotations."""

    name = SOURCE

    def events(self, window: Window) -> Events:
        now = self._now()
        return Events(window, now, tuple(self._scenario.events(window, now)))


def demo_shares(weights: Mapping[str, int], fleets: Mapping[str, FleetName]) -> tuple[Share, ...]:
    """The weights of a rule, by target group. `fleets`: of each of them."""
    return tuple(Share(GROUP_ARNS[group], group, fleets.get(group), weight) for group, weight in weights.items())


def demo_rule(listener: str, title: str, priority: str, shares: tuple[Share, ...], *conditions: Condition) -> Rule:
    """A rule that forwards; one without `shares` redirects."""
    return Rule(
        arn=f"{_ELB}listener-rule/{_LOAD_BALANCER}/{listener}/{_RULE_IDS[priority]}",
        listener_arn=f"{_ELB}listener/{_LOAD_BALANCER}/{listener}",
        listener=title,
        priority=priority,
        action="forward" if shares else "redirect",
        conditions=conditions,
        shares=shares,
        stickiness_s=None,
    )


def demo_target(group: str, number: int, health: tuple[str, str, str]) -> Target:
    """A target of a group. `health`: its state, the reason, and a description."""
    zone = number % len(_ZONES)
    if group == EC2:
        return Target(f"i-0{number + 1:x}f3a9c27d5e8b164", 8080, _ZONES[zone], *health)
    subnet = 10 * (1 + zone) + (group in (GREEN, RELEASE_GROUPS[1]))
    return Target(f"10.0.{subnet}.{20 + 7 * number}", 8080, _ZONES[zone], *health)
