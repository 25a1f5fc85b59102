"""ECS as a source: services under CodeDeploy and under ECS's own ways, by botocore's Stubber and by unpatched boto3 against a loopback world."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from domain import Window
from domain.deployments import EcsService, ServiceEvent, TrafficRoute
from sources.aws.ecs import Ecs
from sources.base import Events
from tests.factories.deployments import NOON, clock, deployments_migration, no_retry_client
from tests.fakes.deployments import (
    BLUE,
    CLUSTER,
    ECS_ARN_PREFIX,
    GREEN,
    RULE,
    SERVICE,
    FakeDeployments,
    group_arn,
    service,
    task_definition,
    task_set,
)

HOUR = Window(NOON - 3600, NOON)
DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/viewer/x is not authorized")


@pytest.fixture
def world() -> Iterator[FakeDeployments]:
    with FakeDeployments() as world:
        yield world


def create_source(world: FakeDeployments) -> Ecs:
    return Ecs(deployments_migration(), clock=clock, client=no_retry_client("ecs", world.url))


def only_service(told: Events) -> EcsService:
    assert told.deployment_state
    (found,) = told.deployment_state.services
    return found


def revision(number: int, group: str) -> dict[str, Any]:
    return {
        "serviceRevisionArn": f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/{number}",
        "taskDefinition": task_definition(number),
        "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": group_arn(group)}]},
    }


def ecs_deployment(id_: str, status: str, created: int, new: int, old: int, **more: Any) -> dict[str, Any]:
    """One of ECS's own deployments, a canary of 10 %."""

    def part(number: int, production: float, test: float) -> dict[str, Any]:
        return {
            "arn": f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/{number}",
            "requestedTaskCount": 4,
            "runningTaskCount": 4,
            "pendingTaskCount": 0,
            "requestedProductionTrafficWeight": production,
            "requestedTestTrafficWeight": test,
        }

    return {
        "serviceDeploymentArn": f"{ECS_ARN_PREFIX}service-deployment/{CLUSTER}/{SERVICE}/{id_}",
        "createdAt": created,
        "startedAt": created + 5,
        "status": status,
        "deploymentConfiguration": {
            "strategy": "CANARY",
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10},
        },
        "targetServiceRevision": part(new, 10.0, 100.0),
        "sourceServiceRevisions": [part(old, 90.0, 0.0)],
        **more,
    }


def add_canary(world: FakeDeployments, status: str = "IN_PROGRESS", **more: Any) -> None:
    advanced = {"alternateTargetGroupArn": group_arn(GREEN), "productionListenerRule": RULE}
    here = ecs_deployment("abc123", status, NOON - 600, 42, 41, **more)
    world.service_deployments = [here]
    world.service_revisions = [revision(42, GREEN), revision(41, BLUE)]
    balancer = {"targetGroupArn": group_arn(BLUE), "advancedConfiguration": advanced}
    world.services = [
        service(
            "ECS",
            taskDefinition=task_definition(42),
            deploymentConfiguration={"strategy": "CANARY"},
            currentServiceDeployment=here["serviceDeploymentArn"],
            loadBalancers=[balancer],
        )
    ]


def test_a_service_that_codedeploy_drives(world: FakeDeployments) -> None:
    world.images = {42: ["123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0"]}
    steady = {"id": "1", "createdAt": NOON - 60, "message": "(service web) has reached a steady state."}
    world.services = [
        service(
            pendingCount=1,
            runningCount=3,
            taskSets=[
                task_set(2, "PRIMARY", 42, GREEN, "d-42"),
                task_set(1, "ACTIVE", 41, BLUE, "d-41", stabilityStatus="STABILIZING"),
            ],
            events=[steady] * 12,
        )
    ]
    told = create_source(world).events(HOUR)
    assert (told.problems, told.events, told.complete) == ((), (), True)
    found = only_service(told)
    assert (found.name, found.controller, found.strategy) == ("photo/web", "CODE_DEPLOY", "codedeploy")
    assert (found.desired, found.running, found.pending) == (4, 3, 1)
    assert (found.task_definition, found.previous_task_definition) == ("web:42", "web:41")
    assert found.images == ("123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0",)
    assert found.primary and found.primary.target_group == GREEN
    assert [(one.task_definition, one.deployment, one.stability) for one in found.task_sets] == [
        ("web:42", "d-42", "STEADY_STATE"),
        ("web:41", "d-41", "STABILIZING"),
    ]
    assert found.events == (ServiceEvent(NOON - 60, "(service web) has reached a steady state."),) * 10
    assert world.calls == ["DescribeServices", "DescribeTaskDefinition"]


