"""A tidy CSV as a source of numbers: text in, the tidy frame or what is wrong with which line out. Pure; whoever has the file reads it."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from domain import FLEETS, Series, Window, assemble, check_frame, empty_frame
from domain.config.errors import closest
from domain.frame import COLUMNS
from domain.series import ALB_COUNTS, OWNERS, SPARSE_COUNTS
from domain.window import MINUTE_S, merge_windows

if TYPE_CHECKING:
    import _csv

SOURCE = "csv"
HEADER = ("ts", "fleet", "metric", "stat", "value")
COUNTS = ("requests", "target_5xx", "unanswered")
METRICS = (*COUNTS, "latency")
# What data.csv of an evidence file has beyond that: all that was seen, with all columns of the tidy frame.
TIDY_COUNTS = (*COUNTS, *SPARSE_COUNTS, *ALB_COUNTS)
TIDY_METRICS = (*TIDY_COUNTS, "latency", "healthy_hosts", "unhealthy_hosts")
MAX_ISSUES = 20  # then reading stops: who has as many has made one of them again and again
MAX_DAYS = 366  # what a file may reach over: one mistyped year would make billions of minutes
MAX_PERIOD_S = 86_400
MAX_EPOCH_S = 100_000_000_000  # the year 5138; the milliseconds of any day since 1973 are beyond it

CsvIssueCode = Literal[
    "not_readable",  # the file itself: not there, a folder, no permission
    "not_utf8",
    "no_rows",  # nothing at all, or a header alone
    "other_separator",  # semicolons or tabs
    "wrong_header",
    "not_csv",  # a quote that is never closed, and the like
    "wrong_columns",  # a line with more or fewer than five
    "not_a_time",
    "naive_time",  # without a zone
    "milliseconds",  # since the epoch, where seconds belong
    "not_a_minute",
    "unknown_fleet",
    "unknown_metric",
    "unknown_stat",
    "not_a_number",
    "not_finite",
    "negative",
    "not_a_share",  # of answers within a threshold: beyond 1
    "not_a_period",  # not so many whole minutes in seconds
    "twice",
    "too_long",  # from the first minute to the last
]

_EPOCH = re.compile(r"\d+(\.0*)?")
_PERCENTILE = re.compile(r"p(\d\d?(\.\d+)?)")
_WITHIN = re.compile(r"within_(\d+(\.\d+)?)s")
_FORMULA_ESCAPE = re.compile(
    "'(?=[=+@\t\r-])"
)  # what reports.evidence.data puts before a name that a spreadsheet would run
_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class CsvIssue:
    """One thing wrong in a CSV: `line` counts from 1, and is 0 where it is about the whole file. messages/errors/csv.py says it."""

    line: int
    code: CsvIssueCode
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CsvData:
    """What was read: a tidy frame in the order of time, empty where there are `mistakes` (in the order of lines, MOST_MISTAKES at most).

    `unknown`: the counts that could not be read when the file was made, and when.
    """

    frame: pd.DataFrame
    issues: tuple[CsvIssue, ...] = ()
    unknown_counts: Mapping[Series, tuple[Window, ...]] = field(default_factory=dict)


_Point = tuple[
    Series, int, int, float
]  # whose, period_s, start in epoch seconds, how much; NaN for a count that could not be read


class _InvalidLineError(Exception):
    """Ends the reading of one line."""

    def __init__(self, slug: CsvIssueCode, **particulars: str) -> None:
        super().__init__(slug)
        self.code, self.params = slug, particulars


def read_csv(data: bytes) -> CsvData:
    """The numbers of a CSV with the columns of HEADER, in any order: one row is one statistic of one fleet in one minute.

    `ts` is the minute's start, ISO-8601 with its zone or epoch seconds; counts are per minute, latency is in seconds. A fleet counts as one target
    group. The order of rows means nothing. A byte-order mark, CRLF and blank lines are fine; anything else that is not as above is a mistake.

    With all columns of the tidy frame (migration.COLUMNS) it is data.csv of an evidence file: periods and target groups as they are, and an empty
    value for a count that could not be read.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _rejected(CsvIssue(0, "not_utf8", {"byte": str(error.start)}))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = _rows(reader)
    header = next(rows, None)
    if header is None:
        return _rejected(CsvIssue(0, "no_rows"))
    if isinstance(header, CsvIssue):
        return _rejected(header)
    head, names = header
    if sorted(names) not in (sorted(HEADER), sorted(COLUMNS)):
        return _rejected(_header_issue(head, names))

    places, lines = {name: names.index(name) for name in names}, dict[tuple[Series, int, int], int]()
    values, mistakes = list[_Point](), list[CsvIssue]()
    for row in rows:
        if len(mistakes) == MAX_ISSUES:
            break
        if isinstance(row, CsvIssue):
            mistakes.append(row)
            break
        line, cells = row
        try:
            number = _parse_line(places, cells)
            series = number[0]
            if (first := lines.setdefault(number[:3], line)) != line:
                raise _InvalidLineError(
                    "twice", first=str(first), fleet=series.fleet, metric=series.metric, stat=series.stat
                )
        except _InvalidLineError as wrong:
            mistakes.append(CsvIssue(line, wrong.code, wrong.params))
            continue
        values.append(number)
    if not any(value == value for *_, value in values) and not mistakes:
        mistakes.append(CsvIssue(head, "no_rows"))
    if not mistakes and (far := _span_issue(lines)):
        mistakes.append(far)
    return CsvData(empty_frame(), tuple(mistakes)) if mistakes else _to_data(values)


