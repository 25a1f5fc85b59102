"""Parses a Terraform state of version 4, and keeps of it the names and ARNs of the resources that a migration consists of.

Format: https://developer.hashicorp.com/terraform/internals/json-format and the states that Terraform and OpenTofu write. Everything else that a state
has, such as passwords, is dropped as it is read: it is neither kept nor quoted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.infrastructure import InfrastructureHints
from sources.infrastructure.base import InfrastructureError, InfrastructureIssue, InfrastructureIssueCode, is_plain
from sources.infrastructure.hints import HintsBuilder
from sources.infrastructure.json_stream import MAX_VALUE_CHARS, JsonStreamError, read_members

VERSION = 4
# Of each type of resource, what is read. (aws_alb… are older names of aws_lb….)
_ELB = ("arn", "name", "id", "load_balancer_type")
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **{
        f"aws_{elb}{part}": _ELB
        for elb in ("lb", "alb")
        for part in ("", "_listener", "_listener_rule", "_target_group")
    },
    "aws_ecs_cluster": ("arn", "name", "id"),
    "aws_ecs_service": ("arn", "name", "id", "cluster"),
    "aws_ecs_task_definition": ("arn", "family", "id"),
    "aws_codedeploy_app": ("arn", "name", "id"),
    "aws_codedeploy_deployment_group": ("arn", "app_name", "deployment_group_name", "id"),
    "aws_cloudwatch_event_rule": ("arn", "name", "id", "event_bus_name"),
    "aws_scheduler_schedule": ("arn", "name", "id", "group_name"),
    "aws_lambda_function": ("arn", "function_name", "id"),
}
# Those that are a name alone: its hint, and the attribute.
_NAMES: Mapping[str, tuple[str, str]] = {
    "aws_ecs_cluster": ("clusters", "name"),
    "aws_ecs_task_definition": ("task_definition_families", "family"),
    "aws_codedeploy_app": ("codedeploy_applications", "name"),
    "aws_cloudwatch_event_rule": ("schedule_rules", "name"),
    "aws_lambda_function": ("functions", "function_name"),
}


@dataclass(frozen=True, slots=True)
class StateResource:
    """One instance of a resource or data source. `address`: `module.web.aws_lb.main["a"]`. `attributes`: those of _ATTRIBUTES that are set."""

    address: str
    type: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TerraformState:
    """`outputs`: texts that are not marked as sensitive; in memory only, until templates are rendered."""

    resources: tuple[StateResource, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict, repr=False)

    def lookup(self, address: str) -> str | None:
        """The value of `aws_lb_target_group.main['blue'].arn` or `output.cluster` in tfstate-lookup's syntax; None if there is none."""
        address = address.replace("'", '"')
        name, _, attribute = address.rpartition(".")
        if name == "output":
            return self.outputs.get(attribute)
        return next((item.attributes.get(attribute) for item in self.resources if item.address == name), None)


def parse_state(chunks: Iterable[bytes], origin: str) -> TerraformState:
    """The state. Raises InfrastructureError, whose text has nothing of the state, and what `chunks` raises."""
    version: object = None
    resources, outputs = list[StateResource](), dict[str, str]()
    failure: JsonStreamError | None = None
    try:
        for key, value in read_members(chunks, arrays=("resources", "modules")):
            if key == "version":
                version = value
            _refuse(key, value, version, origin)
            if key == "resources":
                resources += _instances(value)
            elif key == "outputs":
                outputs = _outputs(value)
    except JsonStreamError as error:
        failure = error
    if failure and failure.key == "encrypted_data":  # too large to be read as one value
        raise InfrastructureError(InfrastructureIssue("encrypted_state", origin))
    if failure or version != VERSION:
        raise InfrastructureError(_failed(version, origin, failure))
    return TerraformState(tuple(resources), outputs)


def _refuse(key: str, value: Any, version: object, origin: str) -> None:
    """Raises InfrastructureError for what only looks like a state."""
    if key == "encrypted_data":
        raise InfrastructureError(InfrastructureIssue("encrypted_state", origin))
    if key == "backend" and isinstance(value, dict):
        config = value.get("config")
        location = _backend_location(value.get("type"), config if isinstance(config, dict) else {})
        raise InfrastructureError(InfrastructureIssue("backend_only", origin, params={"location": location}))
    if key == "modules" and version != VERSION:
        raise InfrastructureError(_failed(version, origin))


