"""S3Logs against moto over HTTP: listing, downloading, errors; and the cache."""

import errno
import gzip
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.access_log_ingest import IngestProgress, ingest_access_logs
from domain import Aws, Window
from messages.errors.sources import format_problem
from sources.access_logs.cache import LogFileCache
from sources.access_logs.filenames import LogFile
from sources.aws import calls
from sources.aws.client import create_client
from sources.aws.s3_access_logs import S3Logs
from sources.base import Problem
from tests.factories.access_log_lines import access_log_line
from tests.factories.archives import open_archive
from tests.fakes.metric_source import minute_time
from tests.fakes.mutating_proxy import XHTML, MutatingProxy, Reply
from tests.fakes.s3 import BUCKET, FakeS3

START = datetime(2026, 9, 21, 14, tzinfo=UTC)
HOUR = Window(int(START.timestamp()), int(START.timestamp()) + 3600)


@pytest.fixture
def fake_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with FakeS3() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield fake


@pytest.fixture
def logs(fake_s3: FakeS3, tmp_path: Path) -> S3Logs:
    return S3Logs(fake_s3.aws, LogFileCache(tmp_path / "cache", 10_000_000))


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
    def test_only_files_of_the_window_and_of_this_load_balancer(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        inside = [fake_s3.put_log(fake_s3.log_key(end_of_file(minute)), make_lines(1)) for minute in (5, 30, 60)]
        fake_s3.put_log(fake_s3.log_key(end_of_file(0)), make_lines(1))
        fake_s3.put_log(fake_s3.log_key(end_of_file(70)), make_lines(1))
        fake_s3.put_log(fake_s3.log_key(end_of_file(30), balancer="app.other.0123456789abcdef"), make_lines(1))
        fake_s3.put_log(fake_s3.log_key(end_of_file(30), balancer="net.photo.0123456789abcdef"), make_lines(1))
        fake_s3.put_log(fake_s3.log_key(end_of_file(30), kind="conn_log."), make_lines(1))
        fake_s3.put_log(f"{fake_s3.prefix}/AWSLogs/123456789012/ELBAccessLogTestFile", "Enable AccessLog")
        fake_s3.put_log(fake_s3.log_key(end_of_file(30)).removesuffix(".log.gz") + ".json", "{}")
        listing = logs.files(HOUR)
        assert [file.key for file in listing.files] == inside
        assert (listing.problems, listing.skipped) == ((), 1)
        assert fake_s3.calls == [f"GET /{BUCKET}?"]

    def test_next_days_folder_is_listed_after_midnight(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        midnight = datetime(2026, 9, 22, tzinfo=UTC)
        key = fake_s3.put_log(fake_s3.log_key(midnight), make_lines(1))
        assert "/2026/09/22/" in key
        last_minutes = Window(int(midnight.timestamp()) - 600, int(midnight.timestamp()))
        assert [file.key for file in logs.files(last_minutes).files] == [key]

    @pytest.mark.slow
    def test_more_than_one_page(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        for number in range(1, 1103):
            fake_s3.s3.put_object(Bucket=BUCKET, Key=fake_s3.log_key(end_of_file(30), number), Body=b"x")
        assert len(logs.files(HOUR).files) == 1102
        assert len(fake_s3.calls) == 2

    def test_empty_window(self, logs: S3Logs, tmp_path: Path) -> None:
        progress = count_into_archive(logs, tmp_path)
        assert (progress.state, progress.files, progress.problems) == ("done", 0, ())

    def test_configured_bucket_needs_no_attributes(self, fake_s3: FakeS3, tmp_path: Path) -> None:
        fake_s3.enable_logs("false")
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(1))
        logs = S3Logs(fake_s3.aws, LogFileCache(tmp_path, 10**7), bucket=BUCKET, prefix="alb")
        assert [file.key for file in logs.files(HOUR).files] == [key]
        assert [(health.permission, health.state) for health in logs.check()] == [("s3:ListBucket", "up")]

    def test_logs_not_enabled(self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        fake_s3.enable_logs("false")
        (problem,) = count_into_archive(logs, tmp_path).problems
        assert problem.kind == "not_enabled"
        message = format_problem(problem)
        assert message.title == "Access logs are off"
        assert (
            f"--load-balancer-arn {fake_s3.load_balancer} --attributes Key=access_logs.s3.enabled,Value=true"
            in message.next_step
        )
        assert "docs/access_logs.md" in message.next_step
        assert [(health.permission, health.state) for health in logs.check()] == [
            ("elasticloadbalancing:DescribeLoadBalancerAttributes", "failed"),
            ("s3:ListBucket", "not_checked"),
        ]

    def test_missing_bucket(self, fake_s3: FakeS3, tmp_path: Path) -> None:
        logs = S3Logs(fake_s3.aws, LogFileCache(tmp_path, 10**7), bucket="missing-bucket")
        (problem,) = logs.files(HOUR).problems
        assert (problem.kind, problem.operation, problem.about) == ("not_found", "s3:ListBucket", "missing-bucket")
        assert "`bucket` under [access_logs]" in format_problem(problem).next_step

    def test_bucket_without_list_permission(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        fake_s3.denied_paths.add("list-type")
        (problem,) = logs.files(HOUR).problems
        assert (problem.kind, problem.operation, problem.about) == ("denied", "s3:ListBucket", BUCKET)
        assert "Allow `s3:ListBucket` in the IAM policy" in format_problem(problem).next_step
        assert [(health.permission, health.state) for health in logs.check()][1] == ("s3:ListBucket", "denied")

    def test_client_is_recreated_after_expired_credentials(
        self, fake_s3: FakeS3, logs: S3Logs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        services = list[str]()

        def record(service: str, aws: Aws) -> object:
            services.append(service)
            return create_client(service, aws)

        monkeypatch.setattr(calls, "create_client", record)
        fake_s3.error = (400, "ExpiredToken")
        assert [problem.kind for problem in logs.files(HOUR).problems] == ["expired_token"]
        fake_s3.error = None
        assert logs.files(HOUR).problems == ()
        assert services.count("s3") == 2

    def test_bucket_in_another_region(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        fake_s3.bucket_region = "us-east-1"
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(1))
        listing = logs.files(HOUR)
        assert ([file.key for file in listing.files], listing.problems) == ([key], ())
        assert isinstance(logs.download(listing.files[0]), Path)


class TestDownload:
    def test_downloaded_once_then_cached(self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        load_balancer = fake_s3.aws.load_balancer.partition(":loadbalancer/")[2]
        lines = make_lines(3).replace("app/photo/50dc6c495c0c9188", load_balancer)
        fake_s3.put_log(fake_s3.log_key(end_of_file(5)), lines)
        first = count_into_archive(logs, tmp_path)
        assert (first.state, first.files_done, first.lines, first.parsed) == ("done", 1, 3, 3)
        (file,) = logs.files(HOUR).files
        n_before = len(fake_s3.calls)
        assert isinstance(logs.download(file), Path)
        assert len(fake_s3.calls) == n_before
        assert count_into_archive(logs, tmp_path).already_counted == 1

    def test_interrupted_download_is_resumed(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        content = gzip.compress(make_lines(2000).encode(), 0)
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), content)
        fake_s3.truncations[key] = [100_000, 200_000]
        (file,) = logs.files(HOUR).files
        path = logs.download(file)
        assert isinstance(path, Path) and path.read_bytes() == content
        assert [call.rpartition(" ")[2] for call in fake_s3.downloads()][1:] == ["bytes=100000-", "bytes=300000-"]

    def test_partial_file_of_an_earlier_run_is_resumed(self, fake_s3: FakeS3, tmp_path: Path) -> None:
        content = gzip.compress(make_lines(2000).encode(), 0)
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), content)
        folder = tmp_path / "cache"
        folder.mkdir()
        name = key.rpartition("/")[2]
        (folder / f"{name}.part").write_bytes(content[:1234])
        logs = S3Logs(fake_s3.aws, LogFileCache(folder, 10**7))
        (file,) = logs.files(HOUR).files
        path = logs.download(file)
        assert isinstance(path, Path) and path.read_bytes() == content
        assert fake_s3.downloads()[0].endswith("bytes=1234-")
        assert [path.name for path in folder.iterdir()] == [name]

    def test_partial_file_of_the_whole_size_is_not_taken_for_it(self, fake_s3: FakeS3, tmp_path: Path) -> None:
        content = gzip.compress(make_lines(2000).encode(), 0)
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), content)
        logs = S3Logs(fake_s3.aws, LogFileCache(tmp_path, 10**7))
        (tmp_path / f"{key.rpartition('/')[2]}.part").write_bytes(b"x" * len(content))
        (file,) = logs.files(HOUR).files
        fake_s3.denied_paths.add(key)
        assert isinstance(logs.download(file), Problem)
        fake_s3.denied_paths.clear()
        path = logs.download(file)
        assert isinstance(path, Path) and path.read_bytes() == content

    def test_two_threads_download_a_file_once(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        content = gzip.compress(make_lines(2000).encode(), 0)
        fake_s3.put_log(fake_s3.log_key(end_of_file(5)), content)
        (file,) = logs.files(HOUR).files
        with ThreadPoolExecutor(4) as threads:
            paths = list(threads.map(logs.download, [file] * 4))
        assert [isinstance(path, Path) and path.read_bytes() == content for path in paths] == [True] * 4
        assert len(fake_s3.downloads()) == 1

    def test_denied_object_does_not_affect_the_others(self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(3))
        denied = fake_s3.put_log(fake_s3.log_key(end_of_file(10)), make_lines(5))
        fake_s3.denied_paths.add(denied)
        progress = count_into_archive(logs, tmp_path)
        assert (progress.state, progress.files_done, progress.lines) == ("done", 2, 3)
        (problem,) = progress.problems
        assert (problem.kind, problem.operation, problem.about) == ("denied", "s3:GetObject", denied)
        assert (
            "s3:GetObject" in format_problem(problem).text and denied.rpartition("/")[2] in format_problem(problem).text
        )
        fake_s3.denied_paths.clear()
        assert count_into_archive(logs, tmp_path).lines == 5

    def test_ingest_stops_if_all_objects_are_denied(self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path) -> None:
        for minute in (5, 10):
            fake_s3.put_log(fake_s3.log_key(end_of_file(minute)), make_lines(3))
        fake_s3.denied_paths.add(".log.gz")
        progress = count_into_archive(logs, tmp_path)
        assert (progress.state, progress.lines, len(progress.problems)) == ("stopped", 0, 2)

    @pytest.mark.slow
    def test_ingest_stops_when_throttled_and_continues_later(
        self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path
    ) -> None:
        fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(3))
        listing = logs.files(HOUR)
        fake_s3.error = (503, "SlowDown")
        assert as_problem(logs.download(listing.files[0])).kind == "throttled"
        assert count_into_archive(logs, tmp_path).problems[0].kind == "throttled"
        fake_s3.error = None
        assert count_into_archive(logs, tmp_path).lines == 3

    def test_deleted_object(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(3))
        (file,) = logs.files(HOUR).files
        fake_s3.s3.delete_object(Bucket=BUCKET, Key=key)
        assert as_problem(logs.download(file)).kind == "not_found"

    def test_download_without_progress_is_given_up(self, fake_s3: FakeS3, logs: S3Logs) -> None:
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), gzip.compress(make_lines(2000).encode(), 0))
        fake_s3.truncations[key] = [0, 0, 0]
        (file,) = logs.files(HOUR).files
        assert as_problem(logs.download(file)).operation == "s3:GetObject"
        assert len(fake_s3.downloads()) == 1

    def test_no_more_bytes_are_written_than_the_listing_says(
        self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path
    ) -> None:
        key = fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(3))
        (file,) = logs.files(HOUR).files
        fake_s3.put_log(key, b"x" * 5_000_000)
        problem = as_problem(logs.download(file))
        assert (problem.kind, problem.about, problem.detail) == ("bad_reply", key, "more bytes than the object has")
        assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) <= file.size
        (longer,) = logs.files(HOUR).files
        assert longer.size == 5_000_000 and isinstance(logs.download(longer), Path)

    def test_full_disk(self, fake_s3: FakeS3, logs: S3Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_s3.put_log(fake_s3.log_key(end_of_file(5)), make_lines(3))

        def full(*_: object, **_options: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "cache"))

        with monkeypatch.context() as patch:
            patch.setattr(S3Logs, "save_object", full)
            progress = count_into_archive(logs, tmp_path)
        assert (progress.state, progress.lines) == ("stopped", 0)
        message = format_problem(progress.problems[0])
        assert message.title == "The disk is full" and str(tmp_path / "cache") in message.text
        assert count_into_archive(logs, tmp_path).lines == 3


