"""What an access log's place says: when its lines end, whose they are, and where a window's files lie."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain import Arn, Window

FILE_INTERVAL_S = 300  # a file of one load balancer node holds so much; it is named after its end
MAX_DELIVERY_DELAY_S = 1800  # usually five minutes; the folder is that of the delivery, which may be the next day's

# 123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_20260921T0005Z_10.0.1.10_3c8d6a1b.log.gz
# Network load balancers write _net. there; connection and health-check logs begin with conn_log. and health_check_log.
_NAME_REGEX = re.compile(
    r"(?P<account>\d{12})_elasticloadbalancing_(?P<region>[a-z0-9-]+)_(?P<balancer>app\.[^_]+)_(?P<end>\d{8}T\d{4}Z)_[^_/]+_[^_/]+\.log(\.gz)?"
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file: `key` is its path or S3 key, `size` in bytes. `window` is what its name says its lines are of; None where the name does not tell.

    A day's folder that is counted as a whole is one, too: `parts` are the files in it, and `apart` the keys of those that were counted before.
    """

    key: str
    size: int
    window: Window | None = None
    parts: tuple["LogFile", ...] = ()
    excluded_keys: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What the file is known by, wherever it lies: the load balancer never gives a name twice, so a copy of a file is the same file."""
        return self.key if self.window is None else self.key.rpartition("/")[2].removesuffix(".gz")


def window_of_name(name: str) -> Window | None:
    """The time whose lines a file of this name holds; None where it is not named as the load balancer names them."""
    found = _NAME_REGEX.fullmatch(name)
    if found is None:
        return None
    try:
        end = int(datetime.strptime(found["end"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
    return Window(end - FILE_INTERVAL_S, end)


def is_other_log(name: str) -> bool:
    """Whether a file stands beside access logs and is none: AWS's test file, logs of connections, of health checks, of network load balancers."""
    return "ELBAccessLogTestFile" in name or name.startswith(("conn_log", "health_check_log")) or "_net." in name


def overlaps(file: LogFile, window: Window) -> bool:
    """Whether lines of `window` may be in it. A long request is logged when it ends, so the name's own time is enough."""
    return file.window is None or file.window.overlap(window) is not None


def day_prefixes(load_balancer: Arn, prefix: str, window: Window) -> Iterator[tuple[str, str]]:
    """(prefix, start after) for each day folder that may hold files of `window`: list those keys and no others of the bucket."""
    first, last = window.starts_at, window.ends_at + timedelta(seconds=FILE_INTERVAL_S + MAX_DELIVERY_DELAY_S)
    for day in days_between(first.date(), last.date()):
        start = f"{account_prefix(load_balancer, prefix)}/{day:%Y/%m/%d}/{file_name_prefix(load_balancer)}"
        yield start, f"{start}{first:%Y%m%dT%H%M}"


def account_prefix(load_balancer: Arn, prefix: str) -> str:
    """Below it are the day folders of all load balancers of one account and region."""
    folder = f"AWSLogs/{load_balancer.account}/elasticloadbalancing/{load_balancer.region}"
    return "/".join(part for part in (prefix.strip("/"), folder) if part)


def file_name_prefix(load_balancer: Arn) -> str:
    """What the names of a load balancer's own files begin with."""
    balancer = load_balancer.dimension.replace("/", ".")
    return f"{load_balancer.account}_elasticloadbalancing_{load_balancer.region}_{balancer}_"


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
