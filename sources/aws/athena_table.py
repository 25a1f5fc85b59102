"""What Athena is told: the table over the load balancer's logs, and the query that counts one day of it. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain import Arn
from sources.access_logs.filenames import folder_of, names_of
from sources.access_logs.sql import ATHENA, FIELDS, Dialect, counts_sql, is_line

# One line of the log, for Java's regular expressions: a group for each of FIELDS. After the twelfth field a line may end; what follows the last
# is not looked at, as AWS adds to the end. A field stands in quotes, with backslash escapes, or bare; a quote that never closes ends with its line.
# Nothing is tried twice (the possessive ++ and *+), so that no line, however odd, takes long or much of Java's stack.
_BARE = "([^ ]++)"
_EITHER = r'"?+((?<=")[^"\\]*+(?:\\.[^"\\]*+)*+|(?<!")[^ ]++)"?+'
_LEAST = 12
LINE = (
    "(?s)"  # a dot is any character: Java's own ends at the line separators of Unicode, too
    + " ++".join([_BARE] * _LEAST)
    + "".join(f"(?: *+{_EITHER}" for _ in FIELDS[_LEAST:])
    + ")?+" * len(FIELDS[_LEAST:])
    + ".*+"
)

# The minute that lines go to which are none of this log: counted with the others in one pass, as a second one would cost as much as the first.
NO_LINE = "0000-00-00T00:00"


@dataclass(frozen=True, slots=True)
class LogTable:
    """The table over all logs that one account and region have below a prefix of a bucket, a partition a day. `database` is Athena's."""

    database: str
    bucket: str
    prefix: str
    load_balancer: Arn

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{folder_of(self.load_balancer, self.prefix)}"

    @property
    def name(self) -> str:
        """Another place or another definition is another table, so that IF NOT EXISTS never finds one that is out of date."""
        return f"migration_access_logs_{hashlib.sha256(self._definition().encode()).hexdigest()[:12]}"

    def create(self) -> str:
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
        told = ",\n  ".join(f"{_hive(key)} = {_hive(value)}" for key, value in properties.items())
        return (
            f"(\n  {columns}\n)\nPARTITIONED BY (`day` string)\n"
            f"ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'\nWITH SERDEPROPERTIES ('input.regex' = {_hive(LINE)})\n"
            "STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'\n"
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
            f"LOCATION {_hive(self.location + '/')}\nTBLPROPERTIES (\n  {told}\n)"
        )

    def count(self, day: date, patterns: Sequence[str] = (), apart: Sequence[str] = ()) -> str:
        """SQL that counts the lines of a day's folder, of the load balancer's own files but for those with the keys `apart`.

        The columns are those of counts_sql with examples. Lines that are none of this log are rows of the minute NO_LINE.
        """
        path, own = '"$path"', names_of(self.load_balancer)
        where = [f"day = {ATHENA.text(f'{day:%Y/%m/%d}')}", f"strpos({path}, {ATHENA.text('/' + own)}) > 0"]
        if apart:
            known = ", ".join(ATHENA.text(f"s3://{self.bucket}/{key}") for key in apart)
            where.append(f"{path} NOT IN ({known})")
        table = f'"{self.database}"."{self.name}"'
        return counts_sql(ATHENA, every_line(ATHENA, table, " AND ".join(where)), patterns, examples=True)


def every_line(dialect: Dialect, table: str, where: str = "") -> str:
    """A FROM clause over the table: fields that a line lacks are "-"; a line that is none of this log is one of the minute NO_LINE, without a request."""
    stand_in = {"type": "http", "time": f"{NO_LINE}:00"}
    columns = ", ".join(
        f"CASE WHEN {is_line(dialect)} THEN coalesce({name}, '-') ELSE {dialect.text(stand_in.get(name, '-'))} END AS {name}"
        for name in FIELDS
    )
    return f"(SELECT {columns} FROM {table}{f' WHERE {where}' if where else ''}) AS lines"


def _hive(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
