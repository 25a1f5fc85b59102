"""The CodeDeploy source: with botocore's Stubber, and over HTTP against the fake."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from domain import Window
from domain.config.releases import Releases
from domain.deployments import PlannedShift, Stage, TaskSet, TrafficRoute, Wait
from domain.releases import revisions
from sources.aws.codedeploy import CodeDeploy, parse_shift, parse_task_definition
from tests.factories.deployments import NOON, clock, deployments_migration, no_retry_client
from tests.fakes.deployments import (
    APPLICATION,
    BLUE,
    DEPLOYMENT_GROUP,
    GREEN,
    LISTENER,
    FakeDeployments,
    app_spec,
    deployment_payload,
    start_linear_shift,
    target,
)

HOUR = Window(NOON - 3600, NOON)
LOOKBACK_START = datetime.fromtimestamp(NOON - 94 * 86_400, UTC)  # 90 days of lookback, four of a running deployment
NAMES = {"applicationName": APPLICATION, "deploymentGroupName": DEPLOYMENT_GROUP}
DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/viewer/x is not authorized")


def create_source(server: FakeDeployments) -> CodeDeploy:
    return CodeDeploy(deployments_migration(), clock=clock, client=no_retry_client("codedeploy", server.url))


def test_requests_match_the_service_model() -> None:
    """Stubber checks each request and response against the service model of AWS."""
    client = no_retry_client("codedeploy")
    created = datetime.fromtimestamp(NOON - 600, UTC)
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "ab12"}}
    with Stubber(client) as stub:
        info = {
            "ecsServices": [{"clusterName": "photo", "serviceName": "web"}],
            "lastAttemptedDeployment": {"deploymentId": "d-2"},
            "lastSuccessfulDeployment": {"deploymentId": "d-1"},
        }
        stub.add_response("get_deployment_group", {"deploymentGroupInfo": info}, NAMES)
        span = {"start": LOOKBACK_START, "end": HOUR.ends_at + timedelta(minutes=1)}
        stub.add_response(
            "list_deployments", {"deployments": ["d-3"], "nextToken": "more"}, {**NAMES, "createTimeRange": span}
        )
        stub.add_response(
            "list_deployments", {"deployments": ["d-2"]}, {**NAMES, "createTimeRange": span, "nextToken": "more"}
        )
        payload = {"deploymentId": "d-2", "status": "Succeeded", "createTime": created, "completeTime": created}
        stub.add_response(
            "batch_get_deployments",
            {"deploymentsInfo": [{**payload, "revision": revision}]},
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
        result = CodeDeploy(deployments_migration(), clock=clock, client=client).events(HOUR)
        stub.assert_no_pending_responses()
    (event,) = result.events
    assert (event.title, event.fleet, event.until, event.open) == ("web:42 Succeeded", "canary", NOON - 600, False)
    assert result.complete


def test_running_deployment_has_stages_and_weights(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    result = create_source(server).events(HOUR)
    assert result.problems == ()
    event, _ = result.events
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
    assert result.deployment_state
    assert result.deployment_state.routes == (("canary", TrafficRoute((BLUE, GREEN), listener_arn=LISTENER)),)
    running, done = result.deployment_state.deployments
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


def test_finished_deployments_are_read_once(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    source = create_source(server)
    assert [event.key for event in source.events(HOUR).events] == ["d-RUNNING42", "d-DONE00041"]  # with the lookback
    server.calls.clear()
    assert [event.key for event in source.events(HOUR).events] == ["d-RUNNING42"]
    assert server.calls == [
        "GetDeploymentGroup",
        "ListDeployments",
        "BatchGetDeployments",
        "BatchGetDeploymentTargets",
    ]
    assert server.requests[-2][1] == {"deploymentIds": ["d-RUNNING42"]}


def test_rollback_names_its_deployment_and_reason(server: FakeDeployments) -> None:
    rollback_info = {"rollbackDeploymentId": "d-BACK", "rollbackMessage": "Deployment d-BAD has been rolled back"}
    error = {"code": "ALARM_ACTIVE", "message": "One or more alarms have been activated"}
    server.deployments = [
        deployment_payload(
            "d-BACK",
            "Succeeded",
            NOON - 300,
            41,
            before=42,
            creator="codeDeployRollback",
            completeTime=NOON - 200,
            rollbackInfo={"rollbackTriggeringDeploymentId": "d-BAD", "rollbackMessage": "because of an alarm"},
        ),
        deployment_payload(
            "d-BAD",
            "Stopped",
            NOON - 600,
            42,
            before=41,
            completeTime=NOON - 310,
            errorInformation=error,
            rollbackInfo=rollback_info,
        ),
    ]
    result = create_source(server).events(HOUR)
    failed, rollback = sorted(result.events)
    assert (failed.kind, rollback.kind) == ("deployment", "rollback")
    assert rollback.title == "web:41 Succeeded"
    assert "because of an alarm" in rollback.detail
    assert "ALARM_ACTIVE: One or more alarms have been activated" in failed.detail
    assert result.deployment_state
    assert [deployment.outcome for deployment in result.deployment_state.deployments] == ["succeeded", "rolled_back"]
    assert result.deployment_state.deployments[0].rolls_back == "d-BAD"


def test_many_deployments_are_read_in_batches_and_pages(server: FakeDeployments) -> None:
    server.page_size = 30
    server.deployments = [
        deployment_payload(
            f"d-{number:03}", "Succeeded", NOON - 60 - number, 3, before=2, completeTime=NOON - 30 - number
        )
        for number in range(60)
    ]
    result = create_source(server).events(HOUR)
    assert len({event.key for event in result.events}) == 60
    assert server.calls.count("ListDeployments") == 2
    assert server.calls.count("BatchGetDeployments") == 3  # 25, 25, 10
    assert server.calls.count("BatchGetDeploymentTargets") == 5


@pytest.mark.parametrize(
    ("field", "sent"), [("status", 5), ("completeTime", "noon"), ("revision", {"string": {"content": 5}})]
)
def test_unreadable_deployment_is_named_and_the_others_are_kept(
    server: FakeDeployments, field: str, sent: object
) -> None:
    payloads = [deployment_payload(f"d-{number}", "Succeeded", NOON - 60 - number, 3, before=2) for number in range(3)]
    server.deployments = [payloads[0], {**payloads[1], field: sent}, payloads[2]]
    result = create_source(server).events(HOUR)
    (problem,) = result.problems
    assert (problem.kind, problem.operation) == ("bad_reply", "codedeploy:BatchGetDeployments")
    assert problem.detail.startswith(f"deploymentsInfo[1].{field}") and ": no " in problem.detail
    assert ({event.key for event in result.events}, result.complete) == ({"d-0", "d-2"}, False)


def test_a_deployment_that_has_just_begun_is_listed_without_its_group(server: FakeDeployments) -> None:
    server.errors["GetDeploymentGroup"] = DENIED
    server.deployments = [deployment_payload("d-43", "InProgress", NOON, 43, before=42)]
    state = create_source(server).events(HOUR).deployment_state
    assert state and [deployment.id for deployment in state.deployments] == ["d-43"]


def waits_of(
    server: FakeDeployments, status: str, stages: Sequence[tuple[str, str]], **fields: Any
) -> tuple[Wait, ...]:
    """The waits of a deployment whose first stage began ten minutes before noon."""
    server.deployments = [deployment_payload("d-WAITS", status, NOON - 700, 42, before=41, **fields)]
    server.targets = {"d-WAITS": target("d-WAITS", stages, at=NOON - 600)} if stages else {}
    result = create_source(server).events(HOUR)
    assert result.problems == () and result.deployment_state
    (deployment,) = result.deployment_state.deployments
    assert deployment.running
    return deployment.waits


READY_STAGES = (("BeforeInstall", "Succeeded"), ("Install", "Succeeded"), ("AfterInstall", "Succeeded"), ("AllowTraffic", "Pending"))  # fmt: skip
ALL_DONE = tuple((name, "Succeeded") for name, _status in READY_STAGES)


def test_a_deployment_that_is_ready_waits_until_it_is_stopped(server: FakeDeployments) -> None:
    option = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60}
    options = {"deploymentReadyOption": option}
    stopped = waits_of(server, "Ready", READY_STAGES, blueGreenDeploymentConfiguration=options)
    assert stopped == (Wait("READY_WAIT", NOON - 600 + 3 * 60 + 3600, "stop"),)
    assert waits_of(server, "Ready", (), blueGreenDeploymentConfiguration=options) == (
        Wait("READY_WAIT", None, "stop"),
    )
    assert waits_of(server, "Ready", READY_STAGES) == (Wait("READY_WAIT"),)
    at_once = {"deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}}
    assert waits_of(server, "Ready", READY_STAGES, blueGreenDeploymentConfiguration=at_once) == (Wait("READY_WAIT"),)
    assert waits_of(server, "InProgress", READY_STAGES, blueGreenDeploymentConfiguration=options) == ()


def test_a_deployment_that_shifted_its_traffic_waits_for_the_termination(server: FakeDeployments) -> None:
    options = {"terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 30}}
    fields = {"blueGreenDeploymentConfiguration": options}
    waiting = waits_of(server, "InProgress", ALL_DONE, instanceTerminationWaitTimeStarted=True, **fields)
    assert waiting == (Wait("TERMINATION_WAIT", NOON - 600 + 4 * 60 + 1800, "terminate"),)
    assert waits_of(server, "InProgress", ALL_DONE, instanceTerminationWaitTimeStarted=False, **fields) == ()


def test_deleted_application_is_gone_and_incomplete(server: FakeDeployments) -> None:
    server.application_exists = False
    result = create_source(server).events(HOUR)
    assert [(problem.kind, problem.about) for problem in result.problems] == [
        ("gone", f"{APPLICATION}/{DEPLOYMENT_GROUP}"),
        ("gone", f"{APPLICATION}/{DEPLOYMENT_GROUP}"),
    ]
    assert (result.events, result.deployment_state, result.complete) == ((), None, False)
    first, *_, group = create_source(server).check()
    assert (first.permission, first.state, first.problem) == ("codedeploy:GetDeploymentGroup", "up", None)
    assert (group.subject, group.state) == (f"{APPLICATION}/{DEPLOYMENT_GROUP}", "failed")
    assert group.problem and group.problem.kind == "gone"


def test_denied_revisions_leave_out_only_task_definitions(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    for payload in server.deployments:
        payload["revision"]["appSpecContent"] = {"sha256": "5f00"}
    server.errors["GetApplicationRevision"] = DENIED
    result = create_source(server).events(HOUR)
    assert [(problem.kind, problem.operation) for problem in result.problems] == [
        ("denied", "codedeploy:GetApplicationRevision")
    ]
    assert result.deployment_state
    assert [deployment.task_definition for deployment in result.deployment_state.deployments] == ["", ""]
    assert result.events[0].title == "d-RUNNING42 InProgress"
    assert result.complete


def test_finished_deployment_is_read_again_until_its_task_definition_is_known(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    for payload in server.deployments:
        payload["revision"]["appSpecContent"] = {"sha256": "5f00"}
    server.revisions = {"5f00": app_spec(42)}
    server.errors["GetApplicationRevision"] = DENIED
    source = create_source(server)
    source.events(HOUR)
    server.errors.clear()
    state = source.events(HOUR).deployment_state
    assert state and [deployment.task_definition for deployment in state.deployments] == ["web:42", "web:42"]


def test_denied_list_is_incomplete(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    server.errors["ListDeployments"] = DENIED
    result = create_source(server).events(HOUR)
    assert not result.complete
    assert result.deployment_state and result.deployment_state.listed_at == ()
    assert [event.key for event in result.events] == ["d-RUNNING42"]  # named by the deployment group
    assert {health.permission: health.state for health in create_source(server).check() if not health.subject} == {
        "codedeploy:GetDeploymentGroup": "up",
        "codedeploy:ListDeployments": "denied",
        "codedeploy:BatchGetDeployments": "up",
        "codedeploy:BatchGetDeploymentTargets": "up",
    }


def test_refused_details_are_not_a_list(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    server.errors["BatchGetDeployments"] = DENIED
    state = create_source(server).events(HOUR).deployment_state
    assert state and (state.deployments, state.listed_at) == ((), ())


def test_an_empty_list_is_an_answer(server: FakeDeployments) -> None:
    server.deployments = []
    server.errors["GetDeploymentGroup"] = DENIED
    state = create_source(server).events(HOUR).deployment_state
    assert state and (state.routes, state.listed_at) == ((), (("canary", NOON),))


def test_deployment_not_started_has_no_targets_and_no_problem(server: FakeDeployments) -> None:
    server.deployments = [deployment_payload("d-QUEUED", "Created", NOON - 5, 42, before=41)]
    server.errors["BatchGetDeploymentTargets"] = (400, "DeploymentNotStartedException", "not started")
    result = create_source(server).events(HOUR)
    assert result.problems == ()
    assert result.events[0].open


@pytest.mark.parametrize(
    ("app_spec", "task_definition"),
    [
        (app_spec(42), "web:42"),
        ("version: 0.0\nResources:\n- TargetService:\n    Properties:\n      TaskDefinition: arn:aws:ecs:x:1:task-definition/web:7\n", "web:7"),
        ('      TaskDefinition: "arn:aws:ecs:x:1:task-definition/web:8"\n', "web:8"),
        ("hooks: []", ""),
    ],
)  # fmt: skip
def test_parse_task_definition(app_spec: str, task_definition: str) -> None:
    assert parse_task_definition(app_spec) == task_definition


def test_images_are_read_for_links_to_commits(server: FakeDeployments) -> None:
    start_linear_shift(server, NOON)
    server.images = {42: ["registry.example.com/web:1a2b3c"]}
    migration = deployments_migration()
    linked = migration.model_copy(update={"releases": Releases(commit_url="https://example.com/photo/{tag}")})
    clients = {"client": no_retry_client("codedeploy", server.url), "ecs_client": no_retry_client("ecs", server.url)}
    running = CodeDeploy(linked, clock=clock, **clients).events(HOUR).deployments[0]
    assert [(task_set.label, task_set.container_images) for task_set in running.task_sets] == [
        ("Blue", ()),
        ("Green", ("registry.example.com/web:1a2b3c",)),
    ]
    old, new = revisions(running, "https://example.com/photo/{tag}")
    assert (old.task_definition, old.target_group, old.commit_url) == ("web:41", BLUE, "")
    assert (new.task_definition, new.target_group) == ("web:42", GREEN)
    assert (new.tag, new.commit_url) == ("1a2b3c", "https://example.com/photo/1a2b3c")

    server.tags = {42: {"git-commit": "9f8e7d6"}}
    releases = Releases(commit_url="https://example.com/photo/{tag}", commit_tag="git-commit")
    tagged = CodeDeploy(migration.model_copy(update={"releases": releases}), clock=clock, **clients).events(HOUR)
    assert [item.commit for item in tagged.deployments if item.task_definition == "web:42"] == ["9f8e7d6"]

    server.calls.clear()
    CodeDeploy(migration, clock=clock, **clients).events(HOUR)
    assert "DescribeTaskDefinition" not in server.calls

    server.errors = {"DescribeTaskDefinition": DENIED}
    denied = CodeDeploy(linked, clock=clock, **clients).events(HOUR)
    assert [problem.operation for problem in denied.problems] == ["ecs:DescribeTaskDefinition"]
    assert denied.complete


@pytest.mark.parametrize(
    ("configuration", "shift"),
    [
        ("CodeDeployDefault.ECSAllAtOnce", PlannedShift("all_at_once")),
        ("CodeDeployDefault.ECSCanary10Percent15Minutes", PlannedShift("canary", 10.0, 15)),
        ("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", PlannedShift("linear", 10.0, 3)),
        ("our-ECSCanary10Percent15Minutes", None),
        ("", None),
    ],
)
def test_the_shift_is_that_of_a_configuration_of_codedeploy(configuration: str, shift: PlannedShift | None) -> None:
    assert parse_shift(configuration) == shift
