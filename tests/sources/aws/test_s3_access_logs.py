"""Access logs in S3, by unpatched boto3 over HTTP against moto: what is listed, what is fetched, and what the outside world may do."""

import errno
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.access_log_ingest import Counting, count_logs
from domain import Window
from messages.errors.sources import say
from sources.access_logs.cache import Cache
from sources.access_logs.filenames import LogFile
from sources.aws.s3_access_logs import S3Logs
from sources.base import Problem
from tests.fakes.metric_source import at, open_archive
from tests.fakes.s3 import BUCKET, S3World
from tests.sources.access_logs.test_counter import line

BEGIN = datetime(2026, 9, 21, 14, tzinfo=UTC)
HOUR = Window(int(BEGIN.timestamp()), int(BEGIN.timestamp()) + 3600)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3World]:
    with S3World() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield running


@pytest.fixture
def logs(world: S3World, tmp_path: Path) -> S3Logs:
    return S3Logs(world.aws, Cache(tmp_path / "cache", 10_000_000))


def end(minute: int) -> datetime:
    return BEGIN + timedelta(minutes=minute)


def lines(many: int, minute: int = 0) -> str:
    return line(at=f"{end(minute):%Y-%m-%dT%H:%M:%S}.000001Z") * many


def counted(logs: S3Logs, folder: Path, window: Window = HOUR) -> Counting:
    with open_archive(folder) as archive:
        return count_logs(archive, logs, window, now=at(0))


def problem(found: object) -> Problem:
    assert isinstance(found, Problem)
    return found


class TestListing:
    def test_of_a_window_by_its_days_and_only_this_load_balancers_own(self, world: S3World, logs: S3Logs) -> None:
        inside = [world.put(world.key(end(minute)), lines(1)) for minute in (5, 30, 60)]
        world.put(world.key(end(0)), lines(1))
        world.put(world.key(end(70)), lines(1))
        world.put(world.key(end(30), balancer="app.other.0123456789abcdef"), lines(1))
        world.put(world.key(end(30), balancer="net.photo.0123456789abcdef"), lines(1))
        world.put(world.key(end(30), kind="conn_log."), lines(1))
        world.put(f"{world.prefix}/AWSLogs/123456789012/ELBAccessLogTestFile", "Enable AccessLog")
        world.put(world.key(end(30)).removesuffix(".log.gz") + ".json", "{}")
        found = logs.files(HOUR)
        assert [file.key for file in found.files] == inside
        assert (found.problems, found.foreign) == ((), 1)
        assert world.calls == [f"GET /{BUCKET}?"]

    def test_after_midnight_the_next_days_folder_is_listed_too(self, world: S3World, logs: S3Logs) -> None:
        midnight = datetime(2026, 9, 22, tzinfo=UTC)
        key = world.put(world.key(midnight), lines(1))
        assert "/2026/09/22/" in key
        last = Window(int(midnight.timestamp()) - 600, int(midnight.timestamp()))
        assert [file.key for file in logs.files(last).files] == [key]

    def test_more_than_a_page(self, world: S3World, logs: S3Logs) -> None:
        for number in range(1, 1103):
            world.s3.put_object(Bucket=BUCKET, Key=world.key(end(30), number), Body=b"x")
        assert len(logs.files(HOUR).files) == 1102
        assert len(world.calls) == 2

    def test_an_empty_window(self, logs: S3Logs, tmp_path: Path) -> None:
        found = counted(logs, tmp_path)
        assert (found.state, found.files, found.problems) == ("done", 0, ())

    def test_a_configured_bucket_needs_no_attributes(self, world: S3World, tmp_path: Path) -> None:
        world.enable("false")
        key = world.put(world.key(end(5)), lines(1))
        logs = S3Logs(world.aws, Cache(tmp_path, 10**7), bucket=BUCKET, prefix="alb")
        assert [file.key for file in logs.files(HOUR).files] == [key]
        assert [(one.permission, one.state) for one in logs.check()] == [("s3:ListBucket", "up")]

    def test_logs_that_are_not_enabled(self, world: S3World, logs: S3Logs, tmp_path: Path) -> None:
        world.enable("false")
        (found,) = counted(logs, tmp_path).problems
        assert found.kind == "not_enabled"
        said = say(found)
        assert said.title == "Access logs are off"
        assert (
            f"--load-balancer-arn {world.load_balancer} --attributes Key=access_logs.s3.enabled,Value=true"
            in said.next_step
        )
        assert "docs/access_logs.md" in said.next_step
        (health,) = logs.check()
        assert (health.permission, health.state) == ("elasticloadbalancing:DescribeLoadBalancerAttributes", "down")

    def test_a_bucket_that_is_not_there(self, world: S3World, tmp_path: Path) -> None:
        logs = S3Logs(world.aws, Cache(tmp_path, 10**7), bucket="nobodys-logs")
        (found,) = logs.files(HOUR).problems
        assert (found.kind, found.operation, found.about) == ("not_found", "s3:ListBucket", "nobodys-logs")
        assert "`bucket` under [access_logs]" in say(found).next_step

    def test_a_bucket_that_may_not_be_listed(self, world: S3World, logs: S3Logs) -> None:
        world.denied.add("list-type")
        (found,) = logs.files(HOUR).problems
        assert (found.kind, found.operation, found.about) == ("denied", "s3:ListBucket", BUCKET)
        assert "Allow `s3:ListBucket` in the IAM policy" in say(found).next_step
        assert [(one.permission, one.state) for one in logs.check()][1] == ("s3:ListBucket", "denied")

    def test_a_bucket_in_another_region(self, world: S3World, logs: S3Logs) -> None:
        world.home = "us-east-1"
        key = world.put(world.key(end(5)), lines(1))
        found = logs.files(HOUR)
        assert ([file.key for file in found.files], found.problems) == ([key], ())
        assert isinstance(logs.bring(found.files[0]), Path)