def test_the_requests_are_what_aws_asks_for() -> None:
    """Stubber checks each request and reply against AWS's own model of the service."""
    talker = no_retry_client("ecs")
    made = datetime.fromtimestamp(NOON - 600, UTC)
    arn = f"{ECS_ARN_PREFIX}service-deployment/photo/web/abc"
    here = {"status": "ACTIVE", "deploymentController": {"type": "ECS"}, "taskDefinition": task_definition(42)}
    with Stubber(talker) as stub:
        stub.add_response("describe_services", {"services": [here]}, {"cluster": "photo", "services": ["web"]})
        since = datetime.fromtimestamp(NOON - 94 * 86_400, UTC)  # 90 days, and four for what then still ran
        span = {"after": since, "before": HOUR.ends_at}
        asked = {"cluster": "photo", "service": "web", "createdAt": span}
        stub.add_response("list_service_deployments", {"serviceDeployments": [], "nextToken": "2"}, asked)
        stub.add_response(
            "list_service_deployments",
            {"serviceDeployments": [{"serviceDeploymentArn": arn}]},
            {**asked, "nextToken": "2"},
        )
        told = {"serviceDeploymentArn": arn, "createdAt": made, "finishedAt": made, "status": "SUCCESSFUL"}
        new = f"{ECS_ARN_PREFIX}service-revision/photo/web/1"
        stub.add_response(
            "describe_service_deployments",
            {"serviceDeployments": [{**told, "targetServiceRevision": {"arn": new}}]},
            {"serviceDeploymentArns": [arn]},
        )
        revisions = [{"serviceRevisionArn": new, "taskDefinition": task_definition(42)}]
        stub.add_response("describe_service_revisions", {"serviceRevisions": revisions}, {"serviceRevisionArns": [new]})
        stub.add_response("describe_task_definition", {"taskDefinition": {}}, {"taskDefinition": task_definition(42)})
        told = Ecs(deployments_migration(), clock=clock, client=talker).events(HOUR)
        stub.assert_no_pending_responses()
    (event,) = told.events
    assert (event.title, event.key, event.until) == ("web:42 SUCCESSFUL", "abc", NOON - 600)


def test_ecs_own_canary_is_told_with_stage_and_both_weights(world: FakeDeployments) -> None:
    add_canary(world, lifecycleStage="BAKE_TIME")
    told = create_source(world).events(HOUR)
    assert told.problems == ()
    found = only_service(told)
    assert (found.strategy, found.task_definition, found.previous_task_definition) == ("canary", "web:42", "web:41")
    assert found.route == TrafficRoute((BLUE, GREEN), rule_arn=RULE)
    assert told.deployment_state
    (running,) = told.deployment_state.deployments
    assert (running.stage, running.configuration, running.previous_task_definition) == ("BAKE_TIME", "CANARY", "web:41")
    assert [(one.status, one.task_definition, one.target_group, one.weight, one.test_weight) for one in running.task_sets] == [
        ("target", "web:42", GREEN, 10.0, 100.0),
        ("source", "web:41", BLUE, 90.0, 0.0),
    ]  # fmt: skip
    assert [(event.title, event.open) for event in told.events] == [("web:42 IN_PROGRESS", True)]


