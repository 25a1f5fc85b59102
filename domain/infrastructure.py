"""What infrastructure code names of a migration: load balancers, target groups, services, deployment groups, rules and functions."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class InfrastructureHints:
    """What files of ecspresso, Terraform or CloudFormation name, in the order in which it was read. All may be empty.

    `services`: "cluster/service", or the service's name alone. `codedeploy_deployment_groups`: "application/deployment group", or the group's name alone.
    `schedule_rules`: EventBridge rules by name, and schedules as "group/name".
    `functions`: Lambda functions by name. `origins`: where it was read, for messages.
    """

    region: str = ""
    load_balancer_arns: tuple[str, ...] = ()
    listener_arns: tuple[str, ...] = ()
    listener_rule_arns: tuple[str, ...] = ()
    target_group_arns: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    task_definition_families: tuple[str, ...] = ()
    codedeploy_applications: tuple[str, ...] = ()
    codedeploy_deployment_groups: tuple[str, ...] = ()
    schedule_rules: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def merge(self, other: Self) -> Self:
        """Both, each value once; the region is that of `self` if it has one."""
        lists = {
            field.name: tuple(dict.fromkeys((*getattr(self, field.name), *getattr(other, field.name))))
            for field in fields(self)
            if field.name != "region"
        }
        return type(self)(region=self.region or other.region, **lists)
