"""Sentences on deployments that wait."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analysis.deployments.waits import WaitingDeployment
from domain.deployments import Deployment, TimeoutAction, Wait
from messages import deployments as text
from sources.demo.sources import demo_migration

MIGRATION = demo_migration()
NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)
IN_TWO_HOURS = int((NOW + timedelta(hours=2, minutes=5)).timestamp())
PAUSED = Deployment("ecs", "abc", "canary", "IN_PROGRESS", 0, task_definition="web:42", stage="PRE_PRODUCTION_TRAFFIC_SHIFT")  # fmt: skip


def waiting(wait: Wait, deployment: Deployment = PAUSED) -> str:
    return text.waiting(WaitingDeployment(deployment, wait), MIGRATION, now=NOW)


@pytest.mark.parametrize(
    ("action", "then"),
    [
        ("roll_back", "2h 05m left: ECS rolls it back at 07:05 JST."),
        ("continue", "2h 05m left: it continues at 07:05 JST without an answer."),
        ("", "2h 05m left, until 07:05 JST; what happens then is unknown."),
    ],
)
def test_a_hook_that_pauses(action: TimeoutAction, then: str) -> None:
    at = "Deployment of web:42 waits at PRE_PRODUCTION_TRAFFIC_SHIFT for approval (hook h-1)."
    assert waiting(Wait("h-1", IN_TWO_HOURS, action)) == f"{at} {then}"


def test_a_time_out_that_is_unknown_or_over() -> None:
    at = "Deployment of web:42 waits at PRE_PRODUCTION_TRAFFIC_SHIFT for approval (hook PAUSE)."
    assert waiting(Wait("")) == f"{at} Its time-out is unknown."
    assert waiting(Wait("", int(NOW.timestamp()), "continue")) == f"{at} Its time-out was at 05:00 JST."


def test_the_waits_of_codedeploy() -> None:
    ready = replace(PAUSED, system="codedeploy", status="Ready", stage="", task_definition="")
    assert waiting(Wait("READY_WAIT", IN_TWO_HOURS, "stop"), ready) == (
        "Deployment of abc waits for approval before it shifts the traffic (READY_WAIT). 2h 05m left: CodeDeploy stops it at 07:05 JST."
    )
    assert waiting(Wait("TERMINATION_WAIT", IN_TWO_HOURS, "terminate"), ready) == (
        "Deployment of abc waits before it terminates the old tasks (TERMINATION_WAIT). 2h 05m left: the old tasks are terminated at 07:05 JST."
    )


def test_a_wait_of_the_past_has_the_time_in_which_it_was_read() -> None:
    item = WaitingDeployment(PAUSED, Wait("h-1", IN_TWO_HOURS, "roll_back"))
    sentence = text.waited(item, NOW - timedelta(hours=3), NOW - timedelta(hours=1), MIGRATION, now=NOW)
    assert sentence == (
        "24 Nov 02:00–04:00 JST: Deployment of web:42 waits at PRE_PRODUCTION_TRAFFIC_SHIFT for approval (hook h-1)."
    )