def test_a_hook_that_pauses_waits_for_a_person(world: FakeDeployments) -> None:
    hook = {"hookId": "approve", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
    add_canary(world, lifecycleStage="POST_TEST_TRAFFIC_SHIFT", lifecycleHookDetails=[hook])
    told = create_source(world).events(HOUR)
    assert told.deployment_state
    assert told.deployment_state.deployments[0].waits_for == "approve"


def test_a_rolled_back_deployment_is_two_events_and_says_why(world: FakeDeployments) -> None:
    reason = (
        "Service deployment rolled back because of invalid networking configuration. productionListenerRule "
        f"{RULE} should have exactly one target group serving traffic but found 2 target groups which are serving traffic"
    )
    old = f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/41"
    back = {"reason": "Service deployment rolled back", "startedAt": NOON - 500, "serviceRevisionArn": old}
    add_canary(world, "ROLLBACK_SUCCESSFUL", finishedAt=NOON - 400, statusReason=reason, rollback=back)
    told = create_source(world).events(HOUR)
    deployed, rolled_back = told.events
    assert (deployed.kind, deployed.ts, deployed.until) == ("deployment", NOON - 600, NOON - 400)
    assert (rolled_back.kind, rolled_back.title, rolled_back.ts) == ("rollback", "web:41 ← web:42", NOON - 500)
    assert "exactly one target group" in rolled_back.detail
    assert told.deployment_state and told.deployment_state.deployments[0].outcome == "rolled_back"


def test_what_has_ended_and_revisions_are_asked_once(world: FakeDeployments) -> None:
    add_canary(world, "SUCCESSFUL", finishedAt=NOON - 100)
    world.images = {42: ["web:1"]}
    there = create_source(world)
    there.events(HOUR)
    world.calls.clear()
    assert [event.title for event in there.events(HOUR).events] == ["web:42 SUCCESSFUL"]
    assert world.calls == ["DescribeServices", "ListServiceDeployments"]


def test_many_deployments_are_described_twenty_at_a_time(world: FakeDeployments) -> None:
    add_canary(world)
    ended = [
        ecs_deployment(f"e{number:02}", "SUCCESSFUL", NOON - 700 - number, 41, 40, finishedAt=NOON - 650)
        for number in range(44)
    ]
    world.service_deployments += ended
    world.service_revisions.append(revision(40, GREEN))
    world.page_size = 20
    told = create_source(world).events(HOUR)
    assert (told.problems, len(told.events)) == ((), 45)
    assert [world.calls.count(one) for one in ("ListServiceDeployments", "DescribeServiceDeployments")] == [3, 3]


@pytest.mark.parametrize("services", [[], [service(status="INACTIVE", desiredCount=0, runningCount=0)]])
def test_a_service_deleted_since_is_a_remark_and_forgets_nothing(
    world: FakeDeployments, services: list[dict[str, Any]]
) -> None:
    world.services = services
    told = create_source(world).events(HOUR)
    assert [(one.kind, one.operation, one.about) for one in told.problems] == [
        ("gone", "ecs:DescribeServices", "photo/web")
    ]
    assert (told.deployment_state, told.complete) == (None, False)
    assert [one.state for one in create_source(world).check()] == ["up"]


def test_without_the_permission_for_deployments_the_service_is_still_told(world: FakeDeployments) -> None:
    add_canary(world)
    world.errors["ListServiceDeployments"] = DENIED
    world.errors["DescribeServiceDeployments"] = DENIED
    told = create_source(world).events(HOUR)
    assert {one.operation for one in told.problems} == {"ecs:ListServiceDeployments", "ecs:DescribeServiceDeployments"}
    assert not told.complete
    assert (only_service(told).desired, only_service(told).task_definition) == (4, "web:42")


def test_a_rolling_service_tells_its_rollout(world: FakeDeployments) -> None:
    rolling = [
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": task_definition(42), "rolloutState": "IN_PROGRESS"}
        | {"rolloutStateReason": "ECS deployment ecs-svc/2 in progress."},
        {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": task_definition(41), "rolloutState": "COMPLETED"},
    ]
    world.services = [service("ECS", taskDefinition=task_definition(42), deployments=rolling)]
    found = only_service(create_source(world).events(HOUR))
    assert (found.strategy, found.rollout, found.previous_task_definition) == ("rolling", "IN_PROGRESS", "web:41")
    assert found.route == TrafficRoute((BLUE,))
