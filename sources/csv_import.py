"""Parses a tidy CSV: bytes in, a tidy frame or the issues of each line out. Pure."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from domain import FLEETS, Criterion, Series, Window, assemble, check_frame, empty_frame
from domain.config.errors import closest
from domain.frame import COLUMNS
from domain.series import ALB_COUNTS, OWN_COUNTS, OWN_STATS, OWNERS, SPARSE_COUNTS, Owner, within_stat
from domain.window import DAY_S, MINUTE_S, merge_windows

SOURCE = "csv"
HEADER = ("ts", "fleet", "metric", "stat", "value")
SHARE = "share"  # the canary's configured one
COUNTS = ("requests", "target_5xx", "unanswered")
METRICS = (*COUNTS, "latency", SHARE, "alb_503")
# data.csv of an evidence file has more metrics, and all columns of the tidy frame.
TIDY_COUNTS = (*COUNTS, *SPARSE_COUNTS, *ALB_COUNTS)
TIDY_METRICS = (*TIDY_COUNTS, "latency", SHARE, "healthy_hosts", "unhealthy_hosts")
MAX_ISSUES = 20  # then parsing stops: more are usually the same error repeated
MAX_DAYS = 366  # of a file: one mistyped year would make billions of minutes
MAX_PERIOD_S = DAY_S
MAX_EPOCH_S = 100_000_000_000  # the year 5138; in milliseconds, any day since 1973 is above it

CsvIssueCode = Literal[
    "not_readable",  # the file: missing, a folder, no permission
    "not_utf8",
    "no_rows",  # empty, or a header alone
    "other_separator",  # semicolons or tabs
    "wrong_header",
    "not_csv",  # an unclosed quote, or the like
    "wrong_columns",  # a line with more or fewer than the header
    "not_a_time",
    "naive_time",  # without a time zone
    "milliseconds",  # since the epoch, instead of seconds
    "not_a_minute",
    "unknown_fleet",
    "another_fleet",  # the metric is of one fleet, or of the load balancer, alone
    "unknown_metric",
    "unknown_stat",
    "not_a_number",
    "not_finite",
    "negative",
    "not_a_share",  # a fraction above 1
    "not_a_configured_share",
    "not_a_period",  # not a number of seconds that makes whole minutes
    "twice",
    "too_long",  # from the first minute to the last
]

_EPOCH = re.compile(r"\d+(\.0*)?")
_LATENCY_STAT = re.compile(r"average|sample_count|p(?!0+(\.0*)?$)\d\d?(\.\d+)?|within_\d+(\.\d+)?s")
_OWN_METRIC = re.compile(r"own\.[0-9a-f]{8}")  # of criteria of one's own, in an evidence file
_WITHIN = re.compile(r"within_(\d+(\.\d+)?)s")
# reports.evidence.data writes it before a name that a spreadsheet would execute.
_FORMULA_ESCAPE = re.compile("'(?=[=+@\t\r-])")
_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class CsvIssue:
    """One error in a CSV: `line` counts from 1; 0 means the whole file. messages/errors/csv.py has the texts."""

    line: int
    code: CsvIssueCode
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CsvData:
    """The content of a CSV: a tidy frame sorted by time, empty if there are `issues` (by line, at most MAX_ISSUES).

    `unknown_counts`: counts that could not be read when the file was written, and when. `configured`: from when on (epoch seconds) the canary was
    configured with which share.
    """

    frame: pd.DataFrame
    issues: tuple[CsvIssue, ...] = ()
    unknown_counts: Mapping[Series, tuple[Window, ...]] = field(default_factory=dict)
    configured: tuple[tuple[int, float], ...] = ()


class _Point(NamedTuple):
    """`ts`: the start, epoch seconds. `value`: NaN for a count that could not be read."""

    series: Series
    period_s: int
    ts: int
    value: float


class _InvalidLineError(Exception):
    """Ends the parsing of one line."""

    def __init__(self, code: CsvIssueCode, **params: str) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def read_csv(data: bytes, own: Iterable[Criterion] = ()) -> CsvData:
    """Parses a CSV with the columns of HEADER, in any order: one row is one statistic of one fleet in one minute.

    `ts` is the minute's start, ISO-8601 with time zone or epoch seconds; counts are per minute, latency is in seconds. Each fleet is one
    target group; the load balancer's own 503s have the fleet `load_balancer`. `share` is the canary's configured share from that minute on.
    Rows may be in any order. A byte-order mark, CRLF and blank lines are ignored; any other deviation is an issue.

    `own`: criteria of one's own; a metric may be the name of one, with its value, or with the counts `events` and `total` of a rate.

    With all columns of the tidy frame (domain.frame.COLUMNS) it is data.csv of an evidence file, with its own periods and target groups; an
    empty value is a count that could not be read.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _rejected(CsvIssue(0, "not_utf8", {"byte": str(error.start)}))
    rows = _rows(text)
    header = next(rows, None)
    if header is None:
        return _rejected(CsvIssue(0, "no_rows"))
    if isinstance(header, CsvIssue):
        return _rejected(header)
    header_line, names = header
    if sorted(names) not in (sorted(HEADER), sorted(COLUMNS)):
        return _rejected(_header_issue(header_line, names))

    points, issues = _parse_rows(rows, names, header_line, {criterion.name: criterion for criterion in own})
    return CsvData(empty_frame(), tuple(issues)) if issues else _to_data(points)


