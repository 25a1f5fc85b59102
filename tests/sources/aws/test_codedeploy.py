"""CodeDeploy as a source: botocore's Stubber for the exact requests, unpatched boto3 against a loopback world for everything else."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from domain import Window
from domain.deployments import Stage, TaskSet, TrafficRoute
from sources.aws.codedeploy import CodeDeploy, parse_task_definition
from tests.factories.deployments import NOON, clock, deployments_migration, no_retry_client
from tests.fakes.deployments import (
    APPLICATION,
    BLUE,
    DEPLOYMENT_GROUP,
    GREEN,
    LISTENER,
    FakeDeployments,
    app_spec,
    deployment,
    start_linear_shift,
)

HOUR = Window(NOON - 3600, NOON)
LOOKBACK_START = datetime.fromtimestamp(NOON - 94 * 86_400, UTC)  # 90 days, and four for what then still ran
NAMES = {"applicationName": APPLICATION, "deploymentGroupName": DEPLOYMENT_GROUP}
DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/viewer/x is not authorized")


@pytest.fixture
def world() -> Iterator[FakeDeployments]:
    with FakeDeployments() as world:
        yield world


def create_source(world: FakeDeployments) -> CodeDeploy:
    return CodeDeploy(deployments_migration(), clock=clock, client=no_retry_client("codedeploy", world.url))


def test_the_requests_are_what_aws_asks_for() -> None:
    """Stubber checks each request and reply against AWS's own model of the service."""
    talker = no_retry_client("codedeploy")
    made = datetime.fromtimestamp(NOON - 600, UTC)
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "ab12"}}
    with Stubber(talker) as stub:
        info = {
            "ecsServices": [{"clusterName": "photo", "serviceName": "web"}],
            "lastAttemptedDeployment": {"deploymentId": "d-2"},
            "lastSuccessfulDeployment": {"deploymentId": "d-1"},
        }
        stub.add_response("get_deployment_group", {"deploymentGroupInfo": info}, NAMES)
        span = {"start": LOOKBACK_START, "end": HOUR.ends_at}
        stub.add_response(
            "list_deployments", {"deployments": ["d-3"], "nextToken": "more"}, {**NAMES, "createTimeRange": span}
        )
        stub.add_response(
            "list_deployments", {"deployments": ["d-2"]}, {**NAMES, "createTimeRange": span, "nextToken": "more"}
        )
        told = {"deploymentId": "d-2", "status": "Succeeded", "createTime": made, "completeTime": made}
        stub.add_response(
            "batch_get_deployments",
            {"deploymentsInfo": [{**told, "revision": revision}]},
            {"deploymentIds": ["d-2", "d-1", "d-3"]},
        )
        spec = {"sha256": "ab12", "content": app_spec(42)}
        stub.add_response(
            "get_application_revision",
            {"revision": {"revisionType": "AppSpecContent", "appSpecContent": spec}},
            {"applicationName": APPLICATION, "revision": revision},
        )
        stub.add_response(
            "batch_get_deployment_targets",
            {"deploymentTargets": []},
            {"deploymentId": "d-2", "targetIds": ["photo:web"]},
        )
        told = CodeDeploy(deployments_migration(), clock=clock, client=talker).events(HOUR)
        stub.assert_no_pending_responses()
    (event,) = told.events
    assert (event.title, event.fleet, event.until, event.open) == ("web:42 Succeeded", "canary", NOON - 600, False)
    assert told.complete


def test_a_running_deployment_is_told_with_stages_and_weights(world: FakeDeployments) -> None:
    start_linear_shift(world, NOON)
    told = create_source(world).events(HOUR)
    assert told.problems == ()
    event, _ = told.events
    assert (event.kind, event.title, event.ts, event.until, event.open) == (
        "deployment",
        "web:42 InProgress",
        NOON - 900,
        None,
        True,
    )
    assert event.link == (
        "https://ap-northeast-1.console.aws.amazon.com/codesuite/codedeploy/deployments/d-RUNNING42?region=ap-northeast-1"
    )
    assert told.deployment_state
    assert told.deployment_state.routes == (("canary", TrafficRoute((BLUE, GREEN), listener_arn=LISTENER)),)
    running, done = told.deployment_state.deployments
    assert (running.stage, running.task_definition, running.previous_task_definition) == (
        "AllowTraffic",
        "web:42",
        "web:41",
    )
    assert running.stages[1:3] == (
        Stage("Install", "Succeeded", NOON - 780, NOON - 720),
        Stage("AllowTraffic", "InProgress", NOON - 720),
    )
    assert running.task_sets == (
        TaskSet("ecs-svc/1", "PRIMARY", "", BLUE, 4, 4, 0, weight=70.0, label="Blue"),
        TaskSet("ecs-svc/2", "ACTIVE", "", GREEN, 4, 3, 1, weight=30.0, label="Green"),
    )
    assert (done.outcome, done.running) == ("succeeded", False)


def test_what_has_ended_is_asked_once(world: FakeDeployments) -> None:
    start_linear_shift(world, NOON)
    there = create_source(world)
    assert [event.key for event in there.events(HOUR).events] == ["d-RUNNING42", "d-DONE00041"]  # looked back once
    world.calls.clear()
    assert [event.key for event in there.events(HOUR).events] == ["d-RUNNING42"]
    assert world.calls == [
        "GetDeploymentGroup",
        "ListDeployments",
        "BatchGetDeployments",
        "BatchGetDeploymentTargets",
    ]
    assert world.requests[-2][1] == {"deploymentIds": ["d-RUNNING42"]}


