"""AthenaLogs: against botocore's service model (Stubber), and end to end over HTTP into the archive."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber
from typer.testing import CliRunner

import cli
from archive import Archive
from collector.access_log_ingest import IngestProgress, ingest_access_logs
from domain import Aws, Migration, Window
from sources import registry
from sources.access_logs.counter import LogCounter
from sources.access_logs.filenames import LogFile
from sources.aws import calls
from sources.aws.athena import POLL_INTERVALS_S, AthenaLogs, day_window, query_problem
from sources.aws.client import create_client
from sources.aws.s3_access_logs import LogFileCache, S3Logs
from sources.base import Problem
from tests.factories.access_log_lines import access_log_line
from tests.fakes.athena import RESULTS, FakeAthena

ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
FOLDER = "alb/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1/"
FILE_NAME_PREFIX = "123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_"
DAY = day_window(date(2026, 9, 21))
NOON_AFTER = datetime(2026, 9, 22, 12, tzinfo=UTC)
QUERY_ID = "00000000-0000-4000-8000-000000000000"


def make_migration(tmp_path: Path, **athena: Any) -> Migration:
    return Migration.model_validate(
        {
            "name": "Photo",
            "aws": {"region": "ap-northeast-1", "load_balancer": f"{ELB}loadbalancer/app/photo/50dc6c495c0c9188"},
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": [f"{ELB}targetgroup/photo-ec2/73e2d6bc24d8a067"]},
                "canary": {"label": "ECS", "target_groups": [f"{ELB}targetgroup/photo-ecs/0a1b2c3d4e5f6071"]},
            },
            "archive": f"sqlite:///{tmp_path}/archive.db",
            "access_logs": {
                "bucket": "photo-logs",
                "prefix": "alb",
                "cache": str(tmp_path / "cache"),
                "athena": athena,
            },
        }
    )


def log_key(day: str, end: str, node: str = "10.0.1.10", name: str = FILE_NAME_PREFIX) -> str:
    return f"{FOLDER}{day}/{name}{end}_{node}_3c8d6a1b.log.gz"


def line_at(minute: int) -> str:
    return access_log_line(time=f"2026-09-21T14:{minute:02d}:03.186641Z")


@pytest.fixture
def fake_athena(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAthena]:
    with FakeAthena() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        fake.objects |= {
            log_key("2026/09/20", "20260921T0000Z"): gzip.compress(line_at(0).encode()),
            log_key("2026/09/21", "20260921T1415Z"): gzip.compress(
                (line_at(11) + line_at(12) + "no line of any log\n").encode()
            ),
            log_key("2026/09/21", "20260921T1420Z"): gzip.compress(
                (line_at(16) + access_log_line("GET /a'b HTTP/1.1", elb="502")).encode()
            ),
            log_key("2026/09/21", "20260921T1420Z", "10.0.1.11"): gzip.compress(line_at(17).encode()),
            log_key("2026/09/21", "20260921T1420Z", name=FILE_NAME_PREFIX.replace("photo", "other")): gzip.compress(
                line_at(18).encode()
            ),
            f"{FOLDER}2026/09/21/conn_log.{FILE_NAME_PREFIX}20260921T1420Z_10.0.1.10_3c8d6a1b.log.gz": gzip.compress(
                b"a b c\n"
            ),
            log_key("2026/09/22", "20260922T0005Z"): gzip.compress(line_at(1).encode()),
        }
        yield fake


class RecordedSleep(list[float]):
    """Records durations instead of sleeping."""

    def __call__(self, duration_s: float) -> None:
        self.append(duration_s)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    migration = make_migration(tmp_path)
    with Archive.open(migration.archive, migration, clock=lambda: NOON_AFTER) as archive:
        yield archive


def make_s3_logs(migration: Migration, tmp_path: Path) -> S3Logs:
    assert migration.aws
    return S3Logs(migration.aws, LogFileCache(tmp_path / "cache", 10**9), bucket="photo-logs", prefix="alb")


def make_athena(tmp_path: Path, sleep: RecordedSleep | None = None, **athena: Any) -> AthenaLogs:
    migration = make_migration(tmp_path, **athena)
    assert migration.aws and migration.access_logs and migration.access_logs.athena
    return AthenaLogs(
        migration.aws,
        migration.access_logs.athena,
        make_s3_logs(migration, tmp_path),
        clock=lambda: NOON_AFTER,
        sleep=RecordedSleep() if sleep is None else sleep,
    )


def test_day_is_counted_once_and_like_its_files(fake_athena: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    steps, sleep = list[IngestProgress](), RecordedSleep()
    progress = ingest_access_logs(archive, make_athena(tmp_path, sleep), DAY, on_progress=steps.append, now=NOON_AFTER)
    assert (progress.state, progress.files, progress.files_done, progress.lines, progress.parsed) == (
        "done",
        3,
        3,
        6,
        5,
    )
    assert (progress.skipped, progress.problems) == (2, ())
    assert [step.bytes_done for step in steps if step.bytes_done] == [100, 200, 300, progress.bytes, progress.bytes]
    assert sleep == [*POLL_INTERVALS_S[:2]]

    names = [name for name in fake_athena.objects if "/2026/09/21/" in name and f"/{FILE_NAME_PREFIX}" in name]
    files = [tmp_path / name.rpartition("/")[2] for name in names]
    for path, name in zip(files, names, strict=True):
        path.write_bytes(fake_athena.objects[name])
    with LogCounter() as counter:
        expected = counter.count(files)
    assert sorted(map(str, archive.access_logs.counts(DAY).to_pylist())) == sorted(
        map(str, expected.counts.to_pylist())
    )
    assert archive.access_logs.examples(DAY).to_pylist() == expected.examples.to_pylist()
    lines = archive.access_logs.line_counts(DAY)
    assert (lines.files, lines.total, lines.unparsed) == (3, 6, 1)

    # Counting again runs no query, and does not count the files individually.
    n_queries = len(fake_athena.queries)
    again = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    assert (again.state, again.files, again.already_counted, len(fake_athena.queries)) == ("done", 0, 3, n_queries)
    s3_logs = make_s3_logs(make_migration(tmp_path), tmp_path)
    progress = ingest_access_logs(archive, s3_logs, DAY, now=NOON_AFTER)
    assert (progress.files, progress.already_counted) == (0, 3)


def test_files_counted_individually_are_excluded(fake_athena: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    s3_logs = make_s3_logs(make_migration(tmp_path), tmp_path)
    five_minutes = Window(DAY.start + 14 * 3600 + 600, DAY.start + 14 * 3600 + 900)
    assert ingest_access_logs(archive, s3_logs, five_minutes, now=NOON_AFTER).parsed == 2
    progress = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    assert (progress.state, progress.files, progress.already_counted, progress.lines, progress.parsed) == (
        "done",
        2,
        1,
        3,
        3,
    )
    assert sum(archive.access_logs.counts(DAY)["n"].to_pylist()) == 5
    assert log_key("2026/09/21", "20260921T1415Z") in list(fake_athena.queries.values())[-1]


def test_too_many_files_counted_individually(tmp_path: Path) -> None:
    day = LogFile("athena:2026-09-21", 10**6, DAY, (LogFile("a", 1),), tuple(map(str, range(1001))))
    assert make_athena(tmp_path).check_limits([day]) == Problem(
        "incomplete", "athena", "count", "2026-09-21", "counted"
    )


def test_incomplete_day_is_a_problem(fake_athena: FakeAthena, tmp_path: Path) -> None:
    listing = make_athena(tmp_path).files(Window(DAY.start, DAY.end + 86_400))
    assert [file.key for file in listing.files] == ["athena:2026-09-21"]
    assert listing.problems == (Problem("incomplete", "athena", "count", "2026-09-22", "not_over"),)


def test_no_query_above_the_cost_limit(fake_athena: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    progress = ingest_access_logs(archive, make_athena(tmp_path, max_usd=0.00001), DAY, now=NOON_AFTER)
    assert progress.state == "stopped" and fake_athena.queries == {}
    (problem,) = progress.problems
    assert (problem.kind, problem.about, problem.detail) == ("too_costly", str(progress.bytes), "0.00 USD, 0.00 USD")


def test_cost_is_for_the_size_of_the_folders_and_at_least_ten_megabytes_each(tmp_path: Path) -> None:
    days = [LogFile("athena:2026-09-20", 92 * 10**9, DAY), LogFile("athena:2026-09-21", 1, DAY)]
    assert make_athena(tmp_path).cost_usd(days) == pytest.approx(0.46 + 0.00005)
    assert make_athena(tmp_path, usd_per_tb=10).cost_usd(days) == pytest.approx(0.92 + 0.0001)


def test_stopping_cancels_the_query(fake_athena: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    fake_athena.polls_until_final = 1000
    progress = ingest_access_logs(
        archive,
        make_athena(tmp_path),
        DAY,
        now=NOON_AFTER,
        should_stop=lambda: max(fake_athena.poll_counts.values(), default=0) > 2,
    )
    assert (progress.state, progress.files_done, progress.problems) == ("stopped", 0, ())
    assert fake_athena.stopped == [list(fake_athena.queries)[-1]]
    assert archive.access_logs.counts(DAY).num_rows == 0


def test_ctrl_c_cancels_the_query(fake_athena: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    fake_athena.polls_until_final = 1000

    def interrupt(progress: IngestProgress) -> None:
        if progress.bytes_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER, on_progress=interrupt)
    assert fake_athena.stopped == [list(fake_athena.queries)[-1]]


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        ("FAILED", "Query exhausted resources at this scale factor", ("query_failed", "count")),
        ("CANCELLED", "Query cancelled! : Bytes scanned limit was exceeded", ("query_cancelled", "count")),
        (
            "FAILED",
            "Insufficient permissions: User: arn:aws:iam::123456789012:user/v is not authorized to perform: glue:GetTable",
            ("denied", "glue:GetTable"),
        ),
        (
            "FAILED",
            "Permission denied on S3 path: Access Denied (Service: Amazon S3; Status Code: 403)",
            ("denied", "s3:GetObject"),
        ),
    ],
)
def test_failed_query_has_its_reason(
    fake_athena: FakeAthena, archive: Archive, tmp_path: Path, state: str, reason: str, expected: tuple[str, str]
) -> None:
    fake_athena.final_state = (state, reason)
    progress = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    (problem,) = progress.problems
    assert (progress.state, problem.kind, problem.operation, problem.detail) == ("stopped", *expected, reason)
    assert archive.access_logs.known_sizes(["athena:2026-09-21"]) == {}


@pytest.mark.parametrize(
    ("action", "operation"),
    [
        ("StartQueryExecution", "athena:StartQueryExecution"),
        ("GetQueryExecution", "athena:GetQueryExecution"),
        ("GetObject", "s3:GetObject"),
        ("ListBucket", "s3:ListBucket"),
    ],
)
def test_denied_action_is_named(
    fake_athena: FakeAthena, archive: Archive, tmp_path: Path, action: str, operation: str
) -> None:
    code = "AccessDenied" if action in ("GetObject", "ListBucket") else "AccessDeniedException"
    fake_athena.errors[action] = (403, code, "no")
    progress = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    (problem,) = progress.problems
    assert (problem.kind, problem.operation) == ("denied", operation)
    assert archive.access_logs.known_sizes(["athena:2026-09-21"]) == {}


def test_malformed_result(fake_athena: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    fake_athena.result_override = b'"minute","head"\n"2026"\n'
    (problem,) = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER).problems
    assert (problem.kind, problem.operation) == ("bad_reply", "s3:GetObject")


def test_requests_match_botocores_model(tmp_path: Path) -> None:
    client = boto3.client("athena", region_name="ap-northeast-1", config=Config(retries={"total_max_attempts": 1}))
    sleep, bytes_read = RecordedSleep(), list[int]()
    migration = make_migration(tmp_path, workgroup="logs", output="s3://photo-athena-results/migration/")
    assert migration.aws and migration.access_logs and migration.access_logs.athena
    source = AthenaLogs(
        migration.aws,
        migration.access_logs.athena,
        make_s3_logs(migration, tmp_path),
        client=client,
        sleep=sleep,
        clock=lambda: NOON_AFTER,
    )
    started = {
        "QueryString": ANY,
        "WorkGroup": "logs",
        "ResultConfiguration": {"OutputLocation": "s3://photo-athena-results/migration/"},
    }
    query = {"QueryExecutionId": QUERY_ID}

    def execution(state: str, scanned: int, reason: str = "") -> dict[str, Any]:
        status = {"State": state, "StateChangeReason": reason}
        return {"QueryExecution": {**query, "Status": status, "Statistics": {"DataScannedInBytes": scanned}}}

    with Stubber(client) as stub:
        stub.add_response("start_query_execution", query, started)
        stub.add_response("get_query_execution", execution("SUCCEEDED", 0), query)
        stub.add_response("start_query_execution", query, started)
        for state, scanned in (("QUEUED", 0), ("RUNNING", 10), *([("RUNNING", 20)] * 4)):
            stub.add_response("get_query_execution", execution(state, scanned), query)
        stub.add_response("get_query_execution", execution("CANCELLED", 30, "by a user"), query)
        day = LogFile("athena:2026-09-21", 100, DAY, (LogFile("a", 1),))
        result = source.count_day(day, on_progress=bytes_read.append, should_stop=lambda: False)
    assert result == Problem("query_cancelled", "athena", "count", "", "by a user")
    assert bytes_read == [0, 10, 20, 20, 20, 20, 30]
    assert sleep == [0.5, 1, 2, 5, 5, 5]
    stub.assert_no_pending_responses()


def test_check_runs_no_query_and_reports_a_missing_output_location(fake_athena: FakeAthena, tmp_path: Path) -> None:
    assert [(health.permission, health.state, health.source) for health in make_athena(tmp_path).check()] == [
        ("athena:GetWorkGroup", "up", "athena"),
        ("athena:GetDatabase", "up", "athena"),
    ]
    fake_athena.output = ""
    group, _ = make_athena(tmp_path).check()
    assert group.problem == Problem("bad_request", "athena", "athena:GetWorkGroup", "primary", "no output location")
    assert make_athena(tmp_path, output=f"s3://{RESULTS}/x/").check()[0].problem is None
    fake_athena.errors["GetDatabase"] = (
        400,
        "AccessDeniedException",
        "u is not authorized to perform: glue:GetDatabase",
    )
    _, database = make_athena(tmp_path).check()
    assert database.problem and (database.problem.kind, database.problem.operation) == ("denied", "glue:GetDatabase")
    assert fake_athena.queries == {}


def test_client_is_recreated_after_expired_credentials(
    fake_athena: FakeAthena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = list[str]()

    def record(service: str, aws: Aws) -> object:
        services.append(service)
        return create_client(service, aws)

    monkeypatch.setattr(calls, "create_client", record)
    athena = make_athena(tmp_path)
    fake_athena.errors["GetWorkGroup"] = (400, "ExpiredTokenException", "expired")
    group, _ = athena.check()
    assert group.problem and group.problem.kind == "expired_token"
    fake_athena.errors.clear()
    assert all(health.problem is None for health in athena.check())
    assert services == ["athena", "athena"]


def test_athena_is_created_if_it_is_configured(tmp_path: Path) -> None:
    athena = registry.create_sources(make_migration(tmp_path)).athena
    assert athena and athena.name == "athena"
    without_logs = make_migration(tmp_path).model_copy(update={"access_logs": None})
    assert registry.create_sources(without_logs).athena is None


def test_failure_without_a_reason() -> None:
    assert query_problem({"State": "FAILED"}) == Problem("query_failed", "athena", "count")


def test_endpoints_command_with_athena(
    fake_athena: FakeAthena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_athena.polls_until_final = 0
    group = f"{ELB}targetgroup/photo-{{}}/73e2d6bc24d8a067"
    config = f"""[migration]
