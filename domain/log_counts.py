"""Schemas of the tables that access logs are reduced to: exact, additive request counts, and examples of log lines.

Each counting engine produces these tables; rates, percentiles, intervals and verdicts are computed from them.
"""

import pyarrow as pa

LOG_BUCKETS_FROM_MS = 1000
LOG_BUCKET_RATIO = 1.01
UNANSWERED_MS = -1
NO_STATUS = -1

# One row: `n` requests with the same minute (epoch seconds of the load balancer's response), host, method, route, target group ("": none was chosen),
# status codes and latency. `target_status`: NO_STATUS if the load balancer made the response itself. `latency_ms`: the target's processing time, exact
# below LOG_BUCKETS_FROM_MS, then in buckets of LOG_BUCKET_RATIO (error ≤ 0.5 %); UNANSWERED_MS without a response.
COUNTS = pa.schema(
    [
        ("minute", pa.int64()),
        ("host", pa.string()),
        ("method", pa.string()),
        ("route", pa.string()),
        ("target_group", pa.string()),
        ("elb_status", pa.int16()),
        ("target_status", pa.int16()),
        ("latency_ms", pa.int32()),
        ("n", pa.int64()),
    ]
)

# A failed or slow log line. `ts`: epoch seconds; `path`: without the query string; `target`: "ip:port" or "-".
EXAMPLES = pa.schema(
    [
        ("ts", pa.float64()),
        ("host", pa.string()),
        ("method", pa.string()),
        ("route", pa.string()),
        ("path", pa.string()),
        ("target", pa.string()),
        ("target_group", pa.string()),
        ("elb_status", pa.int16()),
        ("target_status", pa.int16()),
        ("latency_ms", pa.int32()),
    ]
)
