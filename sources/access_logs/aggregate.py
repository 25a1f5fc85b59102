"""The last step of every engine: turns the groups of counts_sql into the tables of counts and examples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from domain import Window
from domain.log_counts import (
    COUNTS,
    EXAMPLES,
    LOG_BUCKET_RATIO,
    LOG_BUCKETS_FROM_MS,
    MAX_TRAIT_VALUES,
    MIN_AGENT_REQUESTS,
    NO_STATUS,
    OTHER_VALUE,
    SIZES,
    TRAIT_BLOCK_S,
    TRAIT_NAMES,
    TRAITS,
    UNANSWERED_MS,
    LogTables,
)
from domain.window import DAY_S, MINUTE_S
from sources.access_logs.sql import (
    ALL_COLUMNS,
    BROWSER,
    SECONDS_REGEX,
    SKIPPED_MINUTE,
    STATUS_REGEX,
    TARGET_GROUP_REGEX,
    quote,
)

# From one second on, latencies are rounded to 1 % wide buckets to keep the table small.
_MS = "TRY_CAST(round(1000 * TRY_CAST(latency AS DOUBLE)) AS INTEGER)"
_BUCKET = f"pow({LOG_BUCKET_RATIO}, round(ln({_MS} / {LOG_BUCKETS_FROM_MS}.0) / ln({LOG_BUCKET_RATIO})))"
_AUTHORITY = "split_part(split_part(head, '/', 3), '@', -1)"
_HOST = f"CASE WHEN starts_with({_AUTHORITY}, '[') THEN regexp_extract({_AUTHORITY}, '^[^]]*]?') ELSE split_part({_AUTHORITY}, ':', 1) END"
_TIMESTAMP = "TRY_CAST(minute || ':00' AS TIMESTAMP)"
_VALID_GROUP = f"{_TIMESTAMP} IS NOT NULL AND regexp_matches(target_group, {quote(TARGET_GROUP_REGEX)})"
_VALID = " AND ".join(
    (
        "kind = 'count'",
        _VALID_GROUP,
        *(f"regexp_matches({name}, {quote(STATUS_REGEX)})" for name in ("elb_status", "target_status")),
        f"regexp_matches(latency, {quote(SECONDS_REGEX)})",
    )
)
YEAR_S = 366 * DAY_S
MAX_DISTANCE_S = 4 * YEAR_S  # of a line from the median line of its batch; earlier and later ones are set aside
_GROUP_NAME = "CASE WHEN target_group = '-' THEN '' ELSE split_part(target_group, '/', 2) END AS target_group"
_PARSED_COLUMNS = f"""
  {_HOST} AS host, split_part(head, ' ', 1) AS method, route, {_GROUP_NAME},
  coalesce(TRY_CAST(elb_status AS SMALLINT), {NO_STATUS}) AS elb_status,
  coalesce(TRY_CAST(target_status AS SMALLINT), {NO_STATUS}) AS target_status,
  CASE WHEN coalesce({_MS}, -1) < 0 THEN {UNANSWERED_MS}
    WHEN {_MS} < {LOG_BUCKETS_FROM_MS} THEN {_MS}
    ELSE CAST(round({LOG_BUCKETS_FROM_MS} * {_BUCKET}) AS INTEGER) END AS latency_ms"""
_MINUTE = f"CAST(epoch({_TIMESTAMP}) AS BIGINT)"
_COUNTS = f"""
SELECT {_MINUTE} AS minute, {_PARSED_COLUMNS}, CAST(sum(n) AS BIGINT) AS n
FROM grouped WHERE {_VALID} AND {_MINUTE} >= ? AND {_MINUTE} < ? GROUP BY ALL ORDER BY minute, route
"""
_EXAMPLES = f"""
SELECT epoch(TRY_CAST(rtrim(split_part(example, ' ', 1), 'Z') AS TIMESTAMP)) AS ts, {_PARSED_COLUMNS},
  split_part(example, ' ', 3) AS path, split_part(example, ' ', 2) AS target
FROM grouped WHERE example IS NOT NULL AND {_VALID} AND {_MINUTE} >= ? AND {_MINUTE} < ? ORDER BY ts
"""
_SIZES = f"""
SELECT {_MINUTE} AS minute, {_HOST} AS host, split_part(head, ' ', 1) AS method, route, {_GROUP_NAME},
  coalesce(TRY_CAST(elb_status AS SMALLINT), {NO_STATUS}) AS elb_status, protocol,
  CAST(sum(n) AS BIGINT) AS n, CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes
