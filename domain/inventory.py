"""What an AWS account and a Mackerel organization have of a migration: load balancers, rules, target groups, services, deployment groups, triggers."""

from dataclasses import dataclass
from typing import Literal

from domain.traffic import Rule


@dataclass(frozen=True, slots=True)
class FoundLoadBalancer:
    """An Application Load Balancer."""

    arn: str
    name: str
    dns_name: str = ""


@dataclass(frozen=True, slots=True)
class FoundTargetGroup:
    """A target group. `target_type`: instance, ip, lambda or alb. `load_balancer_arns`: those that forward to it."""

    arn: str
    name: str
    target_type: str = ""
    load_balancer_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundService:
    """An ECS service. `name`: "cluster/service". `target_group_arns`: where its tasks are or will be registered. `task_definition`: "web:42"."""

    name: str
    target_group_arns: tuple[str, ...] = ()
    desired: int = 0
    task_definition: str = ""
    controller: str = "ECS"


@dataclass(frozen=True, slots=True)
class FoundDeploymentGroup:
    """A deployment group of CodeDeploy for ECS. `name`: "application/group"; `services`: "cluster/service"; `target_group_names`: its pair."""

    name: str
    services: tuple[str, ...] = ()
    target_group_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundTrigger:
    """An EventBridge rule with a schedule, or a schedule of EventBridge Scheduler (`name`: "group/name"), and the Lambda function that it starts."""

    kind: Literal["rule", "scheduler"]
    name: str
    function: str


@dataclass(frozen=True, slots=True)
class FoundMackerelHost:
    """A host with metrics of a load balancer. `services`: those it has a role in. `target_groups`: by name."""

    id: str
    name: str = ""
    services: tuple[str, ...] = ()
    target_groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MackerelInventory:
    """An organization. `metric_names`: by service, of those whose names were read."""

    organization: str = ""
    services: tuple[str, ...] = ()
    hosts: tuple[FoundMackerelHost, ...] = ()
    metric_names: tuple[tuple[str, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that was found in a region. `unread`: the sources of which something could not be read: what they have may be missing."""

    region: str
    load_balancers: tuple[FoundLoadBalancer, ...] = ()
    rules: tuple[Rule, ...] = ()
    target_groups: tuple[FoundTargetGroup, ...] = ()
    services: tuple[FoundService, ...] = ()
    deployment_groups: tuple[FoundDeploymentGroup, ...] = ()
    triggers: tuple[FoundTrigger, ...] = ()
    mackerel: MackerelInventory | None = None
    unread: frozenset[str] = frozenset()
