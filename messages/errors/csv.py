"""Messages for issues in a CSV: the line, the issue, and the fix."""

from messages.errors.sources import Message, shorten
from messages.i18n import _
from sources.csv_import import HEADER, METRICS, CsvIssue, CsvIssueCode

ANCHOR = "docs/cli.md#a-csv-of-your-own"
EXAMPLE = "2026-11-23T20:17:00Z,canary,requests,sum,1200"
_LATENCY_STATS = _(
    "`p50`, `p90`, `p95`, `p99` (in seconds), `sample_count`, or `within_0.3s` for the share within 0.3 s"
)
_STATS_OF = {"latency": _LATENCY_STATS, "share": _("`configured`")}
_TEXTS: dict[CsvIssueCode, tuple[str, str]] = {
    "not_readable": (
        _("It cannot be read: {detail}."),
        _("Check the path and who may read the file; `--csv -` reads from standard input."),
    ),
    "not_utf8": (
        _("It is not UTF-8: byte {byte} is something else."),
        _("Save it as “CSV UTF-8”; a compressed file has to be unpacked first."),
    ),
    "no_rows": (
        _("There are no numbers in it."),
        _("Below the header `{header}` write one line a number, for example `{example}`."),
    ),
    "other_separator": (
        _("Its columns are separated by {given}."),
        _("Separate them by commas, and write decimals with a point: `{example}`."),
    ),
    "wrong_header": (_("The first line is “{given}”."), _("Name these five columns there, and no other: `{header}`.")),
    "not_csv": (
        _("From here on it is not CSV: {detail}."),
        _("Close every quote that was opened; none of these columns needs any."),
    ),
    "wrong_columns": (
        _("There are {found} columns, where the header has {wanted}."),
        _("Write it like `{example}`, a decimal with a point."),
    ),
    "not_a_time": (
        _("“{given}” is not a time."),
        _("Write the minute's start like `2026-11-23T20:17:00Z`, or in epoch seconds like `1795465020`."),
    ),
    "naive_time": (
        _("“{given}” does not say in which time zone it is."),
        _("Add the zone, `Z` for UTC or an offset like `+09:00`: `2026-11-23T20:17:00Z`."),
    ),
    "milliseconds": (
        _("“{given}” is too late for epoch seconds; it looks like milliseconds."),
        _("Divide it by 1,000."),
    ),
    "not_a_minute": (
        _("“{given}” is not the start of a minute."),
        _("Sum counts over whole minutes, and write the minute's start, with 00 seconds."),
    ),
    "unknown_fleet": (
        _("There is no fleet “{given}”."),
        _("{close}Write `baseline` for the old side and `canary` for the new one."),
    ),
    "another_fleet": (_("“{given}” has no `{metric}`."), _("Write `{fleet}` as the fleet of `{metric}`.")),
    "unknown_metric": (_("There is no metric “{given}” to judge."), _("{close}There are {metrics}.")),
    "unknown_stat": (_("`{metric}` has no statistic “{given}”."), _("Write {stats}.")),
    "not_a_number": (
        _("“{given}” is not a number."),
        _("Write digits alone, a decimal with a point, and no unit; leave the line out where there is no value."),
    ),
    "not_finite": (
        _("“{given}” is no value that can be judged."),
        _("Leave the line out: a minute that is not there is not the same as 0."),
    ),
    "negative": (
        _("“{given}” is below 0."),
        _("Counts and latencies are 0 or more; leave the line out where there is no value."),
    ),
    "not_a_share": (
        _("“{given}” is more than all answers."),
        _("Write the share of answers within the threshold as a fraction from 0 to 1."),
    ),
    "not_a_configured_share": (
        _("“{given}” is more than all requests."),
        _("Write the share of the weights that the canary is configured with, as a fraction from 0 to 1."),
    ),
    "not_a_period": (
        _("No period of “{given}” seconds starts there."),
        _("Write whole minutes in seconds, like `60` or `300`, and a time that is a multiple of it."),
    ),
    "twice": (
        _("{metric} {stat} of {fleet} in this minute stands in line {first} already."),
        _(
            "Keep one line a minute; sum counts over target groups. Percentiles cannot be merged: take those of the whole fleet."
        ),
    ),
    "too_long": (
        _("This minute lies {days} days after the one in line {first}."),
        _("Correct the time in one of both; a file may reach over {most} days at most."),
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
        "stats": _STATS_OF.get(params.get("metric", ""), _("`sum`: it is a count")),
    }
    if issue.code == "other_separator":
        params["given"] = {"semicolons": _("semicolons"), "tabs": _("tabs")}[params["given"]]
    title = _("line {line}").format(line=issue.line) if issue.line else _("The file")
    text, step = _TEXTS[issue.code]
    return Message(title, text.format(**params), step.format(**params), ANCHOR)
