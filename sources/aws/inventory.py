"""Reads what a region has of a migration, before there is a configuration: Elastic Load Balancing, ECS, CodeDeploy and EventBridge. Only reads."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from domain import Arn
from domain.infrastructure import InfrastructureHints
from domain.inventory import (
    FoundDeploymentGroup,
    FoundLoadBalancer,
    FoundService,
    FoundTargetGroup,
    FoundTrigger,
    Inventory,
)
from domain.traffic import Rule
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import AwsAccess
from sources.aws.ecs import task_definition_arn
from sources.aws.load_balancer import parse_rule, target_group_name
from sources.base import Problem

MAX_LOAD_BALANCERS = 40  # whose rules are read
MAX_CLUSTERS = 50
MAX_TRIGGERS = 60  # rules whose targets are read
_SERVICES_PER_CALL = 10  # AWS's maximum for DescribeServices
_NAMES_PER_CALL = 100  # AWS's maximum for the batches of CodeDeploy

_LOAD_BALANCER: Mapping[str, Operation] = {
    "DescribeLoadBalancers": Operation("LoadBalancers", "NextMarker", "Marker", item_key="LoadBalancerArn"),
    "DescribeTargetGroups": Operation("TargetGroups", "NextMarker", "Marker", item_key="TargetGroupArn"),
    "DescribeListeners": Operation("Listeners", "NextMarker", "Marker", item_key="ListenerArn"),
    "DescribeRules": Operation("Rules", "NextMarker", "Marker"),
}
_ECS: Mapping[str, Operation] = {
    "ListClusters": Operation("clusterArns", "nextToken", "nextToken"),
    "ListServices": Operation("serviceArns", "nextToken", "nextToken"),
    "DescribeServices": Operation("services", item_key="serviceName"),
}
_CODEDEPLOY: Mapping[str, Operation] = {
    "ListApplications": Operation("applications", "nextToken", "nextToken"),
    "BatchGetApplications": Operation("applicationsInfo", item_key="applicationName"),
    "ListDeploymentGroups": Operation("deploymentGroups", "nextToken", "nextToken"),
    "BatchGetDeploymentGroups": Operation("deploymentGroupsInfo", item_key="deploymentGroupName"),
}
_EVENTS: Mapping[str, Operation] = {
    "ListRules": Operation("Rules", "NextToken", "NextToken", item_key="Name"),
    "ListTargetsByRule": Operation("Targets", "NextToken", "NextToken", item_key="Arn"),
}
_SCHEDULER: Mapping[str, Operation] = {"ListSchedules": Operation("Schedules", "NextToken", "NextToken")}

_Item = TypeVar("_Item")
ProgressCallback = Callable[[str], None]  # with the name of the source that is read next


@dataclass(frozen=True, slots=True)
class AwsReading:
    """What was found, and why parts of it may be missing."""

    inventory: Inventory
    problems: tuple[Problem, ...] = ()


def read_aws_inventory(
    access: AwsAccess,
    *,
    load_balancer: str = "",
    hints: InfrastructureHints | None = None,
    deadline_s: float = 60.0,
    on_progress: ProgressCallback = lambda _source: None,
) -> AwsReading:
    """Reads the region. A service that cannot be read is a problem, and the others are read nevertheless.

    `load_balancer`: an ARN or a name; only its rules are read. `hints`: what is read first, and what is read instead of a list that is denied.
    `deadline_s`: no further call is begun after this many seconds.
    """
    return _InventoryReader(access, load_balancer, hints or InfrastructureHints(), deadline_s, on_progress).read()


class _InventoryReader:
    """One reading: the sessions, whose problems are collected, and the time until which calls are begun."""

    def __init__(
        self,
        access: AwsAccess,
        load_balancer: str,
        hints: InfrastructureHints,
        deadline_s: float,
        on_progress: ProgressCallback,
    ) -> None:
        self._access, self._load_balancer, self._hints, self._on_progress = access, load_balancer, hints, on_progress
        self._until = time.monotonic() + deadline_s
        self._sessions: list[ApiSession] = []

    def read(self) -> AwsReading:
        inventory = self._read_load_balancers()
        if inventory.target_groups:
            services = self._read_services()
            inventory = replace(inventory, services=services)
            uses_codedeploy = any(service.controller == "CODE_DEPLOY" for service in services)
            if uses_codedeploy or not services or self._hints.codedeploy_applications:
                inventory = replace(inventory, deployment_groups=self._read_deployment_groups())
            inventory = replace(inventory, triggers=self._read_triggers())
        problems = tuple(problem for session in self._sessions for problem in session.problems)
        return AwsReading(replace(inventory, unread=frozenset(problem.source for problem in problems)), problems)

    # ---- Elastic Load Balancing

    def _read_load_balancers(self) -> Inventory:
        self._on_progress("load_balancer")
        session = self._session("load_balancer", "elasticloadbalancing", _LOAD_BALANCER, "elbv2")
        region = self._access.region
        found = tuple(self._list_load_balancers(session))
        if not found:
            return Inventory(region)
        payloads = session.fetch_all("DescribeTargetGroups", about=region)
        if isinstance(payloads, Problem):
            rules = self._read_rules(session, found)
            return Inventory(region, found, rules, tuple(_groups_in(rules, found)))
        groups = tuple(
            FoundTargetGroup(
                payload["TargetGroupArn"],
                target_group_name(payload["TargetGroupArn"]),
                payload.get("TargetType", ""),
                tuple(payload.get("LoadBalancerArns", ())),
            )
            for payload in payloads
        )
        rules = self._read_rules(session, self._candidates(found, groups))
        return Inventory(region, found, rules, groups)

    def _list_load_balancers(self, session: ApiSession) -> Iterator[FoundLoadBalancer]:
        selected = self._load_balancer
        params: dict[str, Any] = {}
        if selected:
            params = {"LoadBalancerArns" if selected.startswith("arn:") else "Names": [selected]}
        payloads = session.fetch_all("DescribeLoadBalancers", about=selected or self._access.region, **params)
        if isinstance(payloads, Problem):
            arns = [selected] if selected.startswith("arn:") else list(self._hints.load_balancer_arns)
            payloads = [{"LoadBalancerArn": arn} for arn in arns]
        for payload in payloads:
            arn = Arn.parse(payload["LoadBalancerArn"])  # None of a Network or Gateway Load Balancer
            if arn and arn.kind == "load balancer":
                yield FoundLoadBalancer(arn.text, arn.name, payload.get("DNSName", ""))

    def _candidates(
        self, found: Sequence[FoundLoadBalancer], groups: Iterable[FoundTargetGroup]
    ) -> Sequence[FoundLoadBalancer]:
        """Those with two target groups or more, hinted ones first."""
        arns = [arn for group in groups for arn in group.load_balancer_arns]
        candidates = [balancer for balancer in found if arns.count(balancer.arn) > 1 or len(found) == 1]
        hinted = {*self._hints.load_balancer_arns}
        return sorted(candidates, key=lambda balancer: balancer.arn not in hinted)

    def _read_rules(self, session: ApiSession, balancers: Sequence[FoundLoadBalancer]) -> tuple[Rule, ...]:
        read = _first(session, balancers, MAX_LOAD_BALANCERS, "DescribeRules")
        return tuple(rule for balancer in read for rule in self._rules(session, balancer))

    def _rules(self, session: ApiSession, balancer: FoundLoadBalancer) -> Iterator[Rule]:
        if self._expired(session, "DescribeListeners", balancer.arn):
            return
        for listener in session.fetch_or_empty("DescribeListeners", about=balancer.arn, LoadBalancerArn=balancer.arn):
            arn = listener["ListenerArn"]
            payloads = session.fetch_all("DescribeRules", about=arn, ListenerArn=arn)
            if isinstance(payloads, Problem):
                payloads = [{"IsDefault": True, "Actions": listener.get("DefaultActions", ())}]
            for payload in payloads:
                yield parse_rule(payload, listener, {})

    # ---- ECS

    def _read_services(self) -> tuple[FoundService, ...]:
        self._on_progress("ecs")
        session = self._session("ecs", "ecs", _ECS, "ecs", per_resource=True)
        listed = session.fetch_all("ListClusters", about=self._access.region)
        names = [_short_name(arn) for arn in ([] if isinstance(listed, Problem) else listed)]
        hinted = [*self._hints.clusters, *(name.split("/")[0] for name in self._hints.services if "/" in name)]
        clusters = [name for name in dict.fromkeys([*hinted, *names]) if not names or name in names]
        read = _first(session, clusters, MAX_CLUSTERS, "ListServices")
        return tuple(service for name in read for service in self._services_of(session, name))

    def _services_of(self, session: ApiSession, cluster: str) -> Iterator[FoundService]:
        if self._expired(session, "ListServices", cluster):
            return
        arns = session.fetch_or_empty("ListServices", about=cluster, cluster=cluster)
        for first in range(0, len(arns), _SERVICES_PER_CALL):
            if self._expired(session, "DescribeServices", cluster):
                return
            for payload in session.fetch_or_empty(
                "DescribeServices",
                about=cluster,
                cluster=cluster,
                services=arns[first : first + _SERVICES_PER_CALL],
            ):
                if groups := tuple(dict.fromkeys(_registered_groups(payload))):
                    yield _parse_service(payload, cluster, groups)

    # ---- CodeDeploy

    def _read_deployment_groups(self) -> tuple[FoundDeploymentGroup, ...]:
        self._on_progress("codedeploy")
        session = self._session("codedeploy", "codedeploy", _CODEDEPLOY, "codedeploy", per_resource=True)
        listed = session.fetch_all("ListApplications", about=self._access.region)
        names = list(self._hints.codedeploy_applications) if isinstance(listed, Problem) else listed
        infos = session.fetch_batches(
            "BatchGetApplications", about=self._access.region, size=_NAMES_PER_CALL, applicationNames=names
        )
        applications = [info["applicationName"] for info in infos if info.get("computePlatform") == "ECS"]
        return tuple(group for name in applications for group in self._groups_of(session, name))

    def _groups_of(self, session: ApiSession, application: str) -> Iterator[FoundDeploymentGroup]:
        if self._expired(session, "ListDeploymentGroups", application):
            return
        names = session.fetch_or_empty("ListDeploymentGroups", about=application, applicationName=application)
        for first in range(0, len(names), _NAMES_PER_CALL):
            for payload in session.fetch_or_empty(
                "BatchGetDeploymentGroups",
                about=application,
                applicationName=application,
                deploymentGroupNames=names[first : first + _NAMES_PER_CALL],
            ):
                yield parse_deployment_group(payload, application)

    # ---- EventBridge

    def _read_triggers(self) -> tuple[FoundTrigger, ...]:
        self._on_progress("eventbridge")
        rules = self._session("eventbridge", "events", _EVENTS, "events", per_resource=True)
        schedules = self._session("eventbridge", "scheduler", _SCHEDULER, "scheduler", per_resource=True)
        region = self._access.region
        scheduled = [rule for rule in rules.fetch_or_empty("ListRules", about=region) if rule.get("ScheduleExpression")]
        scheduled.sort(key=lambda rule: rule["Name"] not in self._hints.schedule_rules)
        read = _first(rules, scheduled, MAX_TRIGGERS, "ListTargetsByRule")
        triggers = [trigger for rule in read for trigger in self._targets_of(rules, rule["Name"])]
        for payload in schedules.fetch_or_empty("ListSchedules", about=region):
            name = f"{payload.get('GroupName', 'default')}/{payload.get('Name', '')}"
            if function := _function_name(payload.get("Target", {}).get("Arn", "")):
                triggers.append(FoundTrigger("scheduler", name, function))
        return tuple(triggers)

    def _targets_of(self, session: ApiSession, rule: str) -> Iterator[FoundTrigger]:
        if self._expired(session, "ListTargetsByRule", rule):
            return
        for target in session.fetch_or_empty("ListTargetsByRule", about=rule, Rule=rule):
            if function := _function_name(target["Arn"]):
                yield FoundTrigger("rule", rule, function)

    # ---- all

    def _session(
        self,
        source: str,
        prefix: str,
        operations: Mapping[str, Operation],
        service: str,
        *,
        per_resource: bool = False,
    ) -> ApiSession:
        session = ApiSession(
            source, prefix, operations, ClientProvider(service, self._access), per_resource=per_resource
        )
        self._sessions.append(session)
        return session

    def _expired(self, session: ApiSession, action: str, about: str) -> bool:
        """Whether the deadline has passed, which is then a problem of the session, once."""
        if time.monotonic() < self._until:
            return False
        if not any(problem.kind == "timeout" for problem in session.problems):
            session.add_problem("timeout", action, about)
        return True


def _first(session: ApiSession, items: Sequence[_Item], limit: int, action: str) -> Sequence[_Item]:
    """The first `limit` items, each of which `action` reads; that there are more is a problem."""
    if len(items) > limit:
        session.add_problem("incomplete", action, str(limit), str(len(items)))
    return items[:limit]


def _groups_in(rules: Iterable[Rule], load_balancers: Iterable[FoundLoadBalancer]) -> Iterator[FoundTargetGroup]:
    """The target groups that rules forward to, if their list could not be read: without their types."""
    by_path = {parsed.dimension: parsed.text for item in load_balancers if (parsed := Arn.parse(item.arn))}
    owners: dict[str, set[str]] = {}
    for rule in rules:
        listener = Arn.parse(rule.listener_arn)
        for share in rule.shares:
            owners.setdefault(share.arn, set()).add(by_path.get(listener.load_balancer_path if listener else "", ""))
    for arn, balancers in owners.items():
        yield FoundTargetGroup(arn, target_group_name(arn), "", tuple(sorted(balancers)))


def parse_deployment_group(payload: Mapping[str, Any], application: str) -> FoundDeploymentGroup:
    """A deployment group of BatchGetDeploymentGroups."""
    pairs = payload.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", ())
    return FoundDeploymentGroup(
        f"{application}/{payload['deploymentGroupName']}",
        tuple(
            f"{service.get('clusterName', '')}/{service.get('serviceName', '')}"
            for service in payload.get("ecsServices", ())
        ),
        tuple(group.get("name", "") for pair in pairs for group in pair.get("targetGroups", ())),
    )


def _parse_service(payload: Mapping[str, Any], cluster: str, groups: tuple[str, ...]) -> FoundService:
    return FoundService(
        f"{cluster}/{payload['serviceName']}",
        groups,
        payload.get("desiredCount", 0),
        _short_name(task_definition_arn(payload)),
        payload.get("deploymentController", {}).get("type", "ECS"),
    )


def _registered_groups(service: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of the target groups of a service, of its task sets, and those to which ECS's own blue/green deployments move."""
    for owner in (service, *service.get("taskSets", ())):
        for balancer in owner.get("loadBalancers", ()):
            for arn in (
                balancer.get("targetGroupArn"),
                balancer.get("advancedConfiguration", {}).get("alternateTargetGroupArn"),
            ):
                if arn:
                    yield arn


def _function_name(arn: str) -> str:
    """The name of a Lambda function, without version and alias; "" of another target."""
    return arn.rpartition(":function:")[2].partition(":")[0] if ":lambda:" in arn and ":function:" in arn else ""


def _short_name(arn: str) -> str:
    """arn:aws:ecs:…:cluster/photo → photo"""
    return arn.rpartition("/")[2]
