"""EventBridge as a source of rules and schedules, by replies that botocore checks against its own model."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from domain import Migration
from domain.triggers import Trigger
from messages.errors import sources
from sources.aws.eventbridge import RULE_PERMISSION, SCHEDULE_PERMISSION, EventBridge
from tests.factories.config import make_migration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
JOBS = [
    {"name": "thumbnails", "rule": "photo-thumbnails"},
    {"name": "cleanup", "rule": "photo-cleanup"},
    {"name": "digest", "scheduler": "photo/digest", "timezone": "Asia/Tokyo"},
    {"name": "export"},
]
RATE = {"Name": "photo-thumbnails", "ScheduleExpression": "rate(5 minutes)", "State": "ENABLED"}
CRON = {"Name": "photo-cleanup", "ScheduleExpression": "cron(0 18 * * ? *)", "State": "DISABLED"}
DIGEST = {
    "GroupName": "photo",
    "Name": "digest",
    "ScheduleExpression": "cron(30 7 * * ? *)",
    "ScheduleExpressionTimezone": "Asia/Tokyo",
    "State": "ENABLED",
}


def create_migration(jobs: list[dict[str, str]] = JOBS) -> Migration:
    return make_migration("batches", {"duration": "b.{job}.d", "jobs": jobs})


@pytest.fixture
def stubs() -> Iterator[dict[str, Stubber]]:
    made = {name: Stubber(boto3.client(name, region_name="ap-northeast-1")) for name in ("events", "scheduler")}
    for stub in made.values():
        stub.activate()
    yield made
    for stub in made.values():
        stub.assert_no_pending_responses()


def create_source(stubs: dict[str, Stubber], migration: Migration | None = None) -> EventBridge:
    clients = {name: stub.client for name, stub in stubs.items()}
    return EventBridge(migration or create_migration(), clock=lambda: NOW, **clients)


def test_rules_and_schedules_are_read_with_their_zone_and_state(stubs: dict[str, Any]) -> None:
    stubs["events"].add_response("describe_rule", RATE, {"Name": "photo-thumbnails"})
    stubs["events"].add_response("describe_rule", CRON, {"Name": "photo-cleanup"})
    stubs["scheduler"].add_response("get_schedule", DIGEST, {"GroupName": "photo", "Name": "digest"})
    look = create_source(stubs).snapshot()
    assert look.triggers and look.triggers.triggers == (
        Trigger("thumbnails", "rule", "photo-thumbnails", "rate(5 minutes)", "UTC", enabled=True),
        Trigger("cleanup", "rule", "photo-cleanup", "cron(0 18 * * ? *)", "UTC", enabled=False),
        Trigger("digest", "scheduler", "photo/digest", "cron(30 7 * * ? *)", "Asia/Tokyo", enabled=True),
    )
    assert (look.problems, look.asked_at) == ((), int(NOW.timestamp()))


def test_a_refusal_of_rules_is_told_once_and_schedules_are_read_all_the_same(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "AccessDeniedException", "not authorized", 400)
    stubs["scheduler"].add_response("get_schedule", DIGEST)
    look = create_source(stubs).snapshot()
    assert [(one.kind, one.operation) for one in look.problems] == [("denied", RULE_PERMISSION)]
    assert look.triggers and [one.job for one in look.triggers.triggers] == ["digest"]
    assert "docs/batches.md" in sources.format_problem(look.problems[0]).next_step


def test_a_rule_that_is_not_there_is_told_and_the_others_are_read(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "ResourceNotFoundException", "Rule does not exist.", 400)
    stubs["events"].add_response("describe_rule", CRON)
    look = create_source(stubs, create_migration(JOBS[:2])).snapshot()
    assert [(one.kind, one.about) for one in look.problems] == [("not_found", "photo-thumbnails")]
    assert look.triggers and [one.job for one in look.triggers.triggers] == ["cleanup"]
    said = sources.format_problem(look.problems[0])
    assert said.text == "EventBridge has no rule or schedule “photo-thumbnails” in this account and region."
    assert said.next_step.startswith("Correct `rule` or `scheduler` under [[batches.jobs]]")


def test_where_nothing_could_be_read_nothing_is_claimed(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "ExpiredTokenException", "expired", 400)
    look = create_source(stubs, create_migration(JOBS[:2])).snapshot()
    assert look.triggers is None and [one.kind for one in look.problems] == ["expired_token"]


def test_a_rule_of_events_has_no_schedule(stubs: dict[str, Any]) -> None:
    stubs["events"].add_response(
        "describe_rule", {"Name": "photo-thumbnails", "State": "ENABLED", "EventPattern": "{}"}
    )
    look = create_source(stubs, create_migration(JOBS[:1])).snapshot()
    assert look.triggers and look.triggers.triggers[0].schedule is None


def test_the_check_is_a_line_a_permission(stubs: dict[str, Any]) -> None:
    stubs["events"].add_response("describe_rule", RATE)
    stubs["scheduler"].add_client_error("get_schedule", "AccessDeniedException", "not authorized", 403)
    assert [(line.permission, line.state) for line in create_source(stubs).check()] == [
        (RULE_PERMISSION, "up"),
        (SCHEDULE_PERMISSION, "denied"),
    ]
    assert create_source(stubs, create_migration(JOBS[3:])).check() == ()


def test_it_needs_its_tables() -> None:
    with pytest.raises(ValueError, match="batches"):
        EventBridge(make_migration())