def _parse_rows(
    rows: Iterable[tuple[int, list[str]] | CsvIssue],
    names: list[str],
    header_line: int,
    own: Mapping[str, Criterion],
) -> tuple[list[_Point], list[CsvIssue]]:
    """The points of all valid lines, and the issues of the others."""
    line_of = dict[tuple[Series, int, int], int]()
    points, issues = list[_Point](), list[CsvIssue]()
    for row in rows:
        if isinstance(row, CsvIssue):
            issues.append(row)
            break
        line, cells = row
        try:
            point = _parse_line(names, cells, own)
            series = point.series
            if (first := line_of.setdefault(point[:3], line)) != line:
                raise _InvalidLineError(
                    "twice", first=str(first), fleet=series.fleet, metric=series.metric, stat=series.stat
                )
        except _InvalidLineError as error:
            issues.append(CsvIssue(line, error.code, error.params))
            if len(issues) == MAX_ISSUES:
                break
            continue
        points.append(point)
    return points, issues or list(_file_issues(points, line_of, header_line))


def _file_issues(
    points: list[_Point], line_of: Mapping[tuple[Series, int, int], int], header_line: int
) -> Iterator[CsvIssue]:
    """One issue if the file has no value or spans more than MAX_DAYS. `line_of`: line number by series, period and epoch second."""
    if all(math.isnan(point.value) for point in points if point.series.metric != SHARE):
        yield CsvIssue(header_line, "no_rows")
        return
    first, last = (choose(line_of, key=lambda key: key[-1]) for choose in (min, max))
    days = (last[-1] - first[-1]) // DAY_S
    if days >= MAX_DAYS:
        params = {"first": str(line_of[first]), "days": str(days), "most": str(MAX_DAYS)}
        yield CsvIssue(line_of[last], "too_long", params)


def _rejected(issue: CsvIssue) -> CsvData:
    return CsvData(empty_frame(), (issue,))


def _rows(text: str) -> Iterator[tuple[int, list[str]] | CsvIssue]:
    """The cells of each non-blank line, with the number of its first line; ends with an issue if the CSV is malformed."""
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        yield CsvIssue(line, "not_csv", {"detail": str(error)})


def _header_issue(line: int, names: list[str]) -> CsvIssue:
    header = ",".join(names)
    for separator, separator_name in _SEPARATORS.items():
        if len(names) == 1 and sorted(cell.strip() for cell in header.split(separator)) == sorted(HEADER):
            return CsvIssue(line, "other_separator", {"given": separator_name})
    return CsvIssue(line, "wrong_header", {"given": header})


def _parse_line(names: list[str], cells: list[str], own: Mapping[str, Criterion]) -> _Point:
    """The point of a line. Raises _InvalidLineError for the first error."""
    if len(cells) != len(names):
        raise _InvalidLineError("wrong_columns", found=str(len(cells)), wanted=str(len(names)))
    row = dict(zip(names, cells, strict=True))
    fleet, metric, stat, is_tidy = row["fleet"], row["metric"], row["stat"], len(names) > len(HEADER)
    ts = _parse_minute(row["ts"])
    if fleet not in OWNERS:
        raise _InvalidLineError("unknown_fleet", given=fleet, close=closest(fleet, FLEETS))
    if not is_tidy and metric in own:
        return _own_point(own[metric], ts, fleet, stat, row["value"])
    is_own = is_tidy and _OWN_METRIC.fullmatch(metric)
    if not is_own and metric not in (TIDY_METRICS if is_tidy else METRICS):
        raise _InvalidLineError("unknown_metric", given=metric, close=closest(metric, METRICS))
    if fleet not in (fleets := _fleets_with(metric)):
        raise _InvalidLineError("another_fleet", metric=metric, given=fleet, fleet=fleets[0])
    stat = _parse_stat(metric, stat)
    if not is_tidy:
        series = _create_series(SOURCE, fleet, fleet if fleet in FLEETS else "", metric, stat)
        return _Point(series, MINUTE_S, ts, _parse_value(stat, row["value"]))
    group, source = (_FORMULA_ESCAPE.sub("", row[name]) for name in ("target_group", "source"))
    value = math.nan if stat == "sum" and not row["value"] else _parse_value(stat, row["value"])
    return _Point(_create_series(source, fleet, group, metric, stat), _parse_period(row["period_s"], ts), ts, value)


