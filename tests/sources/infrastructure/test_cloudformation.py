"""The resources of CloudFormation stacks, nested ones included."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain.infrastructure import InfrastructureHints
from messages.errors.sources import format_problem
from sources.aws.client import AwsAccess
from sources.infrastructure import cloudformation
from sources.infrastructure.base import HintsResult

REGION = "ap-northeast-1"
ELB = f"arn:aws:elasticloadbalancing:{REGION}:123456789012"
STACKS = f"arn:aws:cloudformation:{REGION}:123456789012:stack"
NESTED = f"{STACKS}/photo-Ecs-1ABCDEF/2b6e4a10-9c3d-11ee-8c90-0242ac120002"
Resource = tuple[str, str]
PHOTO: dict[str, list[Resource]] = {
    "photo": [
        ("AWS::EC2::SecurityGroup", "sg-0a1b2c3d"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", f"{ELB}:loadbalancer/app/photo/50dc6c495c0c9188"),
        ("AWS::ElasticLoadBalancingV2::Listener", f"{ELB}:listener/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2"),
        (
            "AWS::ElasticLoadBalancingV2::ListenerRule",
            f"{ELB}:listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
        ),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", f"{ELB}:targetgroup/photo-ecs/943f017f100becff"),
        ("AWS::CloudFormation::Stack", NESTED),
    ],
    NESTED: [
        ("AWS::ECS::Cluster", "photo"),
        ("AWS::ECS::Service", f"arn:aws:ecs:{REGION}:123456789012:service/photo/web"),
        ("AWS::ECS::TaskDefinition", f"arn:aws:ecs:{REGION}:123456789012:task-definition/web:42"),
        ("AWS::CodeDeploy::Application", "AppECS-photo"),
        ("AWS::CodeDeploy::DeploymentGroup", "DgpECS-photo"),
        ("AWS::Events::Rule", "thumbnails"),
        ("AWS::Events::Rule", "batches|cleanup"),
        ("AWS::Scheduler::Schedule", "digest"),
        ("AWS::Lambda::Function", "thumbnails"),
        ("AWS::CloudFormation::Stack", f"{STACKS}/photo/1"),  # of a loop
    ],
}


class FakeClient:
    """Two resources a page, as ListStackResources returns them; the stack's ARN names the same stack."""

    class meta:
        region_name = REGION

    def __init__(
        self,
        stacks: dict[str, list[Resource]],
        error: tuple[str, str, int] | None = None,
        status: str = "UPDATE_COMPLETE",
    ) -> None:
        self._stacks, self._error, self._status = stacks, error, status
        self.calls: list[str] = []

    def list_stack_resources(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        self.calls.append(StackName)
        code, message, status = self._error or ("ValidationError", f"Stack with id {StackName} does not exist", 400)
        if self._error or StackName not in self._stacks:
            response: Any = {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
            raise ClientError(response, "ListStackResources")
        start = int(NextToken)
        page = self._stacks[StackName][start : start + 2]
        summaries = [
            {
                "ResourceType": kind,
                "PhysicalResourceId": name,
                "LogicalResourceId": "x",
                "ResourceStatus": self._status,
            }
            for kind, name in page
        ]
        token = {"NextToken": str(start + 2)} if start + 2 < len(self._stacks[StackName]) else {}
        return {"StackResourceSummaries": summaries, **token}


def read(client: FakeClient, stack: str = "photo") -> HintsResult:
    return cloudformation.read_cloudformation(stack, AwsAccess(), client)


def test_a_stack_with_a_nested_one() -> None:
    client = FakeClient({**PHOTO, f"{STACKS}/photo/1": []})
    result = read(client)
    assert (result.issues, result.problems) == ((), ())
    assert result.hints == InfrastructureHints(
        region=REGION,
        load_balancer_arns=(f"{ELB}:loadbalancer/app/photo/50dc6c495c0c9188",),
        listener_arns=(f"{ELB}:listener/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2",),
        listener_rule_arns=(f"{ELB}:listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",),
        target_group_arns=(f"{ELB}:targetgroup/photo-ecs/943f017f100becff",),
        clusters=("photo",),
        services=("photo/web",),
        task_definition_families=("web",),
        codedeploy_applications=("AppECS-photo",),
        codedeploy_deployment_groups=("DgpECS-photo",),
        schedule_rules=("thumbnails", "cleanup", "default/digest"),
        functions=("thumbnails",),
        origins=("CloudFormation: photo",),
    )
    assert client.calls == ["photo"] * 3 + [NESTED] * 5 + [f"{STACKS}/photo/1"]


def test_a_stack_that_does_not_exist() -> None:
    (problem,) = read(FakeClient({})).problems
    assert (problem.kind, problem.about, problem.detail) == ("not_found", "photo", "")
    assert (
        format_problem(problem, is_retried=False).text
        == "CloudFormation has no stack photo in this account and region."
    )


def test_a_denied_call() -> None:
    result = read(FakeClient({}, ("AccessDenied", "User is not authorized", 403)))
    (problem,) = result.problems
    assert (problem.kind, problem.operation) == ("denied", "cloudformation:ListStackResources")
    assert (result.hints, result.issues) == (InfrastructureHints(), ())


def test_a_nested_stack_that_is_denied_does_not_hide_the_others() -> None:
    result = read(FakeClient({"photo": PHOTO["photo"]}))
    assert result.hints.load_balancer_arns and len(result.problems) == 1


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        (("AWS::RDS::DBInstance", "photo"), "CREATE_COMPLETE"),
        (("AWS::ECS::Cluster", ""), "CREATE_IN_PROGRESS"),
        (("AWS::ECS::Cluster", "photo"), "DELETE_COMPLETE"),
    ],
)
def test_deleted_resources_and_other_types_are_no_hints(resource: Resource, status: str) -> None:
    result = read(FakeClient({"photo": [resource]}, status=status))
    assert [issue.code for issue in result.issues] == ["nothing_found"]


def test_stacks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudformation, "MAX_STACKS", 3)
    stacks = {f"s{n}": [("AWS::CloudFormation::Stack", f"s{n + 1}")] for n in range(100)}
    client = FakeClient(stacks)
    (problem,) = read(client, "s0").problems
    assert (problem.kind, len(client.calls)) == ("incomplete", 3)


def test_the_region_of_an_arn(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = list[str]()

    class Provider:
        def __init__(self, service: str, access: AwsAccess, client: Any = None) -> None:
            regions.append(access.region)
            self._client = FakeClient({NESTED: PHOTO[NESTED][:1]})

        def __call__(self) -> FakeClient:
            return self._client

    monkeypatch.setattr(cloudformation, "ClientProvider", Provider)
    assert read(FakeClient({}), NESTED).hints.region == REGION
    assert regions == [REGION]


def test_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    result = cloudformation.read_cloudformation("photo", AwsAccess())
    assert [issue.code for issue in result.issues] == ["no_region"]
