"""Access logs in S3, in the bucket that the load balancer's attributes name: a window's files are listed and brought by way of a cache, never more."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domain import Aws, Window
from sources.access_logs.base import NAME, Listing, health
from sources.access_logs.cache import Cache
from sources.access_logs.filenames import LogFile, day_prefixes, overlaps, time_of
from sources.aws.calls import Client
from sources.aws.client import FAULTS, call, problem_of
from sources.base import Health, Problem

ATTRIBUTES = "elasticloadbalancing:DescribeLoadBalancerAttributes"
LIST, GET = "s3:ListBucket", "s3:GetObject"
_CHUNK = 1 << 20
_ATTEMPTS = 5  # of one download, as long as each brings some of it


class S3Logs:
    """A LogSource: the bucket and prefix that the load balancer's attributes name, or those that were configured. Serves many threads."""

    name = NAME

    def __init__(self, aws: Aws, cache: Cache, *, bucket: str = "", prefix: str = "") -> None:
        self._aws, self._cache = aws, cache
        self._configured = (bucket, prefix) if bucket else None
        self._bucket = bucket
        self._s3, self._elbv2 = Client("s3", aws), Client("elbv2", aws)

    def files(self, window: Window) -> Listing:
        """Every `_app.` log of this load balancer that may hold lines of `window`: by the folders of its days, from its first minute on."""
        place = self.place()
        if isinstance(place, Problem):
            return Listing(problems=(place,))
        self._bucket, prefix = place
        found, foreign = list[LogFile](), 0
        try:
            for start, after in day_prefixes(self._aws.load_balancer_arn, prefix, window):
                for one in self.objects(self._bucket, start, after):
                    file = LogFile(one["Key"], one["Size"], time_of(one["Key"].rpartition("/")[2]))
                    if file.window is None:
                        foreign += 1
                    elif overlaps(file, window):
                        found.append(file)
        except FAULTS as error:
            return Listing(tuple(found), (self._problem(error, self._s3, LIST, self._bucket),), foreign)
        return Listing(tuple(sorted(found, key=lambda file: (file.window or window, file.key))), foreign=foreign)

    def place(self) -> tuple[str, str] | Problem:
        """Bucket and prefix; a problem where logs are not enabled or the attributes may not be read."""
        if self._configured:
            return self._configured
        arn = self._aws.load_balancer
        try:
            reply = call(self._elbv2().describe_load_balancer_attributes, LoadBalancerArn=arn)
        except FAULTS as error:
            return self._problem(error, self._elbv2, ATTRIBUTES, arn)
        said = {one.get("Key"): one.get("Value", "") for one in reply.get("Attributes", ())}
        if said.get("access_logs.s3.enabled") != "true" or not said.get("access_logs.s3.bucket"):
            return Problem("not_enabled", self.name, ATTRIBUTES, arn)
        return said["access_logs.s3.bucket"], said.get("access_logs.s3.prefix", "")

    def bring(self, file: LogFile) -> Path | Problem:
        """From the cache, else downloaded: what an earlier try left is gone on with. Raises OSError where the disk is full."""
        if path := self._cache.there(file):
            return path
        self._cache.make_room(file.size)
        partial = self._cache.partial(file)
        problem = Problem("bad_reply", self.name, GET, file.key)
        for _ in range(_ATTEMPTS):
            had = _size(partial)
            try:
                self._download(file, partial)
            except FAULTS as error:
                problem = self._problem(error, self._s3, GET, file.key)
            if _size(partial) == file.size:
                return partial.replace(self._cache.place(file))
            if _size(partial) <= had:
                break
        return problem

    def _download(self, file: LogFile, partial: Path) -> None:
        have = _size(partial)
        if have >= file.size:  # of another file that had this name, or of nothing at all
            partial.unlink(missing_ok=True)
            have = 0
        more = {"Range": f"bytes={have}-"} if have else {}
        reply = call(self._s3().get_object, Bucket=self._bucket, Key=file.key, **more)
        with partial.open("ab" if have else "wb") as out, contextlib.closing(reply["Body"]) as body:
            shutil.copyfileobj(body, out, _CHUNK)

    def objects(self, bucket: str, prefix: str, after: str = "") -> Iterator[dict[str, Any]]:
        """Every object below a prefix whose key comes after `after`, page by page. Raises one of sources.aws.client.FAULTS."""
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "StartAfter": after}
        while True:
            reply = call(self._s3().list_objects_v2, **asked)
            yield from reply.get("Contents", ())
            if not reply.get("IsTruncated"):
                return
            asked["ContinuationToken"] = reply["NextContinuationToken"]

    def _problem(self, error: Exception, client: Client, operation: str, about: str) -> Problem:
        problem = problem_of(error, source=self.name, operation=operation, about=about)
        client.hear((problem,))
        return problem

    def check(self) -> tuple[Health, ...]:
        """The attributes, and whether the bucket may be listed; an object is not fetched to find out."""
        began = time.monotonic()
        place = self.place()
        lines = []
        if self._configured is None:
            lines.append(health(ATTRIBUTES, began, place if isinstance(place, Problem) else None))
        if isinstance(place, Problem):
            return tuple(lines)
        began, problem = time.monotonic(), None
        try:
            call(self._s3().list_objects_v2, Bucket=place[0], Prefix=place[1], MaxKeys=1)
        except FAULTS as error:
            problem = self._problem(error, self._s3, LIST, place[0])
        return (*lines, health(LIST, began, problem))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
