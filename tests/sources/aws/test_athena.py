"""Athena as an engine: by botocore's own model of it (Stubber), and end to end by boto3 over HTTP into the archive."""

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
from domain import Migration, Window
from sources import registry
from sources.access_logs.counter import LogCounter
from sources.access_logs.filenames import LogFile
from sources.aws.athena import POLL_INTERVALS_S, AthenaLogs, day_window, query_problem
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
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAthena]:
    with FakeAthena() as world:
        monkeypatch.setenv("AWS_ENDPOINT_URL", world.url)
        world.objects |= {
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
        yield world


class RecordedSleep(list[float]):
    """A sleep that does not."""

    def __call__(self, pause_s: float) -> None:
        self.append(pause_s)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    whole = make_migration(tmp_path)
    with Archive.open(whole.archive, whole, clock=lambda: NOON_AFTER) as archive:
        yield archive


def make_athena(tmp_path: Path, sleep: RecordedSleep | None = None, **athena: Any) -> AthenaLogs:
    whole = make_migration(tmp_path, **athena)
    assert whole.aws and whole.access_logs and whole.access_logs.athena
    place = S3Logs(whole.aws, LogFileCache(tmp_path / "cache", 10**9), bucket="photo-logs", prefix="alb")
    return AthenaLogs(
        whole.aws,
        whole.access_logs.athena,
        place,
        clock=lambda: NOON_AFTER,
        sleep=RecordedSleep() if sleep is None else sleep,
    )


def test_a_day_is_counted_once_and_as_by_the_files_themselves(
    world: FakeAthena, archive: Archive, tmp_path: Path
) -> None:
    steps, pauses = list[IngestProgress](), RecordedSleep()
    found = ingest_access_logs(archive, make_athena(tmp_path, pauses), DAY, on_progress=steps.append, now=NOON_AFTER)
    assert (found.state, found.files, found.files_done, found.lines, found.parsed) == ("done", 3, 3, 6, 5)
    assert (found.skipped, found.problems) == (2, ())
    assert [one.bytes_done for one in steps if one.bytes_done] == [100, 200, 300, found.bytes, found.bytes]
    assert pauses == [*POLL_INTERVALS_S[:2]]

    mine = [name for name in world.objects if "/2026/09/21/" in name and f"/{FILE_NAME_PREFIX}" in name]
    files = [tmp_path / name.rpartition("/")[2] for name in mine]
    for path, name in zip(files, mine, strict=True):
        path.write_bytes(world.objects[name])
    with LogCounter() as engine:
        here = engine.count(files)
    assert sorted(map(str, archive.access_logs.counts(DAY).to_pylist())) == sorted(map(str, here.counts.to_pylist()))
    assert archive.access_logs.examples(DAY).to_pylist() == here.examples.to_pylist()
    told = archive.access_logs.line_counts(DAY)
    assert (told.files, told.total, told.unparsed) == (3, 6, 1)

    # Asked again it costs nothing, and its files are not counted by themselves either.
    queries = len(world.queries)
    again = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    assert (again.state, again.files, again.already_counted, len(world.queries)) == ("done", 0, 3, queries)
    whole = make_migration(tmp_path)
    assert whole.aws
    by_files = S3Logs(whole.aws, LogFileCache(tmp_path / "cache", 10**9), bucket="photo-logs", prefix="alb")
    found = ingest_access_logs(archive, by_files, DAY, now=NOON_AFTER)
    assert (found.files, found.already_counted) == (0, 3)


def test_what_was_counted_by_files_is_left_out(world: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    whole = make_migration(tmp_path)
    assert whole.aws
    by_files = S3Logs(whole.aws, LogFileCache(tmp_path / "cache", 10**9), bucket="photo-logs", prefix="alb")
    quarter = Window(DAY.start + 14 * 3600 + 600, DAY.start + 14 * 3600 + 900)
    assert ingest_access_logs(archive, by_files, quarter, now=NOON_AFTER).parsed == 2
    found = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    assert (found.state, found.files, found.already_counted, found.lines, found.parsed) == ("done", 2, 1, 3, 3)
    assert sum(archive.access_logs.counts(DAY)["n"].to_pylist()) == 5
    assert log_key("2026/09/21", "20260921T1415Z") in list(world.queries.values())[-1]


def test_too_many_files_that_were_counted_by_themselves(tmp_path: Path) -> None:
    day = LogFile("athena:2026-09-21", 10**6, DAY, (LogFile("a", 1),), tuple(map(str, range(1001))))
    assert make_athena(tmp_path).check_limits([day]) == Problem(
        "incomplete", "athena", "count", "2026-09-21", "counted"
    )


def test_a_day_that_is_not_over_is_named_and_left_out(world: FakeAthena, tmp_path: Path) -> None:
    listing = make_athena(tmp_path).files(Window(DAY.start, DAY.end + 86_400))
    assert [one.key for one in listing.files] == ["athena:2026-09-21"]
    assert listing.problems == (Problem("incomplete", "athena", "count", "2026-09-22", "not_over"),)


def test_above_the_ceiling_nothing_is_begun(world: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    found = ingest_access_logs(archive, make_athena(tmp_path, max_usd=0.00001), DAY, now=NOON_AFTER)
    assert found.state == "stopped" and world.queries == {}
    (problem,) = found.problems
    assert (problem.kind, problem.about, problem.detail) == ("too_costly", str(found.bytes), "0.00 USD, 0.00 USD")


def test_the_estimate_is_of_all_that_lies_there_and_of_ten_megabytes_at_least(tmp_path: Path) -> None:
    days = [LogFile("athena:2026-09-20", 92 * 10**9, DAY), LogFile("athena:2026-09-21", 1, DAY)]
    assert make_athena(tmp_path).cost_usd(days) == pytest.approx(0.46 + 0.00005)
    assert make_athena(tmp_path, usd_per_tb=10).cost_usd(days) == pytest.approx(0.92 + 0.0001)


def test_stopping_ends_the_query_too(world: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    world.polls_until_final = 1000
    found = ingest_access_logs(
        archive,
        make_athena(tmp_path),
        DAY,
        now=NOON_AFTER,
        should_stop=lambda: max(world.poll_counts.values(), default=0) > 2,
    )
    assert (found.state, found.files_done, found.problems) == ("stopped", 0, ())
    assert world.stopped == [list(world.queries)[-1]]
    assert archive.access_logs.counts(DAY).num_rows == 0


def test_ctrl_c_ends_the_query_too(world: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    world.polls_until_final = 1000

    def told(counting: IngestProgress) -> None:
        if counting.bytes_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER, on_progress=told)
    assert world.stopped == [list(world.queries)[-1]]


@pytest.mark.parametrize(
    ("state", "reason", "problem"),
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
def test_a_query_that_fails_says_why(
    world: FakeAthena, archive: Archive, tmp_path: Path, state: str, reason: str, problem: tuple[str, str]
) -> None:
    world.final_state = (state, reason)
    found = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    (told,) = found.problems
    assert (found.state, told.kind, told.operation, told.detail) == ("stopped", *problem, reason)
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
def test_what_is_not_allowed_is_named(
    world: FakeAthena, archive: Archive, tmp_path: Path, action: str, operation: str
) -> None:
    code = "AccessDenied" if action in ("GetObject", "ListBucket") else "AccessDeniedException"
    world.errors[action] = (403, code, "no")
    found = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER)
    (told,) = found.problems
    assert (told.kind, told.operation) == ("denied", operation)
    assert archive.access_logs.known_sizes(["athena:2026-09-21"]) == {}


def test_a_result_that_is_none(world: FakeAthena, archive: Archive, tmp_path: Path) -> None:
    world.result_override = b'"minute","head"\n"2026"\n'
    (told,) = ingest_access_logs(archive, make_athena(tmp_path), DAY, now=NOON_AFTER).problems
    assert (told.kind, told.operation) == ("bad_reply", "s3:GetObject")


def test_the_conversation_is_as_botocores_model_has_it(tmp_path: Path) -> None:
    def client(service: str) -> Any:
        return boto3.client(service, region_name="ap-northeast-1", config=Config(retries={"total_max_attempts": 1}))

    athena, pauses, read = client("athena"), RecordedSleep(), list[int]()
    whole = make_migration(tmp_path, workgroup="logs", output="s3://photo-athena-results/migration/")
    assert whole.aws and whole.access_logs and whole.access_logs.athena
    place = S3Logs(whole.aws, LogFileCache(tmp_path, 1), bucket="photo-logs", prefix="alb")
    source = AthenaLogs(
        whole.aws, whole.access_logs.athena, place, clients={"athena": athena}, sleep=pauses, clock=lambda: NOON_AFTER
    )
    begun = {
        "QueryString": ANY,
        "WorkGroup": "logs",
        "ResultConfiguration": {"OutputLocation": "s3://photo-athena-results/migration/"},
    }
    query = {"QueryExecutionId": QUERY_ID}

    def look(state: str, scanned: int, reason: str = "") -> dict[str, Any]:
        status = {"State": state, "StateChangeReason": reason}
        return {"QueryExecution": {**query, "Status": status, "Statistics": {"DataScannedInBytes": scanned}}}

    with Stubber(athena) as stub:
        stub.add_response("start_query_execution", query, begun)
        stub.add_response("get_query_execution", look("SUCCEEDED", 0), query)
        stub.add_response("start_query_execution", query, begun)
        for state, scanned in (("QUEUED", 0), ("RUNNING", 10), *([("RUNNING", 20)] * 4)):
            stub.add_response("get_query_execution", look(state, scanned), query)
        stub.add_response("get_query_execution", look("CANCELLED", 30, "by somebody"), query)
        day = LogFile("athena:2026-09-21", 100, DAY, (LogFile("a", 1),))
        found = source.count_day(day, on_progress=read.append, stop=lambda: False)
    assert found == Problem("query_cancelled", "athena", "count", "", "by somebody")
    assert read == [0, 10, 20, 20, 20, 20, 30]
    assert pauses == [0.5, 1, 2, 5, 5, 5]
    stub.assert_no_pending_responses()


def test_a_check_costs_nothing_and_says_where_results_have_no_place(world: FakeAthena, tmp_path: Path) -> None:
    assert [(one.permission, one.state, one.source) for one in make_athena(tmp_path).check()] == [
        ("athena:GetWorkGroup", "up", "athena"),
        ("athena:GetDatabase", "up", "athena"),
    ]
    world.output = ""
    group, _ = make_athena(tmp_path).check()
    assert group.problem == Problem("bad_request", "athena", "athena:GetWorkGroup", "primary", "no output location")
    assert make_athena(tmp_path, output=f"s3://{RESULTS}/x/").check()[0].problem is None
    world.errors["GetDatabase"] = (400, "AccessDeniedException", "u is not authorized to perform: glue:GetDatabase")
    _, database = make_athena(tmp_path).check()
    assert database.problem and (database.problem.kind, database.problem.operation) == ("denied", "glue:GetDatabase")
    assert world.queries == {}


def test_athena_is_there_where_it_is_configured(tmp_path: Path) -> None:
    assert isinstance(registry.create_sources(make_migration(tmp_path)).athena, AthenaLogs)
    without = make_migration(tmp_path).model_copy(update={"access_logs": None})
    assert registry.create_sources(without).athena is None


def test_a_failure_without_a_reason() -> None:
    assert query_problem({"State": "FAILED"}) == Problem("query_failed", "athena", "count")


def test_the_command_asks_athena_where_it_is_told_to(
    world: FakeAthena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world.polls_until_final = 0
    group = f"{ELB}targetgroup/photo-{{}}/73e2d6bc24d8a067"
    without = f"""[migration]
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
    asked = ["endpoints", "--engine", "athena", "--from", "2026-09-21T00:00Z", "--to", "2026-09-22T00:00Z"]
    Path("migration.toml").write_text(without)
    refused = CliRunner().invoke(cli.app, asked)
    assert refused.exit_code == 3 and "[access_logs.athena]" in refused.stderr and world.queries == {}
    Path("migration.toml").write_text(f"{without}[access_logs.athena]\n")
    found = CliRunner().invoke(cli.app, [*asked, "--json"])
    assert json.loads(found.stdout)["lines"] == {"read": 6, "parsed": 5, "lost": 1}
    assert len(world.tables) == 1 and len(world.queries) == 2
    mixed = CliRunner().invoke(cli.app, ["endpoints", "--engine", "athena", "--logs", "."])
    assert mixed.exit_code == 3 and "Athena counts logs in S3" in mixed.stderr
