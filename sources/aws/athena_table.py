"""What Athena is told: the table over the load balancer's logs, and the query that counts one day of it. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain import Arn
from sources.access_logs.filenames import account_prefix, file_name_prefix
from sources.access_logs.sql import ATHENA, FIELDS, SqlDialect, counts_sql, is_log_line

# One line of the log, for Java's regular expressions: a group for each of FIELDS. After the twelfth field a line may end; what follows the last
# is not looked at, as AWS adds to the end. A field stands in quotes, with backslash escapes, or bare; a quote that never closes ends with its line.
# Nothing is tried twice (the possessive ++ and *+), so that no line, however odd, takes long or much of Java's stack.
_BARE = "([^ ]++)"
_QUOTED_OR_BARE = r'"?+((?<=")[^"\\]*+(?:\\.[^"\\]*+)*+|(?<!")[^ ]++)"?+'
_REQUIRED_FIELDS = 12
LINE_REGEX = (
    "(?s)"  # a dot is any character: Java's own ends at the line separators of Unicode, too
    + " ++".join([_BARE] * _REQUIRED_FIELDS)
    + "".join(f"(?: *+{_QUOTED_OR_BARE}" for _ in FIELDS[_REQUIRED_FIELDS:])
    + ")?+" * len(FIELDS[_REQUIRED_FIELDS:])
    + ".*+"
)

# The minute that lines go to which are none of this log: counted with the others in one pass, as a second one would cost as much as the first.
UNPARSED_MINUTE = "0000-00-00T00:00"


@dataclass(frozen=True, slots=True)
class AthenaTable:
    """The table over all logs that one account and region have below a prefix of a bucket, a partition a day. `database` is Athena's."""

    database: str
    bucket: str
    prefix: str
    load_balancer: Arn

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{account_prefix(self.load_balancer, self.prefix)}"

    @property
    def name(self) -> str:
        """Another place or another definition is another table, so that IF NOT EXISTS never finds one that is out of date."""
        return f"migration_access_logs_{hashlib.sha256(self._definition().encode()).hexdigest()[:12]}"

    def create_sql(self) -> str:
        """The statement that makes the table, where there is none yet. In Hive's SQL, as all of Athena's definitions are."""
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
        told = ",\n  ".join(f"{_hive_quote(key)} = {_hive_quote(value)}" for key, value in properties.items())
        return (
            f"(\n  {columns}\n)\nPARTITIONED BY (`day` string)\n"
            f"ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'\nWITH SERDEPROPERTIES ('input.regex' = {_hive_quote(LINE_REGEX)})\n"
            "STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'\n"
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
            f"LOCATION {_hive_quote(self.location + '/')}\nTBLPROPERTIES (\n  {told}\n)"
        )

    def count_sql(self, day: date, patterns: Sequence[str] = (), excluded_keys: Sequence[str] = ()) -> str:
        """SQL that counts the lines of a day's folder, of the load balancer's own files but for those with the keys `apart`.

        The columns are those of counts_sql with examples. Lines that are none of this log are rows of the minute NO_LINE.
        """
        path, own = '"$path"', file_name_prefix(self.load_balancer)
        where = [f"day = {ATHENA.literal(f'{day:%Y/%m/%d}')}", f"strpos({path}, {ATHENA.literal('/' + own)}) > 0"]
        if excluded_keys:
            known = ", ".join(ATHENA.literal(f"s3://{self.bucket}/{key}") for key in excluded_keys)
            where.append(f"{path} NOT IN ({known})")
        table = f'"{self.database}"."{self.name}"'
        return counts_sql(ATHENA, lines_sql(ATHENA, table, " AND ".join(where)), patterns, examples=True)


def lines_sql(dialect: SqlDialect, table: str, where: str = "") -> str:
    """A FROM clause over the table: fields that a line lacks are "-"; a line that is none of this log is one of the minute NO_LINE, without a request."""
    stand_in = {"type": "http", "time": f"{UNPARSED_MINUTE}:00"}
    columns = ", ".join(
        f"CASE WHEN {is_log_line(dialect)} THEN coalesce({name}, '-') ELSE {dialect.literal(stand_in.get(name, '-'))} END AS {name}"
        for name in FIELDS
    )
    return f"(SELECT {columns} FROM {table}{f' WHERE {where}' if where else ''}) AS lines"


def _hive_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
