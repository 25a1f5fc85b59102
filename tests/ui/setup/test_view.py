"""The guided form of a first start: read on a press, shown with reasons, changed by selection, and handed out as a file."""

import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis.setup.discovery import propose
from domain import Migration
from domain.inventory import Inventory
from sources.aws.inventory import AwsReading
from sources.base import Problem
from tests.factories.inventory import REGION, group, group_arn, mackerel, photo_inventory, service
from ui import app_context
from ui.app_context import AppContext, AppContexts, is_first_start
from ui.retrospective.rate_limit import RateLimit
from ui.setup import view

DENIED = Problem("denied", "codedeploy", "codedeploy:ListApplications", REGION, "AccessDenied: not you")
EXPIRED = Problem("expired_token", "load_balancer", "elasticloadbalancing:DescribeLoadBalancers", REGION)


def _page() -> None:
    from ui.setup.view import setup_section

    setup_section()


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the next readings return, the last one again and again; [1:] are the calls."""
    queue: list[Any] = [AwsReading(photo_inventory())]

    def read(region: str, **options: Any) -> AwsReading:
        queue.append((region, options["deadline_s"]))
        options["on_progress"]("ecs")
        return queue[0]

    monkeypatch.setattr(view, "read_inventory", read)
    monkeypatch.setattr(view, "_limit", RateLimit(view.READINGS_PER_MINUTE))
    monkeypatch.setenv("AWS_REGION", REGION)
    return queue


@pytest.fixture
def page(readings: list[Any]) -> AppTest:
    return AppTest.from_function(_page, default_timeout=30).run()


def texts(page: AppTest) -> str:
    assert not page.exception
    return " ".join(item.proto.body for item in page.get("html"))


def read(page: AppTest) -> AppTest:
    return page.button[0].click().run()


def toml(page: AppTest) -> dict[str, Any]:
    return tomllib.loads(page.code[0].value)


def test_nothing_is_read_until_the_button_is_pressed_and_then_once(page: AppTest, readings: list[Any]) -> None:
    page.run()
    assert readings[1:] == [] and page.button[0].label == "Find my load balancer"
    read(page)
    page.run()
    assert readings[1:] == [(REGION, view.DEADLINE_S)]
    assert page.button[0].label == "Read again"


def test_what_was_found_and_why_and_the_file(page: AppTest) -> None:
    read(page)
    shown = texts(page)
    assert "<b>photo</b><br><small>the only load balancer that was found</small>" in shown
    assert "<b>photo-ecs</b><br><small>the ECS service photo/web registers its tasks here</small>" in shown
    assert "<li>Save migration.toml in the folder of the program.</li>" in shown
    assert toml(page)["fleets"]["canary"]["target_groups"] == [group_arn("photo-ecs")]
    assert len(page.get("download_button")) == 1


def test_a_selection_changes_what_follows_and_the_file(page: AppTest, readings: list[Any]) -> None:
    groups = (group("photo-ec2"), group("photo-ecs"), group("photo-x"))
    services = (service("photo/web", "photo-ecs"), service("photo/x", "photo-x"))
    readings[0] = AwsReading(photo_inventory(target_groups=groups, services=services, rules=()))
    read(page)
    ecs, ec2 = page.selectbox
    assert (ecs.label, ec2.label) == (
        "Which target groups are the new fleet (ECS)?",
        "Which target groups are the old fleet (EC2)?",
    )
    assert ecs.options[1] == "photo-x (the ECS service photo/x registers its tasks here)"
    ecs.set_value(ecs.options[1]).run()
    assert toml(page)["fleets"]["canary"]["ecs_service"] == "photo/x"
    ec2 = page.selectbox[1]
    ec2.set_value(next(option for option in ec2.options if option.startswith("photo-ecs "))).run()
    assert toml(page)["fleets"]["baseline"]["target_groups"] == [group_arn("photo-ecs")]


def test_no_mackerel_service_can_be_selected(page: AppTest, readings: list[Any]) -> None:
    readings[0] = AwsReading(photo_inventory(mackerel=mackerel("photo", "admin")))
    read(page)
    (selected,) = page.selectbox[-1:]
    assert selected.options[0].startswith("photo (")
    selected.set_value("none (no alerts and annotations)").run()
    assert toml(page)["mackerel"] == {"alb_host": "2u4PP3TJqbx"}


def test_what_was_denied_is_named_beside_the_proposal(page: AppTest, readings: list[Any]) -> None:
    readings[0] = AwsReading(photo_inventory(unread=frozenset({"codedeploy"})), (DENIED,))
    read(page)
    assert "Allow `codedeploy:ListApplications` in the IAM policy" in texts(page)
    assert page.code


def test_expired_credentials_are_the_only_sentence(page: AppTest, readings: list[Any]) -> None:
    readings[0] = AwsReading(Inventory(REGION, unread=frozenset({"load_balancer"})), (EXPIRED,))
    read(page)
    assert "AWS credentials expired" in texts(page)
    assert "No Application Load Balancer" not in texts(page)
    assert not page.code


def test_a_region_without_load_balancers(page: AppTest, readings: list[Any]) -> None:
    readings[0] = AwsReading(Inventory("eu-west-1"))
    page.text_input[0].set_value("eu-west-1")
    read(page)
    assert readings[1][0] == "eu-west-1"
    assert "No Application Load Balancer was found in eu-west-1." in texts(page)


def test_names_of_the_account_are_escaped(page: AppTest, readings: list[Any]) -> None:
    evil = "<img src=x onerror=alert(1)>"
    readings[0] = AwsReading(photo_inventory(mackerel=mackerel("photo", evil, role=evil)))
    read(page)
    assert evil not in texts(page)
    assert "&lt;img src=x" in texts(page)


def test_without_a_region_nothing_is_read(page: AppTest, readings: list[Any]) -> None:
    page.text_input[0].set_value(" ")
    read(page)
    assert readings[1:] == []
    assert "Enter the AWS region first" in texts(page)


def test_what_was_read_stays_when_nothing_is_read(page: AppTest) -> None:
    read(page)
    page.text_input[0].set_value(" ")
    read(page)
    assert "Enter the AWS region first" in texts(page) and page.code


def test_all_visitors_together_read_a_few_times_a_minute(page: AppTest, readings: list[Any]) -> None:
    for _ in range(view.READINGS_PER_MINUTE):
        read(page)
    other = read(AppTest.from_function(_page, default_timeout=30).run())
    assert len(readings[1:]) == view.READINGS_PER_MINUTE
    assert "Read several times within a minute." in texts(other)


def test_it_is_not_offered_to_other_machines(
    page: AppTest, readings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "is_unprotected", lambda *_settings: True)
    page.run()
    assert not page.button
    assert "Run cli.py init on this machine instead." in texts(page)


@pytest.fixture
def contexts(build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    app = build_app()
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    for name in ("MIGRATION_DEMO", "MIGRATION_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.mark.usefixtures("contexts")
def test_only_a_demo_that_was_not_asked_for_is_a_first_start(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = app_context.opened_contexts()
    assert opened
    (app,) = opened.by_slug.values()
    assert not is_first_start(), "a configured migration"
    migration: Migration = app.migration.model_copy(update={"demo": True})
    object.__setattr__(app, "migration", migration)
    assert is_first_start()
    monkeypatch.setenv("MIGRATION_DEMO", "1")
    assert not is_first_start()


def test_the_form_and_the_command_propose_the_same(page: AppTest, readings: list[Any]) -> None:
    read(page)
    proposal = propose(photo_inventory())
    assert proposal.rule
    assert toml(page)["aws"]["rule"] == proposal.rule.arn
