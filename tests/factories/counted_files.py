"""Access-log files as the archive counts them."""

import pyarrow as pa

from archive.access_logs.tables import CountedFile
from domain import Window
from domain.log_counts import COUNTS, EXAMPLES
from sources.access_logs.counter import FileStats, LogCounts
from tests.fakes.metric_source import NOON

_REQUEST = {
    "host": "photo.example.com",
    "method": "GET",
    "route": "/photos/:id",
    "target_group": "photo-ecs",
    "elb_status": 200,
    "target_status": 200,
    "latency_ms": 42,
}


def log_counts(*minutes: int, slow_ms: int = 0) -> LogCounts:
    """One request in each of the minutes after noon; with `slow_ms`, each also as an example line of that latency."""
    counts = [{**_REQUEST, "minute": NOON + minute * 60, "n": 1} for minute in minutes]
    request = {name: _REQUEST[name] for name in _REQUEST if name in EXAMPLES.names}
    examples = [
        {
            **request,
            "ts": float(NOON + minute * 60),
            "path": "/photos/8812",
            "target": "10.0.1.7:8080",
            "latency_ms": slow_ms,
        }
        for minute in minutes
        if slow_ms
    ]
    return LogCounts(pa.Table.from_pylist(counts, COUNTS), pa.Table.from_pylist(examples, EXAMPLES), ())


def counted_file(
    key: str, start: int, end: int, *, lines: int = 10, parsed: int = 10, problem: str | None = None
) -> CountedFile:
    stats = FileStats(key, lines, parsed, problem)  # type: ignore[arg-type]
    return CountedFile(key, 1234, stats, Window(NOON + start * 60, NOON + end * 60))
