"""Elastic Load Balancing as a source: what every rule was told, which one splits the traffic, and how healthy the targets are, now."""

import time
from collections.abc import Mapping
from typing import Any

from domain import FLEETS, Arn, Clock, Condition, FleetName, Group, Migration, Rule, Share, Target, Traffic, utc_now
from domain.traffic import find_split
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.base import Health, Problem, TrafficSnapshot

SOURCE = "load_balancer"
_OPERATIONS: Mapping[str, Operation] = {
    "DescribeListeners": Operation("describe_listeners", "Listeners", "NextMarker", "Marker"),
    "DescribeRules": Operation("describe_rules", "Rules", "NextMarker", "Marker"),
    "DescribeTargetGroups": Operation("describe_target_groups", "TargetGroups", "NextMarker", "Marker"),
    "DescribeTargetHealth": Operation("describe_target_health", "TargetHealthDescriptions"),
}


class LoadBalancer:
    """A sources.TrafficSource. One may serve many threads.

    `client` is a boto3 client; left out, one is made when first needed, by the credentials found then, and made anew after those were refused.
    Raises ValueError where the migration has no [aws].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None:
            raise ValueError("The load balancer needs the [aws] table.")
        self._aws = migration.aws
        self._fleet_of: dict[str, FleetName] = {
            arn.text: fleet for fleet in FLEETS for arn in migration.fleets[fleet].arns
        }
        self._clock = clock
        self._client = ClientProvider("elbv2", migration.aws, client)

    def snapshot(self) -> TrafficSnapshot:
        """Every listener's rules and every configured group's targets, as they are now.

        What one refused call keeps back leaves the rest as it is. `traffic` is None where it is not certain which rule splits: a guess
        would be taken for a weight change. Never raises for the outside's faults.
        """
        began = time.monotonic()
        asked_at = int(self._clock().timestamp())
        traffic, talk = self._read(asked_at)
        return TrafficSnapshot(asked_at, traffic, talk.problems, time.monotonic() - began)

    def check(self) -> tuple[Health, ...]:
        """Each permission, by what a look has to say of it."""
        _, talk = self._read(int(self._clock().timestamp()))
        return tuple(talk.health(action) for action in _OPERATIONS)

    def _read(self, asked_at: int) -> tuple[Traffic | None, ApiSession]:
        talk = ApiSession(SOURCE, "elasticloadbalancing", _OPERATIONS, self._client)
        rules = self._read_rules(talk)
        groups = tuple(self._read_target_group(talk, arn, fleet) for arn, fleet in self._fleet_of.items())
        traffic = None if rules is None else self._to_traffic(talk, asked_at, rules, groups)
        self._client.reset_on_auth_error(talk.problems)
        return traffic, talk

    def _read_rules(self, talk: ApiSession) -> tuple[Rule, ...] | None:
        """All rules by listener and priority, the default last; None where some were not read and the split may be among them."""
        home, configured = self._aws.load_balancer, self._aws.rule
        listeners = talk.fetch_all("DescribeListeners", about=home, LoadBalancerArn=home)
        if isinstance(listeners, Problem):
            if not configured:
                return None
            listeners = [{"ListenerArn": _listener_arn_of(configured)}]
        rules: list[Rule] = []
        unread = False
        for listener in sorted(listeners, key=lambda one: (one.get("Port", 0), one.get("ListenerArn", ""))):
            arn = listener.get("ListenerArn", "")
            told = talk.fetch_all("DescribeRules", about=arn, ListenerArn=arn)
            if isinstance(told, Problem):
                unread = True
                told = [{"IsDefault": True, "Actions": listener.get("DefaultActions", ())}]
            rules += sorted((parse_rule(one, listener, self._fleet_of) for one in told), key=_priority_key)
        if unread:
            # A default action with weight on both sides comes before any rule that was not read; anything less may not.
            split = find_split(rules, configured)
            if split is None or (not configured and len(split.fleets) < 2):
                return None
        return tuple(rules)

    def _read_target_group(self, talk: ApiSession, arn: str, fleet: FleetName) -> Group:
        """One configured target group. Each is asked for alone, since an ARN that AWS does not know spoils a common answer."""
        told = talk.fetch_all("DescribeTargetGroups", about=arn, TargetGroupArns=[arn])
        if isinstance(told, Problem):
            if told.kind == "not_found":
                return Group(arn, _target_group_name(arn), fleet, None)
            told = []
        homes = [home for group in told for home in group.get("LoadBalancerArns", ())]
        if homes and self._aws.load_balancer not in homes:
            talk.add_problem("elsewhere", "DescribeTargetGroups", arn, ", ".join(homes))
        health = talk.fetch_all("DescribeTargetHealth", about=arn, TargetGroupArn=arn)
        targets = None if isinstance(health, Problem) else tuple(sorted(map(parse_target, health), key=_target_key))
        return Group(arn, _target_group_name(arn), fleet, targets)

    def _to_traffic(
        self, talk: ApiSession, asked_at: int, rules: tuple[Rule, ...], groups: tuple[Group, ...]
    ) -> Traffic:
        split = find_split(rules, self._aws.rule)
        traffic = Traffic(asked_at, rules, groups, split.arn if split else "")
        if self._aws.rule and split is None:
            talk.add_problem("not_found", "DescribeRules", self._aws.rule)
        elif not traffic.splits and not talk.has_failed("DescribeRules"):
            whole = split and split.fleets and all(share.fleet for share in split.weighted_shares)
            found = f"one_side:{next(iter(split.fleets))}" if split and whole else "none"
            talk.add_problem("no_split", "DescribeRules", self._aws.load_balancer, found)
        return traffic


def parse_rule(payload: Mapping[str, Any], listener: Mapping[str, Any], fleet_of: Mapping[str, FleetName]) -> Rule:
    """A rule as DescribeRules tells it, or a listener's default action. Groups in the configuration's order, then those of neither fleet.

    Signing in (authenticate-…, jwt-validation) comes before the action that ends the request, and does not touch the split.
    """
    actions = sorted(payload.get("Actions", ()), key=lambda action: action.get("Order", 0))
    last: Mapping[str, Any] = next(
        (one for one in reversed(actions) if not one.get("Type", "").startswith(("authenticate", "jwt"))), {}
    )
    forward = last.get("ForwardConfig", {})
    groups = forward.get("TargetGroups") or ([{"TargetGroupArn": arn}] if (arn := last.get("TargetGroupArn")) else [])
    order = list(fleet_of)
    shares = sorted(
        (
            Share(arn, _target_group_name(arn), fleet_of.get(arn), group.get("Weight", 1))
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
        preceding_actions=tuple(one.get("Type", "") for one in actions if one is not last),
    )


def parse_condition(payload: Mapping[str, Any]) -> Condition:
    """A condition in its new form (`PathPatternConfig`) or its old one (`Values`); AWS may tell both, which then agree."""
    config: Mapping[str, Any] = next((payload[key] for key in payload if key.endswith("Config")), {})
    name, given = config.get("HttpHeaderName", ""), [*config.get("Values", ()), *payload.get("Values", ())]
    if payload.get("Field") == "query-string":  # [{"Key": "canary", "Value": "1"}]; the key may be left out
        pairs = [(pair.get("Key", ""), pair.get("Value", "")) for pair in config.get("Values", ())]
        keys = {key for key, _ in pairs}
        name = keys.pop() if len(keys) == 1 else ""
        given = [value if name or not key else f"{key}={value}" for key, value in pairs]
    expressions = [f"~{text}" for text in (*config.get("RegexValues", ()), *payload.get("RegexValues", ()))]
    return Condition(payload.get("Field", ""), name, tuple(dict.fromkeys([*given, *expressions])))


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


def _target_group_name(arn: str) -> str:
    """A target group's name; its whole ARN where that is none we know the form of."""
    parsed = Arn.parse(arn)
    return parsed.name if parsed else arn


def _listener_arn_of(rule_arn: str) -> str:
    """arn:…:listener-rule/app/photo/50dc…/f2f7…/9683… → arn:…:listener/app/photo/50dc…/f2f7…"""
    return rule_arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def _priority_key(rule: Rule) -> tuple[bool, int, str]:
    number = int(rule.priority) if rule.priority.isdecimal() else 0
    return rule.priority == "default", number, rule.arn


def _target_key(target: Target) -> tuple[str, int]:
    # AWS answers in any order; the archive keeps a new snapshot for every difference.
    return target.id, target.port or 0
