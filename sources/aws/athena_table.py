"""Athena's SQL: the table over the load balancer's logs, and the query that counts one day. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain import Arn
from sources.access_logs.filenames import account_prefix, file_name_prefix
from sources.access_logs.repair import MIN_FIELDS
from sources.access_logs.sql import ATHENA, FIELDS, SqlDialect, counts_sql, is_log_line, spark_quote

# A line of the log as a Java regular expression with a group for each of FIELDS. A line may end after the twelfth field; text after the last is ignored,
# because AWS appends fields. A field is quoted with backslash escapes, or bare; an unclosed quote ends with its line. Possessive quantifiers (++ and *+)
# prevent backtracking, so that no line takes long or overflows Java's stack.
_BARE = "([^ ]++)"
_QUOTED_OR_BARE = r'"?+((?<=")[^"\\]*+(?:\\.[^"\\]*+)*+|(?<!")[^ ]++)"?+'
LINE_REGEX = (
    "(?s)"  # a dot matches any character, including Unicode line separators
    + " ++".join([_BARE] * MIN_FIELDS)
    + "".join(f"(?: *+{_QUOTED_OR_BARE}" for _ in FIELDS[MIN_FIELDS:])
    + ")?+" * len(FIELDS[MIN_FIELDS:])
    + ".*+"
)

# The minute under which lines that are not access-log lines are counted: a separate query for them would cost as much again.
UNPARSED_MINUTE = "0000-00-00T00:00"


@dataclass(frozen=True, slots=True)
class AthenaTable:
    """The table over all logs of one account and region below a prefix of a bucket, with a partition for each day."""

    database: str
    bucket: str
    prefix: str
    load_balancer: Arn

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{account_prefix(self.load_balancer, self.prefix)}"

    @property
    def name(self) -> str:
        """Contains a hash of the definition, so that IF NOT EXISTS never matches an outdated table."""
        return f"migration_access_logs_{hashlib.sha256(self._definition().encode()).hexdigest()[:12]}"

    def create_sql(self) -> str:
        """In Hive's dialect, like all of Athena's DDL."""
        return f"CREATE EXTERNAL TABLE IF NOT EXISTS `{self.database}`.`{self.name}` {self._definition()}"

    def _definition(self) -> str:
        columns = ", ".join(f"`{name}` string" for name in FIELDS)
        properties = {
            "projection.enabled": "true",
            "projection.day.type": "date",
            "projection.day.format": "yyyy/MM/dd",
            "projection.day.range": "2015/01/01,NOW",
            "projection.day.interval": "1",
            "projection.day.interval.unit": "DAYS",
            "storage.location.template": f"{self.location}/${{day}}",
        }
        table_properties = ",\n  ".join(
            f"{spark_quote(key)} = {spark_quote(value)}" for key, value in properties.items()
        )
        return (
            f"(\n  {columns}\n)\nPARTITIONED BY (`day` string)\n"
            f"ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'\nWITH SERDEPROPERTIES ('input.regex' = {spark_quote(LINE_REGEX)})\n"
            "STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'\n"
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
            f"LOCATION {spark_quote(self.location + '/')}\nTBLPROPERTIES (\n  {table_properties}\n)"
        )

    def count_sql(self, day: date, patterns: Sequence[str] = (), excluded_keys: Sequence[str] = ()) -> str:
        """SQL that counts the lines of the load balancer's files in the folder of a day, without those with `excluded_keys`.

        Its columns are those of counts_sql with examples and details. Lines that are not access-log lines have the minute UNPARSED_MINUTE.
        """
        path, own = '"$path"', file_name_prefix(self.load_balancer)
        where = [f"day = {ATHENA.literal(f'{day:%Y/%m/%d}')}", f"strpos({path}, {ATHENA.literal('/' + own)}) > 0"]
        if excluded_keys:
            excluded = ", ".join(ATHENA.literal(f"s3://{self.bucket}/{key}") for key in excluded_keys)
            where.append(f"{path} NOT IN ({excluded})")
        table = f'"{self.database}"."{self.name}"'
        lines = lines_sql(ATHENA, table, " AND ".join(where))
        load_balancer = self.load_balancer.dimension
        return counts_sql(ATHENA, lines, patterns, examples=True, details=True, load_balancer=load_balancer)


def lines_sql(dialect: SqlDialect, table: str, where: str = "") -> str:
    """A FROM clause over the table. Missing fields are "-"; a line that is not an access-log line has the minute UNPARSED_MINUTE and no request."""
    # The protocol shows whether a line without a target group was split in the right places; LogCounter compares the occurrences of ARNs.
    protocols = ", ".join(map(dialect.literal, ("-", "TLS", "SSL")))
    is_valid = f"{is_log_line(dialect)} AND substr(coalesce(ssl_protocol, '-'), 1, 3) IN ({protocols})"
    substitutes = {"type": "http", "time": f"{UNPARSED_MINUTE}:00"}
    columns = ", ".join(
        f"CASE WHEN {is_valid} THEN coalesce({name}, '-') ELSE {dialect.literal(substitutes.get(name, '-'))} END AS {name}"
        for name in FIELDS
    )
    return f"(SELECT {columns} FROM {table}{f' WHERE {where}' if where else ''}) AS lines"
