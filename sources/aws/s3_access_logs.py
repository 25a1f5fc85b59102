"""Access logs in S3, in the bucket that the load balancer's attributes name: a window's files are listed and brought by way of a cache, never more."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domain import Aws, Window
from sources.access_logs.base import SOURCE, LogListing, health
from sources.access_logs.cache import LogFileCache
from sources.access_logs.filenames import LogFile, day_prefixes, overlaps, window_of_name
from sources.aws.calls import ClientProvider
from sources.aws.client import AWS_ERRORS, call_api, problem_from_error
from sources.base import Health, Problem

ATTRIBUTES_PERMISSION = "elasticloadbalancing:DescribeLoadBalancerAttributes"
LIST_PERMISSION, GET_PERMISSION = "s3:ListBucket", "s3:GetObject"
_CHUNK_BYTES = 1 << 20
_MAX_DOWNLOAD_ATTEMPTS = 5  # of one download, as long as each brings some of it


class S3Logs:
    """A LogSource: the bucket and prefix that the load balancer's attributes name, or those that were configured. Serves many threads."""

    name = SOURCE

    def __init__(self, aws: Aws, cache: LogFileCache, *, bucket: str = "", prefix: str = "") -> None:
        self._aws, self._cache = aws, cache
        self._configured_location = (bucket, prefix) if bucket else None
        self._bucket = bucket
        self._s3, self._elbv2 = ClientProvider("s3", aws), ClientProvider("elbv2", aws)

    def files(self, window: Window) -> LogListing:
        """Every `_app.` log of this load balancer that may hold lines of `window`: by the folders of its days, from its first minute on."""
        place = self.location()
        if isinstance(place, Problem):
            return LogListing(problems=(place,))
        self._bucket, prefix = place
        found, foreign = list[LogFile](), 0
        try:
            for start, after in day_prefixes(self._aws.load_balancer_arn, prefix, window):
                for one in self.list_objects(self._bucket, start, after):
                    file = LogFile(one["Key"], one["Size"], window_of_name(one["Key"].rpartition("/")[2]))
                    if file.window is None:
                        foreign += 1
                    elif overlaps(file, window):
                        found.append(file)
        except AWS_ERRORS as error:
            return LogListing(tuple(found), (self._problem(error, self._s3, LIST_PERMISSION, self._bucket),), foreign)
        return LogListing(tuple(sorted(found, key=lambda file: (file.window or window, file.key))), skipped=foreign)

    def location(self) -> tuple[str, str] | Problem:
        """Bucket and prefix; a problem where logs are not enabled or the attributes may not be read."""
        if self._configured_location:
            return self._configured_location
        arn = self._aws.load_balancer
        try:
            reply = call_api(self._elbv2().describe_load_balancer_attributes, LoadBalancerArn=arn)
        except AWS_ERRORS as error:
            return self._problem(error, self._elbv2, ATTRIBUTES_PERMISSION, arn)
        said = {one.get("Key"): one.get("Value", "") for one in reply.get("Attributes", ())}
        if said.get("access_logs.s3.enabled") != "true" or not said.get("access_logs.s3.bucket"):
            return Problem("not_enabled", self.name, ATTRIBUTES_PERMISSION, arn)
        return said["access_logs.s3.bucket"], said.get("access_logs.s3.prefix", "")

    def download(self, file: LogFile) -> Path | Problem:
        """From the cache, else downloaded: what an earlier try left is gone on with. Raises OSError where the disk is full."""
        if path := self._cache.get(file):
            return path
        self._cache.reserve(file.size)
        partial = self._cache.partial_path(file)
        problem = Problem("bad_reply", self.name, GET_PERMISSION, file.key)
        for _ in range(_MAX_DOWNLOAD_ATTEMPTS):
            had = _size_on_disk(partial)
            try:
                self._resume_download(file, partial)
            except AWS_ERRORS as error:
                problem = self._problem(error, self._s3, GET_PERMISSION, file.key)
            if _size_on_disk(partial) == file.size:
                return partial.replace(self._cache.path(file))
            if _size_on_disk(partial) <= had:
                break
        return problem

    def _resume_download(self, file: LogFile, partial: Path) -> None:
        have = _size_on_disk(partial)
        if have >= file.size:  # of another file that had this name, or of nothing at all
            partial.unlink(missing_ok=True)
            have = 0
        more = {"Range": f"bytes={have}-"} if have else {}
        reply = call_api(self._s3().get_object, Bucket=self._bucket, Key=file.key, **more)
        with partial.open("ab" if have else "wb") as out, contextlib.closing(reply["Body"]) as body:
            shutil.copyfileobj(body, out, _CHUNK_BYTES)

    def list_objects(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[dict[str, Any]]:
        """Every object below a prefix whose key comes after `after`, page by page. Raises one of sources.aws.client.FAULTS."""
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "StartAfter": start_after}
        while True:
            reply = call_api(self._s3().list_objects_v2, **asked)
            yield from reply.get("Contents", ())
            if not reply.get("IsTruncated"):
                return
            asked["ContinuationToken"] = reply["NextContinuationToken"]

    def _problem(self, error: Exception, client: ClientProvider, operation: str, about: str) -> Problem:
        problem = problem_from_error(error, source=self.name, operation=operation, about=about)
        client.reset_on_auth_error((problem,))
        return problem

    def check(self) -> tuple[Health, ...]:
        """The attributes, and whether the bucket may be listed; an object is not fetched to find out."""
        began = time.monotonic()
        place = self.location()
        lines = []
        if self._configured_location is None:
            lines.append(health(ATTRIBUTES_PERMISSION, began, place if isinstance(place, Problem) else None))
        if isinstance(place, Problem):
            return tuple(lines)
        began, problem = time.monotonic(), None
        try:
            call_api(self._s3().list_objects_v2, Bucket=place[0], Prefix=place[1], MaxKeys=1)
        except AWS_ERRORS as error:
            problem = self._problem(error, self._s3, LIST_PERMISSION, place[0])
        return (*lines, health(LIST_PERMISSION, began, problem))


def _size_on_disk(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
