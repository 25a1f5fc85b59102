"""Rules, weights and target groups of one load balancer, as values."""

import json
import shlex
from typing import Any

from domain import Condition, FleetName, Group, Rule, Share, Target, Traffic

ELB_ARN_PREFIX = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
LISTENER = f"{ELB_ARN_PREFIX}listener/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2"
DEFAULT_RULE = f"{ELB_ARN_PREFIX}listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/4c2b9d7e1f60a835"
HEADER_RULE = f"{ELB_ARN_PREFIX}listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
EC2, BLUE, GREEN = "photo-ec2", "photo-ecs-blue", "photo-ecs-green"


ARNS = {
    EC2: f"{ELB_ARN_PREFIX}targetgroup/photo-ec2/73e2d6bc24d8a067",
    BLUE: f"{ELB_ARN_PREFIX}targetgroup/photo-ecs-blue/0a1b2c3d4e5f6071",
    GREEN: f"{ELB_ARN_PREFIX}targetgroup/photo-ecs-green/9f8e7d6c5b4a3928",
}


def fleet_of(group: str) -> FleetName:
    return "baseline" if group == EC2 else "canary"


def make_rule(
    arn: str = DEFAULT_RULE,
    priority: str = "default",
    stickiness_s: int | None = None,
    preceding_actions: tuple[str, ...] = (),
    **weights: int,
) -> Rule:
    """A rule with weights by the short names ec2, blue, green."""
    names = {"ec2": EC2, "blue": BLUE, "green": GREEN}
    shares = tuple(
        Share(ARNS[names[name]], names[name], fleet_of(names[name]), weight) for name, weight in weights.items()
    )
    conditions = (Condition("http-header", "X-Canary", ("ecs",)),) if arn == HEADER_RULE else ()
    return Rule(arn, LISTENER, "HTTPS:443", priority, "forward", conditions, shares, stickiness_s, preceding_actions)


def make_traffic(*rules: Rule) -> Traffic:
    target = Target("10.0.1.1", 80, "", "healthy", "", "")
    groups = tuple(Group(arn, name, fleet_of(name), (target,)) for name, arn in ARNS.items())
    return Traffic(0, rules, groups, rules[-1].arn)


def parse_command(command: str) -> tuple[list[str], Any]:
    """The words before a command's JSON argument, as a shell splits them, and the parsed JSON."""
    *words, document = shlex.split(command.replace("\\\n", ""))  # a shell joins continued lines first
    return words, json.loads(document)


def command_weights(command: str) -> dict[str, int]:
    names = {arn: name for name, arn in ARNS.items()}
    (forward,) = parse_command(command)[1]
    return {names[group["TargetGroupArn"]]: group["Weight"] for group in forward["ForwardConfig"]["TargetGroups"]}
