"""The one query that turns access-log lines into counts, written once and spelt for each engine: DuckDB, Athena, Spark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migration.routes import OTHER, RULES, UNREADABLE, expression

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
TYPES = ("http", "https", "h2", "grpcs", "ws", "wss")
SLOW_EXAMPLE_S = 1  # from here on a line is slow enough to be kept as an example


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine spells what the others spell differently. `replace_all(text, pattern, by)`: arguments are SQL; `group` is the first group in `by`."""

    matches: Callable[[str, str], str]
    replace_all: Callable[[str, str, str], str]
    group: str
    text: Callable[[str], str]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _spark_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


DUCKDB = Dialect(
    matches=lambda text, pattern: f"regexp_matches({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by}, 'g')",
    group="\\1",
    text=_quoted,
)
ATHENA = Dialect(
    matches=lambda text, pattern: f"regexp_like({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by})",
    group="$1",
    text=_quoted,
)
SPARK = Dialect(
    matches=lambda text, pattern: f"regexp_like({text}, {pattern})",
    replace_all=lambda text, pattern, by: f"regexp_replace({text}, {pattern}, {by})",
    group="$1",
    text=_spark_quoted,
)


def counts_sql(dialect: Dialect, lines: str, patterns: Sequence[str] = (), *, where: str = "", examples: bool = False) -> str:
    """SQL that counts the lines of `lines` (a table or FROM clause with the columns FIELDS, all text).

    | column | |
    |---|---|
    | minute | "2026-09-21T14:18", UTC: when the load balancer answered, which is what CloudWatch counts by |
    | host, method, route | of the request; the query string is cut off before anything is kept |
    | target_group | the group's ARN, "-" where none was chosen |
    | elb_status, target_status | as written: "502", "-" |
    | latency | target_processing_time as written, in seconds with three decimals: "0.042", "-1" where nobody answered |
    | n | how many lines |
    | example | with `examples`: "time target path" of one line, where it failed or took `SLOW_EXAMPLE_S` or more |

    Grouping by the texts as they are is exact, and cheaper than to read each of them as a number first.
    """
    d = dialect
    kinds = ", ".join(d.text(kind) for kind in TYPES)
    sound = f"type IN ({kinds}) AND substr(time, 11, 1) = 'T' AND substr(time, 5, 1) = '-'"
    failed = f"elb_status >= '500' OR latency >= '{SLOW_EXAMPLE_S}'"
    example = f", max(CASE WHEN {failed} THEN concat(time, ' ', target_port, ' ', path) END) AS example" if examples else ""
    # A request is METHOD, URL, PROTOCOL; raw spaces may stand in the URL, in its query string as a rule, which goes.
    return f"""
SELECT minute, host, method, route, target_group, elb_status, target_status, latency, count(*) AS n{example}
FROM (
  SELECT substr(time, 1, 16) AS minute, split_part(authority, ':', 1) AS host, method, {_route(d, patterns)} AS route, path,
    target_group_arn AS target_group, elb_status_code AS elb_status, target_status_code AS target_status,
    target_processing_time AS latency, time, target_port
  FROM (
    SELECT *, substr(address, 3 + length(scheme) + length(authority)) AS path
    FROM (
      SELECT *, split_part(address, '/', 3) AS authority, split_part(address, '/', 1) AS scheme
      FROM (
        SELECT *, split_part(request, ' ', 1) AS method, split_part(split_part(request, ' ', 2), '?', 1) AS address
        FROM {lines} WHERE {sound}{f" AND ({where})" if where else ""}
      ) AS requests
    ) AS addresses
  ) AS paths
) AS routed
GROUP BY minute, host, method, route, target_group, elb_status, target_status, latency
"""


def _route(d: Dialect, patterns: Sequence[str]) -> str:
    """The route of `path`, as migration.routes.template says it."""
    doubled = "concat(replace(path, '/', '//'), '/')"
    for rule in RULES:
        by = f"/{rule.placeholder}{d.group if rule.keeps else ''}/"
        doubled = d.replace_all(doubled, d.text(rule.pattern), d.text(by))
    undoubled = f"replace({d.replace_all(doubled, d.text('/$'), d.text(''))}, '//', '/')"
    fits = "".join(f" WHEN {d.matches('path', d.text(expression(one)))} THEN {d.text(one)}" for one in patterns)
    return (
        f"CASE WHEN substr(path, 1, 1) <> '/' THEN {d.text(UNREADABLE)}{fits}"
        f" WHEN {d.matches('path', d.text('[0-9]'))} THEN {undoubled} ELSE path END"
    )
