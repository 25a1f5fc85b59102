"""The one query that turns access-log lines into counts, written once and spelt for each engine: DuckDB, Athena, Spark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.route_templates import DOT_MARKER, ID_PLACEHOLDER, UNREADABLE_ROUTE, VARIABLE_SEGMENT, pattern_regex

# The first fields of a line, in order, by the names of AWS's table. Later ones are ignored: AWS adds to the end without notice.
FIELDS = (
    "type",
    "time",
    "elb",
    "client_port",
    "target_port",
    "request_processing_time",
    "target_processing_time",
    "response_processing_time",
    "elb_status_code",
    "target_status_code",
    "received_bytes",
    "sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
    "target_group_arn",
)
GROUP_COLUMNS = (
    "minute",
    "head",
    "route",
    "target_group",
    "elb_status",
    "target_status",
    "latency",
)  # what counts_sql groups by
REQUEST_TYPES = ("http", "https", "h2", "grpcs", "ws", "wss")
SLOW_EXAMPLE_S = 1  # from here on a line is slow enough to be kept as an example


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """How one engine spells what the others spell differently. Arguments and results are SQL; `text` makes a literal of a Python string."""

    literal: Callable[[str], str]
    matches: Callable[[str, str], str]
    replace_all: Callable[[str, str, str], str]
    first_match: Callable[[str, str], str]  # "" where there is none


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _spark_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


DUCKDB = SqlDialect(
    literal=_quote,
    matches=lambda text, pattern: f"regexp_matches({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by}, 'g')",
    first_match=lambda text, pattern: f"regexp_extract({text}, {pattern})",
)
ATHENA = SqlDialect(
    literal=_quote,
    matches=lambda text, pattern: f"regexp_like({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by})",
    first_match=lambda text, pattern: f"coalesce(regexp_extract({text}, {pattern}), '')",
)
SPARK = SqlDialect(
    literal=_spark_quote,
    matches=lambda text, pattern: f"regexp_like({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by})",
    first_match=lambda text, pattern: f"regexp_extract({text}, {pattern}, 0)",
)


def counts_sql(
    dialect: SqlDialect, lines: str, patterns: Sequence[str] = (), *, where: str = "", examples: bool = False
) -> str:
    """SQL that counts the lines of `lines` (a table or FROM clause with the columns FIELDS, all text).

    | column | |
    |---|---|
    | minute | "2026-09-21T14:18", UTC: when the load balancer answered, which is what CloudWatch counts by |
    | head | of the request: its method, and what stands before the path: "GET https://photo.example.com:443" |
    | route | of its path; the query string is cut off before anything is kept |
    | target_group | the group's ARN, "-" where none was chosen |
    | elb_status, target_status | as written: "502", "-" |
    | latency | target_processing_time as written, in seconds with three decimals: "0.042", "-1" where nobody answered |
    | n | how many lines |
    | example | with `examples`: "time target path" of one line, where it failed or took `SLOW_EXAMPLE_S` or more |

    Grouping by the texts as they are is exact, and cheaper than to read each of them as a number first.
    """
    d, sound = dialect, is_log_line(dialect)
    failed = f"elb_status >= '500' OR latency >= '{SLOW_EXAMPLE_S}'"
    example = (
        f", max(CASE WHEN {failed} THEN concat(time, ' ', target_port, ' ', path) END) AS example" if examples else ""
    )
    # A request is METHOD, URL, PROTOCOL; raw spaces may stand in the URL, in its query string as a rule, which goes.
    head = d.first_match("request", d.literal("^[^ ]* [a-z]+://[^/ ?]*"))
    # Slashes are doubled to find what varies; to halve them again once for each group is much cheaper than for each line.
    every = "minute, head, {route}target_group, elb_status, target_status, latency"
    whole = "CAST(sum(n) AS BIGINT) AS n" + (", max(example) AS example" if examples else "")
    return f"""
SELECT {every.format(route="route, ")}, {whole}
FROM (
SELECT {every.format(route=f"{_unescaped_route_sql(d)} AS route, ")}, n{", example" if examples else ""}
FROM (
SELECT {every.format(route="route, ")}, count(*) AS n{example}
FROM (
  SELECT substr(time, 1, 16) AS minute, head, {_escaped_route_sql(d, patterns)} AS route, path, target_group_arn AS target_group,
    elb_status_code AS elb_status, target_status_code AS target_status, target_processing_time AS latency, time, target_port
  FROM (
    SELECT *, split_part(split_part(substr(request, length(head) + 1), '?', 1), ' ', 1) AS path
    FROM (SELECT *, {head} AS head FROM {lines} WHERE {sound}{f" AND ({where})" if where else ""}) AS requests
  ) AS paths
) AS routed
GROUP BY {every.format(route="route, ")}
) AS doubled
) AS halved
GROUP BY {every.format(route="route, ")}
"""


def is_log_line(dialect: SqlDialect) -> str:
    """The condition under which fields are those of a line of this log, and no other text in the same place."""
    kinds = ", ".join(dialect.literal(kind) for kind in REQUEST_TYPES)
    return f"type IN ({kinds}) AND position('T' IN time) = 11 AND position('-' IN time) = 5"


def _escaped_route_sql(d: SqlDialect, patterns: Sequence[str]) -> str:
    """The route of `path`, as domain.route_templates.template says it; where something varies, with doubled slashes, and the mark in front."""
    apart = (
        f"concat({d.literal(DOT_MARKER)}, replace(replace(path, '/', '//'), '.', {d.literal(f'/{DOT_MARKER}.')}), '/')"
    )
    named = d.replace_all(apart, d.literal(VARIABLE_SEGMENT), d.literal(f"/{ID_PLACEHOLDER}/"))
    fits = "".join(
        f" WHEN {d.matches('path', d.literal(pattern_regex(one)))} THEN {d.literal(one)}" for one in patterns
    )
    return (
        f"CASE WHEN substr(path, 1, 1) <> '/' THEN {d.literal(UNREADABLE_ROUTE)}{fits}"
        f" WHEN {d.matches('path', d.literal('[0-9]'))} THEN {named} ELSE path END"
    )


def _unescaped_route_sql(d: SqlDialect) -> str:
    """`route` as it is meant: what `_route` doubled is halved."""
    together = f"replace(replace(substr(route, 2), {d.literal(f'/{DOT_MARKER}.')}, '.'), '//', '/')"
    return f"CASE WHEN substr(route, 1, 1) = {d.literal(DOT_MARKER)} THEN trim(TRAILING '/' FROM {together}) ELSE route END"
