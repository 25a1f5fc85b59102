"""Deployments on the Live page: a healthy service, its issues, and escaped text from AWS."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain import Traffic, Window
from domain.deployments import Deployment, DeploymentState, EcsService, ServiceEvent, Stage, TaskSet, TrafficRoute
from sources.base import Events
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from tests.factories.traffic import BLUE, GREEN, HEADER_RULE, LISTENER, make_rule, make_traffic
from ui.app_context import AppContext
from ui.live.deployments import deployments_section
from ui.rollback import read_deployments

NOW_S = int(NOW.timestamp())
PRIMARY = TaskSet("ecs-svc/1", "PRIMARY", "web:42", GREEN, 4, 4, 0)
HEALTHY = EcsService(
    "canary", "photo/web", "ACTIVE", "CODE_DEPLOY", "codedeploy", 4, 4, 0, "web:42", previous_task_definition="web:41", task_sets=(PRIMARY,)
)  # fmt: skip
DONE = Deployment(
    "codedeploy", "d-42", "canary", "Succeeded", NOW_S - 7500, ended=NOW_S - 7200, task_definition="web:42"
)
ROUTES = (("canary", TrafficRoute((BLUE, GREEN), listener_arn=LISTENER)),)
SPLIT = make_traffic(make_rule(ec2=900, blue=0, green=100))


Render = Callable[..., ParsedHtml]


@pytest.fixture
def app(build_app: Callable[..., AppContext]) -> AppContext:
    return build_app("fleets.canary.ecs_service", "photo/web")


@pytest.fixture
def render(app: AppContext, rendered: list[str]) -> Render:
    """Renders the section for a deployment state, read `age_s` ago, and weights."""

    def section(state: DeploymentState | None, weights: Traffic | None = SPLIT, *, age_s: int = 0) -> ParsedHtml:
        rendered.clear()
        if state:
            window = Window(NOW_S - 3600, NOW_S)
            state = replace(state, asked_at=NOW_S - age_s)
            app.archive.events.save_events(Events(window, NOW_S - age_s, deployment_state=state), "ecs")
        view = read_deployments(app, "cloudwatch", weights, until=NOW_S - 180, now=NOW)
        deployments_section(app, view, weights, NOW)
        return ParsedHtml(" ".join(rendered))

    return section


def deployment_state(service: EcsService = HEALTHY, latest: Deployment = DONE) -> DeploymentState:
    return DeploymentState(NOW_S, (service,), (latest,), ROUTES, (("canary", NOW_S),))


def test_healthy_service_has_no_warning(render: Render) -> None:
    page = render(deployment_state(), make_traffic(make_rule(blue=0, green=100)))
    for text in (
        "photo/web", "desired 4 · running 4 · pending 0", "task definition web:42 (previous web:41)", "CodeDeploy blue/green",
        "last deployment: web:42 succeeded 2h ago", "✓ CodeDeploy blue/green deployment possible.",
    ):  # fmt: skip
        assert text in page.text
    assert "⚠" not in page.text


def test_nothing_is_shown_without_aws(app: AppContext, rendered: list[str]) -> None:
    without_aws = replace(app, migration=app.migration.model_copy(update={"aws": None}))
    view = read_deployments(without_aws, "mackerel", None, until=NOW_S - 180, now=NOW)
    deployments_section(without_aws, view, None, NOW)
    assert rendered == []


def test_split_blocks_deployment_and_empty_baseline_blocks_rollback(render: Render) -> None:
    page = render(deployment_state())
    assert (
        "⚠ CodeDeploy blue/green is blocked: photo-ec2 and photo-ecs-green are both weighted in the production rule."
        in page.text
    )
    assert "? Rollback capacity unknown: no requests to measure. 1/1 healthy." in page.text
    without_targets = replace(SPLIT, groups=tuple(replace(group, targets=()) for group in SPLIT.groups))
    page = render(deployment_state(), without_targets)
    assert "⚠ Cannot roll back: no healthy targets in EC2 (0/0 healthy)." in page.text


def test_running_traffic_shift(render: Render) -> None:
    sets = (
        TaskSet("ecs-svc/1", "PRIMARY", "", BLUE, 4, 4, 0, weight=70.0, label="Blue"),
        TaskSet("ecs-svc/2", "ACTIVE", "web:43", GREEN, 4, 4, 0, weight=30.0, label="Green"),
    )
    running = Deployment(
        "codedeploy", "d-43", "canary", "InProgress", NOW_S - 900, task_definition="web:43", stage="AllowTraffic",
        stages=(Stage("AllowTraffic", "InProgress", NOW_S - 300),), task_sets=sets,
    )  # fmt: skip
    page = render(deployment_state(latest=running))
    assert "Deploying web:43: AllowTraffic, started 5 min ago" in page.text
    assert "Traffic shift: photo-ecs-blue web:42 70.0% → photo-ecs-green web:43 30.0%" in page.text
    assert "another deployment is in progress" in page.text


def test_stuck_deployment_is_an_issue(render: Render) -> None:
    stuck = replace(
        DONE, status="InProgress", ended=None, stage="Install", stages=(Stage("Install", "InProgress", NOW_S - 1500),)
    )
    page = render(deployment_state(replace(HEALTHY, running=4, pending=2), stuck))
    assert "⚠ Deployment of web:42 has been at Install for 25 min, longer than tasks need to start." in page.text


def test_reason_of_a_rollback_is_quoted(render: Render) -> None:
    reason = "productionListenerRule should have exactly one target group serving traffic but found 2"
    rolled_back = Deployment(
        "ecs",
        "abc",
        "canary",
        "ROLLBACK_SUCCESSFUL",
        NOW_S - 900,
        ended=NOW_S - 600,
        task_definition="web:43",
        error=reason,
    )
    native = replace(
        HEALTHY, controller="ECS", strategy="blue_green", route=TrafficRoute((BLUE, GREEN), rule_arn=HEADER_RULE)
    )
    page = render(deployment_state(native, rolled_back))
    assert f"⚠ Deployment of web:43 failed. {reason}" in page.text
    assert "last deployment: web:43 rolled back 10 min ago" in page.text


def test_age_of_an_old_state_is_shown(render: Render) -> None:
    assert "read 10 min ago" in render(deployment_state(), age_s=600).text
    assert "read " not in render(deployment_state(), age_s=60).text


def test_unknown_state_is_shown_and_the_split_still_warns(render: Render) -> None:
    page = render(None)
    assert "Deployment state of ECS unknown: see Data sources." in page.text
    assert "Blue/green is blocked" in page.text


def test_text_from_aws_is_escaped(render: Render) -> None:
    service = replace(
        HEALTHY,
        name=f"photo/{EVIL}",
        task_definition=EVIL,
        previous_task_definition=EVIL,
        images=(EVIL,),
        events=(ServiceEvent(NOW_S, EVIL),),
    )
    failed = replace(
        DONE, status="Failed", error=EVIL, reason=EVIL, task_definition=EVIL, link="https://example.com/'><x-evil>"
    )
    page = render(deployment_state(service, failed))
    assert page.tags <= {"section", "div", "span", "b", "a", "i"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert EVIL in page.text
