"""The query that turns access-log lines into counts, for each engine: DuckDB, Athena, Spark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from domain.log_counts import FAILED, OUTCOME_EDGES_MS
from domain.route_templates import (
    DOT_MARKER,
    ID_PLACEHOLDER,
    PATH_PARAMETERS,
    UNREADABLE_ROUTE,
    VARIABLE_AFTER_DOT,
    VARIABLE_SEGMENT,
    pattern_regex,
)

# The first fields of a line, in order, by their names in AWS's table. Later ones are ignored: AWS appends fields without notice.
FIELDS = (
    "type", "time", "elb", "client_port", "target_port", "request_processing_time", "target_processing_time", "response_processing_time",
    "elb_status_code", "target_status_code", "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol", "target_group_arn",
)  # fmt: skip
GROUP_COLUMNS = ("minute", "head", "route", "target_group", "elb_status", "target_status", "latency")  # of counts_sql
SIZE_COLUMNS = ("minute", "head", "route", "target_group", "elb_status", "protocol")
TARGET_COLUMNS = ("minute", "target_group", "outcome", "target")
CLIENT_COLUMNS = ("minute", "target_group", "outcome", "agent", "protocol", "tls", "long_time")
ALL_COLUMNS = tuple(dict.fromkeys((*GROUP_COLUMNS, *SIZE_COLUMNS, *TARGET_COLUMNS, *CLIENT_COLUMNS)))
LONG_TIME_S = "0.1"  # from which on one of the three times is long
REQUEST_TYPES = ("http", "https", "h2", "grpcs", "ws", "wss")
# What fields look like; a field that does not shows that its line was split in the wrong places. Only syntax that all engines share.
TIME_REGEX = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]{1,9})?(Z|[+]00:00)?$"
STATUS_REGEX = "^([0-9]{3}|-)$"
SECONDS_REGEX = "^(-|-?[0-9]+([.][0-9]+)?)$"
TARGET_GROUP_REGEX = (
    "^(-|arn:[a-z0-9-]+:elasticloadbalancing:[a-z0-9-]*:[0-9]*:targetgroup/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+)$"
)
SKIPPED_MINUTE = "9999-99-99T99:99"  # the minute under which lines of other load balancers are counted
BROWSER = "~"  # starts an agent with a browser's system and product
SLOW_EXAMPLE_S = 1  # latency from which a line is kept as an example


def quote(text: str) -> str:
    """A string literal of DuckDB and Athena."""
    return "'" + text.replace("'", "''") + "'"


def spark_quote(text: str) -> str:
    """A string literal of Spark and Hive."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """What the engines spell differently. Arguments and results are SQL; `literal` quotes a Python string. The defaults are Athena's."""

    literal: Callable[[str], str] = quote
    matches: Callable[[str, str], str] = lambda text, pattern: f"regexp_like({text}, {pattern})"
    replace_all: Callable[[str, str, str], str] = lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by})"
    first_match: Callable[[str, str], str] = (  # "" if there is none
        lambda text, pattern: f"coalesce(regexp_extract({text}, {pattern}), '')"
    )


ATHENA = SqlDialect()
DUCKDB = SqlDialect(
    matches=lambda text, pattern: f"regexp_matches({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by}, 'g')",
    first_match=lambda text, pattern: f"regexp_extract({text}, {pattern})",
)
SPARK = SqlDialect(literal=spark_quote, first_match=lambda text, pattern: f"regexp_extract({text}, {pattern}, 0)")


