"""Access logs in S3, by unpatched boto3 over HTTP against moto: what is listed, what is fetched, and what the outside world may do."""

import errno
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.access_log_ingest import IngestProgress, ingest_access_logs
from domain import Window
from messages.errors.sources import format_problem
from sources.access_logs.cache import LogFileCache
from sources.access_logs.filenames import LogFile
from sources.aws.s3_access_logs import S3Logs
from sources.base import Problem
from tests.factories.access_log_lines import access_log_line
from tests.factories.archives import open_archive
from tests.fakes.metric_source import minute_time
from tests.fakes.s3 import BUCKET, FakeS3

START = datetime(2026, 9, 21, 14, tzinfo=UTC)
HOUR = Window(int(START.timestamp()), int(START.timestamp()) + 3600)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with FakeS3() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield running


@pytest.fixture
def logs(world: FakeS3, tmp_path: Path) -> S3Logs:
    return S3Logs(world.aws, LogFileCache(tmp_path / "cache", 10_000_000))


def end_of_file(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def make_lines(n: int, minute: int = 0) -> str:
    return access_log_line(time=f"{end_of_file(minute):%Y-%m-%dT%H:%M:%S}.000001Z") * n


def count_into_archive(logs: S3Logs, folder: Path, window: Window = HOUR) -> IngestProgress:
    with open_archive(folder) as archive:
        return ingest_access_logs(archive, logs, window, now=minute_time(0))


def as_problem(value: object) -> Problem:
    assert isinstance(value, Problem)
    return value


class TestListing:
    def test_of_a_window_by_its_days_and_only_this_load_balancers_own(self, world: FakeS3, logs: S3Logs) -> None:
        inside = [world.put_log(world.log_key(end_of_file(minute)), make_lines(1)) for minute in (5, 30, 60)]
        world.put_log(world.log_key(end_of_file(0)), make_lines(1))
        world.put_log(world.log_key(end_of_file(70)), make_lines(1))
        world.put_log(world.log_key(end_of_file(30), balancer="app.other.0123456789abcdef"), make_lines(1))
        world.put_log(world.log_key(end_of_file(30), balancer="net.photo.0123456789abcdef"), make_lines(1))
        world.put_log(world.log_key(end_of_file(30), kind="conn_log."), make_lines(1))
        world.put_log(f"{world.prefix}/AWSLogs/123456789012/ELBAccessLogTestFile", "Enable AccessLog")
        world.put_log(world.log_key(end_of_file(30)).removesuffix(".log.gz") + ".json", "{}")
        found = logs.files(HOUR)
        assert [file.key for file in found.files] == inside
        assert (found.problems, found.skipped) == ((), 1)
        assert world.calls == [f"GET /{BUCKET}?"]

    def test_after_midnight_the_next_days_folder_is_listed_too(self, world: FakeS3, logs: S3Logs) -> None:
        midnight = datetime(2026, 9, 22, tzinfo=UTC)
        key = world.put_log(world.log_key(midnight), make_lines(1))
        assert "/2026/09/22/" in key
        last = Window(int(midnight.timestamp()) - 600, int(midnight.timestamp()))
        assert [file.key for file in logs.files(last).files] == [key]

    def test_more_than_a_page(self, world: FakeS3, logs: S3Logs) -> None:
        for number in range(1, 1103):
            world.s3.put_object(Bucket=BUCKET, Key=world.log_key(end_of_file(30), number), Body=b"x")
        assert len(logs.files(HOUR).files) == 1102
        assert len(world.calls) == 2

    def test_an_empty_window(self, logs: S3Logs, tmp_path: Path) -> None:
        found = count_into_archive(logs, tmp_path)
        assert (found.state, found.files, found.problems) == ("done", 0, ())

    def test_a_configured_bucket_needs_no_attributes(self, world: FakeS3, tmp_path: Path) -> None:
        world.enable_logs("false")
        key = world.put_log(world.log_key(end_of_file(5)), make_lines(1))
        logs = S3Logs(world.aws, LogFileCache(tmp_path, 10**7), bucket=BUCKET, prefix="alb")
        assert [file.key for file in logs.files(HOUR).files] == [key]
        assert [(one.permission, one.state) for one in logs.check()] == [("s3:ListBucket", "up")]

    def test_logs_that_are_not_enabled(self, world: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        world.enable_logs("false")
        (found,) = count_into_archive(logs, tmp_path).problems
        assert found.kind == "not_enabled"
        said = format_problem(found)
        assert said.title == "Access logs are off"
        assert (
            f"--load-balancer-arn {world.load_balancer} --attributes Key=access_logs.s3.enabled,Value=true"
            in said.next_step
        )
        assert "docs/access_logs.md" in said.next_step
        (health,) = logs.check()
        assert (health.permission, health.state) == ("elasticloadbalancing:DescribeLoadBalancerAttributes", "down")

    def test_a_bucket_that_is_not_there(self, world: FakeS3, tmp_path: Path) -> None:
        logs = S3Logs(world.aws, LogFileCache(tmp_path, 10**7), bucket="nobodys-logs")
        (found,) = logs.files(HOUR).problems
        assert (found.kind, found.operation, found.about) == ("not_found", "s3:ListBucket", "nobodys-logs")
        assert "`bucket` under [access_logs]" in format_problem(found).next_step

    def test_a_bucket_that_may_not_be_listed(self, world: FakeS3, logs: S3Logs) -> None:
        world.denied_paths.add("list-type")
        (found,) = logs.files(HOUR).problems
        assert (found.kind, found.operation, found.about) == ("denied", "s3:ListBucket", BUCKET)
        assert "Allow `s3:ListBucket` in the IAM policy" in format_problem(found).next_step
        assert [(one.permission, one.state) for one in logs.check()][1] == ("s3:ListBucket", "denied")

    def test_a_bucket_in_another_region(self, world: FakeS3, logs: S3Logs) -> None:
        world.bucket_region = "us-east-1"
        key = world.put_log(world.log_key(end_of_file(5)), make_lines(1))
        found = logs.files(HOUR)
        assert ([file.key for file in found.files], found.problems) == ([key], ())
        assert isinstance(logs.download(found.files[0]), Path)


class TestFetching:
    def test_once_and_from_the_cache_afterwards(self, world: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        world.put_log(world.log_key(end_of_file(5)), make_lines(3))
        first = count_into_archive(logs, tmp_path)
        assert (first.state, first.files_done, first.lines, first.parsed) == ("done", 1, 3, 3)
        (file,) = logs.files(HOUR).files
        before = len(world.calls)
        assert isinstance(logs.download(file), Path)
        assert len(world.calls) == before
        assert count_into_archive(logs, tmp_path).already_counted == 1

    def test_what_broke_off_is_gone_on_with(self, world: FakeS3, logs: S3Logs) -> None:
        content = gzip.compress(make_lines(2000).encode(), 0)
        key = world.put_log(world.log_key(end_of_file(5)), content)
        world.truncations[key] = [100_000, 200_000]
        (file,) = logs.files(HOUR).files
        path = logs.download(file)
        assert isinstance(path, Path) and path.read_bytes() == content
        assert [call.rpartition(" ")[2] for call in world.downloads()][1:] == ["bytes=100000-", "bytes=300000-"]

    def test_what_an_earlier_run_left_is_gone_on_with(self, world: FakeS3, tmp_path: Path) -> None:
        content = gzip.compress(make_lines(2000).encode(), 0)
        key = world.put_log(world.log_key(end_of_file(5)), content)
        folder = tmp_path / "cache"
        folder.mkdir()
        name = key.rpartition("/")[2]
        (folder / f"{name}.part").write_bytes(content[:1234])
        logs = S3Logs(world.aws, LogFileCache(folder, 10**7))
        (file,) = logs.files(HOUR).files
        path = logs.download(file)
        assert isinstance(path, Path) and path.read_bytes() == content
        assert world.downloads()[0].endswith("bytes=1234-")
        assert [one.name for one in folder.iterdir()] == [name]

    def test_an_object_that_may_not_be_read_costs_only_itself(
        self, world: FakeS3, logs: S3Logs, tmp_path: Path
    ) -> None:
        world.put_log(world.log_key(end_of_file(5)), make_lines(3))
        refused = world.put_log(world.log_key(end_of_file(10)), make_lines(5))
        world.denied_paths.add(refused)
        found = count_into_archive(logs, tmp_path)
        assert (found.state, found.files_done, found.lines) == ("done", 2, 3)
        (one,) = found.problems
        assert (one.kind, one.operation, one.about) == ("denied", "s3:GetObject", refused)
        assert "s3:GetObject" in format_problem(one).text and refused.rpartition("/")[2] in format_problem(one).text
        world.denied_paths.clear()
        assert count_into_archive(logs, tmp_path).lines == 5

    def test_where_none_may_be_read_it_stops(self, world: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        for minute in (5, 10):
            world.put_log(world.log_key(end_of_file(minute)), make_lines(3))
        world.denied_paths.add(".log.gz")
        found = count_into_archive(logs, tmp_path)
        assert (found.state, found.lines, len(found.problems)) == ("stopped", 0, 2)

    def test_throttled_it_stops_and_goes_on_later(self, world: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        world.put_log(world.log_key(end_of_file(5)), make_lines(3))
        listing = logs.files(HOUR)
        world.error = (503, "SlowDown")
        assert as_problem(logs.download(listing.files[0])).kind == "throttled"
        assert count_into_archive(logs, tmp_path).problems[0].kind == "throttled"
        world.error = None
        assert count_into_archive(logs, tmp_path).lines == 3

    def test_an_object_that_is_gone(self, world: FakeS3, logs: S3Logs) -> None:
        key = world.put_log(world.log_key(end_of_file(5)), make_lines(3))
        (file,) = logs.files(HOUR).files
        world.s3.delete_object(Bucket=BUCKET, Key=key)
        assert as_problem(logs.download(file)).kind == "not_found"

    def test_a_download_that_never_gets_further(self, world: FakeS3, logs: S3Logs) -> None:
        key = world.put_log(world.log_key(end_of_file(5)), gzip.compress(make_lines(2000).encode(), 0))
        world.truncations[key] = [0, 0, 0]
        (file,) = logs.files(HOUR).files
        assert as_problem(logs.download(file)).operation == "s3:GetObject"
        assert len(world.downloads()) == 1

    def test_a_full_disk(self, world: FakeS3, logs: S3Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        world.put_log(world.log_key(end_of_file(5)), make_lines(3))

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "cache"))

        with monkeypatch.context() as patched:
            patched.setattr("sources.aws.s3_access_logs.shutil.copyfileobj", full)
            found = count_into_archive(logs, tmp_path)
        assert (found.state, found.lines) == ("stopped", 0)
        said = format_problem(found.problems[0])
        assert said.title == "The disk is full" and str(tmp_path / "cache") in said.text
        assert count_into_archive(logs, tmp_path).lines == 3


class TestCache:
    def file(self, minute: int, size: int = 400) -> LogFile:
        name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{end_of_file(minute):%Y%m%dT%H%MZ}_10.0.1.1_3c8d6a1b.log.gz"
        return LogFile(f"alb/{name}", size)

    def test_what_was_used_longest_ago_goes_first(self, tmp_path: Path) -> None:
        import os

        cache = LogFileCache(tmp_path, 1000)
        (tmp_path / "holiday.jpg").write_bytes(b"x" * 5000)
        for minute in (5, 10):
            cache.reserve(400)
            cache.path(self.file(minute)).write_bytes(b"x" * 400)
            os.utime(cache.path(self.file(minute)), (minute, minute))
        assert cache.get(self.file(5)), "used just now"
        cache.reserve(400)
        assert cache.get(self.file(5)) and cache.get(self.file(10)) is None
        assert (tmp_path / "holiday.jpg").exists(), "nobody's but the cache's own files go"

    def test_a_file_of_another_size_is_not_the_file(self, tmp_path: Path) -> None:
        cache = LogFileCache(tmp_path, 1000)
        cache.path(self.file(5)).write_bytes(b"x" * 399)
        assert cache.get(self.file(5)) is None