name = "Photo"
[aws]
region = "ap-northeast-1"
load_balancer = "{ELB}loadbalancer/app/photo/50dc6c495c0c9188"
[fleets.baseline]
label = "EC2"
target_groups = ["{group.format("ec2")}"]
[fleets.canary]
label = "ECS"
target_groups = ["{group.format("ecs")}"]
[access_logs]
bucket = "photo-logs"
prefix = "alb"
"""
    command = ["endpoints", "--engine", "athena", "--from", "2026-09-21T00:00Z", "--to", "2026-09-22T00:00Z"]
    Path("migration.toml").write_text(config)
    rejected = CliRunner().invoke(cli.app, command)
    assert rejected.exit_code == 3 and "[access_logs.athena]" in rejected.stderr and fake_athena.queries == {}
    Path("migration.toml").write_text(f"{config}[access_logs.athena]\n")
    result = CliRunner().invoke(cli.app, [*command, "--json"])
    assert json.loads(result.stdout)["lines"] == {"read": 6, "parsed": 5, "unparsed": 1, "skipped": 0}
    assert len(fake_athena.tables) == 1 and len(fake_athena.queries) == 2
    mixed = CliRunner().invoke(cli.app, ["endpoints", "--engine", "athena", "--logs", "."])
    assert mixed.exit_code == 3 and "mutually exclusive" in mixed.stderr
