"""Lists the resources of a CloudFormation stack and of the stacks nested in it.

API: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html. What a resource's physical ID is (an ARN or a name) is in
"Return values" of its type in the template reference.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, NoRegionError

from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import AwsAccess
from sources.base import Problem
from sources.infrastructure.base import HintsResult, InfrastructureIssue
from sources.infrastructure.hints import HintsBuilder

SOURCE = "cloudformation"
MAX_STACKS = 50
_OPERATIONS = {
    "ListStackResources": Operation("StackResourceSummaries", "NextToken", "NextToken", item_key="ResourceType")
}
_NAMES = {
    "AWS::ECS::Cluster": "clusters",
    "AWS::CodeDeploy::Application": "codedeploy_applications",
    "AWS::Lambda::Function": "functions",
}
_GONE = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED"})


def read_cloudformation(stack: str, access: AwsAccess, client: Any = None) -> HintsResult:
    """The hints of a stack by its name or ARN. Never raises. `client`: used instead of boto3's (tests)."""
    origin = f"CloudFormation: {stack}"
    if stack.startswith("arn:") and stack.count(":") >= 5:
        access = replace(access, region=stack.split(":")[3])
    provider = ClientProvider(SOURCE, access, client)
    try:
        region = str(provider().meta.region_name or "")
    except NoRegionError:
        return HintsResult(issues=(InfrastructureIssue("no_region", origin),))
    except BotoCoreError:
        region = access.region  # the first call reports it
    session = ApiSession(SOURCE, SOURCE, _OPERATIONS, provider)
    builder = HintsBuilder()
    stacks = [stack]
    for name in stacks:  # grows by nested stacks
        if len(stacks) > MAX_STACKS:
            session.add_problem("incomplete", "ListStackResources", stack, f"more than {MAX_STACKS} nested stacks")
            break
        for resource in session.fetch_or_empty("ListStackResources", about=name, StackName=name):
            nested = _add(builder, resource)
            if nested and nested not in stacks:
                stacks.append(nested)
    problems = tuple(_with_kind(problem) for problem in session.problems)
    hints = builder.hints(origin)
    if hints.origins and region:
        hints = replace(hints, region=hints.region or region)
    issues = () if hints.origins or problems else (InfrastructureIssue("nothing_found", origin),)
    return HintsResult(hints, issues, problems)


def _add(builder: HintsBuilder, resource: Mapping[str, Any]) -> str:
    """Adds a resource; the ARN of a nested stack, "" if it is none."""
    physical_id = str(resource.get("PhysicalResourceId") or "")
    if not physical_id or resource.get("ResourceStatus") in _GONE:
        return ""
    match resource["ResourceType"]:
        case "AWS::CloudFormation::Stack":
            return physical_id
        case "AWS::ECS::Service":
            builder.add_region_of(physical_id)
            builder.add_service("", physical_id)
        case "AWS::ECS::TaskDefinition":  # arn:aws:ecs:…:task-definition/family:revision
            builder.add("task_definition_families", physical_id.rpartition("/")[2].partition(":")[0])
        case "AWS::CodeDeploy::DeploymentGroup":
            builder.add_deployment_group("", physical_id)
        case "AWS::Events::Rule":  # "bus|rule", for another bus than the default one
            builder.add("schedule_rules", physical_id.rpartition("|")[2])
        case "AWS::Scheduler::Schedule":
            builder.add_schedule("", physical_id)
        case kind if kind in _NAMES:
            builder.add(_NAMES[kind], physical_id)
        case _:
            builder.add_elb(physical_id)  # which ignores all other ARNs
    return ""


def _with_kind(problem: Problem) -> Problem:
    """CloudFormation has no error of its own for a stack that does not exist: a ValidationError says so."""
    if problem.kind == "bad_request" and "does not exist" in problem.detail:
        return replace(problem, kind="not_found", detail="")
    return problem