class TestFetching:
    def test_once_and_from_the_cache_afterwards(self, world: S3World, logs: S3Logs, tmp_path: Path) -> None:
        world.put(world.key(end(5)), lines(3))
        first = counted(logs, tmp_path)
        assert (first.state, first.files_done, first.lines, first.parsed) == ("done", 1, 3, 3)
        (file,) = logs.files(HOUR).files
        before = len(world.calls)
        assert isinstance(logs.bring(file), Path)
        assert len(world.calls) == before
        assert counted(logs, tmp_path).known == 1

    def test_what_broke_off_is_gone_on_with(self, world: S3World, logs: S3Logs) -> None:
        content = gzip.compress(lines(2000).encode(), 0)
        key = world.put(world.key(end(5)), content)
        world.cut[key] = [100_000, 200_000]
        (file,) = logs.files(HOUR).files
        path = logs.bring(file)
        assert isinstance(path, Path) and path.read_bytes() == content
        assert [call.rpartition(" ")[2] for call in world.fetched()][1:] == ["bytes=100000-", "bytes=300000-"]

    def test_what_an_earlier_run_left_is_gone_on_with(self, world: S3World, tmp_path: Path) -> None:
        content = gzip.compress(lines(2000).encode(), 0)
        key = world.put(world.key(end(5)), content)
        folder = tmp_path / "cache"
        folder.mkdir()
        name = key.rpartition("/")[2]
        (folder / f"{name}.part").write_bytes(content[:1234])
        logs = S3Logs(world.aws, Cache(folder, 10**7))
        (file,) = logs.files(HOUR).files
        path = logs.bring(file)
        assert isinstance(path, Path) and path.read_bytes() == content
        assert world.fetched()[0].endswith("bytes=1234-")
        assert [one.name for one in folder.iterdir()] == [name]

    def test_an_object_that_may_not_be_read_costs_only_itself(
        self, world: S3World, logs: S3Logs, tmp_path: Path
    ) -> None:
        world.put(world.key(end(5)), lines(3))
        refused = world.put(world.key(end(10)), lines(5))
        world.denied.add(refused)
        found = counted(logs, tmp_path)
        assert (found.state, found.files_done, found.lines) == ("done", 2, 3)
        (one,) = found.problems
        assert (one.kind, one.operation, one.about) == ("denied", "s3:GetObject", refused)
        assert "s3:GetObject" in say(one).text and refused.rpartition("/")[2] in say(one).text
        world.denied.clear()
        assert counted(logs, tmp_path).lines == 5

    def test_where_none_may_be_read_it_stops(self, world: S3World, logs: S3Logs, tmp_path: Path) -> None:
        for minute in (5, 10):
            world.put(world.key(end(minute)), lines(3))
        world.denied.add(".log.gz")
        found = counted(logs, tmp_path)
        assert (found.state, found.lines, len(found.problems)) == ("stopped", 0, 2)

    def test_throttled_it_stops_and_goes_on_later(self, world: S3World, logs: S3Logs, tmp_path: Path) -> None:
        world.put(world.key(end(5)), lines(3))
        listing = logs.files(HOUR)
        world.refuse = (503, "SlowDown")
        assert problem(logs.bring(listing.files[0])).kind == "throttled"
        assert counted(logs, tmp_path).problems[0].kind == "throttled"
        world.refuse = None
        assert counted(logs, tmp_path).lines == 3

    def test_an_object_that_is_gone(self, world: S3World, logs: S3Logs) -> None:
        key = world.put(world.key(end(5)), lines(3))
        (file,) = logs.files(HOUR).files
        world.s3.delete_object(Bucket=BUCKET, Key=key)
        assert problem(logs.bring(file)).kind == "not_found"

    def test_a_download_that_never_gets_further(self, world: S3World, logs: S3Logs) -> None:
        key = world.put(world.key(end(5)), gzip.compress(lines(2000).encode(), 0))
        world.cut[key] = [0, 0, 0]
        (file,) = logs.files(HOUR).files
        assert problem(logs.bring(file)).operation == "s3:GetObject"
        assert len(world.fetched()) == 1

    def test_a_full_disk(self, world: S3World, logs: S3Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        world.put(world.key(end(5)), lines(3))

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "cache"))

        with monkeypatch.context() as patched:
            patched.setattr("sources.aws.s3_access_logs.shutil.copyfileobj", full)
            found = counted(logs, tmp_path)
        assert (found.state, found.lines) == ("stopped", 0)
        said = say(found.problems[0])
        assert said.title == "The disk is full" and str(tmp_path / "cache") in said.text
        assert counted(logs, tmp_path).lines == 3


class TestCache:
    def file(self, minute: int, size: int = 400) -> LogFile:
        name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{end(minute):%Y%m%dT%H%MZ}_10.0.1.1_3c8d6a1b.log.gz"
        return LogFile(f"alb/{name}", size)

    def test_what_was_used_longest_ago_goes_first(self, tmp_path: Path) -> None:
        import os

        cache = Cache(tmp_path, 1000)
        (tmp_path / "holiday.jpg").write_bytes(b"x" * 5000)
        for minute in (5, 10):
            cache.make_room(400)
            cache.place(self.file(minute)).write_bytes(b"x" * 400)
            os.utime(cache.place(self.file(minute)), (minute, minute))
        assert cache.there(self.file(5)), "used just now"
        cache.make_room(400)
        assert cache.there(self.file(5)) and cache.there(self.file(10)) is None
        assert (tmp_path / "holiday.jpg").exists(), "nobody's but the cache's own files go"

    def test_a_file_of_another_size_is_not_the_file(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path, 1000)
        cache.place(self.file(5)).write_bytes(b"x" * 399)
        assert cache.there(self.file(5)) is None
