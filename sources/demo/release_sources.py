"""The demo's sources of the released service, or of one of its releases: as those of the demo's migration, for its two target groups."""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise

from domain import FLEETS, Clock, Condition, FleetName, Group, Migration, Traffic, WeightChange, Window, utc_now
from domain.deployments import DeploymentState, deployment_events
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.base import Events, TrafficSnapshot
from sources.demo.base import DemoSource
from sources.demo.metrics import TARGET_COUNTS
from sources.demo.releases import release_deployments, release_scenario, release_service
from sources.demo.scenario import ScenarioStep
from sources.demo.sources import GROUP_ARNS, HTTPS_LISTENER, demo_rule, demo_shares, demo_target

_CONDITION = Condition("path-pattern", "", ("/search*",))


def fleets_of(migration: Migration) -> dict[str, FleetName]:
    """The fleet of each target group."""
    return {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}


class DemoReleaseTraffic(DemoSource):
    """A TrafficSource: the rule of the service."""

    name = "demo_traffic"

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        super().__init__(anchor=anchor, clock=clock, scenario=release_scenario(anchor))
        self._fleets = fleets_of(migration)

    def snapshot(self) -> TrafficSnapshot:
        now = self._now()
        step = self._scenario.step_at(now)
        weights = {step.old: step.baseline, step.live: step.canary}
        rule = demo_rule(HTTPS_LISTENER, "HTTPS:443", "20", demo_shares(weights, self._fleets), _CONDITION)
        targets = {
            group: [demo_target(group, n, ("healthy", "", "")) for n in range(TARGET_COUNTS[group])]
            for group in weights
        }
        groups = tuple(
            Group(GROUP_ARNS[name], name, fleet, tuple(targets[name])) for name, fleet in self._fleets.items()
        )
        return TrafficSnapshot(now, Traffic(now, (rule,), groups, rule.arn))


class DemoReleaseAuditLog(DemoSource):
    """A HistorySource: the weights that ECS set, as CloudTrail would record them."""

    name = "demo_audit_log"
    retention_s = 90 * DAY_S
    delivery_delay_s = HOUR_S
    poll_interval_s = MINUTE_S

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        super().__init__(anchor=anchor, clock=clock, scenario=release_scenario(anchor))
        self._fleets, self._release = fleets_of(migration), migration.release

    def events(self, window: Window) -> Events:
        """The changes in `window` up to now."""
        now, steps = self._now(), self._scenario.steps
        changes = (_change(before, after, self._fleets) for before, after in pairwise(steps))
        since, until = (self._release.start, self._release.end or now) if self._release else (0, now)
        inside = (change for change in changes if window.start <= change.ts < min(window.end, now))
        return Events(window, now, weight_changes=tuple(change for change in inside if since <= change.ts <= until))


class DemoReleaseDeployments(DemoSource):
    """An EventSource: the service and its deployments; of a release, its own alone."""

    name = "demo_deployments"

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        super().__init__(anchor=anchor, clock=clock, scenario=release_scenario(anchor))
        self._anchor, self._release = anchor, migration.release

    def events(self, window: Window) -> Events:
        now = self._now()
        deployments = tuple(
            deployment
            for deployment in release_deployments(self._anchor, now)
            if self._release is None or deployment.id == self._release.id
        )
        state = DeploymentState(now, (release_service(self._anchor, now),), deployments)
        events = (event for deployment in deployments for event in deployment_events(deployment, source=self.name))
        inside = tuple(event for event in events if window.start <= event.ts < min(window.end, now))
        return Events(window, now, inside, deployment_state=state, deployments=deployments)


def _change(before: ScenarioStep, after: ScenarioStep, fleets: Mapping[str, FleetName]) -> WeightChange:
    rule = demo_rule(HTTPS_LISTENER, "HTTPS:443", "20", ())
    return WeightChange(
        ts=after.ts,
        since=after.ts,
        before=_canary_share(before, fleets),
        after=_canary_share(after, fleets),
        rule=rule.arn,
        operation="ModifyRule",
        author="ecs",
        tool="deployment",
        sources=(DemoReleaseAuditLog.name,),
        key=f"ModifyRule:{after.ts}",
    )


def _canary_share(step: ScenarioStep, fleets: Mapping[str, FleetName]) -> float:
    return step.share if fleets.get(step.live) == "canary" else 1 - step.share
