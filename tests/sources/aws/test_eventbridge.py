"""EventBridge rules and schedules, with responses that botocore's Stubber checks against its service model."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from domain import Migration
from domain.triggers import Trigger
from messages.errors.sources import format_problem
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
    stubs = {name: Stubber(boto3.client(name, region_name="ap-northeast-1")) for name in ("events", "scheduler")}
    for stub in stubs.values():
        stub.activate()
    yield stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def create_source(stubs: dict[str, Stubber], migration: Migration | None = None) -> EventBridge:
    return EventBridge(
        migration or create_migration(),
        clock=lambda: NOW,
        events_client=stubs["events"].client,
        scheduler_client=stubs["scheduler"].client,
    )


def test_rules_and_schedules_with_timezone_and_state(stubs: dict[str, Any]) -> None:
    stubs["events"].add_response("describe_rule", RATE, {"Name": "photo-thumbnails"})
    stubs["events"].add_response("describe_rule", CRON, {"Name": "photo-cleanup"})
    stubs["scheduler"].add_response("get_schedule", DIGEST, {"GroupName": "photo", "Name": "digest"})
    snapshot = create_source(stubs).snapshot()
    assert snapshot.triggers and snapshot.triggers.triggers == (
        Trigger("thumbnails", "rule", "photo-thumbnails", "rate(5 minutes)", "UTC", enabled=True),
        Trigger("cleanup", "rule", "photo-cleanup", "cron(0 18 * * ? *)", "UTC", enabled=False),
        Trigger("digest", "scheduler", "photo/digest", "cron(30 7 * * ? *)", "Asia/Tokyo", enabled=True),
    )
    assert (snapshot.problems, snapshot.asked_at) == ((), int(NOW.timestamp()))


def test_denied_rules_are_one_problem_and_schedules_are_read(stubs: dict[str, Any]) -> None:
    for _ in JOBS[:2]:
        stubs["events"].add_client_error("describe_rule", "AccessDeniedException", "not authorized", 400)
    stubs["scheduler"].add_response("get_schedule", DIGEST)
    snapshot = create_source(stubs).snapshot()
    assert [(problem.kind, problem.operation) for problem in snapshot.problems] == [("denied", RULE_PERMISSION)]
    assert snapshot.triggers and [trigger.job for trigger in snapshot.triggers.triggers] == ["digest"]
    assert "docs/batches.md" in format_problem(snapshot.problems[0]).next_step


def test_a_policy_may_allow_only_some_rules(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "AccessDeniedException", "not authorized", 400)
    stubs["events"].add_response("describe_rule", CRON)
    snapshot = create_source(stubs, create_migration(JOBS[:2])).snapshot()
    assert [(problem.kind, problem.about) for problem in snapshot.problems] == [("denied", "photo-thumbnails")]
    assert snapshot.triggers and [trigger.job for trigger in snapshot.triggers.triggers] == ["cleanup"]


def test_missing_rule_is_a_problem_and_others_are_read(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "ResourceNotFoundException", "Rule does not exist.", 400)
    stubs["events"].add_response("describe_rule", CRON)
    snapshot = create_source(stubs, create_migration(JOBS[:2])).snapshot()
    assert [(problem.kind, problem.about) for problem in snapshot.problems] == [("not_found", "photo-thumbnails")]
    assert snapshot.triggers and [trigger.job for trigger in snapshot.triggers.triggers] == ["cleanup"]
    message = format_problem(snapshot.problems[0])
    assert message.text == "EventBridge has no rule or schedule “photo-thumbnails” in this account and region."
    assert message.next_step.startswith("Correct `rule` or `scheduler` under [[batches.jobs]]")


def test_no_triggers_if_nothing_could_be_read(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "ExpiredTokenException", "expired", 400)
    snapshot = create_source(stubs, create_migration(JOBS[:2])).snapshot()
    assert snapshot.triggers is None and [problem.kind for problem in snapshot.problems] == ["expired_token"]


def test_event_pattern_rule_has_no_schedule(stubs: dict[str, Any]) -> None:
    stubs["events"].add_response(
        "describe_rule", {"Name": "photo-thumbnails", "State": "ENABLED", "EventPattern": "{}"}
    )
    snapshot = create_source(stubs, create_migration(JOBS[:1])).snapshot()
    assert snapshot.triggers and snapshot.triggers.triggers[0].schedule is None


def test_check_reads_every_rule_and_schedule(stubs: dict[str, Any]) -> None:
    stubs["events"].add_response("describe_rule", RATE)
    stubs["events"].add_client_error("describe_rule", "ResourceNotFoundException", "Rule does not exist.", 400)
    stubs["scheduler"].add_client_error("get_schedule", "AccessDeniedException", "not authorized", 403)
    assert [(health.permission, health.subject, health.state) for health in create_source(stubs).check()] == [
        (RULE_PERMISSION, "", "up"),
        (RULE_PERMISSION, "photo-thumbnails", "up"),
        (RULE_PERMISSION, "photo-cleanup", "failed"),
        (SCHEDULE_PERMISSION, "", "denied"),
        (SCHEDULE_PERMISSION, "photo/digest", "not_checked"),
    ]


def test_check_reads_the_other_rules_if_a_policy_allows_only_some(stubs: dict[str, Any]) -> None:
    stubs["events"].add_client_error("describe_rule", "AccessDeniedException", "not authorized", 403)
    stubs["events"].add_response("describe_rule", CRON)
    permission, *rules = create_source(stubs, create_migration(JOBS[:2])).check()
    assert (permission.state, [(rule.subject, rule.state) for rule in rules]) == (
        "denied",
        [("photo-thumbnails", "not_checked"), ("photo-cleanup", "up")],
    )


def test_check_without_triggers_is_empty(stubs: dict[str, Any]) -> None:
    assert create_source(stubs, create_migration(JOBS[3:])).check() == ()


def test_requires_its_tables() -> None:
    with pytest.raises(ValueError, match="batches"):
        EventBridge(make_migration())
