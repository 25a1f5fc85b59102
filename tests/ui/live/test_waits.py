"""Deployments that wait, on the Live page: of now with the way to the commands, of the past with their time; escaped text from AWS."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain import Window
from domain.deployments import Deployment, DeploymentState, Wait
from sources.base import Events
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live.waits import waits_section

NOW_S = int(NOW.timestamp())
PAUSED = Deployment(
    "ecs", "abc", "canary", "IN_PROGRESS", NOW_S - 3600, task_definition="web:43", stage="PRE_PRODUCTION_TRAFFIC_SHIFT",
    waits=(Wait("hook-1", NOW_S + 3600, "roll_back"),), arn="arn:aws:ecs:ap-northeast-1:123456789012:service-deployment/c/s/abc",
)  # fmt: skip
Show = Callable[..., str]


@pytest.fixture
def show(build_app: Callable[..., AppContext], rendered: list[str]) -> Show:
    """The section's text after `states` were read a minute apart, the last one now."""
    app = build_app("fleets.canary.ecs_service", "photo/web")

    def section(*states: Deployment, past: Window | None = None) -> str:
        rendered.clear()
        for age, deployment in zip(reversed(range(len(states))), states, strict=True):
            at = NOW_S - 60 * age
            state = DeploymentState(at, deployments=(deployment,))
            app.archive.events.save_events(Events(Window(at - 3600, at), at, deployment_state=state), "ecs")
        waits_section(app, past, now=NOW)
        page = ParsedHtml(" ".join(rendered))
        assert "x-evil" not in page.tags
        return page.text

    return section


def test_a_hook_has_its_stage_and_countdown(show: Show) -> None:
    text = show(PAUSED)
    assert "Deployment of web:43 waits at PRE_PRODUCTION_TRAFFIC_SHIFT for approval (hook hook-1)." in text
    assert "1h left: ECS rolls it back at " in text


def test_an_old_state_says_when_it_was_read(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "(read" not in show(PAUSED)
    monkeypatch.setattr("tests.ui.live.test_waits.NOW", NOW + timedelta(minutes=10))
    assert show().endswith("(read 10 min ago)")


def test_nothing_is_shown_of_a_deployment_that_does_not_wait(show: Show) -> None:
    assert show().strip() == show(PAUSED, replace(PAUSED, waits=())).strip() == ""


def test_a_range_of_the_past_has_what_waited_in_it(show: Show) -> None:
    hour = Window(NOW_S // 60 * 60 - 3600, NOW_S // 60 * 60 + 60)
    text = show(PAUSED, PAUSED, replace(PAUSED, status="SUCCESSFUL", waits=()), past=hour)
    assert "Deployment of web:43 waits at PRE_PRODUCTION_TRAFFIC_SHIFT for approval (hook hook-1)." in text
    assert "left" not in text
    assert show(past=Window(hour.start - 3600, hour.start)).strip() == ""


def test_texts_of_aws_are_escaped(show: Show) -> None:
    assert EVIL in show(replace(PAUSED, waits=(Wait(EVIL),)))
