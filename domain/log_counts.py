"""The counts table: what access logs say, as numbers of requests that were alike. Exact, additive, and all that is kept of a log.

Every engine ends in it, and everything else (rates, percentiles, intervals, verdicts) is worked out from it.
"""

import pyarrow as pa

LOG_BUCKETS_FROM_MS = 1000
LOG_BUCKET_RATIO = 1.01
UNANSWERED_MS = -1
NO_STATUS = -1

# One row: `n` requests of one minute (epoch seconds, when the load balancer answered), host, method and route, that one target group took ("": none
# was chosen) and that ended alike. `target_status` is NO_STATUS where the load balancer made the answer itself; `latency_ms` is the target's processing
# time, exact to the millisecond below a second, above it within half a per cent (LOG_BUCKET_RATIO), UNANSWERED_MS where there was no answer.
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

# One line that failed or was slow, for a reader to see: `ts` epoch seconds, `path` without its query string, `target` as "ip:port" or "-".
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
