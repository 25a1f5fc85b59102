"""A migration behind one load balancer, read from AWS alone."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from domain import Migration
from tests.factories.config import ELB_ARN_PREFIX

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def aws_migration(
    elb: str = ELB_ARN_PREFIX,
    *,
    baseline: Mapping[str, Any] = _NOTHING,
    canary: Mapping[str, Any] = _NOTHING,
    **aws: Any,
) -> Migration:
    """One target group per fleet. `elb`: the prefix of all ARNs; `baseline`, `canary` and `aws`: further or other keys of their tables."""
    groups = {"EC2": "photo-ec2/73e2d6bc24d8a067", "ECS": "photo-ecs/943f017f100becff"}
    ec2, ecs = ({"label": label, "target_groups": [f"{elb}:targetgroup/{group}"]} for label, group in groups.items())
    return Migration.model_validate(
        {
            "name": "Photo service",
            "aws": {
                "region": elb.split(":")[3],
                "load_balancer": f"{elb}:loadbalancer/app/photo/50dc6c495c0c9188",
                **aws,
            },
            "fleets": {"baseline": {**ec2, **baseline}, "canary": {**ecs, **canary}},
        }
    )
