"""File names and S3 keys of access logs: the window of a file, and the keys to list for a window."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain import Arn, Window

FILE_INTERVAL_S = 300  # covered by a file of one load balancer node; the name has the end
MAX_DELIVERY_DELAY_S = 1800  # usually five minutes; the folder is that of the day of delivery

# 123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_20260921T0005Z_10.0.1.10_3c8d6a1b.log.gz
# Network load balancers have _net. instead; connection and health-check logs start with conn_log. and health_check_log.
_NAME_REGEX = re.compile(
    r"(?P<account>\d{12})_elasticloadbalancing_(?P<region>[a-z0-9-]+)_(?P<balancer>app\.[^_]+)_(?P<end>\d{8}T\d{4}Z)_[^_/]+_[^_/]+\.log(\.gz)?"
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file, or the folder of a day that is counted as a whole. `key`: path or S3 key. `size`: bytes. `window`: by the file's name, None if unknown.

    Only for a folder: `parts` are its files, `excluded_keys` those that were counted before.
    """

    key: str
    size: int
    window: Window | None = None
    parts: tuple["LogFile", ...] = ()
    excluded_keys: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Identifies a file and its copies: the load balancer never uses a name twice."""
        return self.key if self.window is None else self.key.rpartition("/")[2].removesuffix(".gz")


def window_of_name(name: str) -> Window | None:
    """The window of a file of this name; None if it is not a load balancer's access log."""
    match = _NAME_REGEX.fullmatch(name)
    if match is None:
        return None
    try:
        end = int(datetime.strptime(match["end"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
    return Window(end - FILE_INTERVAL_S, end)


def is_other_log(name: str, load_balancer: Arn | None = None) -> bool:
    """Whether it is AWS's test file, a log of connections, health checks or a network load balancer, or one of another load balancer, region or account."""
    if load_balancer and _NAME_REGEX.fullmatch(name) and not name.startswith(file_name_prefix(load_balancer)):
        return True
    return "ELBAccessLogTestFile" in name or name.startswith(("conn_log", "health_check_log")) or "_net." in name


def printable(path: str) -> str:
    """A path that can be stored and printed: bytes of a file name that are not UTF-8 are escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def overlaps(file: LogFile, window: Window) -> bool:
    """Whether the file may contain lines of `window`. A request is logged when it ends, so the window of the name suffices."""
    return file.window is None or file.window.overlap(window) is not None


def day_prefixes(load_balancer: Arn, prefix: str, window: Window) -> Iterator[tuple[str, str]]:
    """(prefix, start_after) of the S3 listing for each day folder that may contain files of `window`."""
    first, last = window.starts_at, window.ends_at + timedelta(seconds=FILE_INTERVAL_S + MAX_DELIVERY_DELAY_S)
    for day in days_between(first.date(), last.date()):
        start = f"{account_prefix(load_balancer, prefix)}/{day:%Y/%m/%d}/{file_name_prefix(load_balancer)}"
        yield start, f"{start}{first:%Y%m%dT%H%M}"


def account_prefix(load_balancer: Arn, prefix: str) -> str:
    """The S3 prefix of the day folders of all load balancers of one account and region."""
    folder = f"AWSLogs/{load_balancer.account}/elasticloadbalancing/{load_balancer.region}"
    return "/".join(part for part in (prefix.strip("/"), folder) if part)


def file_name_prefix(load_balancer: Arn) -> str:
    """The prefix of the file names of one load balancer."""
    balancer = load_balancer.dimension.replace("/", ".")
    return f"{load_balancer.account}_elasticloadbalancing_{load_balancer.region}_{balancer}_"


def days_between(first: date, last: date) -> Iterator[date]:
    """From `first` to `last`, both inclusive."""
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)
