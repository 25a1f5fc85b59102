"""CloudTrail as a source: by botocore's own model of LookupEvents (Stubber), and end to end by boto3 over HTTP."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from archive import Archive
from collector.collector import Collector
from domain import Migration, Window
from sources import registry
from sources.aws.cloudtrail import MAX_PAGES, CloudTrail, RateLimiter
from sources.aws.cloudtrail_records import OPERATIONS
from sources.base import Events, HistorySource
from tests.fakes.cloudtrail import DENIED, THROTTLED, FakeCloudTrail, fake_cloudtrail

SAMPLES = Path("tests/samples/cloudtrail")
NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
WINDOW = Window(NOON - 3600, NOON + 7200)
ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"


def create_migration(**aws: Any) -> Migration:
    return Migration.model_validate(
        {
            "name": "Photo",
            "aws": {
                "region": "ap-northeast-1",
                "load_balancer": f"{ELB}loadbalancer/app/photo/50dc6c495c0c9188",
                **aws,
            },
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": [f"{ELB}targetgroup/photo-ec2/73e2d6bc24d8a067"]},
                "canary": {"label": "ECS", "target_groups": [f"{ELB}targetgroup/photo-ecs/0a1b2c3d4e5f6071"]},
            },
        }
    )


def record(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text()


def event(name: str) -> dict[str, Any]:
    """One of LookupEvents' events, as botocore's model wants it."""
    text = record(name)
    at = datetime.fromisoformat(json.loads(text)["eventTime"])
    return {"EventId": "1", "EventName": "ModifyRule", "EventTime": at, "CloudTrailEvent": text}


@pytest.fixture
def client() -> Any:
    return boto3.client("cloudtrail", region_name="ap-northeast-1", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def fetch_events(client: Any, window: Window = WINDOW) -> Events:
    waits: list[float] = []
    pace = RateLimiter(0.55, clock=lambda: sum(waits), sleep=waits.append)
    clock = lambda: datetime.fromtimestamp(NOON + 7200, UTC)  # noqa: E731
    return CloudTrail(create_migration(), clock=clock, client=client, rate_limiter=pace).events(window)


def expected_params(operation: str, **more: Any) -> dict[str, Any]:
    return {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": operation}],
        "StartTime": datetime.fromtimestamp(WINDOW.start, UTC),
        "EndTime": datetime.fromtimestamp(WINDOW.end, UTC),
        "MaxResults": 50,
        **more,
    }


def test_each_operation_is_looked_up_alone_and_to_its_last_page(client: Any, stub: Stubber) -> None:
    first, *others = OPERATIONS
    told = {"Events": [event("modify_rule_by_console")], "NextToken": "more"}
    stub.add_response("lookup_events", told, expected_params(first))
    stub.add_response(
        "lookup_events", {"Events": [event("modify_rule_by_cli")]}, expected_params(first, NextToken="more")
    )
    for operation in others:
        stub.add_response("lookup_events", {"Events": []}, expected_params(operation))
    found = fetch_events(client)
    assert (found.complete, found.problems, found.window, found.events) == (True, (), WINDOW, ())
    assert [(one.ts - NOON, one.after, one.tool) for one in found.weight_changes] == [
        (7, 0.25, "cli"),
        (600, 0.5, "console"),
    ]


def test_no_permission_is_one_call_and_one_problem(client: Any, stub: Stubber) -> None:
    stub.add_client_error("lookup_events", "AccessDeniedException", "not authorized", 400)
    found = fetch_events(client)
    (problem,) = found.problems
    assert (problem.kind, problem.operation, problem.about) == ("denied", "cloudtrail:LookupEvents", "ap-northeast-1")
    assert (found.complete, found.weight_changes) == (False, ())


def test_what_came_before_a_refusal_is_kept_and_the_rest_asked_for_again(client: Any, stub: Stubber) -> None:
    stub.add_response("lookup_events", {"Events": [event("modify_rule_by_cli")]})
    stub.add_client_error("lookup_events", "ThrottlingException", "Rate exceeded", 400)
    found = fetch_events(client)
    assert [problem.kind for problem in found.problems] == ["throttled"]
    assert (found.complete, len(found.weight_changes)) == (False, 1)


def test_too_many_records_for_one_asking_answer_the_newest_part_of_the_window(client: Any, stub: Stubber) -> None:
    for page in range(MAX_PAGES):
        stub.add_response("lookup_events", {"Events": [event("modify_rule_by_cli")], "NextToken": str(page)})
    for _ in OPERATIONS[1:]:
        stub.add_response("lookup_events", {"Events": []})
    found = fetch_events(client)
    assert found.complete and found.window == Window(NOON + 60, WINDOW.end)


def test_a_record_that_cannot_be_read_spoils_no_other(client: Any, stub: Stubber) -> None:
    told = [{"EventName": "ModifyRule", "CloudTrailEvent": text} for text in ("", "no JSON", "[]")]
    stub.add_response("lookup_events", {"Events": [*told, {"EventName": "ModifyRule"}, event("modify_rule_by_cli")]})
    for _ in OPERATIONS[1:]:
        stub.add_response("lookup_events", {"Events": []})
    found = fetch_events(client)
    assert (len(found.weight_changes), found.problems) == (1, ())


def test_calls_are_spaced_whoever_makes_them() -> None:
    now, waits = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))
        now[0] += seconds

    pace = RateLimiter(0.5, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pace.wait()
    now[0] += 10
    pace.wait()
    assert waits == [0, 0.5, 0.5, 0]


def test_it_is_asked_unless_the_configuration_says_no() -> None:
    assert "cloudtrail" in [source.name for source in registry.create_sources(create_migration()).events]
    assert registry.create_sources(create_migration(cloudtrail=False)).events == ()
    assert isinstance(CloudTrail(create_migration()), HistorySource)


# End to end


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudTrail]:
    with fake_cloudtrail() as world:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", world.url)
        yield world


def test_who_changed_the_weights_before_the_program_ran_is_learnt_once_and_then_kept_up_with(
    world: FakeCloudTrail, tmp_path: Path
) -> None:
    now = [NOON + 2 * 86_400]
    clock = lambda: datetime.fromtimestamp(now[0], UTC)  # noqa: E731
    world.page_size = 1
    world.records = [
        json.loads(record(name)) for name in ("modify_rule_by_cli", "modify_rule_by_console", "modify_rule_refused")
    ]
    source = CloudTrail(create_migration(), clock=clock, rate_limiter=RateLimiter(0))
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", create_migration(), clock=clock) as archive:
        keeper = Collector(archive, (), None, (source,), clock=clock)
        while keeper.poll_events(source) == 0:
            pass
        steps = [(one.ts - NOON, one.title, one.author, one.tool) for one in archive.events.weight_changes()]
        assert steps == [
            (7, "? → 25.0%", "kenji.mori", "cli"),
            (600, "25.0% → 50.0%", "naoko.sato@example.com", "console"),
        ]
        assert archive.events.covered("cloudtrail") == (Window(NOON - 88 * 86_400, now[0]),)

        world.calls.clear()
        assert keeper.poll_events(source) > 0 and world.calls == [], "not its turn, and nothing left behind"
        now[0] += 120
        keeper.poll_events(source)
        assert world.calls == list(OPERATIONS), "only the newest hour, one page each"
        assert (
            archive.events.weight_changes() == archive.events.weight_changes(Window(NOON, NOON + 3600))
            and len(steps) == 2
        )


@pytest.mark.parametrize(("refusal", "kind"), [(DENIED, "denied"), (THROTTLED, "throttled")])
def test_refused_it_is_left_alone_for_a_quarter_of_an_hour(
    world: FakeCloudTrail, tmp_path: Path, refusal: tuple[int, str, str], kind: str
) -> None:
    now = [NOON]
    clock = lambda: datetime.fromtimestamp(now[0], UTC)  # noqa: E731
    world.error = refusal
    client = boto3.client("cloudtrail", region_name="ap-northeast-1", config=Config(retries={"total_max_attempts": 1}))
    source = CloudTrail(create_migration(), clock=clock, client=client, rate_limiter=RateLimiter(0))
    with Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", create_migration(), clock=clock) as archive:
        keeper = Collector(archive, (), None, (source,), clock=clock)
        assert keeper.poll_events(source) == 900
        now[0] += 300
        assert keeper.poll_events(source) == 600 and len(world.calls) == 1
        (state,) = archive.events.source_states()
        assert (state.source, state.state, [one.kind for one in state.problems]) == ("cloudtrail", kind, [kind])
        world.error, now[0] = None, now[0] + 600
        assert keeper.poll_events(source) == 0 and archive.events.source_states()[0].state == "up"
        assert [health.state for health in source.check()] == ["up"]
