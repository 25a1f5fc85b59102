"""Logs of functions, with a real boto3 client against a CloudWatch Logs on loopback: pages, the ceiling, and groups that cannot be read."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config

from domain import Window
from sources.aws.function_logs import FIRST_WINDOW_S, FunctionLogs
from sources.run_logs import RunLogs
from tests.factories.config import make_migration
from tests.fakes.cloudwatch_logs import DENIED, THROTTLED, FakeCloudWatchLogs

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CLEANUP, DIGEST, CRON = "/aws/lambda/photo-cleanup", "/aws/lambda/photo-digest", "/photo/cron"
JOBS = [{"name": "cleanup", "function": "photo-cleanup"}, {"name": "digest", "function": "photo-digest"}]
LOG = {"sql": "$.sql", "rows": "$.rows", "job": "$.job"}


@pytest.fixture
def fake() -> Iterator[FakeCloudWatchLogs]:
    with FakeCloudWatchLogs() as fake:
        fake.groups = {CLEANUP: [], DIGEST: []}
        yield fake


def create_source(fake: FakeCloudWatchLogs, **log: Any) -> FunctionLogs:
    client = boto3.client(
        "logs",
        region_name="ap-northeast-1",
        endpoint_url=fake.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    migration = make_migration("batches", {"duration": "b.{job}.d", "jobs": JOBS, "log": LOG | log})
    return FunctionLogs(migration, clock=lambda: NOW, client=client)


def line(minutes_ago: float, **payload: Any) -> tuple[int, str]:
    return NOW_S * 1000 - round(minutes_ago * 60_000), json.dumps(payload)


def rows(logs: RunLogs) -> list[tuple[str, str, float | None]]:
    return [(step.job, step.scheduler, step.rows) for step in logs.steps]


def test_every_page_of_every_group_is_read(fake: FakeCloudWatchLogs) -> None:
    fake.page_size = 2
    fake.groups[CLEANUP] = [line(10 - index, rows=index) for index in range(5)]
    fake.groups[DIGEST] = [line(5, rows=7), (NOW_S * 1000, "START RequestId: 1")]
    logs = create_source(fake).read_steps({})
    assert sorted(rows(logs)) == [*(("cleanup", "canary", float(n)) for n in range(5)), ("digest", "canary", 7.0)]
    assert (logs.calls, logs.unparsed, logs.is_capped, logs.problems) == (4, 1, False, ())
    assert dict(logs.covered) == {group: Window(NOW_S - FIRST_WINDOW_S, NOW_S) for group in (CLEANUP, DIGEST)}


def test_only_newer_lines_are_requested_with_an_overlap(fake: FakeCloudWatchLogs) -> None:
    create_source(fake, filter="rows").read_steps({CLEANUP: NOW_S - 600, DIGEST: NOW_S - 1200})
    assert [
        (call["logGroupName"], (NOW_S - call["startTime"] // 1000), call["filterPattern"]) for call in fake.calls
    ] == [
        (DIGEST, 1500, "rows"),
        (CLEANUP, 900, "rows"),
    ]


def test_a_poll_never_exceeds_its_calls_and_goes_on_in_the_next(fake: FakeCloudWatchLogs) -> None:
    fake.page_size = 1
    fake.groups[CLEANUP] = [line(60 - 10 * index, rows=index) for index in range(6)]
    source = create_source(fake, max_calls=3)
    first = source.read_steps({DIGEST: NOW_S})
    assert (len(fake.calls), first.calls, first.is_capped, len(first.steps)) == (3, 3, True, 3)
    assert dict(first.covered) == {CLEANUP: Window(NOW_S - FIRST_WINDOW_S, NOW_S - 40 * 60)}
    second = source.read_steps(dict.fromkeys((CLEANUP,), first.covered[0][1].end) | {DIGEST: NOW_S})
    assert [step.rows for step in second.steps] == [2.0, 3.0, 4.0]


def test_a_poll_never_exceeds_its_bytes(fake: FakeCloudWatchLogs) -> None:
    fake.page_size = 1
    fake.groups[CLEANUP] = [line(60 - index, sql="x" * 1_000_000) for index in range(5)]
    logs = create_source(fake, max_mb=3).read_steps({DIGEST: NOW_S})
    assert (logs.calls, logs.is_capped, logs.steps) == (3, True, ())
    assert 2_900_000 < logs.read_bytes <= 3 * 1_048_576


def test_a_minute_that_exceeds_the_ceiling_does_not_stop_the_reading(fake: FakeCloudWatchLogs) -> None:
    fake.page_size = 1
    start = NOW_S - 3600
    fake.groups[CLEANUP] = [((start + 1) * 1000 + index, json.dumps({"rows": index})) for index in range(50)]
    logs = create_source(fake, max_calls=2).read_steps({CLEANUP: start, DIGEST: NOW_S})
    assert dict(logs.covered)[CLEANUP].end > start


@pytest.mark.parametrize(("error", "kind"), [(DENIED, "denied"), (THROTTLED, "throttled"), (None, "not_found")])
def test_a_group_that_cannot_be_read_does_not_hide_the_other(fake: FakeCloudWatchLogs, error: Any, kind: str) -> None:
    fake.groups[DIGEST] = [line(5, rows=7)]
    del fake.groups[CLEANUP]
    if error:
        fake.errors[CLEANUP] = error
    logs = create_source(fake).read_steps({})
    assert [(problem.kind, problem.about, problem.operation) for problem in logs.problems] == [
        (kind, CLEANUP, "logs:FilterLogEvents")
    ]
    assert rows(logs) == [("digest", "canary", 7.0)]
    assert [group for group, _ in logs.covered] == [DIGEST]


def test_a_group_of_all_cron_jobs_is_told_apart_by_the_job_in_its_lines(fake: FakeCloudWatchLogs) -> None:
    fake.groups[CRON] = [line(5, rows=1, job="cleanup"), line(4, rows=2, job="digest"), line(3, rows=3, job="other")]
    logs = create_source(fake, cron_group=CRON).read_steps({})
    assert rows(logs) == [("cleanup", "baseline", 1.0), ("digest", "baseline", 2.0)]


def test_check_reads_one_line_of_each_group(fake: FakeCloudWatchLogs) -> None:
    del fake.groups[DIGEST]
    results = create_source(fake).check()
    assert [(health.subject, health.state) for health in results] == [("", "up"), (CLEANUP, "up"), (DIGEST, "failed")]
    assert {call["limit"] for call in fake.calls} == {1}


def test_the_logs_need_their_table() -> None:
    with pytest.raises(ValueError, match=r"\[batches.log\]"):
        FunctionLogs(make_migration())
