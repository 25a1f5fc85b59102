"""Access logs in S3, in the bucket named by the load balancer's attributes. Files are downloaded through a cache."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.parsers import ResponseParserError

from domain import Aws, Window
from sources.access_logs.base import SOURCE, LogListing, health
from sources.access_logs.cache import LogFileCache
from sources.access_logs.filenames import LogFile, day_prefixes, overlaps, window_of_name
from sources.aws.calls import ClientProvider
from sources.aws.client import AWS_ERRORS, call_api, problem_from_error, require_keys
from sources.aws.shapes import INVALID_ITEMS
from sources.base import Health, Problem

ATTRIBUTES_PERMISSION = "elasticloadbalancing:DescribeLoadBalancerAttributes"
LIST_PERMISSION, GET_PERMISSION = "s3:ListBucket", "s3:GetObject"
_CHUNK_BYTES = 1 << 20
MAX_OBJECT_BYTES = 1 << 30  # of an object of unknown size
_MAX_PAGES = 10_000  # of 1,000 objects, in one folder
_MAX_DOWNLOAD_ATTEMPTS = 5  # of a download, while each attempt makes progress


class S3Logs:
    """A LogSource: the bucket and prefix in the load balancer's attributes, or the configured ones. Thread-safe."""

    name = SOURCE

    def __init__(self, aws: Aws, cache: LogFileCache, *, bucket: str = "", prefix: str = "") -> None:
        self._aws, self._cache = aws, cache
        self._configured_location = (bucket, prefix) if bucket else None
        self._bucket = bucket
        self._s3, self._elbv2 = ClientProvider("s3", aws), ClientProvider("elbv2", aws)

    def files(self, window: Window) -> LogListing:
        """The `_app.` logs of this load balancer that may contain lines of `window`, from the folders of its days."""
        location = self.location()
        if isinstance(location, Problem):
            return LogListing(problems=(location,))
        self._bucket, prefix = location
        files, skipped = list[LogFile](), 0
        load_balancer = self._aws.load_balancer_arn.dimension
        try:
            for key_prefix, start_after in day_prefixes(self._aws.load_balancer_arn, prefix, window):
                for item in self.list_objects(self._bucket, key_prefix, start_after):
                    file = LogFile(item["Key"], item["Size"], window_of_name(item["Key"].rpartition("/")[2]))
                    if file.window is None:
                        skipped += 1
                    elif overlaps(file, window):
                        files.append(file)
        except AWS_ERRORS as error:
            problem = self._problem(error, self._s3, LIST_PERMISSION, self._bucket)
            return LogListing(tuple(files), (problem,), skipped, load_balancer)
        files.sort(key=lambda file: (file.window or window, file.key))
        return LogListing(tuple(files), (), skipped, load_balancer)

    def location(self) -> tuple[str, str] | Problem:
        """Bucket and prefix. A problem if logs are not enabled or the attributes cannot be read."""
        if self._configured_location:
            return self._configured_location
        arn = self._aws.load_balancer
        try:
            response = call_api(self._elbv2().describe_load_balancer_attributes, LoadBalancerArn=arn)
            require_keys(response, "Attributes")
        except AWS_ERRORS as error:
            return self._problem(error, self._elbv2, ATTRIBUTES_PERMISSION, arn)
        attributes = {item.get("Key"): item.get("Value", "") for item in response.get("Attributes", ())}
        if attributes.get("access_logs.s3.enabled") != "true" or not attributes.get("access_logs.s3.bucket"):
            return Problem("not_enabled", self.name, ATTRIBUTES_PERMISSION, arn)
        return attributes["access_logs.s3.bucket"], attributes.get("access_logs.s3.prefix", "")

    def download(self, file: LogFile) -> Path | Problem:
        """The cached file, downloaded first if necessary; resumes partial downloads. Raises OSError if the disk is full.

        A file that another thread or process downloads is waited for.
        """
        if path := self._cache.get(file):
            return path
        self._cache.reserve(file.size)
        partial = self._cache.partial_path(file)
        with partial.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._cache.get(file) or self._download(file, partial)

    def _download(self, file: LogFile, partial: Path) -> Path | Problem:
        problem = Problem("bad_reply", self.name, GET_PERMISSION, file.key)
        for _ in range(_MAX_DOWNLOAD_ATTEMPTS):
            size_before = _size_on_disk(partial)
            if size_before >= file.size:  # left by another file of this name
                os.truncate(partial, 0)
                size_before = 0
            try:
                self.save_object(self._bucket, file.key, partial, offset=size_before, max_bytes=file.size - size_before)
            except AWS_ERRORS as error:
                problem = self._problem(error, self._s3, GET_PERMISSION, file.key)
            if _size_on_disk(partial) == file.size:
                return partial.replace(self._cache.path(file))
            if _size_on_disk(partial) <= size_before:
                break
        return problem

    def save_object(
        self, bucket: str, key: str, path: Path, *, offset: int = 0, max_bytes: int = MAX_OBJECT_BYTES
    ) -> None:
        """Appends the object's bytes from `offset` on to `path`, or overwrites `path` if it is 0. Raises AWS_ERRORS, also for more bytes, and OSError."""
        byte_range = {"Range": f"bytes={offset}-"} if offset else {}
        response = call_api(self._s3().get_object, Bucket=bucket, Key=key, **byte_range)
        with path.open("ab" if offset else "wb") as out, contextlib.closing(response["Body"]) as body:
            while chunk := body.read(min(_CHUNK_BYTES, max_bytes + 1)):
                max_bytes -= len(chunk)
                if max_bytes < 0:
                    raise ResponseParserError("more bytes than the object has")
                out.write(chunk)

    def list_objects(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[dict[str, Any]]:
        """The objects with this prefix whose keys come after `start_after`. Raises AWS_ERRORS."""
        params: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "StartAfter": start_after}
        for _ in range(_MAX_PAGES):
            response = self._list_page(params)
            for item in response.get("Contents", ()):
                require_keys(item, "Key", "Size")
                yield item
            if not response.get("IsTruncated"):
                return
            require_keys(response, "NextContinuationToken")
            params["ContinuationToken"] = response["NextContinuationToken"]
        raise ResponseParserError(f"more than {_MAX_PAGES} pages")

    def _list_page(self, params: dict[str, Any]) -> dict[str, Any]:
        response = call_api(self._s3().list_objects_v2, **params)
        if not response.keys() & {
            "Name",
            "KeyCount",
            "IsTruncated",
        }:  # boto3 parses any XML, and no body, as an empty listing
            raise ResponseParserError("no ListBucketResult")
        if invalid_items := response.get("ResponseMetadata", {}).get(INVALID_ITEMS):
            raise ResponseParserError(invalid_items[0])
        return response

    def _problem(self, error: Exception, client: ClientProvider, operation: str, about: str) -> Problem:
        problem = problem_from_error(error, source=self.name, operation=operation, about=about)
        client.reset_on_auth_error(problem)
        return problem

    def check(self) -> tuple[Health, ...]:
        """Checks the attributes and listing the bucket; fetches no object."""
        started_s = time.monotonic()
        location = self.location()
        results = []
        if self._configured_location is None:
            problem = location if isinstance(location, Problem) else None
            results.append(health(ATTRIBUTES_PERMISSION, started_s, problem))
        if isinstance(location, Problem):
            return (*results, Health(self.name, LIST_PERMISSION, "not_checked", 0.0, location))
        bucket, prefix = location
        started_s, problem = time.monotonic(), None
        try:
            self._list_page({"Bucket": bucket, "Prefix": prefix, "MaxKeys": 1})
        except AWS_ERRORS as error:
            problem = self._problem(error, self._s3, LIST_PERMISSION, bucket)
        return (*results, health(LIST_PERMISSION, started_s, problem))


def _size_on_disk(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