def counts_sql(
    dialect: SqlDialect,
    lines: str,
    patterns: Sequence[str] = (),
    *,
    examples: bool = False,
    details: bool = False,
    load_balancer: str = "",
) -> str:
    """SQL that counts the lines of `lines`, a table or FROM clause with the columns FIELDS, all text.

    | column | |
    |---|---|
    | minute | "2026-09-21T14:18", UTC: when the load balancer answered, as CloudWatch counts; SKIPPED_MINUTE of others than `load_balancer`, if it is given |
    | head | the request's method and URL up to the path: "GET https://photo.example.com:443" |
    | route | of the path, without the query string |
    | target_group | ARN, "-" if none was chosen |
    | elb_status, target_status | as written: "502", "-" |
    | latency | target_processing_time as written, in seconds with three decimals: "0.042", "-1" if there was no answer |
    | n | number of lines |
    | example | with `examples`: "time target path" of one line that failed or took at least SLOW_EXAMPLE_S |

    With `details` every line is counted three times more, in rows of another `kind` ("count", "size", "target", "client") with the columns of
    SIZE_COLUMNS and `bytes`, of TARGET_COLUMNS, or of CLIENT_COLUMNS; the others are null. One pass over the lines counts all four. Targets are not
    combined with the other traits: the groups stay few.

    Grouping by the texts is exact, and cheaper than parsing each number first.
    """
    failed = f"elb_status >= '500' OR latency >= '{SLOW_EXAMPLE_S}'"
    aggregates = {"n": ("count(*)", "CAST(sum(n) AS BIGINT)")}
    if examples:
        of_line = f"max(CASE WHEN {failed} THEN concat(time, ' ', target_port, ' ', path) END)"
        aggregates["example"] = (of_line, "max(example)")
    if details:
        aggregates["bytes"] = ("sum(TRY_CAST(sent_bytes AS BIGINT))", "CAST(sum(bytes) AS BIGINT)")
    of_lines = ", ".join(f"{of_line} AS {name}" for name, (of_line, _) in aggregates.items())
    of_groups = ", ".join(f"{of_group} AS {name}" for name, (_, of_group) in aggregates.items())
    # A request is METHOD, URL, PROTOCOL. The URL may contain spaces, usually in its query string, which is cut off.
    head = dialect.first_match("request", dialect.literal("^[^ ]* [a-z]+://[^/ ?]*"))
    written_path = "split_part(split_part(substr(request, length(head) + 1), '?', 1), ' ', 1)"
    minute = "substr(time, 1, 16)"
    if load_balancer:
        minute = f"CASE WHEN elb IN ({dialect.literal(load_balancer)}, '-') THEN {minute} ELSE '{SKIPPED_MINUTE}' END"
    columns = ", ".join(ALL_COLUMNS if details else GROUP_COLUMNS)
    # Routes are unescaped and grouped again, which is much cheaper than unescaping each line.
    unescaped = columns.replace("route", f"{_unescaped_route_sql(dialect)} AS route")
    return f"""
SELECT {columns}, kind, {of_groups}
FROM (
SELECT {unescaped}, kind, {", ".join(aggregates)}
FROM (
SELECT {columns}, {_kind_sql(details=details)} AS kind, {of_lines}
FROM (
  SELECT {minute} AS minute, head, {_escaped_route_sql(dialect, patterns)} AS route, path, target_group_arn AS target_group,
    elb_status_code AS elb_status, target_status_code AS target_status, target_processing_time AS latency, time, target_port
    {f", sent_bytes, {_details_sql()}" if details else ""}
  FROM (
    SELECT *, {_without_parameters(dialect)} AS path
    FROM (
      SELECT *, {written_path} AS written_path
      FROM (SELECT *, {head} AS head FROM {lines} WHERE {is_log_line(dialect)}) AS requests
    ) AS written_paths
  ) AS paths
) AS routed
GROUP BY {_grouping_sets() if details else columns}
) AS escaped
) AS unescaped
GROUP BY {columns}, kind
"""


def _grouping_sets() -> str:
    sets = (f"({', '.join(columns)})" for columns in (GROUP_COLUMNS, SIZE_COLUMNS, TARGET_COLUMNS, CLIENT_COLUMNS))
    return f"GROUPING SETS ({', '.join(sets)})"


def _kind_sql(*, details: bool) -> str:
    if not details:
        return "'count'"
    kinds = {"latency": "count", "head": "size", "target": "target", "agent": "client"}
    cases = "".join(f" WHEN grouping({column}) = 0 THEN '{kind}'" for column, kind in kinds.items())
    return f"CASE{cases} END"