def _own_point(criterion: Criterion, ts: int, fleet: str, stat: str, value: str) -> _Point:
    if fleet not in FLEETS:
        raise _InvalidLineError("another_fleet", metric=criterion.name, given=fleet, fleet=FLEETS[0])
    by_stat = {str(own_stat): series for own_stat, series in criterion.series(fleet).items()}
    if stat not in by_stat:
        raise _InvalidLineError("unknown_stat", given=stat, metric=criterion.name, stats=", ".join(by_stat))
    return _Point(by_stat[stat], MINUTE_S, ts, _parse_value(stat, value))


def _fleets_with(metric: str) -> tuple[Owner, ...]:
    """Whose metric it is."""
    if metric == SHARE:
        return ("canary",)
    return ("load_balancer",) if metric in ALB_COUNTS else FLEETS


@cache
def _create_series(source: str, fleet: str, group: str, metric: str, stat: str) -> Series:
    unit = (
        "count"
        if stat in ("sum", "sample_count", "minimum", *OWN_COUNTS)
        else ""
        if stat == "value"
        else "fraction"
        if stat.startswith("within_") or metric == SHARE
        else "s"
    )
    return Series(source, fleet, group, metric, stat, unit)


def _parse_period(text: str, ts: int) -> int:
    """The length in seconds of the period that starts at `ts`."""
    if not text.isdecimal() or not 0 < int(text) <= MAX_PERIOD_S or int(text) % MINUTE_S or ts % int(text):
        raise _InvalidLineError("not_a_period", given=text)
    return int(text)


def _parse_minute(text: str) -> int:
    """The start of a minute in epoch seconds."""
    if _EPOCH.fullmatch(text):
        seconds = float(text)
        if seconds >= MAX_EPOCH_S:
            raise _InvalidLineError("milliseconds", given=text)
    else:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise _InvalidLineError("not_a_time", given=text) from None
        if time.tzinfo is None:
            raise _InvalidLineError("naive_time", given=text)
        seconds = time.timestamp()
        if not 0 <= seconds < MAX_EPOCH_S:
            raise _InvalidLineError("not_a_time", given=text)
    if seconds % MINUTE_S:
        raise _InvalidLineError("not_a_minute", given=text)
    return int(seconds)


def _parse_stat(metric: str, text: str) -> str:
    """The statistic in the tidy frame's spelling: "within_0.30s" → "within_0.3s"."""
    required = "sum" if metric in TIDY_COUNTS else "minimum" if metric.endswith("_hosts") else ""
    required = "configured" if metric == SHARE else required
    known = OWN_STATS if _OWN_METRIC.fullmatch(metric) else (required,) if required else ()
    if text not in known if known else not _LATENCY_STAT.fullmatch(text):
        raise _InvalidLineError("unknown_stat", given=text, metric=metric)
    within = _WITHIN.fullmatch(text)
    return within_stat(float(within[1])) if within else text


def _parse_value(stat: str, text: str) -> float:
    try:
        value = float(text.replace("_", "?"))  # float() would accept Python's digit separator
    except ValueError:
        raise _InvalidLineError("not_a_number", given=text) from None
    if not math.isfinite(value):
        raise _InvalidLineError("not_finite", given=text)
    if value < 0 and stat != "value":
        raise _InvalidLineError("negative", given=text)
    if value > 1 and stat == "configured":
        raise _InvalidLineError("not_a_configured_share", given=text)
    if value > 1 and stat.startswith("within_"):
        raise _InvalidLineError("not_a_share", given=text)
    return value


def _to_data(points: list[_Point]) -> CsvData:
    """The tidy frame, sorted by time, then series and period; and the periods of counts that could not be read."""
    known = [point for point in points if point.series.metric != SHARE and not math.isnan(point.value)]
    known.sort(key=lambda point: (point.ts, point.series, point.period_s))
    code_of: dict[Series, int] = {}
    code = np.array([code_of.setdefault(point.series, len(code_of)) for point in known])
    period_s = np.array([point.period_s for point in known])
    ts, value = np.array([point.ts for point in known]), np.array([point.value for point in known])
    unknown: dict[Series, list[Window]] = {}
    for point in points:
        if math.isnan(point.value):
            unknown.setdefault(point.series, []).append(Window(point.ts, point.ts + point.period_s))
    frame = check_frame(assemble(list(code_of), code, ts, value, period_s))
    shares = sorted((point.ts, point.value) for point in points if point.series.metric == SHARE)
    return CsvData(
        frame,
        unknown_counts={series: merge_windows(windows) for series, windows in unknown.items()},
        configured=tuple(shares[:1] + [after for before, after in pairwise(shares) if after[1] != before[1]]),
    )
