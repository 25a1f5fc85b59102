"""Access logs in S3, in the bucket that the load balancer's attributes name: a window's files are listed and brought by way of a cache, never more."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from migration import Aws, Window
from sources import Health, Problem
from sources.access_log_names import LogFile, day_prefixes, overlaps, time_of
from sources.access_logs import NAME, Listing, health
from sources.aws import FAULTS, call, client, problem_of

_CHUNK = 1 << 20
_PARTIAL = ".part"


class Cache:
    """A folder of downloaded files, no larger than `most_bytes`: what was used longest ago goes first."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes

    def place(self, file: LogFile) -> Path:
        """Where the file lies once it is whole."""
        return self._folder / file.key.rpartition("/")[2]

    def there(self, file: LogFile) -> Path | None:
        """The file, if it is whole; it counts as used now."""
        path = self.place(file)
        if not path.exists() or path.stat().st_size != file.size:
            return None
        path.touch()
        return path

    def make_room(self, size: int) -> None:
        """Removes what was used longest ago until `size` bytes more fit."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = sorted(
            (entry for entry in self._folder.iterdir() if entry.is_file()), key=lambda entry: entry.stat().st_mtime
        )
        used = sum(entry.stat().st_size for entry in kept)
        for entry in kept:
            if used + size <= self._most_bytes:
                return
            used -= entry.stat().st_size
            entry.unlink(missing_ok=True)


class S3Logs:
    """A LogSource: the bucket and prefix that the load balancer's attributes name, or those that were configured."""

    name = NAME

    def __init__(self, aws: Aws, cache: Cache, *, bucket: str = "", prefix: str = "") -> None:
        self._aws, self._cache = aws, cache
        self._configured = (bucket, prefix) if bucket else None
        self._clients: dict[str, Any] = {}

    def files(self, window: Window) -> Listing:
        place = self.place()
        if isinstance(place, Problem):
            return Listing(problems=(place,))
        bucket, prefix = place
        found, foreign = list[LogFile](), 0
        try:
            for start, after in day_prefixes(self._aws.load_balancer_arn, prefix, window):
                for one in self._objects(bucket, start, after):
                    name = one["Key"].rpartition("/")[2]
                    file = LogFile(one["Key"], one["Size"], time_of(name))
                    if file.window is None:
                        foreign += 1
                    elif overlaps(file, window):
                        found.append(file)
        except FAULTS as error:
            problem = problem_of(error, source=self.name, operation="s3:ListBucket", about=bucket)
            return Listing(tuple(found), (problem,), foreign)
        return Listing(tuple(sorted(found, key=lambda file: (file.window or window, file.key))), foreign=foreign)

    def place(self) -> tuple[str, str] | Problem:
        """Bucket and prefix; a problem where logs are not enabled or the attributes may not be read."""
        if self._configured:
            return self._configured
        operation = "elasticloadbalancing:DescribeLoadBalancerAttributes"
        arn = self._aws.load_balancer
        try:
            reply = call(self._client("elbv2").describe_load_balancer_attributes, LoadBalancerArn=arn)
        except FAULTS as error:
            return problem_of(error, source=self.name, operation=operation, about=arn)
        said = {one.get("Key"): one.get("Value", "") for one in reply.get("Attributes", ())}
        if said.get("access_logs.s3.enabled") != "true" or not said.get("access_logs.s3.bucket"):
            return Problem("not_enabled", self.name, operation, arn)
        return said["access_logs.s3.bucket"], said.get("access_logs.s3.prefix", "")

    def bring(self, file: LogFile) -> Path | Problem:
        """From the cache, else downloaded: what an earlier try left is gone on with. Raises OSError where the disk is full."""
        if path := self._cache.there(file):
            return path
        place = self.place()
        if isinstance(place, Problem):
            return place
        path = self._cache.place(file)
        partial = path.with_name(path.name + _PARTIAL)
        self._cache.make_room(file.size)
        try:
            self._download(place[0], file, partial)
        except FAULTS as error:
            return problem_of(error, source=self.name, operation="s3:GetObject", about=file.key)
        if partial.stat().st_size != file.size:
            partial.unlink()
            return Problem("bad_reply", self.name, "s3:GetObject", file.key)
        partial.replace(path)
        return path

    def _download(self, bucket: str, file: LogFile, partial: Path) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        if have >= file.size:
            partial.unlink(missing_ok=True)
            have = 0
        more = {"Range": f"bytes={have}-"} if have else {}
        reply = call(self._client("s3").get_object, Bucket=bucket, Key=file.key, **more)
        with partial.open("ab" if have else "wb") as out, contextlib.closing(reply["Body"]) as body:
            shutil.copyfileobj(body, out, _CHUNK)

    def _objects(self, bucket: str, prefix: str, after: str) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "StartAfter": after}
        while True:
            reply = call(self._client("s3").list_objects_v2, **asked)
            yield from reply.get("Contents", ())
            if not reply.get("IsTruncated"):
                return
            asked["ContinuationToken"] = reply["NextContinuationToken"]

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = client(service, self._aws)
        return self._clients[service]

    def check(self) -> tuple[Health, ...]:
        began = time.monotonic()
        place = self.place()
        attributes = health(
            "elasticloadbalancing:DescribeLoadBalancerAttributes", began, place if isinstance(place, Problem) else None
        )
        if isinstance(place, Problem):
            return (attributes,)
        began, problem = time.monotonic(), None
        try:
            call(self._client("s3").list_objects_v2, Bucket=place[0], Prefix=place[1], MaxKeys=1)
        except FAULTS as error:
            problem = problem_of(error, source=self.name, operation="s3:ListBucket", about=place[0])
        return attributes, health("s3:ListBucket", began, problem)