def _span_issue(lines: Mapping[tuple[Series, int, int], int]) -> CsvIssue | None:
    """The last line in time, where it lies too long after the first. `lines`: by what and when (epoch seconds, last) the number of the line."""
    first, last = (choose(lines, key=lambda one: one[-1]) for choose in (min, max))
    days = (last[-1] - first[-1]) // 86_400
    if days < MAX_DAYS:
        return None
    return CsvIssue(lines[last], "too_long", {"first": str(lines[first]), "days": str(days), "most": str(MAX_DAYS)})


def _rejected(mistake: CsvIssue) -> CsvData:
    return CsvData(empty_frame(), (mistake,))


def _rows(reader: "_csv.Reader") -> Iterator[tuple[int, list[str]] | CsvIssue]:
    """Each line that is not blank with the number it begins at; a mistake where it cannot be split into cells, and then nothing more."""
    line = 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        yield CsvIssue(line, "not_csv", {"detail": str(error)})


def _header_issue(line: int, names: list[str]) -> CsvIssue:
    given = ",".join(names)
    for separator, called in _SEPARATORS.items():
        if len(names) == 1 and sorted(cell.strip() for cell in given.split(separator)) == sorted(HEADER):
            return CsvIssue(line, "other_separator", {"given": called})
    return CsvIssue(line, "wrong_header", {"given": given})


def _parse_line(places: Mapping[str, int], cells: list[str]) -> _Point:
    """What a line says. Raises _WrongError with the first thing that is wrong."""
    if len(cells) != len(places):
        raise _InvalidLineError("wrong_columns", found=str(len(cells)), wanted=str(len(places)))
    told = {name: cells[place] for name, place in places.items()}
    fleet, metric, stat, tidy = told["fleet"], told["metric"], told["stat"], len(places) > len(HEADER)
    at = _parse_minute(told["ts"])
    if fleet not in (OWNERS if tidy else FLEETS):
        raise _InvalidLineError("unknown_fleet", given=fleet, close=closest(fleet, FLEETS))
    if metric not in (TIDY_METRICS if tidy else METRICS):
        raise _InvalidLineError("unknown_metric", given=metric, close=closest(metric, METRICS))
    if not _is_stat(metric, stat):
        raise _InvalidLineError("unknown_stat", given=stat, metric=metric)
    stat = _normalize_stat(stat)
    if not tidy:
        return _create_series(SOURCE, fleet, fleet, metric, stat), MINUTE_S, at, _parse_value(stat, told["value"])
    group, source = (_FORMULA_ESCAPE.sub("", told[name]) for name in ("target_group", "source"))
    unread = stat == "sum" and not told["value"]
    value = math.nan if unread else _parse_value(stat, told["value"])
    return _create_series(source, fleet, group, metric, stat), _parse_period(told["period_s"], at), at, value