FROM grouped
WHERE kind = 'size' AND {_VALID_GROUP} AND regexp_matches(elb_status, {quote(STATUS_REGEX)}) AND {_MINUTE} >= ? AND {_MINUTE} < ?
GROUP BY ALL ORDER BY minute, route
"""
_BLOCK_START = f"{_MINUTE} // {TRAIT_BLOCK_S} * {TRAIT_BLOCK_S}"
_SYSTEMS = {"Wind": "Windows", "Maci": "macOS", "iPho": "iOS", "iPad": "iOS", "Linu": "Android", "X11;": "Linux"}
_SYSTEM = "".join(f" WHEN {quote(start)} THEN {quote(name)}" for start, name in _SYSTEMS.items())
_AGENT_PRODUCT = f"substr(agent, {len(BROWSER) + 5})"
# Only letters, so that neither a version nor an identifier of a device is kept.
_AGENT_FAMILY = f"""
  CASE WHEN agent IS NULL THEN NULL
    WHEN substr(agent, 1, {len(BROWSER)}) <> {quote(BROWSER)} THEN regexp_extract(agent, '^[A-Za-z][A-Za-z_-]*')
    WHEN {_AGENT_PRODUCT} = 'Bot' THEN 'Bot'
    ELSE concat_ws(' · ', nullif({_AGENT_PRODUCT}, ''), CASE substr(agent, {len(BROWSER) + 1}, 4){_SYSTEM} END) END"""
_TRAIT_VALUES = " UNION ALL ".join(
    f"SELECT minute, target_group, '{name}' AS trait, {name} AS value, outcome, n FROM valid WHERE {name} IS NOT NULL"
    for name in TRAIT_NAMES
)
_TRAITS = f"""
WITH valid AS (
  SELECT {_BLOCK_START} AS minute, {_GROUP_NAME}, target, {_AGENT_FAMILY} AS agent, protocol, tls, long_time,
    TRY_CAST(outcome AS INTEGER) AS outcome, sum(n) AS n
  FROM grouped
  WHERE kind IN ('target', 'client') AND {_VALID_GROUP} AND {_MINUTE} >= ? AND {_MINUTE} < ? GROUP BY ALL
), requests AS (
  SELECT minute, target_group, trait, value, outcome, sum(n) AS n FROM ({_TRAIT_VALUES}) GROUP BY ALL
), totals AS (
  SELECT minute, target_group, trait, value, sum(n) AS total, coalesce(sum(n) FILTER (outcome < 0), 0) AS failed FROM requests GROUP BY ALL
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY minute, target_group, trait ORDER BY failed DESC, total DESC, value) AS place FROM totals
)
SELECT minute, target_group, trait,
  CASE WHEN place > {MAX_TRAIT_VALUES} OR (trait = 'agent' AND total < {MIN_AGENT_REQUESTS}) THEN '{OTHER_VALUE}' ELSE value END AS value,
  outcome, CAST(sum(n) AS BIGINT) AS n
FROM requests JOIN ranked USING (minute, target_group, trait, value) GROUP BY ALL ORDER BY ALL
"""
_BY_MINUTE = f"""
SELECT {_MINUTE} AS minute, CAST(sum(n) AS BIGINT) AS n FROM grouped WHERE {_VALID} GROUP BY minute ORDER BY minute
"""
_OTHERS = f"""
SELECT CAST(coalesce(sum(n) FILTER (minute = '{SKIPPED_MINUTE}'), 0) AS BIGINT), CAST(coalesce(sum(n) FILTER (target_group <> '-'), 0) AS BIGINT),
  CAST(coalesce(sum(n), 0) AS BIGINT)
FROM grouped WHERE kind = 'count'
"""


@dataclass(frozen=True, slots=True, eq=False)
class LineTotals:
    """What the table `grouped` holds: valid lines by minute (epoch seconds, ascending), `skipped` ones of other load balancers, all `lines`.

    `target_groups`: lines with a target group, valid or not.
    """

    minutes: npt.NDArray[Any]
    requests: npt.NDArray[Any]
    skipped: int
    target_groups: int
    lines: int

    @property
    def parsed(self) -> int:
        return int(self.requests.sum())

    def plausible_window(self) -> Window:
        """The window of MAX_DISTANCE_S on both sides of the median line, as nothing limits what a time stamp says."""
        return plausible_window(self.minutes, self.requests)

    def outside(self, window: Window) -> int:
        """The number of valid lines outside of `window`."""
        return int(self.requests[(self.minutes < window.start) | (self.minutes >= window.end)].sum())


def plausible_window(minutes: npt.NDArray[Any], requests: npt.NDArray[Any], distance_s: int = MAX_DISTANCE_S) -> Window:
    """The window of `distance_s` on both sides of the median request. `minutes`: epoch seconds, ascending, in step with `requests`."""
    cumulative = np.cumsum(requests)
    middle = int(minutes[np.searchsorted(cumulative, cumulative[-1] / 2)]) if len(minutes) else 0
    return Window(middle - distance_s, middle + distance_s + MINUTE_S)


def line_totals(database: duckdb.DuckDBPyConnection) -> LineTotals:
    """Counts the lines of the table `grouped` with the columns of counts_sql."""
    by_minute = database.sql(_BY_MINUTE).to_arrow_table()
    ((skipped, target_groups, lines),) = database.sql(_OTHERS).fetchall()
    return LineTotals(by_minute["minute"].to_numpy(), by_minute["n"].to_numpy(), skipped, target_groups, lines)


def aggregate(database: duckdb.DuckDBPyConnection, window: Window, *, details: bool = True) -> LogTables:
    """The tables of the valid lines of `window` in the table `grouped` of counts_sql. `details`: whether it has rows for SIZES and TRAITS."""
    bounds = [window.start, window.end]
    queries = [(_COUNTS, COUNTS), (_EXAMPLES, EXAMPLES), *(((_SIZES, SIZES), (_TRAITS, TRAITS)) if details else ())]
    tables = (
        database.sql(sql, params=bounds).to_arrow_table().select(schema.names).cast(schema) for sql, schema in queries
    )
    return LogTables(*tables)


def load_csv(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Fills the table `grouped` from a CSV file as Athena writes it, with the columns of counts_sql: an empty field is null, "" is empty text."""
    types = dict.fromkeys((*ALL_COLUMNS, "kind"), "VARCHAR") | {"n": "BIGINT", "example": "VARCHAR", "bytes": "BIGINT"}
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items())
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE grouped AS SELECT * FROM read_csv({quote(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false,"
        " delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, max_line_size = 1048576)"
    ).fetchall()
