"""Deployments from end to end: two AWS services on loopback, boto3, the archive, and the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive import Archive
from collector.collector import Collector
from domain import Traffic, Window
from sources import registry
from tests.factories.deployments import NOON, clock, deployments_migration
from tests.factories.html import ParsedHtml
from tests.factories.traffic import make_rule, make_traffic
from tests.fakes.deployments import BLUE, GREEN, FakeDeployments, deployment_payload, service, target, task_set
from ui.app_context import AppContext
from ui.live.deployments import deployments_section
from ui.rollback import read_deployments

DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/viewer/x is not authorized")
STAGES = [("BeforeInstall", "Succeeded"), ("Install", "Succeeded"), ("AllowTraffic", "InProgress")]


@pytest.fixture
def fake_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDeployments]:
    with FakeDeployments() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        yield fake


@pytest.fixture
def app(fake_aws: FakeDeployments, tmp_path: Path) -> Iterator[AppContext]:
    migration = deployments_migration()
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", migration, clock=clock) as archive:
        sources = registry.create_sources(migration, clock=clock)
        yield AppContext(migration, archive, sources, Collector(archive, sources, clock=clock))


@pytest.fixture
def render(app: AppContext, rendered: list[str]) -> Callable[[Traffic], str]:
    """Polls ECS and CodeDeploy, and renders the section."""

    def section(weights: Traffic) -> str:
        for source in app.sources.events:
            if source.name in ("ecs", "codedeploy"):
                app.archive.events.save_events(source.events(Window(NOON - 3600, NOON)), source.name)
        rendered.clear()
        view = read_deployments(app, "cloudwatch", weights, until=NOON - 180, now=clock())
        deployments_section(app, view, weights, clock())
        return ParsedHtml(" ".join(rendered)).text

    return section


def shift_traffic(fake_aws: FakeDeployments, percent: float) -> None:
    """web:43 is being deployed, and has `percent` of the traffic."""
    blue = task_set(1, "PRIMARY", 42, BLUE, "d-42")
    green = task_set(2, "ACTIVE", 43, GREEN, "d-43")
    fake_aws.services = [service(taskSets=[blue, green])]
    fake_aws.deployments = [deployment_payload("d-43", "InProgress", NOON - 400, 43, before=42)]
    sets = [
        {"identifer": tasks["id"], "taskSetLabel": label, "status": tasks["status"], "trafficWeight": weight}
        | {"desiredCount": 4, "runningCount": 4, "pendingCount": 0, "targetGroup": {"name": group}}
        for tasks, label, weight, group in ((blue, "Blue", 100 - percent, BLUE), (green, "Green", percent, GREEN))
    ]
    fake_aws.targets = {"d-43": target("d-43", STAGES, *sets, at=NOON - 390)}


def test_deployment_from_traffic_shift_to_rollback(
    fake_aws: FakeDeployments, app: AppContext, render: Callable[[Traffic], str]
) -> None:
    canary_only = make_traffic(make_rule(blue=100, green=0))
    shift_traffic(fake_aws, 10.0)
    text = render(canary_only)
    assert "Deploying web:43: AllowTraffic, started 4 min ago" in text
    assert "Traffic shift: photo-ecs-blue web:42 90.0% → photo-ecs-green web:43 10.0%" in text
    assert "task definition web:42CodeDeploy" in text  # the one in service; web:43 did not precede it

    shift_traffic(fake_aws, 50.0)
    assert "photo-ecs-green web:43 50.0%" in render(canary_only)
    (running,) = app.archive.events.read(Window(NOON - 3600, NOON))
    assert (running.kind, running.title, running.fleet, running.open) == (
        "deployment", "web:43 InProgress", "canary", True,
    )  # fmt: skip

    fake_aws.services = [service(taskSets=[task_set(1, "PRIMARY", 42, BLUE, "d-42")])]
    rollback_info = {"rollbackTriggeringDeploymentId": "d-43", "rollbackMessage": "an alarm was on"}
    fake_aws.deployments = [
        deployment_payload(
            "d-44", "Succeeded", NOON - 60, 42, before=43, completeTime=NOON - 30, rollbackInfo=rollback_info
        ),
        deployment_payload("d-43", "Stopped", NOON - 400, 43, before=42, completeTime=NOON - 61)
        | {"errorInformation": {"code": "ALARM_ACTIVE", "message": "One or more alarms have been activated"}}
        | {"rollbackInfo": {"rollbackDeploymentId": "d-44"}},
    ]
    text = render(canary_only)
    assert "last deployment: rollback to web:42, succeeded 30s ago" in text
    assert "✓ CodeDeploy blue/green deployment possible." in text
    stopped, rollback = app.archive.events.read(Window(NOON - 3600, NOON))
    assert (stopped.title, stopped.until, stopped.open) == ("web:43 Stopped", NOON - 61, False)
    assert (rollback.kind, rollback.title) == ("rollback", "web:42 Succeeded")
    assert "an alarm was on" in rollback.detail


def test_last_known_state_is_kept_after_errors(
    fake_aws: FakeDeployments, app: AppContext, render: Callable[[Traffic], str]
) -> None:
    split = make_traffic(make_rule(ec2=50, blue=50, green=0))
    fake_aws.services = [service(taskSets=[task_set(1, "PRIMARY", 42, BLUE, "d-42")])]
    fake_aws.deployments = [deployment_payload("d-42", "Succeeded", NOON - 900, 42, before=41, completeTime=NOON - 600)]
    before = render(split)
    assert "photo-ec2 and photo-ecs-blue are both weighted in the production rule" in before

    fake_aws.errors["DescribeServices"] = DENIED
    fake_aws.application_exists = False
    assert render(split) == before
    problems = {
        problem.operation: problem.kind for state in app.archive.events.source_states() for problem in state.problems
    }
    assert problems == {
        "ecs:DescribeServices": "denied",
        "codedeploy:GetDeploymentGroup": "gone",
        "codedeploy:ListDeployments": "gone",
    }
    assert [event.title for event in app.archive.events.read(Window(NOON - 3600, NOON))] == ["web:42 Succeeded"]