def test_a_roll_back_tells_what_it_takes_back_and_why(world: FakeDeployments) -> None:
    back = {"rollbackDeploymentId": "d-BACK", "rollbackMessage": "Deployment d-BAD has been rolled back"}
    error = {"code": "ALARM_ACTIVE", "message": "One or more alarms have been activated"}
    world.deployments = [
        deployment(
            "d-BACK",
            "Succeeded",
            NOON - 300,
            41,
            before=42,
            creator="codeDeployRollback",
            completeTime=NOON - 200,
            rollbackInfo={"rollbackTriggeringDeploymentId": "d-BAD", "rollbackMessage": "because of an alarm"},
        ),
        deployment(
            "d-BAD",
            "Stopped",
            NOON - 600,
            42,
            before=41,
            completeTime=NOON - 310,
            errorInformation=error,
            rollbackInfo=back,
        ),
    ]
    told = create_source(world).events(HOUR)
    bad, good = sorted(told.events)
    assert (bad.kind, good.kind) == ("deployment", "rollback")
    assert good.title == "web:41 Succeeded"
    assert "because of an alarm" in good.detail
    assert "ALARM_ACTIVE: One or more alarms have been activated" in bad.detail
    assert told.deployment_state
    assert [one.outcome for one in told.deployment_state.deployments] == ["succeeded", "rolled_back"]
    assert told.deployment_state.deployments[0].rolls_back == "d-BAD"


def test_hundreds_of_deployments_are_read_in_batches_over_pages(world: FakeDeployments) -> None:
    world.page_size = 30
    world.deployments = [
        deployment(f"d-{number:03}", "Succeeded", NOON - 60 - number, 3, before=2, completeTime=NOON - 30 - number)
        for number in range(60)
    ]
    told = create_source(world).events(HOUR)
    assert len({event.key for event in told.events}) == 60
    assert world.calls.count("ListDeployments") == 2
    assert world.calls.count("BatchGetDeployments") == 3  # 25, 25, 10
    assert world.calls.count("BatchGetDeploymentTargets") == 5


def test_a_deployment_that_waits_for_a_person_says_so(world: FakeDeployments) -> None:
    world.deployments = [deployment("d-WAITS", "Ready", NOON - 600, 42, before=41)]
    told = create_source(world).events(HOUR)
    assert told.deployment_state
    assert told.deployment_state.deployments[0].waits_for == "Ready"
    assert told.deployment_state.deployments[0].running


def test_an_application_that_was_deleted_is_a_remark_and_forgets_nothing(world: FakeDeployments) -> None:
    world.application_exists = False
    told = create_source(world).events(HOUR)
    assert [(problem.kind, problem.about) for problem in told.problems] == [
        ("gone", f"{APPLICATION}/{DEPLOYMENT_GROUP}"),
        ("gone", f"{APPLICATION}/{DEPLOYMENT_GROUP}"),
    ]
    assert (told.events, told.deployment_state, told.complete) == ((), None, False)
    (first, *_) = create_source(world).check()
    assert (first.permission, first.state) == ("codedeploy:GetDeploymentGroup", "up")
    assert first.problem and first.problem.kind == "gone"


def test_without_the_permission_for_revisions_only_the_task_definition_is_missing(world: FakeDeployments) -> None:
    start_linear_shift(world, NOON)
    for one in world.deployments:
        one["revision"]["appSpecContent"] = {"sha256": "5f00"}
    world.errors["GetApplicationRevision"] = DENIED
    told = create_source(world).events(HOUR)
    assert [(one.kind, one.operation) for one in told.problems] == [("denied", "codedeploy:GetApplicationRevision")]
    assert told.deployment_state
    assert [one.task_definition for one in told.deployment_state.deployments] == ["", ""]
    assert told.events[0].title == "d-RUNNING42 InProgress"
    assert told.complete


def test_without_the_permission_to_list_nothing_that_is_known_is_forgotten(world: FakeDeployments) -> None:
    start_linear_shift(world, NOON)
    world.errors["ListDeployments"] = DENIED
    told = create_source(world).events(HOUR)
    assert not told.complete
    assert [event.key for event in told.events] == ["d-RUNNING42"]  # the group remembers its last
    assert {one.permission: one.state for one in create_source(world).check()} == {
        "codedeploy:GetDeploymentGroup": "up",
        "codedeploy:ListDeployments": "denied",
        "codedeploy:BatchGetDeployments": "up",
        "codedeploy:BatchGetDeploymentTargets": "up",
    }


def test_a_deployment_that_has_not_started_has_no_targets_and_no_problem(world: FakeDeployments) -> None:
    world.deployments = [deployment("d-QUEUED", "Created", NOON - 5, 42, before=41)]
    world.errors["BatchGetDeploymentTargets"] = (400, "DeploymentNotStartedException", "not started")
    told = create_source(world).events(HOUR)
    assert told.problems == ()
    assert told.events[0].open


@pytest.mark.parametrize(
    ("app_spec", "found"),
    [
        (app_spec(42), "web:42"),
        ("version: 0.0\nResources:\n- TargetService:\n    Properties:\n      TaskDefinition: arn:aws:ecs:x:1:task-definition/web:7\n", "web:7"),
        ('      TaskDefinition: "arn:aws:ecs:x:1:task-definition/web:8"\n', "web:8"),
        ("hooks: []", ""),
    ],
)  # fmt: skip
def test_the_task_definition_of_an_app_spec(app_spec: str, found: str) -> None:
    assert parse_task_definition(app_spec) == found
