"""Schemas of the tables that access logs are reduced to: exact, additive counts of requests, of bytes and of traits, and examples of log lines.

Each counting engine produces these tables; rates, percentiles, intervals and verdicts are computed from them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

LOG_BUCKETS_FROM_MS = 1000
LOG_BUCKET_RATIO = 1.01
UNANSWERED_MS = -1
NO_STATUS = -1

_REQUEST = [
    ("host", pa.string()),
    ("method", pa.string()),
    ("route", pa.string()),
]
_OUTCOME = [
    ("target_group", pa.string()),
    ("elb_status", pa.int16()),
]
_TARGET = [
    ("target_status", pa.int16()),
    ("latency_ms", pa.int32()),
]

# One row: `n` requests with the same minute (epoch seconds of the load balancer's response), host, method, route, target group ("": none was chosen),
# status codes and latency. `target_status`: NO_STATUS if the load balancer made the response itself. `latency_ms`: the target's processing time, exact
# below LOG_BUCKETS_FROM_MS, then in buckets of LOG_BUCKET_RATIO (error ≤ 0.5 %); UNANSWERED_MS without a response.
COUNTS = pa.schema([("minute", pa.int64()), *_REQUEST, *_OUTCOME, *_TARGET, ("n", pa.int64())])

# A failed or slow log line. `ts`: epoch seconds; `path`: without the query string; `target`: "ip:port" or "-".
EXAMPLES = pa.schema(
    [("ts", pa.float64()), *_REQUEST, ("path", pa.string()), ("target", pa.string()), *_OUTCOME, *_TARGET]
)

# What was answered. One row: `n` responses with `bytes` in all, headers included, of the same minute and `protocol` (the log's `type`: "h2").
SIZES = pa.schema(
    [
        ("minute", pa.int64()),
        *_REQUEST,
        *_OUTCOME,
        ("protocol", pa.string()),
        ("n", pa.int64()),
        ("bytes", pa.int64()),
    ]
)

# What requests had in common. One row: `n` requests of a block of TRAIT_BLOCK_S that starts at `minute`, with the same `value` of one trait. Each
# request is in one row of each trait: the traits are counted one by one, not combined, so that their number does not multiply.
TRAITS = pa.schema(
    [
        ("minute", pa.int64()),
        ("target_group", pa.string()),
        ("trait", pa.string()),
        ("value", pa.string()),
        ("outcome", pa.int32()),
        ("n", pa.int64()),
    ]
)
TRAIT_BLOCK_S = 300
# "ip:port"; a family of user agents; the log's `type`; the TLS version; which of the three times was long (LONG_TIMES).
TRAIT_NAMES = ("target", "agent", "protocol", "tls", "long_time")
LONG_TIMES = ("request", "response", "target", "not_sent", "no_answer", "none")
MAX_TRAIT_VALUES = (
    200  # of a trait, block and target group; those with the most failed requests, then with the most requests
)
MIN_AGENT_REQUESTS = 10  # a family of fewer in a block is OTHER_VALUE, as its name may be that of a person
OTHER_VALUE = ""
# `outcome` of a failed request (a 5xx for the client), and of the others the highest edge that their latency reaches, in milliseconds.
FAILED = -1
OUTCOME_EDGES_MS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def add_up(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The sums of `n` by `keys`."""
    return rows.group_by([*keys], use_threads=False).aggregate([("n", "sum")]).rename_columns([*keys, "n"])


class LogTables(NamedTuple):
    """What lines were reduced to: COUNTS, EXAMPLES, SIZES, TRAITS. Without details the last two are empty."""

    counts: pa.Table
    examples: pa.Table
    sizes: pa.Table = SIZES.empty_table()
    traits: pa.Table = TRAITS.empty_table()
