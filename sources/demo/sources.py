"""The demo: sources like the others that tell of a scripted migration, so that the program shows itself without an account or a key."""

import os
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np

from domain import (
    FLEETS,
    Clock,
    Condition,
    Group,
    Migration,
    Rule,
    Series,
    Share,
    Target,
    Traffic,
    Window,
    assemble,
    series_of_load_balancer,
    series_of_target_group,
    utc_now,
)
from domain.series import HOUR_S
from domain.traffic import find_split
from domain.window import MINUTE_S
from sources.base import AnsweredRange, Events, Health, Pull, Query, TrafficSnapshot
from sources.demo.batches import demo_batches_config
from sources.demo.metrics import TARGET_COUNTS, MetricArrays, minute_metrics
from sources.demo.scenario import BLUE, EC2, FLEET_OF, GREEN, SOURCE, Episode, available_periods, episodes, scenario_for
from sources.demo.window_latency import group_latencies, period_metrics
from sources.window_latency import WindowLatency, longest_aligned_period

__all__ = ["DemoEvents", "DemoMetrics", "DemoTraffic", "Episode", "demo_migration", "episodes", "program_anchor"]


_ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
_LOAD_BALANCER = "app/photo/50dc6c495c0c9188"
_GROUP_ARNS = {
    EC2: f"{_ELB}targetgroup/{EC2}/73e2d6bc24d8a067",
    BLUE: f"{_ELB}targetgroup/{BLUE}/0a1b2c3d4e5f6071",
    GREEN: f"{_ELB}targetgroup/{GREEN}/9f8e7d6c5b4a3928",
}
_HTTPS_LISTENER, _HTTP_LISTENER = "f2f7dc8efc522ab2", "0467ef3c8400ae65"
_RULE_IDS = {"10": "9683b2d02a6cabee", "default": "4c2b9d7e1f60a835"}
SPLIT_LISTENER_ARN = f"{_ELB}listener/{_LOAD_BALANCER}/{_HTTPS_LISTENER}"  # what a change of the split names: it is that listener's default action
_EMPTY = np.array([], dtype=np.int64)
HEADER_RULE_ARN = f"{_ELB}listener-rule/{_LOAD_BALANCER}/{_HTTPS_LISTENER}/{_RULE_IDS['10']}"  # the rule that sends X-Canary: ecs to the canary
_ZONES = ("ap-northeast-1a", "ap-northeast-1c")


@cache
def program_anchor() -> datetime:
    """The hour in which this program first asked, in UTC: the demo's script hangs on it for as long as the program runs."""
    return utc_now().replace(minute=0, second=0, microsecond=0)


def demo_migration(anchor: datetime | None = None) -> Migration:
    """The migration that the demo tells of. Its archive is a throw-away file that carries the anchor's day and hour: another anchor, other numbers."""
    stamp = (anchor or program_anchor()).astimezone(UTC)
    room = Path(tempfile.gettempdir()) / f"migration-demo-{os.getuid()}"
    room.mkdir(mode=0o700, exist_ok=True)
    return Migration.model_validate(
        {
            "name": "Photo service (demo)",
            "timezone": "Asia/Tokyo",
            "archive": f"sqlite:///{room / f'{stamp:%Y-%m-%dT%H}.db'}",
            "aws": {"region": "ap-northeast-1", "load_balancer": f"{_ELB}loadbalancer/{_LOAD_BALANCER}"},
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": [_GROUP_ARNS[EC2]]},
                "canary": {
                    "label": "ECS",
                    "target_groups": [_GROUP_ARNS[BLUE], _GROUP_ARNS[GREEN]],
                    "ecs_service": "photo/web",
                    "codedeploy": "AppECS-photo/DgpECS-photo",
                },
            },
            "criteria": [
                {"metric": "error_rate", "margin": "0.05pp", "critical": True},
                {"metric": "latency_p95", "margin": "10%"},
                {"metric": "slow_0.3s", "margin": "0.5pp"},
            ],
            "batches": demo_batches_config(),
            "access_logs": {},
            "demo": True,
        }
    )


