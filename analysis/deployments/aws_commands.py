"""AWS CLI commands that set weights, with real ARNs, and the same as Terraform. The program only prints them."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from domain import Rule


def set_weights_command(rule: Rule, weights: Mapping[str, int]) -> str:
    """The AWS CLI command that sets a rule's weights (by target group ARN) and keeps its stickiness.

    A default action belongs to the listener: `modify-rule` rejects it. "" if the rule has other actions besides forwarding (authentication,
    say): the command would have to repeat them, and the API omits their secrets.
    """
    if rule.action != "forward" or rule.preceding_actions:
        return ""
    action = json.dumps([_forward(rule, weights)], separators=(",", ":"))
    if rule.priority == "default":
        return aws_command(
            "elbv2 modify-listener", ("--listener-arn", rule.listener_arn), ("--default-actions", action)
        )
    return aws_command("elbv2 modify-rule", ("--rule-arn", rule.arn), ("--actions", action))


def _forward(rule: Rule, weights: Mapping[str, int]) -> dict[str, Any]:
    sticky: dict[str, Any] = {"Enabled": rule.stickiness_s is not None}
    if rule.stickiness_s is not None:
        sticky["DurationSeconds"] = rule.stickiness_s
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}}


def terraform_forward(rule: Rule, weights: Mapping[str, int]) -> str:
    """The `forward` block of an aws_lb_listener_rule (or of a listener's default_action) with these weights, by target group ARN."""
    groups = [
        f'  target_group {{\n    arn    = "{arn}"\n    weight = {weight}\n  }}' for arn, weight in weights.items()
    ]
    if rule.stickiness_s is not None:
        groups.append(f"  stickiness {{\n    enabled  = true\n    duration = {rule.stickiness_s}\n  }}")
    return "\n".join(["forward {", *groups, "}"])


def aws_command(command: str, *options: tuple[str, str]) -> str:
    """An AWS CLI command with an option a line, quoted for a shell, in the region of the first option if that is an ARN. A value "": none."""
    region = options[0][1].split(":")[3] if options[0][1].count(":") > 3 else ""
    all_options = [("--region", region), *options] if region else list(options)
    lines = (f"{name} {shlex.quote(value)}" if value else name for name, value in all_options)
    return " \\\n  ".join([f"aws {command}", *lines])
