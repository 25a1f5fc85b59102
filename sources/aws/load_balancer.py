"""Elastic Load Balancing as a source: every rule's weights, the rule that splits the traffic, and the targets' health, as they are now."""

import time
from collections.abc import Mapping
from typing import Any

from domain import FLEETS, Arn, Clock, Condition, FleetName, Group, Migration, Rule, Share, Target, Traffic, utc_now
from domain.traffic import find_split
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.base import Health, Problem, TrafficSnapshot

SOURCE = "load_balancer"
_OPERATIONS: Mapping[str, Operation] = {
    "DescribeListeners": Operation("Listeners", "NextMarker", "Marker"),
    "DescribeRules": Operation("Rules", "NextMarker", "Marker"),
    "DescribeTargetGroups": Operation("TargetGroups", "NextMarker", "Marker"),
    "DescribeTargetHealth": Operation("TargetHealthDescriptions"),
}


class LoadBalancer:
    """A TrafficSource. Thread-safe. `client`: a boto3 client to use instead of making one. Raises ValueError if the migration has no [aws]."""

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        self._aws = aws_of(migration, "The load balancer")
        self._fleet_of = fleet_by_arn(migration)
        self._clock = clock
        self._client = ClientProvider("elbv2", self._aws, client)

    def snapshot(self) -> TrafficSnapshot:
        """Every listener's rules and every configured target group's targets.

        A failed call leaves out only its own part. `traffic` is None if it is uncertain which rule splits: a guess would look like a weight
        change. Faults are problems.
        """
        started, now = time.monotonic(), int(self._clock().timestamp())
        traffic, session = self._read(now)
        return TrafficSnapshot(now, traffic, session.problems, time.monotonic() - started)

    def check(self) -> tuple[Health, ...]:
        """Each permission and each configured target group, by taking a snapshot."""
        _, session = self._read(int(self._clock().timestamp()))
        return (
            *(session.check(action, resources=self._fleet_of) for action in _OPERATIONS),
            *(session.check_resource("DescribeTargetGroups", arn, target_group_name(arn)) for arn in self._fleet_of),
        )

    def _read(self, now: int) -> tuple[Traffic | None, ApiSession]:
        session = ApiSession(SOURCE, "elasticloadbalancing", _OPERATIONS, self._client)
        rules = self._read_rules(session)
        groups = tuple(self._read_target_group(session, arn, fleet) for arn, fleet in self._fleet_of.items())
        return None if rules is None else self._to_traffic(session, now, rules, groups), session

    def _read_rules(self, session: ApiSession) -> tuple[Rule, ...] | None:
        """All rules by listener and priority, the default last; None if some could not be read and the split may be among them."""
        load_balancer, configured = self._aws.load_balancer, self._aws.rule
        listeners = session.fetch_all("DescribeListeners", about=load_balancer, LoadBalancerArn=load_balancer)
        if isinstance(listeners, Problem):
            if not configured:
                return None
            listeners = [{"ListenerArn": _listener_arn_of(configured)}]
        rules: list[Rule] = []
        for listener in sorted(listeners, key=lambda payload: (payload.get("Port", 0), payload.get("ListenerArn", ""))):
            arn = listener.get("ListenerArn", "")
            payloads = session.fetch_all("DescribeRules", about=arn, ListenerArn=arn)
            if isinstance(payloads, Problem):
                payloads = [{"IsDefault": True, "Actions": listener.get("DefaultActions", ())}]
            rules += sorted(
                (parse_rule(payload, listener, self._fleet_of) for payload in payloads),
                key=lambda rule: rule.evaluation_order,
            )
        if session.has_failed("DescribeRules"):
            # A default action with weight on both fleets is preferred to any unread rule; anything less may not be.
            split = find_split(rules, configured)
            if split is None or (not configured and len(split.fleets) < 2):
                return None
        return tuple(rules)

    def _read_target_group(self, session: ApiSession, arn: str, fleet: FleetName) -> Group:
        """One configured target group. Read one by one: an unknown ARN fails the whole call."""
        payloads = session.fetch_all("DescribeTargetGroups", about=arn, TargetGroupArns=[arn])
        if isinstance(payloads, Problem):
            if payloads.kind == "not_found":
                return Group(arn, target_group_name(arn), fleet, None)
            payloads = []
        load_balancers = [balancer for payload in payloads for balancer in payload.get("LoadBalancerArns", ())]
        if load_balancers and self._aws.load_balancer not in load_balancers:
            session.add_problem("elsewhere", "DescribeTargetGroups", arn, ", ".join(load_balancers))
        health = session.fetch_all("DescribeTargetHealth", about=arn, TargetGroupArn=arn)
        targets = None if isinstance(health, Problem) else tuple(sorted(map(parse_target, health), key=_target_key))
        return Group(arn, target_group_name(arn), fleet, targets)

    def _to_traffic(self, session: ApiSession, now: int, rules: tuple[Rule, ...], groups: tuple[Group, ...]) -> Traffic:
        split = find_split(rules, self._aws.rule)
        traffic = Traffic(now, rules, groups, split.arn if split else "")
        if self._aws.rule and split is None:
            session.add_problem("not_found", "DescribeRules", self._aws.rule)
        elif not traffic.splits and not session.has_failed("DescribeRules"):
            one_fleet = split and len(split.fleets) == 1 and all(share.fleet for share in split.weighted_shares)
            detail = f"one_side:{next(iter(split.fleets))}" if split and one_fleet else "none"
            session.add_problem("no_split", "DescribeRules", self._aws.load_balancer, detail)
        return traffic