def _details_sql() -> str:
    """The columns of a line that GROUP_COLUMNS do not have, as short texts. Times are compared as text: "0.042", "-1", "12.345"."""
    reached = "".join(
        f" WHEN target_processing_time < '{above / 1000:g}' THEN '{edge}'" for edge, above in pairwise(OUTCOME_EDGES_MS)
    )  # the first of "-1", too
    ten_seconds = "target_processing_time >= '0' AND substr(target_processing_time, 2, 1) <> '.'"
    outcome = (
        f"CASE WHEN elb_status_code >= '500' THEN '{FAILED}' WHEN {ten_seconds} THEN '{OUTCOME_EDGES_MS[-1]}'{reached}"
        f" ELSE '{OUTCOME_EDGES_MS[-1]}' END"
    )
    long_time = (
        "".join(
            f" WHEN {name}_processing_time >= '{LONG_TIME_S}' THEN '{name}'"
            for name in ("request", "response", "target")
        )
        + " WHEN request_processing_time < '0' THEN 'not_sent' WHEN target_processing_time < '0' THEN 'no_answer'"
    )
    return (
        f"type AS protocol, target_port AS target, {_agent_sql()} AS agent, ssl_protocol AS tls,"
        f" CASE{long_time} ELSE 'none' END AS long_time, {outcome} AS outcome"
    )


def _agent_sql() -> str:
    """What the family of a user agent is read from (aggregate.agent_family_sql): of a browser the system and its product, of others the first word."""
    product = "".join(
        f" WHEN position('{part}' IN user_agent) > 0 THEN '{name}'"
        for part, name in (
            ("ompatible;", "Bot"), ("Edg", "Edge"), ("Chrome/", "Chrome"), ("Firefox/", "Firefox"), ("Safari/", "Safari"),
        )
    )  # fmt: skip
    return (
        f"CASE WHEN substr(user_agent, 1, 13) = 'Mozilla/5.0 (' THEN concat('{BROWSER}', substr(user_agent, 14, 4), CASE{product} ELSE '' END)"
        " ELSE substr(split_part(user_agent, '/', 1), 1, 40) END"
    )


def is_log_line(dialect: SqlDialect) -> str:
    """The condition that tells access-log lines from other text."""
    types = ", ".join(map(dialect.literal, REQUEST_TYPES))
    time = dialect.matches("time", dialect.literal(TIME_REGEX))
    return f"type IN ({types}) AND {time}"


def _without_parameters(dialect: SqlDialect) -> str:
    """`written_path` without the parameters of its segments."""
    cut = dialect.replace_all("written_path", dialect.literal(PATH_PARAMETERS), "''")
    return f"CASE WHEN position(';' IN written_path) > 0 THEN {cut} ELSE written_path END"


def _escaped_route_sql(dialect: SqlDialect, patterns: Sequence[str]) -> str:
    """The route of `path` as by route_template; if it has variable segments, with doubled slashes and a leading DOT_MARKER."""
    quoted = dialect.literal
    escaped = f"concat({quoted(DOT_MARKER)}, replace(replace(path, '/', '//'), '.', {quoted(f'/{DOT_MARKER}.')}), '/')"
    after_dot = dialect.replace_all(escaped, quoted(VARIABLE_AFTER_DOT), quoted(f"/{DOT_MARKER}.{ID_PLACEHOLDER}/"))
    escaped = f"CASE WHEN position('.' IN path) > 0 THEN {after_dot} ELSE {escaped} END"
    with_ids = dialect.replace_all(escaped, quoted(VARIABLE_SEGMENT), quoted(f"/{ID_PLACEHOLDER}/"))
    matches = "".join(
        f" WHEN {dialect.matches('path', quoted(pattern_regex(pattern)))} THEN {quoted(pattern)}"
        for pattern in patterns
    )
    return (
        f"CASE WHEN substr(path, 1, 1) <> '/' THEN {quoted(UNREADABLE_ROUTE)}{matches}"
        f" WHEN {dialect.matches('path', quoted('[0-9]'))} THEN {with_ids} ELSE path END"
    )


def _unescaped_route_sql(dialect: SqlDialect) -> str:
    """`route` without the escapes of `_escaped_route_sql`."""
    marker, dot = dialect.literal(DOT_MARKER), dialect.literal(f"/{DOT_MARKER}.")
    unescaped = f"replace(replace(substr(route, 2), {dot}, '.'), '//', '/')"
    return f"CASE WHEN substr(route, 1, 1) = {marker} THEN trim(TRAILING '/' FROM {unescaped}) ELSE route END"
