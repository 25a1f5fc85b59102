"""The CloudTrail source: with botocore's Stubber, and end to end over HTTP against the fake."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from archive import Archive
from collector.collector import Collector
from domain import Clock, Migration, Window
from sources.aws import cloudtrail
from sources.aws.cloudtrail import MAX_PAGES, CloudTrail, RateLimiter
from sources.aws.cloudtrail_records import OPERATIONS
from sources.base import Events, HistorySource
from sources.registry import Sources, create_sources
from tests.factories.aws import aws_migration
from tests.factories.config import ELB_ARN_PREFIX
from tests.fakes.cloudtrail import DENIED, THROTTLED, FakeCloudTrail

SAMPLES = Path("tests/samples/cloudtrail")
NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
WINDOW = Window(NOON - 3600, NOON + 7200)


def create_migration(**aws: Any) -> Migration:
    return aws_migration(canary={"target_groups": [f"{ELB_ARN_PREFIX}:targetgroup/photo-ecs/0a1b2c3d4e5f6071"]}, **aws)


def read_sample(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text()


def event(name: str) -> dict[str, Any]:
    """An event of LookupEvents."""
    text = read_sample(name)
    at = datetime.fromisoformat(json.loads(text)["eventTime"])
    return {"EventId": "1", "EventName": "ModifyRule", "EventTime": at, "CloudTrailEvent": text}


def clock_at(now: list[int]) -> Clock:
    """A clock that returns `now[0]`."""
    return lambda: datetime.fromtimestamp(now[0], UTC)


@pytest.fixture(autouse=True)
def no_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudtrail, "_RATE_LIMITER", RateLimiter(0))


@pytest.fixture
def client() -> Any:
    return boto3.client("cloudtrail", region_name="ap-northeast-1", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def fetch_events(client: Any, window: Window = WINDOW) -> Events:
    return CloudTrail(create_migration(), clock=clock_at([NOON + 7200]), client=client).events(window)


def expected_params(operation: str, **params: Any) -> dict[str, Any]:
    return {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": operation}],
        "StartTime": datetime.fromtimestamp(WINDOW.start, UTC),
        "EndTime": datetime.fromtimestamp(WINDOW.end, UTC),
        "MaxResults": 50,
        **params,
    }


def test_each_operation_is_looked_up_to_its_last_page(client: Any, stub: Stubber) -> None:
    first, *others = OPERATIONS
    page = {"Events": [event("modify_rule_by_console")], "NextToken": "more"}
    stub.add_response("lookup_events", page, expected_params(first))
    stub.add_response(
        "lookup_events", {"Events": [event("modify_rule_by_cli")]}, expected_params(first, NextToken="more")
    )
    for operation in others:
        stub.add_response("lookup_events", {"Events": []}, expected_params(operation))
    events = fetch_events(client)
    assert (events.complete, events.problems, events.window, events.events) == (True, (), WINDOW, ())
    assert [(change.ts - NOON, change.after, change.tool) for change in events.weight_changes] == [
        (7, 0.25, "cli"),
        (600, 0.5, "console"),
    ]


def test_denied_is_one_call_and_one_problem(client: Any, stub: Stubber) -> None:
    stub.add_client_error("lookup_events", "AccessDeniedException", "not authorized", 400)
    events = fetch_events(client)
    (problem,) = events.problems
    assert (problem.kind, problem.operation, problem.about) == ("denied", "cloudtrail:LookupEvents", "ap-northeast-1")
    assert (events.complete, events.weight_changes) == (False, ())


def test_changes_before_a_failure_are_kept_and_the_window_is_incomplete(client: Any, stub: Stubber) -> None:
    stub.add_response("lookup_events", {"Events": [event("modify_rule_by_cli")]})
    stub.add_client_error("lookup_events", "ThrottlingException", "Rate exceeded", 400)
    events = fetch_events(client)
    assert [problem.kind for problem in events.problems] == ["throttled"]
    assert (events.complete, len(events.weight_changes)) == (False, 1)


def test_too_many_records_cover_the_newest_part_of_the_window(client: Any, stub: Stubber) -> None:
    for page in range(MAX_PAGES):
        stub.add_response("lookup_events", {"Events": [event("modify_rule_by_cli")], "NextToken": str(page)})
    for _ in OPERATIONS[1:]:
        stub.add_response("lookup_events", {"Events": []})
    events = fetch_events(client)
    assert events.complete and events.window == Window(NOON + 60, WINDOW.end)


def test_unreadable_record_is_named_and_the_others_are_read(client: Any, stub: Stubber) -> None:
    good = event("modify_rule_by_cli")
    texts = {"a": "", "b": "no JSON", "c": "[]", "d": "[" * 100_000}
    invalid = [{**good, "EventId": name, "CloudTrailEvent": text} for name, text in texts.items()]
    stub.add_response("lookup_events", {"Events": [*invalid, {"EventName": "ModifyRule"}, good]})
    for _ in OPERATIONS[1:]:
        stub.add_response("lookup_events", {"Events": []})
    events = fetch_events(client)
    assert (len(events.weight_changes), events.complete) == (1, True)
    assert [(problem.kind, problem.about, problem.detail[:18]) for problem in events.problems] == [
        ("bad_reply", "ap-northeast-1", "Events: no EventTi"),
        ("bad_reply", "a", "not a record: Expe"),
        ("bad_reply", "b", "not a record: Expe"),
        ("bad_reply", "d", "not a record: maxi"),
    ]


def test_rate_limiter_spaces_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))
        now[0] += seconds

    monkeypatch.setattr(cloudtrail, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    limiter = RateLimiter(0.5)
    for _ in range(3):
        limiter.wait()
    now[0] += 10
    limiter.wait()
    assert waits == [0, 0.5, 0.5, 0]


def test_enabled_unless_configured_otherwise() -> None:
    assert "cloudtrail" in [source.name for source in create_sources(create_migration()).events]
    assert create_sources(create_migration(cloudtrail=False)).events == ()
    assert isinstance(CloudTrail(create_migration()), HistorySource)


# End to end


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudTrail]:
    with FakeCloudTrail() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url)
        yield server


def test_past_changes_are_read_once_then_only_the_newest(server: FakeCloudTrail, tmp_path: Path) -> None:
    now = [NOON + 2 * 86_400]
    clock = clock_at(now)
    server.page_size = 1
    server.records = [
        json.loads(read_sample(name))
        for name in ("modify_rule_by_cli", "modify_rule_by_console", "modify_rule_refused")
    ]
    source = CloudTrail(create_migration(), clock=clock)
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", create_migration(), clock=clock) as archive:
        collector = Collector(archive, Sources(events=(source,)), clock=clock)
        while collector.poll_events(source) == 0:
            pass
        changes = [
            (change.ts - NOON, change.title, change.author, change.tool) for change in archive.events.weight_changes()
        ]
        assert changes == [
            (7, "? → 25.0%", "kenji.mori", "cli"),
            (600, "25.0% → 50.0%", "naoko.sato@example.com", "console"),
        ]
        assert archive.events.covered("cloudtrail") == (Window(NOON - 88 * 86_400, now[0]),)

        server.calls.clear()
        assert collector.poll_events(source) > 0 and server.calls == [], (
            "polled less than two minutes ago, and no backlog"
        )
        now[0] += 120
        collector.poll_events(source)
        assert server.calls == list(OPERATIONS), "only the newest hour, one page each"
        all_changes = archive.events.weight_changes()
        assert len(all_changes) == 2 and all_changes == archive.events.weight_changes(Window(NOON, NOON + 3600))


@pytest.mark.parametrize(("error", "kind"), [(DENIED, "denied"), (THROTTLED, "throttled")])
def test_backs_off_for_15_minutes_after_a_failure(
    server: FakeCloudTrail, client: Any, tmp_path: Path, error: tuple[int, str, str], kind: str
) -> None:
    now = [NOON]
    clock = clock_at(now)
    server.error = error
    source = CloudTrail(create_migration(), clock=clock, client=client)
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", create_migration(), clock=clock) as archive:
        collector = Collector(archive, Sources(events=(source,)), clock=clock)
        assert collector.poll_events(source) == 900
        now[0] += 300
        assert collector.poll_events(source) == 600 and len(server.calls) == 1
        (state,) = archive.events.source_states()
        assert (state.source, state.state, [problem.kind for problem in state.problems]) == ("cloudtrail", kind, [kind])
        server.error, now[0] = None, now[0] + 600
        assert collector.poll_events(source) == 0 and archive.events.source_states()[0].state == "up"
        assert [health.state for health in source.check()] == ["up"]