class TestCache:
    def file(self, minute: int, size: int = 400) -> LogFile:
        name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{end_of_file(minute):%Y%m%dT%H%MZ}_10.0.1.1_3c8d6a1b.log.gz"
        return LogFile(f"alb/{name}", size)

    def test_least_recently_used_file_is_evicted_first(self, tmp_path: Path) -> None:
        cache = LogFileCache(tmp_path, 1000)
        (tmp_path / "holiday.jpg").write_bytes(b"x" * 5000)
        for minute in (5, 10):
            cache.reserve(400)
            cache.path(self.file(minute)).write_bytes(b"x" * 400)
            os.utime(cache.path(self.file(minute)), (minute, minute))
        assert cache.get(self.file(5)), "updates the time of use"
        cache.reserve(400)
        assert cache.get(self.file(5)) and cache.get(self.file(10)) is None
        assert (tmp_path / "holiday.jpg").exists(), "other files are kept"

    def test_file_of_another_size_is_not_returned(self, tmp_path: Path) -> None:
        cache = LogFileCache(tmp_path, 1000)
        cache.path(self.file(5)).write_bytes(b"x" * 399)
        assert cache.get(self.file(5)) is None


@pytest.mark.parametrize("reply", [Reply(200, "application/xhtml+xml", XHTML), Reply(204, "", b"")])
def test_listing_that_is_none_is_a_bad_reply_and_no_empty_bucket(
    fake_s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    with MutatingProxy(fake_s3.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        proxy.change = lambda _: reply
        logs = S3Logs(fake_s3.aws, LogFileCache(tmp_path / "cache", 10_000_000))
        listing, (_, check) = logs.files(HOUR), logs.check()
        monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", proxy.url)
        without_attributes = S3Logs(fake_s3.aws, LogFileCache(tmp_path / "cache", 10_000_000)).files(HOUR)
    (problem,) = listing.problems
    assert (problem.kind, problem.operation, problem.detail) == ("bad_reply", "s3:ListBucket", "no ListBucketResult")
    assert check.problem == problem
    assert [problem.kind for problem in without_attributes.problems] == ["bad_reply"]