class DemoMetrics:
    """A sources.MetricSource and WholeWindowSource: what CloudWatch would have answered.

    It keeps minutes for fifteen days and around the episodes, periods of five minutes for the rest of the story.
    """

    name = "demo"

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock
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
        """Nothing."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for fifteen days and around the episodes, else 300 since the story began, 0 before."""
        minute = Window(start - start % MINUTE_S, start - start % MINUTE_S + MINUTE_S)
        return next((period_s for _, period_s in available_periods(self._scenario, minute, now)), 0)

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The story's numbers in `window`, as far as they had arrived; only of `series`, if given.

        Hourly series are told of the hours that lie wholly inside the window and are over.
        """
        began, now = time.perf_counter(), int(self._clock().timestamp())
        chosen = set(self._series if series is None else series)
        asked = tuple(one for one in self._series if one in chosen)
        code_of = {one: code for code, one in enumerate(asked)}
        fine, hourly = [one for one in asked if not one.hourly], [one for one in asked if one.hourly]
        blocks = [(fine, *each) for each in available_periods(self._scenario, window, now) if fine]
        blocks += [(hourly, hours, HOUR_S) for hours in self._complete_hours(window, now) if hourly]
        codes, times, values, lengths = [_EMPTY], [_EMPTY], [_EMPTY.astype(np.float64)], [_EMPTY]
        answers, size = [], 0
        for some, part, period_s in blocks:
            ts = np.arange(part.start, part.end, period_s, dtype=np.int64)
            told = self._compute(some, part, period_s, now)
            table = np.array([told[one.target_group, one.metric, one.stat] for one in some])
            row, period = np.nonzero(np.isfinite(table))
            codes.append(np.array([code_of[one] for one in some])[row])
            times.append(ts[period])
            values.append(table[row, period])
            lengths.append(np.full(len(row), period_s))
            size += table.size
            if past := part.overlap(Window(0, max(now // period_s * period_s, 60))):
                answers.append(AnsweredRange(frozenset(some), past, period_s))
        return Pull(
            window=window,
            asked_at=now,
            frame=assemble(
                asked, np.concatenate(codes), np.concatenate(times), np.concatenate(values), np.concatenate(lengths)
            ),
            answered_ranges=tuple(answers),
            queries=tuple(
                Query(one, one.shortest_period_s, f"demo {one.target_group} {one.metric} {one.stat}", "")
                for one in asked
            ),
            datapoints_requested=size,
            took_s=time.perf_counter() - began,
        )

    def _compute(self, series: Sequence[Series], part: Window, period_s: int, now: int) -> MetricArrays:
        if period_s == MINUTE_S:
            ts = np.arange(part.start, part.end, MINUTE_S, dtype=np.int64)
            return minute_metrics(self._scenario, ts, now=now, slow_thresholds_s=self._thresholds_s)
        hourly = all(one.hourly for one in series)
        return period_metrics(
            self._scenario, part, period_s, now=now, slow_thresholds_s=self._thresholds_s, percentiles_only=hourly
        )

    def _complete_hours(self, window: Window, now: int) -> Iterator[Window]:
        """The whole hours of `window` that are over; none of before the story."""
        start = -(-max(window.start, self._scenario.start) // HOUR_S) * HOUR_S
        end = min(window.end, now) // HOUR_S * HOUR_S
        if start < end:
            yield Window(start, end)

    def window_latency(self, window: Window) -> WindowLatency:
        """The story's latency over one period, as CloudWatch would cut it: of every answer, mixed from each minute's distribution."""
        now = int(self._clock().timestamp())
        step_s = self.finest_period_s(window.start, now=now)
        covered = longest_aligned_period(window, step_s) if step_s else None
        if covered is None:
            return WindowLatency(window, None, now)
        told = group_latencies(
            self._scenario, covered, now=now, fleets=self._fleets, slow_thresholds_s=self._thresholds_s
        )
        return WindowLatency(window, covered, now, told)

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


class DemoTraffic:
    """A sources.TrafficSource: the listeners and targets of the story's load balancer."""

    name = "demo_traffic"

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock
        self._configured_rule = migration.aws.rule if migration.aws else ""

    def snapshot(self) -> TrafficSnapshot:
        now = int(self._clock().timestamp())
        return TrafficSnapshot(now, self.traffic_at(now))

    def traffic_at(self, ts: int) -> Traffic:
        """What a look at `ts` (epoch seconds) would have found."""
        step = self._scenario.step_at(ts)
        weights = {EC2: step.baseline, BLUE: 0, GREEN: 0} | {step.live: step.canary}
        rules = (
            _rule(
                _HTTPS_LISTENER,
                "HTTPS:443",
                "10",
                _shares({step.live: 1}),
                Condition("http-header", "X-Canary", ("ecs",)),
            ),
            _rule(_HTTPS_LISTENER, "HTTPS:443", "default", _shares(weights)),
            _rule(_HTTP_LISTENER, "HTTP:80", "default", ()),
        )
        split = find_split(rules, self._configured_rule)
        groups = tuple(Group(arn, name, FLEET_OF[name], self._targets(name, ts)) for name, arn in _GROUP_ARNS.items())
        return Traffic(ts, rules, groups, split.arn if split else "")

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)

    def _targets(self, group: str, ts: int) -> tuple[Target, ...]:
        if not any(window.start <= ts < window.end for window in self._scenario.registered_windows(group)):
            return ()
        serving = self._scenario.step_at(ts).live == group
        dead = serving and self._scenario.outage.start <= ts < self._scenario.outage.end
        health = ("unhealthy", "Target.Timeout", "Request timed out") if dead else ("healthy", "", "")
        return tuple(_target(group, number, health) for number in range(TARGET_COUNTS[group]))


class DemoEvents:
    """A sources.EventSource: every deployment, roll-back, alert and annotation of the story."""

    name = SOURCE

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock

    def events(self, window: Window) -> Events:
        now = int(self._clock().timestamp())
        return Events(window, now, tuple(self._scenario.events(window, now)))

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def _shares(weights: dict[str, int]) -> tuple[Share, ...]:
    return tuple(Share(_GROUP_ARNS[group], group, FLEET_OF[group], weight) for group, weight in weights.items())


def _rule(listener: str, title: str, priority: str, shares: tuple[Share, ...], *conditions: Condition) -> Rule:
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


def _target(group: str, number: int, health: tuple[str, str, str]) -> Target:
    zone = number % len(_ZONES)
    if group == EC2:
        return Target(f"i-0{number + 1:x}f3a9c27d5e8b164", 8080, _ZONES[zone], *health)
    subnet = 10 * (1 + zone) + (group == GREEN)
    return Target(f"10.0.{subnet}.{20 + 7 * number}", 8080, _ZONES[zone], *health)
