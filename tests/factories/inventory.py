"""Inventories of an account in which everything has a short name."""

from collections.abc import Mapping
from typing import Any

from domain import Condition, Rule, Share
from domain.inventory import (
    FoundDeploymentGroup,
    FoundLoadBalancer,
    FoundMackerelHost,
    FoundService,
    FoundTargetGroup,
    Inventory,
    MackerelInventory,
)

REGION = "ap-northeast-1"
PREFIX = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:"
HEADER = Condition("http-header", "X-Canary", ("ecs",))


def balancer_arn(name: str) -> str:
    return f"{PREFIX}loadbalancer/app/{name}/50dc6c495c0c9188"


def group_arn(name: str) -> str:
    return f"{PREFIX}targetgroup/{name}/73e2d6bc24d8a067"


def listener_arn(balancer: str, number: int = 1) -> str:
    return f"{PREFIX}listener/app/{balancer}/50dc6c495c0c9188/{number:016x}"


def balancer(name: str = "photo") -> FoundLoadBalancer:
    return FoundLoadBalancer(balancer_arn(name), name, f"{name}-1.{REGION}.elb.amazonaws.com")


def group(name: str, target_type: str = "ip", *, of: str = "photo") -> FoundTargetGroup:
    return FoundTargetGroup(group_arn(name), name, target_type, (balancer_arn(of),))


def service(name: str, *groups: str, desired: int = 4, controller: str = "ECS") -> FoundService:
    return FoundService(name, tuple(map(group_arn, groups)), desired, "web:42", controller)


def deployment_group(name: str, *groups: str, services: tuple[str, ...] = ()) -> FoundDeploymentGroup:
    return FoundDeploymentGroup(name, services, groups)


def rule(
    weights: Mapping[str, int], *, of: str = "photo", number: int = 1, conditions: tuple[Condition, ...] = ()
) -> Rule:
    """A rule of HTTPS:443; `number` is its priority, and it is the default without `conditions`."""
    return Rule(
        arn=listener_arn(of).replace(":listener/", ":listener-rule/") + f"/{number:016x}",
        listener_arn=listener_arn(of),
        listener="HTTPS:443",
        priority=str(number) if conditions else "default",
        action="forward",
        conditions=conditions,
        shares=tuple(Share(group_arn(name), name, None, weight) for name, weight in weights.items()),
        stickiness_s=None,
    )


def mackerel(*services: str, groups: tuple[str, ...] = ("photo-ec2", "photo-ecs"), role: str = "") -> MackerelInventory:
    host = FoundMackerelHost("2u4PP3TJqbx", "photo-alb", (role,) if role else (), frozenset(groups))
    return MackerelInventory("example", services, (host,))


def photo_inventory(**overrides: Any) -> Inventory:
    """EC2 instances and an ECS service behind one load balancer, 90 : 10."""
    values: dict[str, Any] = {
        "load_balancers": (balancer(),),
        "rules": (rule({"photo-ec2": 90, "photo-ecs": 10}),),
        "target_groups": (group("photo-ec2", "instance"), group("photo-ecs")),
        "services": (service("photo/web", "photo-ecs"),),
    }
    return Inventory(REGION, **(values | overrides))