def fleet_by_arn(migration: Migration) -> dict[str, FleetName]:
    """The fleet of each configured target group, in the configuration's order."""
    return {arn.text: fleet for fleet in FLEETS for arn in migration.fleets[fleet].arns}


def parse_rule(payload: Mapping[str, Any], listener: Mapping[str, Any], fleet_of: Mapping[str, FleetName]) -> Rule:
    """A rule of DescribeRules, or a listener's default action. Target groups in the order of `fleet_of`, then those of neither fleet.

    Authentication (authenticate-…, jwt-validation) precedes the action that ends the request, and does not affect the split.
    """
    actions = sorted(payload.get("Actions", ()), key=lambda action: action.get("Order", 0))
    last: Mapping[str, Any] = next(
        (action for action in reversed(actions) if not action.get("Type", "").startswith(("authenticate", "jwt"))), {}
    )
    forward = last.get("ForwardConfig", {})
    groups = forward.get("TargetGroups") or ([{"TargetGroupArn": arn}] if (arn := last.get("TargetGroupArn")) else [])
    order = list(fleet_of)
    shares = sorted(
        (
            Share(arn, target_group_name(arn), fleet_of.get(arn), group.get("Weight", 1))
            for group in groups
            for arn in (group.get("TargetGroupArn", ""),)
        ),
        key=lambda share: (order.index(share.arn) if share.fleet else len(order), share.arn),
    )
    sticky = forward.get("TargetGroupStickinessConfig", {})
    listener_arn = listener.get("ListenerArn", "")
    return Rule(
        arn=payload.get("RuleArn", listener_arn),
        listener_arn=listener_arn,
        listener=f"{listener['Protocol']}:{listener['Port']}" if listener.keys() >= {"Protocol", "Port"} else "",
        priority="default" if payload.get("IsDefault") else payload.get("Priority", ""),
        action=last.get("Type", ""),
        conditions=tuple(parse_condition(condition) for condition in payload.get("Conditions", ())),
        shares=tuple(shares),
        stickiness_s=sticky.get("DurationSeconds") if sticky.get("Enabled") else None,
        preceding_actions=tuple(action.get("Type", "") for action in actions if action is not last),
    )


def parse_condition(payload: Mapping[str, Any]) -> Condition:
    """A condition in its new form (`PathPatternConfig`) or its old one (`Values`); AWS may return both, with the same values."""
    config: Mapping[str, Any] = next((payload[key] for key in payload if key.endswith("Config")), {})
    name, values = config.get("HttpHeaderName", ""), [*config.get("Values", ()), *payload.get("Values", ())]
    if payload.get("Field") == "query-string":  # [{"Key": "canary", "Value": "1"}]; the key is optional
        pairs = [(pair.get("Key", ""), pair.get("Value", "")) for pair in config.get("Values", ())]
        keys = {key for key, _ in pairs}
        name = keys.pop() if len(keys) == 1 else ""
        values = [value if name or not key else f"{key}={value}" for key, value in pairs]
    expressions = [f"~{text}" for text in (*config.get("RegexValues", ()), *payload.get("RegexValues", ()))]
    return Condition(payload.get("Field", ""), name, tuple(dict.fromkeys([*values, *expressions])))


def parse_target(payload: Mapping[str, Any]) -> Target:
    target, health = payload.get("Target", {}), payload.get("TargetHealth", {})
    return Target(
        id=target.get("Id", ""),
        port=target.get("Port"),
        zone=target.get("AvailabilityZone", ""),
        state=health.get("State", ""),
        reason=health.get("Reason", ""),
        description=health.get("Description", ""),
    )


def target_group_name(arn: str) -> str:
    """A target group's name; the ARN itself if its form is unknown."""
    parsed = Arn.parse(arn)
    return parsed.name if parsed else arn


def _listener_arn_of(rule_arn: str) -> str:
    """arn:…:listener-rule/app/photo/50dc…/f2f7…/9683… → arn:…:listener/app/photo/50dc…/f2f7…"""
    return rule_arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def _target_key(target: Target) -> tuple[str, int]:
    # AWS returns targets in any order, and the archive stores a new snapshot for every difference.
    return target.id, target.port or 0
