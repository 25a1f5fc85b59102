"""Messages for issues in a CSV: the line, the issue, and the fix."""

from collections.abc import Mapping

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
        lazy("Cannot be read: {detail}."),
        lazy("Check the path and the file's permissions; `--csv -` reads from standard input."),
    ),
    "not_utf8": (
        lazy("Not valid UTF-8 at byte {byte}."),
        lazy("Save it as “CSV UTF-8”; decompress it first if needed."),
    ),
    "no_rows": (
        lazy("No data."),
        lazy("Add one line per value below the header `{header}`, for example `{example}`."),
    ),
    "other_separator": (
        lazy("Columns are separated by {given}."),
        lazy("Use commas as separators and a decimal point: `{example}`."),
    ),
    "wrong_header": (
        lazy("The first line is “{given}”."),
        lazy("Use exactly these five columns: `{header}`."),
    ),
    "not_csv": (
        lazy("Invalid CSV from here: {detail}."),
        lazy("Close all quotes; no column needs any."),
    ),
    "wrong_columns": (
        lazy("{found} columns, but the header has {wanted}."),
        lazy("Example: `{example}`, with a decimal point."),
    ),
    "not_a_time": (
        lazy("“{given}” is not a time."),
        lazy("Use the minute's start, for example `2026-11-23T20:17:00Z`, or epoch seconds, for example `1795465020`."),
    ),
    "naive_time": (
        lazy("“{given}” has no time zone."),
        lazy("Add the zone, `Z` for UTC or an offset like `+09:00`: `2026-11-23T20:17:00Z`."),
    ),
    "milliseconds": (
        lazy("“{given}” is too large for epoch seconds; probably milliseconds."),
        lazy("Divide it by 1,000."),
    ),
    "not_a_minute": (
        lazy("“{given}” is not the start of a minute."),
        lazy("Aggregate to whole minutes and use the minute's start (00 seconds)."),
    ),
    "unknown_fleet": (
        lazy("Unknown fleet “{given}”."),
        lazy("{close}Use `baseline` for the old fleet and `canary` for the new one."),
    ),
    "another_fleet": (lazy("“{given}” has no `{metric}`."), lazy("Use `{fleet}` as the fleet of `{metric}`.")),
    "unknown_metric": (lazy("No metric “{given}” that can be judged."), lazy("{close}Use {metrics}.")),
    "unknown_stat": (lazy("`{metric}` has no statistic “{given}”."), lazy("Use {stats}.")),
    "not_a_number": (
        lazy("“{given}” is not a number."),
        lazy("Use digits only, with a decimal point and no unit; omit the line if there is no value."),
    ),
    "not_finite": (
        lazy("“{given}” cannot be judged."),
        lazy("Omit the line: a missing minute is not the same as 0."),
    ),
    "negative": (
        lazy("“{given}” is below 0."),
        lazy("Counts and latencies are 0 or more; omit the line if there is no value."),
    ),
    "not_a_share": (
        lazy("“{given}” is more than all responses."),
        lazy("Use the share of responses within the threshold, from 0 to 1."),
    ),
    "not_a_configured_share": (
        lazy("“{given}” is more than all requests."),
        lazy("Use the canary's configured share, from 0 to 1."),
    ),
    "not_a_period": (
        lazy("No period of “{given}” seconds starts at this time."),
        lazy("Use whole minutes in seconds, for example `60` or `300`, and a time that is a multiple of it."),
    ),
    "twice": (
        lazy("Duplicate: {metric} {stat} of {fleet} for this minute is in line {first}."),
        lazy(
            "Keep one line per minute; sum counts over target groups. Percentiles cannot be merged: use those of the "
            "whole fleet."
        ),
    ),
    "too_long": (
        lazy("This minute is {days} days after line {first}."),
        lazy("Correct one of the times; a file covers at most {most} days."),
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
        "stats": _stats(params),
    }
    if issue.code == "other_separator":
        params["given"] = {"semicolons": _("semicolons"), "tabs": _("tabs")}[params["given"]]
    title = _("line {line}").format(line=issue.line) if issue.line else _("The file")
    text, step = _TEXTS[issue.code]
    return Message(title, str(text).format(**params), str(step).format(**params), ANCHOR)


def _stats(params: Mapping[str, str]) -> str:
    """The statistics of a metric, or of a criterion of one's own."""
    if own := params.get("stats"):
        return " / ".join(f"`{stat}`" for stat in own.split(", "))
    return str(_STATS_OF.get(params.get("metric", "")) or _("`sum`: it is a count"))
