"""The Live page's line on deployments: what it says when all is well, when it is not, and that AWS's words stay text."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive import Archive
from collector.collector import Collector
from domain import Traffic, Window
from domain.deployments import Deployment, DeploymentState, EcsService, ServiceEvent, Stage, TaskSet, TrafficRoute
from sources import registry
from sources.base import Events
from tests.factories.config import make_migration
from tests.factories.html import EVIL, ParsedHtml
from tests.factories.traffic import BLUE, GREEN, LISTENER, HEADER_RULE, make_rule, make_traffic
from ui.app_context import AppContext
from ui.live import deployments

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
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


@pytest.fixture
def app(tmp_path: Path) -> Iterator[AppContext]:
    configured = make_migration("fleets.canary.ecs_service", "photo/web")
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", configured, clock=lambda: NOW) as archive:
        sources = registry.create_sources(configured, clock=lambda: NOW)
        yield AppContext(
            configured, archive, sources, Collector(archive, sources.metrics, sources.traffic, sources.events)
        )


@pytest.fixture
def render(app: AppContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ParsedHtml]:
    """The line for a standing and weights."""
    told: list[str] = []
    monkeypatch.setattr(deployments.st, "html", lambda body, **_given: told.append(str(body)))

    def section(state: DeploymentState | None, weights: Traffic | None = SPLIT, *, age_s: int = 0) -> ParsedHtml:
        told.clear()
        if state:
            window = Window(NOW_S - 3600, NOW_S)
            kept = replace(state, asked_at=NOW_S - age_s)
            app.archive.events.save_events(Events(window, NOW_S - age_s, deployment_state=kept), "ecs")
        deployments.deployments_section(app, "cloudwatch", weights, NOW, until=NOW_S - 180)
        return ParsedHtml(" ".join(told))

    return section


def deployment_state(service: EcsService = HEALTHY, latest: Deployment = DONE) -> DeploymentState:
    return DeploymentState(NOW_S, (service,), (latest,), ROUTES)


def test_a_quiet_line_where_all_is_well(render: Any) -> None:
    page = render(deployment_state(), make_traffic(make_rule(blue=0, green=100)))
    for text in (
        "photo/web", "desired 4 · running 4 · pending 0", "task definition web:42 (before web:41)", "CodeDeploy blue/green",
        "last deployment: web:42 succeeded 2 h ago", "✓ A blue/green deployment by CodeDeploy could start now.",
    ):  # fmt: skip
        assert text in page.text
    assert "⚠" not in page.text


def test_without_aws_nobody_is_sent_to_look_for_a_source_of_deployments(
    app: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(deployments.st, "html", lambda body, **_given: told.append(str(body)))
    alone = replace(app, migration=app.migration.model_copy(update={"aws": None}))
    deployments.deployments_section(alone, "mackerel", None, NOW, until=NOW_S - 180)
    assert told == []


def test_a_split_blocks_a_deployment_and_an_empty_baseline_a_roll_back(render: Any) -> None:
    page = render(deployment_state())
    assert (
        "⚠ A blue/green deployment by CodeDeploy would fail now: photo-ec2 and photo-ecs-green carry weight in the production rule at once."
        in page.text
    )
    assert "? Rollback: not known, because there are no requests to go by. 1 of 1 target is healthy." in page.text
    dead = replace(SPLIT, groups=tuple(replace(group, targets=()) for group in SPLIT.groups))
    page = render(deployment_state(), dead)
    assert "⚠ Rollback: EC2 could not take any traffic back: 0 of 0 targets are healthy." in page.text


def test_a_shift_under_way_is_drawn_and_told(render: Any) -> None:
    sets = (
        TaskSet("ecs-svc/1", "PRIMARY", "", BLUE, 4, 4, 0, weight=70.0, label="Blue"),
        TaskSet("ecs-svc/2", "ACTIVE", "web:43", GREEN, 4, 4, 0, weight=30.0, label="Green"),
    )
    runs = Deployment(
        "codedeploy", "d-43", "canary", "InProgress", NOW_S - 900, task_definition="web:43", stage="AllowTraffic",
        stages=(Stage("AllowTraffic", "InProgress", NOW_S - 300),), task_sets=sets,
    )  # fmt: skip
    page = render(deployment_state(latest=runs))
    assert "web:43 is being deployed: AllowTraffic, begun 5 min ago" in page.text
    assert "Traffic shift: photo-ecs-blue web:42 70.0 % → photo-ecs-green web:43 30.0 %" in page.text
    assert "another deployment is running" in page.text


def test_a_stuck_deployment_is_loud(render: Any) -> None:
    stuck = replace(
        DONE, status="InProgress", ended=None, stage="Install", stages=(Stage("Install", "InProgress", NOW_S - 1500),)
    )
    page = render(deployment_state(replace(HEALTHY, running=4, pending=2), stuck))
    assert "⚠ The deployment of web:42 has been at Install for 25 min, longer than tasks take to come up." in page.text


def test_why_ecs_took_a_deployment_back_is_told_in_its_words(render: Any) -> None:
    why = "productionListenerRule should have exactly one target group serving traffic but found 2"
    back = Deployment(
        "ecs",
        "abc",
        "canary",
        "ROLLBACK_SUCCESSFUL",
        NOW_S - 900,
        ended=NOW_S - 600,
        task_definition="web:43",
        error=why,
    )
    native = replace(
        HEALTHY, controller="ECS", strategy="blue_green", route=TrafficRoute((BLUE, GREEN), rule_arn=HEADER_RULE)
    )
    page = render(deployment_state(native, back))
    assert f"⚠ The deployment of web:43 did not go through. {why}" in page.text
    assert "last deployment: web:43 rolled back 10 min ago" in page.text


def test_an_old_standing_says_how_old_it_is(render: Any) -> None:
    assert "read 10 min ago" in render(deployment_state(), age_s=600).text
    assert "read " not in render(deployment_state(), age_s=60).text


def test_before_anything_was_read_the_page_says_so_and_still_warns(render: Any) -> None:
    page = render(None)
    assert "How ECS is deployed is not known yet: see Sources below." in page.text
    assert "A blue/green deployment would fail now" in page.text


def test_nobodys_words_become_elements(render: Any) -> None:
    service = replace(
        HEALTHY,
        name=f"photo/{EVIL}",
        task_definition=EVIL,
        before=EVIL,
        images=(EVIL,),
        messages=(ServiceEvent(NOW_S, EVIL),),
    )
    failed = replace(
        DONE, status="Failed", error=EVIL, reason=EVIL, task_definition=EVIL, link="https://example.com/'><x-evil>"
    )
    page = render(deployment_state(service, failed))
    assert page.names <= {"section", "div", "span", "b", "a", "i"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert EVIL in page.text
