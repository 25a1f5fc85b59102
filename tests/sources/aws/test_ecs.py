"""The ECS source, with services deployed by CodeDeploy and by ECS: with botocore's Stubber, and over HTTP against the fake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from domain import Window
from domain.config.releases import Releases
from domain.deployments import EcsService, PlannedShift, ServiceEvent, TimeoutAction, TrafficRoute, Wait
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


def create_source(server: FakeDeployments) -> Ecs:
    return Ecs(deployments_migration(), clock=clock, client=no_retry_client("ecs", server.url))


def only_service(result: Events) -> EcsService:
    assert result.deployment_state
    (service,) = result.deployment_state.services
    return service


def revision(number: int, group: str) -> dict[str, Any]:
    return {
        "serviceRevisionArn": f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/{number}",
        "taskDefinition": task_definition(number),
        "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": group_arn(group)}]},
    }


def ecs_deployment(id_: str, status: str, created: int, new: int, old: int, **fields: Any) -> dict[str, Any]:
    """A canary deployment of ECS with 10 %."""

    def revision_weights(number: int, production: float, test: float) -> dict[str, Any]:
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
        "targetServiceRevision": revision_weights(new, 10.0, 100.0),
        "sourceServiceRevisions": [revision_weights(old, 90.0, 0.0)],
        **fields,
    }


def add_canary(server: FakeDeployments, status: str = "IN_PROGRESS", **fields: Any) -> None:
    advanced = {"alternateTargetGroupArn": group_arn(GREEN), "productionListenerRule": RULE}
    payload = ecs_deployment("abc123", status, NOON - 600, 42, 41, **fields)
    server.service_deployments = [payload]
    server.service_revisions = [revision(42, GREEN), revision(41, BLUE)]
    balancer = {"targetGroupArn": group_arn(BLUE), "advancedConfiguration": advanced}
    server.services = [
        service(
            "ECS",
            taskDefinition=task_definition(42),
            deploymentConfiguration={"strategy": "CANARY"},
            currentServiceDeployment=payload["serviceDeploymentArn"],
            loadBalancers=[balancer],
        )
    ]


def test_service_controlled_by_codedeploy(server: FakeDeployments) -> None:
    server.images = {42: ["123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0"]}
    steady = {"id": "1", "createdAt": NOON - 60, "message": "(service web) has reached a steady state."}
    server.services = [
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
    result = create_source(server).events(HOUR)
    assert (result.problems, result.events, result.complete) == ((), (), True)
    ecs_service = only_service(result)
    assert (ecs_service.name, ecs_service.controller, ecs_service.strategy) == (
        "photo/web",
        "CODE_DEPLOY",
        "codedeploy",
    )
    assert (ecs_service.desired, ecs_service.running, ecs_service.pending) == (4, 3, 1)
    assert (ecs_service.task_definition, ecs_service.previous_task_definition) == ("web:42", "web:41")
    assert ecs_service.images == ("123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0",)
    assert ecs_service.primary and ecs_service.primary.target_group == GREEN
    assert [
        (task_set.task_definition, task_set.deployment, task_set.stability) for task_set in ecs_service.task_sets
    ] == [
        ("web:42", "d-42", "STEADY_STATE"),
        ("web:41", "d-41", "STABILIZING"),
    ]
    assert ecs_service.events == (ServiceEvent(NOON - 60, "(service web) has reached a steady state."),) * 10
    assert server.calls == ["DescribeServices", "DescribeTaskDefinition"]


def test_requests_match_the_service_model() -> None:
    """Stubber checks each request and response against the service model of AWS."""
    client = no_retry_client("ecs")
    created = datetime.fromtimestamp(NOON - 600, UTC)
    arn = f"{ECS_ARN_PREFIX}service-deployment/photo/web/abc"
    active = {"status": "ACTIVE", "deploymentController": {"type": "ECS"}, "taskDefinition": task_definition(42)}
    with Stubber(client) as stub:
        stub.add_response("describe_services", {"services": [active]}, {"cluster": "photo", "services": ["web"]})
        since = datetime.fromtimestamp(NOON - 94 * 86_400, UTC)  # 90 days of lookback, four of a running deployment
        span = {"after": since, "before": HOUR.ends_at + timedelta(minutes=1)}
        params = {"cluster": "photo", "service": "web", "createdAt": span}
        stub.add_response("list_service_deployments", {"serviceDeployments": [], "nextToken": "2"}, params)
        stub.add_response(
            "list_service_deployments",
            {"serviceDeployments": [{"serviceDeploymentArn": arn}]},
            {**params, "nextToken": "2"},
        )
        payload = {"serviceDeploymentArn": arn, "createdAt": created, "finishedAt": created, "status": "SUCCESSFUL"}
        new = f"{ECS_ARN_PREFIX}service-revision/photo/web/1"
        stub.add_response(
            "describe_service_deployments",
            {"serviceDeployments": [{**payload, "targetServiceRevision": {"arn": new}}]},
            {"serviceDeploymentArns": [arn]},
        )
        revisions = [{"serviceRevisionArn": new, "taskDefinition": task_definition(42)}]
        stub.add_response("describe_service_revisions", {"serviceRevisions": revisions}, {"serviceRevisionArns": [new]})
        stub.add_response("describe_task_definition", {"taskDefinition": {}}, {"taskDefinition": task_definition(42)})
        result = Ecs(deployments_migration(), clock=clock, client=client).events(HOUR)
        stub.assert_no_pending_responses()
    (event,) = result.events
    assert (event.title, event.key, event.until) == ("web:42 SUCCESSFUL", "abc", NOON - 600)


def test_ecs_canary_has_stage_and_both_weights(server: FakeDeployments) -> None:
    add_canary(server, lifecycleStage="BAKE_TIME")
    result = create_source(server).events(HOUR)
    assert result.problems == ()
    ecs_service = only_service(result)
    assert (ecs_service.strategy, ecs_service.task_definition, ecs_service.previous_task_definition) == (
        "canary",
        "web:42",
        "web:41",
    )
    assert ecs_service.route == TrafficRoute((BLUE, GREEN), rule_arn=RULE)
    assert result.deployment_state
    (running,) = result.deployment_state.deployments
    assert (running.stage, running.configuration, running.previous_task_definition) == ("BAKE_TIME", "CANARY", "web:41")
    assert [(task_set.status, task_set.task_definition, task_set.target_group, task_set.weight, task_set.test_weight) for task_set in running.task_sets] == [
        ("target", "web:42", GREEN, 10.0, 100.0),
        ("source", "web:41", BLUE, 90.0, 0.0),
    ]  # fmt: skip
    assert [(event.title, event.open) for event in result.events] == [("web:42 IN_PROGRESS", True)]


@pytest.mark.parametrize(
    ("fields", "expires_at", "on_timeout"),
    [
        ({"expiresAt": NOON + 3600, "timeoutAction": "ROLLBACK"}, NOON + 3600, "roll_back"),
        ({"expiresAt": NOON + 60, "timeoutAction": "CONTINUE"}, NOON + 60, "continue"),
        ({"timeoutAction": "AN_ACTION_OF_2027"}, None, ""),
        ({}, None, ""),
    ],
)
def test_pausing_hook_waits_for_approval(
    server: FakeDeployments, fields: dict[str, Any], expires_at: int | None, on_timeout: TimeoutAction
) -> None:
    hook = {"hookId": "approve", "targetType": "PAUSE", "status": "AWAITING_ACTION", **fields}
    others = [
        {"hookId": "earlier", "targetType": "PAUSE", "status": "SUCCEEDED"},
        {"hookId": "gate", "targetType": "AWS_LAMBDA", "status": "IN_PROGRESS"},
    ]
    add_canary(server, lifecycleStage="PRE_PRODUCTION_TRAFFIC_SHIFT", lifecycleHookDetails=[*others, hook])
    result = create_source(server).events(HOUR)
    assert result.deployment_state
    (deployment,) = result.deployment_state.deployments
    assert deployment.waits == (Wait("approve", expires_at, on_timeout),)
    assert deployment.arn == f"{ECS_ARN_PREFIX}service-deployment/{CLUSTER}/{SERVICE}/abc123"
    assert deployment.stage == "PRE_PRODUCTION_TRAFFIC_SHIFT"


def test_rolled_back_deployment_is_two_events_with_reason(server: FakeDeployments) -> None:
    reason = (
        "Service deployment rolled back because of invalid networking configuration. productionListenerRule "
        f"{RULE} should have exactly one target group serving traffic but found 2 target groups which are serving traffic"
    )
    old = f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/41"
    rollback = {"reason": "Service deployment rolled back", "startedAt": NOON - 500, "serviceRevisionArn": old}
    add_canary(server, "ROLLBACK_SUCCESSFUL", finishedAt=NOON - 400, statusReason=reason, rollback=rollback)
    result = create_source(server).events(HOUR)
    deployed, rolled_back = result.events
    assert (deployed.kind, deployed.ts, deployed.until) == ("deployment", NOON - 600, NOON - 400)
    assert (rolled_back.kind, rolled_back.title, rolled_back.ts) == ("rollback", "web:41 ← web:42", NOON - 500)
    assert "exactly one target group" in rolled_back.detail
    assert result.deployment_state and result.deployment_state.deployments[0].outcome == "rolled_back"


def test_finished_deployments_and_revisions_are_read_once(server: FakeDeployments) -> None:
    add_canary(server, "SUCCESSFUL", finishedAt=NOON - 100)
    server.images = {42: ["web:1"]}
    source = create_source(server)
    source.events(HOUR)
    server.calls.clear()
    assert [event.title for event in source.events(HOUR).events] == ["web:42 SUCCESSFUL"]
    assert server.calls == ["DescribeServices", "ListServiceDeployments"]


def test_deployments_are_described_in_batches_of_twenty(server: FakeDeployments) -> None:
    add_canary(server)
    ended = [
        ecs_deployment(f"e{number:02}", "SUCCESSFUL", NOON - 700 - number, 41, 40, finishedAt=NOON - 650)
        for number in range(44)
    ]
    server.service_deployments += ended
    server.service_revisions.append(revision(40, GREEN))
    server.page_size = 20
    result = create_source(server).events(HOUR)
    assert (result.problems, len(result.events)) == ((), 45)
    assert [server.calls.count(action) for action in ("ListServiceDeployments", "DescribeServiceDeployments")] == [3, 3]


@pytest.mark.parametrize("services", [[], [service(status="INACTIVE", desiredCount=0, runningCount=0)]])
def test_deleted_service_is_gone_and_incomplete(server: FakeDeployments, services: list[dict[str, Any]]) -> None:
    server.services = services
    result = create_source(server).events(HOUR)
    assert [(problem.kind, problem.operation, problem.about) for problem in result.problems] == [
        ("gone", "ecs:DescribeServices", "photo/web")
    ]
    assert (result.deployment_state, result.complete) == (None, False)
    assert [(health.subject, health.state) for health in create_source(server).check()] == [
        ("", "up"),
        ("photo/web", "failed"),
    ]


def test_unreadable_service_is_not_gone(server: FakeDeployments) -> None:
    server.services = [service(desiredCount="four")]
    result = create_source(server).events(HOUR)
    assert [(problem.kind, problem.detail) for problem in result.problems] == [
        ("bad_reply", "services[0].desiredCount: no integer")
    ]
    assert (result.deployment_state, result.complete) == (None, False)


def test_a_denied_service_marks_no_other_permission(server: FakeDeployments) -> None:
    server.errors["DescribeServices"] = DENIED
    assert [(health.permission, health.subject, health.state) for health in create_source(server).check()] == [
        ("ecs:DescribeServices", "", "denied"),
        ("ecs:DescribeTaskDefinition", "", "not_checked"),
        ("ecs:ListServiceDeployments", "", "not_checked"),
        ("ecs:DescribeServiceDeployments", "", "not_checked"),
        ("ecs:DescribeServiceRevisions", "", "not_checked"),
        ("ecs:DescribeServices", "photo/web", "not_checked"),
    ]


def test_denied_deployments_leave_the_service(server: FakeDeployments) -> None:
    add_canary(server)
    server.errors["ListServiceDeployments"] = DENIED
    server.errors["DescribeServiceDeployments"] = DENIED
    result = create_source(server).events(HOUR)
    assert {problem.operation for problem in result.problems} == {
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
    }
    assert not result.complete
    assert (only_service(result).desired, only_service(result).task_definition) == (4, "web:42")


def test_lookback_is_repeated_until_a_poll_was_complete(server: FakeDeployments) -> None:
    add_canary(server)
    old = ecs_deployment("old", "SUCCESSFUL", NOON - 9 * 86_400, 41, 40, finishedAt=NOON - 8 * 86_400)
    server.service_deployments.append(old)
    server.errors["ListServiceDeployments"] = DENIED
    source = create_source(server)
    assert [event.key for event in source.events(HOUR).events] == ["abc123"]
    server.errors.clear()
    assert [event.key for event in source.events(HOUR).events] == ["abc123", "old"]
    assert [event.key for event in source.events(HOUR).events] == ["abc123"]


def test_finished_deployment_is_read_again_until_its_revisions_are_known(server: FakeDeployments) -> None:
    add_canary(server, "SUCCESSFUL", finishedAt=NOON - 100)
    server.errors["DescribeServiceRevisions"] = DENIED
    source = create_source(server)
    assert [event.title for event in source.events(HOUR).events] == ["abc123 SUCCESSFUL"]
    server.errors.clear()
    assert [event.title for event in source.events(HOUR).events] == ["web:42 SUCCESSFUL"]


def test_rolling_service_has_its_rollout(server: FakeDeployments) -> None:
    rolling = [
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": task_definition(42), "rolloutState": "IN_PROGRESS"}
        | {"rolloutStateReason": "ECS deployment ecs-svc/2 in progress."},
        {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": task_definition(41), "rolloutState": "COMPLETED"},
    ]
    server.services = [service("ECS", taskDefinition=task_definition(42), deployments=rolling)]
    ecs_service = only_service(create_source(server).events(HOUR))
    assert (ecs_service.strategy, ecs_service.rollout, ecs_service.previous_task_definition) == (
        "rolling",
        "IN_PROGRESS",
        "web:41",
    )
    assert ecs_service.route == TrafficRoute((BLUE,))


@pytest.mark.parametrize(
    ("configuration", "shift"),
    [
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}, PlannedShift("all_at_once")),
        (
            {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 10}},
            PlannedShift("canary", 0.5, 10),
        ),
        (
            {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 3}},
            PlannedShift("linear", 12.5, 3),
        ),
        ({"strategy": "CANARY"}, None),
        ({"strategy": "ROLLING"}, None),
        ({}, None),
    ],
)
def test_the_shift_is_that_of_the_strategy(
    server: FakeDeployments, configuration: dict[str, Any], shift: PlannedShift | None
) -> None:
    add_canary(server, deploymentConfiguration=configuration)
    assert create_source(server).events(HOUR).deployments[0].shift == shift


def test_the_commit_is_a_tag_of_the_task_definition_which_is_read_once(server: FakeDeployments) -> None:
    add_canary(server)
    server.tags = {42: {"team": "photo", "git-commit": "1a2b3c4"}}
    migration = deployments_migration().model_copy(update={"releases": Releases(commit_tag="git-commit")})
    source = Ecs(migration, clock=clock, client=no_retry_client("ecs", server.url))
    server.errors = {"DescribeTaskDefinition": (400, "AccessDeniedException", "not authorized")}
    events = source.events(HOUR)
    assert ([item.commit for item in events.deployments], events.complete) == ([""], True)
    assert [problem.operation for problem in events.problems] == ["ecs:DescribeTaskDefinition"]
    server.errors = {}
    for _poll in range(2):
        assert [item.commit for item in source.events(HOUR).deployments] == ["1a2b3c4"]
    tagged = [request for name, request in server.requests if request.get("include") == ["TAGS"]]
    assert [request["taskDefinition"] for request in tagged] == ["web:42"] * 2, "once after it was denied"
    assert [item.commit for item in create_source(server).events(HOUR).deployments] == [""], "not configured"
