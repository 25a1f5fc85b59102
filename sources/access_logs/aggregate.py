"""The last step of every engine: turns the groups of counts_sql into the tables of counts and examples."""

from pathlib import Path

import duckdb
import pyarrow as pa

from domain.log_counts import COUNTS, EXAMPLES, LOG_BUCKET_RATIO, LOG_BUCKETS_FROM_MS, NO_STATUS, UNANSWERED_MS
from sources.access_logs.sql import GROUP_COLUMNS, quote

# From one second on, latencies are rounded to 1 % wide buckets to keep the table small.
_MS = "CAST(round(1000 * TRY_CAST(latency AS DOUBLE)) AS INTEGER)"
_BUCKET = f"pow({LOG_BUCKET_RATIO}, round(ln({_MS} / {LOG_BUCKETS_FROM_MS}.0) / ln({LOG_BUCKET_RATIO})))"
_PARSED_COLUMNS = f"""
  split_part(split_part(head, '/', 3), ':', 1) AS host, split_part(head, ' ', 1) AS method, route,
  CASE WHEN target_group = '-' THEN '' ELSE split_part(target_group, '/', 2) END AS target_group,
  coalesce(TRY_CAST(elb_status AS SMALLINT), {NO_STATUS}) AS elb_status,
  coalesce(TRY_CAST(target_status AS SMALLINT), {NO_STATUS}) AS target_status,
  CASE WHEN coalesce({_MS}, -1) < 0 THEN {UNANSWERED_MS}
    WHEN {_MS} < {LOG_BUCKETS_FROM_MS} THEN {_MS}
    ELSE CAST(round({LOG_BUCKETS_FROM_MS} * {_BUCKET}) AS INTEGER) END AS latency_ms"""
_COUNTS = f"""
SELECT CAST(epoch(CAST(minute || ':00' AS TIMESTAMP)) AS BIGINT) AS minute, {_PARSED_COLUMNS}, CAST(sum(n) AS BIGINT) AS n
FROM grouped WHERE TRY_CAST(minute || ':00' AS TIMESTAMP) IS NOT NULL GROUP BY ALL ORDER BY minute, route
"""
_EXAMPLES = f"""
SELECT epoch(TRY_CAST(rtrim(split_part(example, ' ', 1), 'Z') AS TIMESTAMP)) AS ts, {_PARSED_COLUMNS},
  split_part(example, ' ', 3) AS path, split_part(example, ' ', 2) AS target
FROM grouped WHERE example IS NOT NULL ORDER BY ts
"""


def aggregate(database: duckdb.DuckDBPyConnection) -> tuple[pa.Table, pa.Table]:
    """Counts (domain.log_counts.COUNTS) and examples (EXAMPLES) from the table `grouped` with the columns of counts_sql."""
    counts = database.sql(_COUNTS).to_arrow_table().cast(COUNTS)
    return counts, database.sql(_EXAMPLES).to_arrow_table().select(EXAMPLES.names).cast(EXAMPLES)


def load_csv(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Fills the table `grouped` from a CSV file as Athena writes it, with the columns of counts_sql: no nulls, "" is empty text."""
    types = dict.fromkeys(GROUP_COLUMNS, "VARCHAR") | {"n": "BIGINT", "example": "VARCHAR"}
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items())
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE grouped AS SELECT * FROM read_csv({quote(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false,"
        " delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, max_line_size = 1048576)"
    ).fetchall()
