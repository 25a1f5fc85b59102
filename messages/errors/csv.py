"""Messages for issues in a CSV: the line, the issue, and the fix."""

from messages.errors.sources import Message, shorten
from messages.i18n import LazyText, _, lazy
from sources.csv_import import HEADER, METRICS, CsvIssue, CsvIssueCode

ANCHOR = "docs/cli.md#a-csv-of-your-own"
EXAMPLE = "2026-11-23T20:17:00Z,canary,requests,sum,1200"
_LATENCY_STATS = lazy(
    "`p50`, `p90`, `p95`, `p99` (in seconds), `sample_count`, or `within_0.3s` for the share within 0.3 s"
)
_STATS_OF = {"latency": _LATENCY_STATS, "share": lazy("`configured`")}
_TEXTS: dict[CsvIssueCode, tuple[LazyText, LazyText]] = {
    "not_readable": (
        lazy("It cannot be read: {detail}."),
        lazy("Check the path and who may read the file; `--csv -` reads from standard input."),
    ),
    "not_utf8": (
        lazy("It is not UTF-8: byte {byte} is something else."),
        lazy("Save it as “CSV UTF-8”; a compressed file has to be unpacked first."),
    ),
    "no_rows": (
        lazy("There are no numbers in it."),
        lazy("Below the header `{header}` write one line a number, for example `{example}`."),
    ),
    "other_separator": (
        lazy("Its columns are separated by {given}."),
        lazy("Separate them by commas, and write decimals with a point: `{example}`."),
    ),
    "wrong_header": (
        lazy("The first line is “{given}”."),
        lazy("Name these five columns there, and no other: `{header}`."),
    ),
    "not_csv": (
        lazy("From here on it is not CSV: {detail}."),
        lazy("Close every quote that was opened; none of these columns needs any."),
    ),
    "wrong_columns": (
        lazy("There are {found} columns, where the header has {wanted}."),
        lazy("Write it like `{example}`, a decimal with a point."),
    ),
    "not_a_time": (
        lazy("“{given}” is not a time."),
        lazy("Write the minute's start like `2026-11-23T20:17:00Z`, or in epoch seconds like `1795465020`."),
    ),
    "naive_time": (
        lazy("“{given}” does not say in which time zone it is."),
        lazy("Add the zone, `Z` for UTC or an offset like `+09:00`: `2026-11-23T20:17:00Z`."),
    ),
    "milliseconds": (
        lazy("“{given}” is too late for epoch seconds; it looks like milliseconds."),
        lazy("Divide it by 1,000."),
    ),
    "not_a_minute": (
        lazy("“{given}” is not the start of a minute."),
        lazy("Sum counts over whole minutes, and write the minute's start, with 00 seconds."),
    ),
    "unknown_fleet": (
        lazy("There is no fleet “{given}”."),
        lazy("{close}Write `baseline` for the old side and `canary` for the new one."),
    ),
    "another_fleet": (lazy("“{given}” has no `{metric}`."), lazy("Write `{fleet}` as the fleet of `{metric}`.")),
    "unknown_metric": (lazy("There is no metric “{given}” to judge."), lazy("{close}There are {metrics}.")),
    "unknown_stat": (lazy("`{metric}` has no statistic “{given}”."), lazy("Write {stats}.")),
    "not_a_number": (
        lazy("“{given}” is not a number."),
        lazy("Write digits alone, a decimal with a point, and no unit; leave the line out where there is no value."),
    ),
    "not_finite": (
        lazy("“{given}” is no value that can be judged."),
        lazy("Leave the line out: a minute that is not there is not the same as 0."),
    ),
    "negative": (
        lazy("“{given}” is below 0."),
        lazy("Counts and latencies are 0 or more; leave the line out where there is no value."),
    ),
    "not_a_share": (
        lazy("“{given}” is more than all answers."),
        lazy("Write the share of answers within the threshold as a fraction from 0 to 1."),
    ),
    "not_a_configured_share": (
        lazy("“{given}” is more than all requests."),
        lazy("Write the share of the weights that the canary is configured with, as a fraction from 0 to 1."),
    ),
    "not_a_period": (
        lazy("No period of “{given}” seconds starts there."),
        lazy("Write whole minutes in seconds, like `60` or `300`, and a time that is a multiple of it."),
    ),
    "twice": (
        lazy("{metric} {stat} of {fleet} in this minute stands in line {first} already."),
        lazy(
            "Keep one line a minute; sum counts over target groups. Percentiles cannot be merged: take those of the whole fleet."
        ),
    ),
    "too_long": (
        lazy("This minute lies {days} days after the one in line {first}."),
        lazy("Correct the time in one of both; a file may reach over {most} days at most."),
    ),
}


def format_csv_issue(issue: CsvIssue) -> Message:
    """The message for an issue; its title is the line."""
    params = {name: shorten(value, 80) for name, value in issue.params.items()}
    close = params.get("close", "")
    params |= {
        "close": _("Did you mean `{close}`?").format(close=close) + " " if close else "",
        "header": ",".join(HEADER),
        "example": EXAMPLE,
        "metrics": ", ".join(f"`{metric}`" for metric in METRICS),
        "stats": str(_STATS_OF.get(params.get("metric", "")) or _("`sum`: it is a count")),
    }
    if issue.code == "other_separator":
        params["given"] = {"semicolons": _("semicolons"), "tabs": _("tabs")}[params["given"]]
    title = _("line {line}").format(line=issue.line) if issue.line else _("The file")
    text, step = _TEXTS[issue.code]
    return Message(title, str(text).format(**params), str(step).format(**params), ANCHOR)