def _backend_location(kind: object, config: Mapping[str, Any]) -> str:
    """Where the state of a backend is, as `--tfstate` takes it; "" if that is not known."""
    names = [config.get(name) for name in ("bucket", "key")]
    if kind == "s3" and all(isinstance(name, str) and is_plain(name) for name in names):
        return f"s3://{names[0]}/{names[1]}"
    workspaces = config.get("workspaces")
    if isinstance(workspaces, list):  # as the backends `remote` and `cloud` wrote it once
        workspaces = workspaces[0] if workspaces else None
    if kind in ("remote", "cloud") and isinstance(workspaces, dict):
        host = config.get("hostname") or "app.terraform.io"
        names = [host, config.get("organization"), workspaces.get("name")]
        if all(isinstance(name, str) and is_plain(name) for name in names):
            return f"https://{names[0]}/app/{names[1]}/workspaces/{names[2]}"
    return ""


def _failed(version: object, origin: str, failure: JsonStreamError | None = None) -> InfrastructureIssue:
    """Why it is no state that is read: another version, or what is wrong with the file."""
    if isinstance(version, int) and version is not True and 0 < version <= 99 and version != VERSION:
        code: InfrastructureIssueCode = "old_state" if version < VERSION else "new_state"
        return InfrastructureIssue(code, origin, params={"version": str(version)})
    if failure and failure.code == "value_too_large":
        limit = f"{MAX_VALUE_CHARS >> 20} MiB"
        return InfrastructureIssue("value_too_large", origin, params={"limit": limit})
    return InfrastructureIssue("not_utf8" if failure and failure.code == "not_utf8" else "not_a_state", origin)


def _outputs(value: object) -> dict[str, str]:
    outputs = value.items() if isinstance(value, dict) else ()
    return {
        name: output["value"]
        for name, output in outputs
        if isinstance(output, dict)
        and not output.get("sensitive")
        and isinstance(output.get("value"), str)
        and is_plain(output["value"])
    }


def _instances(resource: Any) -> Iterator[StateResource]:
    match resource:
        case {"mode": "managed" | "data" as mode, "type": str(kind), "name": str(name), "instances": list(instances)}:
            if kind not in _ATTRIBUTES:
                return
            module = resource.get("module")
            prefix = f"{module}." if isinstance(module, str) else ""
            address = f"{prefix}{'data.' if mode == 'data' else ''}{kind}.{name}"
            for instance in instances:
                if isinstance(instance, dict):
                    yield StateResource(address + _index(instance.get("index_key")), kind, _attributes(kind, instance))


def _index(key: object) -> str:
    return f"[{json.dumps(key, ensure_ascii=False)}]" if isinstance(key, str | int) else ""


def _attributes(kind: str, instance: Mapping[str, Any]) -> Mapping[str, str]:
    given = instance.get("attributes") or instance.get("attributes_flat")
    if not isinstance(given, dict):
        return {}
    texts = {name: given.get(name) for name in _ATTRIBUTES[kind]}
    return {name: text for name, text in texts.items() if isinstance(text, str) and is_plain(text)}


def state_hints(state: TerraformState, origin: str) -> InfrastructureHints:
    """What the resources of a state say about a migration."""
    builder = HintsBuilder()
    for resource in state.resources:
        _add(builder, resource.type.replace("aws_alb", "aws_lb"), resource.attributes)
    return builder.hints(origin)


def _add(builder: HintsBuilder, kind: str, attributes: Mapping[str, str]) -> None:
    def get(name: str) -> str:
        return attributes.get(name, "")

    builder.add_region_of(get("arn"))
    match kind:
        case "aws_lb" | "aws_lb_listener" | "aws_lb_listener_rule" | "aws_lb_target_group":
            builder.add_elb(get("arn"))
        case "aws_ecs_service":
            builder.add_region_of(get("id"))  # the ARN
            builder.add_service(get("cluster"), get("name"))
        case "aws_codedeploy_deployment_group":
            builder.add_deployment_group(get("app_name"), get("deployment_group_name"))
        case "aws_scheduler_schedule":
            builder.add_schedule(get("group_name"), get("name"))
        case _:
            field, attribute = _NAMES[kind]
            builder.add(field, get(attribute))