@cache
def _create_series(source: str, fleet: str, group: str, metric: str, stat: str) -> Series:
    units = {"average": "s", "sum": "count", "sample_count": "count", "minimum": "count"}
    return Series(
        source, fleet, group, metric, stat, units.get(stat, "fraction" if stat.startswith("within_") else "s")
    )


def _parse_period(given: str, at: int) -> int:
    """The length of the period that starts at `at`."""
    if not given.isdecimal() or not 0 < int(given) <= MAX_PERIOD_S or int(given) % MINUTE_S or at % int(given):
        raise _InvalidLineError("not_a_period", given=given)
    return int(given)


def _parse_minute(given: str) -> int:
    """The start of a minute in epoch seconds."""
    if _EPOCH.fullmatch(given):
        seconds = float(given)
        if seconds >= MAX_EPOCH_S:
            raise _InvalidLineError("milliseconds", given=given)
    else:
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise _InvalidLineError("not_a_time", given=given) from None
        if at.tzinfo is None:
            raise _InvalidLineError("naive_time", given=given)
        seconds = at.timestamp()
        if not 0 <= seconds < MAX_EPOCH_S:
            raise _InvalidLineError("not_a_time", given=given)
    if seconds % MINUTE_S:
        raise _InvalidLineError("not_a_minute", given=given)
    return int(seconds)


def _is_stat(metric: str, stat: str) -> bool:
    if metric in TIDY_COUNTS:
        return stat == "sum"
    if metric.endswith("_hosts"):
        return stat == "minimum"
    percentile = _PERCENTILE.fullmatch(stat)
    return bool((percentile and float(percentile[1]) > 0) or _WITHIN.fullmatch(stat)) or stat in (
        "average",
        "sample_count",
    )


def _normalize_stat(stat: str) -> str:
    """A threshold as the tidy frame writes it: "within_0.30s" is "within_0.3s"."""
    within = _WITHIN.fullmatch(stat)
    return f"within_{float(within[1]):g}s" if within else stat


def _parse_value(stat: str, given: str) -> float:
    try:
        value = float(given.replace("_", "?"))  # Python's own digit separator
    except ValueError:
        raise _InvalidLineError("not_a_number", given=given) from None
    if not math.isfinite(value):
        raise _InvalidLineError("not_finite", given=given)
    if value < 0:
        raise _InvalidLineError("negative", given=given)
    if value > 1 and stat.startswith("within_"):
        raise _InvalidLineError("not_a_share", given=given)
    return value


def _to_data(values: list[_Point]) -> CsvData:
    """The tidy frame, in the order of time and then of names, whatever the order of `values`; and when counts could not be read."""
    told = sorted((one for one in values if one[3] == one[3]), key=lambda one: (one[2], one[0], one[1]))
    known: dict[Series, int] = {}
    code = [known.setdefault(series, len(known)) for series, *_ in told]
    period_s, ts, value = (np.array([one[place] for one in told]) for place in (1, 2, 3))
    unread: dict[Series, list[Window]] = {}
    for series, length_s, at, much in values:
        if much != much:
            unread.setdefault(series, []).append(Window(at, at + length_s))
    frame = check_frame(assemble(list(known), np.array(code), ts, value, period_s))
    return CsvData(frame, unknown_counts={series: merge_windows(windows) for series, windows in unread.items()})
