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
from domain.window import MINUTE_S, merged

if TYPE_CHECKING:
    import _csv

NAME = "csv"
HEADER = ("ts", "fleet", "metric", "stat", "value")
COUNTS = ("requests", "target_5xx", "unanswered")
METRICS = (*COUNTS, "latency")
# What data.csv of an evidence file has beyond that: all that was seen, with all columns of the tidy frame.
TIDY_COUNTS = (*COUNTS, *SPARSE_COUNTS, *ALB_COUNTS)
TIDY_METRICS = (*TIDY_COUNTS, "latency", "healthy_hosts", "unhealthy_hosts")
MOST_MISTAKES = 20  # then reading stops: who has as many has made one of them again and again
LONGEST_DAYS = 366  # what a file may reach over: one mistyped year would make billions of minutes
LONGEST_PERIOD_S = 86_400
LATEST_S = 100_000_000_000  # the year 5138; the milliseconds of any day since 1973 are beyond it

CsvSlug = Literal[
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
_INERT = re.compile("'(?=[=+@\t\r-])")  # what reports.evidence.data puts before a name that a spreadsheet would run
_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class CsvMistake:
    """One thing wrong in a CSV: `line` counts from 1, and is 0 where it is about the whole file. messages/errors/csv.py says it."""

    line: int
    slug: CsvSlug
    particulars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CsvNumbers:
    """What was read: a tidy frame in the order of time, empty where there are `mistakes` (in the order of lines, MOST_MISTAKES at most).

    `unknown`: the counts that could not be read when the file was made, and when.
    """

    frame: pd.DataFrame
    mistakes: tuple[CsvMistake, ...] = ()
    unknown: Mapping[Series, tuple[Window, ...]] = field(default_factory=dict)


_Number = tuple[
    Series, int, int, float
]  # whose, period_s, start in epoch seconds, how much; NaN for a count that could not be read


class _WrongError(Exception):
    """Ends the reading of one line."""

    def __init__(self, slug: CsvSlug, **particulars: str) -> None:
        super().__init__(slug)
        self.slug, self.particulars = slug, particulars


def read_csv(data: bytes) -> CsvNumbers:
    """The numbers of a CSV with the columns of HEADER, in any order: one row is one statistic of one fleet in one minute.

    `ts` is the minute's start, ISO-8601 with its zone or epoch seconds; counts are per minute, latency is in seconds. A fleet counts as one target
    group. The order of rows means nothing. A byte-order mark, CRLF and blank lines are fine; anything else that is not as above is a mistake.

    With all columns of the tidy frame (migration.COLUMNS) it is data.csv of an evidence file: periods and target groups as they are, and an empty
    value for a count that could not be read.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _only(CsvMistake(0, "not_utf8", {"byte": str(error.start)}))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = _rows(reader)
    header = next(rows, None)
    if header is None:
        return _only(CsvMistake(0, "no_rows"))
    if isinstance(header, CsvMistake):
        return _only(header)
    head, names = header
    if sorted(names) not in (sorted(HEADER), sorted(COLUMNS)):
        return _only(_wrong_header(head, names))

    places, lines = {name: names.index(name) for name in names}, dict[tuple[Series, int, int], int]()
    values, mistakes = list[_Number](), list[CsvMistake]()
    for row in rows:
        if len(mistakes) == MOST_MISTAKES:
            break
        if isinstance(row, CsvMistake):
            mistakes.append(row)
            break
        line, cells = row
        try:
            number = _number(places, cells)
            series = number[0]
            if (first := lines.setdefault(number[:3], line)) != line:
                raise _WrongError("twice", first=str(first), fleet=series.fleet, metric=series.metric, stat=series.stat)
        except _WrongError as wrong:
            mistakes.append(CsvMistake(line, wrong.slug, wrong.particulars))
            continue
        values.append(number)
    if not any(value == value for *_, value in values) and not mistakes:
        mistakes.append(CsvMistake(head, "no_rows"))
    if not mistakes and (far := _too_far_apart(lines)):
        mistakes.append(far)
    return CsvNumbers(empty_frame(), tuple(mistakes)) if mistakes else _numbers(values)


def _too_far_apart(lines: Mapping[tuple[Series, int, int], int]) -> CsvMistake | None:
    """The last line in time, where it lies too long after the first. `lines`: by what and when (epoch seconds, last) the number of the line."""
    first, last = (choose(lines, key=lambda one: one[-1]) for choose in (min, max))
    days = (last[-1] - first[-1]) // 86_400
    if days < LONGEST_DAYS:
        return None
    return CsvMistake(
        lines[last], "too_long", {"first": str(lines[first]), "days": str(days), "most": str(LONGEST_DAYS)}
    )


def _only(mistake: CsvMistake) -> CsvNumbers:
    return CsvNumbers(empty_frame(), (mistake,))


def _rows(reader: "_csv.Reader") -> Iterator[tuple[int, list[str]] | CsvMistake]:
    """Each line that is not blank with the number it begins at; a mistake where it cannot be split into cells, and then nothing more."""
    line = 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        yield CsvMistake(line, "not_csv", {"detail": str(error)})


def _wrong_header(line: int, names: list[str]) -> CsvMistake:
    given = ",".join(names)
    for separator, called in _SEPARATORS.items():
        if len(names) == 1 and sorted(cell.strip() for cell in given.split(separator)) == sorted(HEADER):
            return CsvMistake(line, "other_separator", {"given": called})
    return CsvMistake(line, "wrong_header", {"given": given})


def _number(places: Mapping[str, int], cells: list[str]) -> _Number:
    """What a line says. Raises _WrongError with the first thing that is wrong."""
    if len(cells) != len(places):
        raise _WrongError("wrong_columns", found=str(len(cells)), wanted=str(len(places)))
    told = {name: cells[place] for name, place in places.items()}
    fleet, metric, stat, tidy = told["fleet"], told["metric"], told["stat"], len(places) > len(HEADER)
    at = _minute(told["ts"])
    if fleet not in (OWNERS if tidy else FLEETS):
        raise _WrongError("unknown_fleet", given=fleet, close=closest(fleet, FLEETS))
    if metric not in (TIDY_METRICS if tidy else METRICS):
        raise _WrongError("unknown_metric", given=metric, close=closest(metric, METRICS))
    if not _is_stat(metric, stat):
        raise _WrongError("unknown_stat", given=stat, metric=metric)
    stat = _spelt(stat)
    if not tidy:
        return _series(NAME, fleet, fleet, metric, stat), MINUTE_S, at, _value(stat, told["value"])
    group, source = (_INERT.sub("", told[name]) for name in ("target_group", "source"))
    unread = stat == "sum" and not told["value"]
    value = math.nan if unread else _value(stat, told["value"])
    return _series(source, fleet, group, metric, stat), _period(told["period_s"], at), at, value


@cache
def _series(source: str, fleet: str, group: str, metric: str, stat: str) -> Series:
    units = {"average": "s", "sum": "count", "sample_count": "count", "minimum": "count"}
    return Series(
        source, fleet, group, metric, stat, units.get(stat, "fraction" if stat.startswith("within_") else "s")
    )


def _period(given: str, at: int) -> int:
    """The length of the period that starts at `at`."""
    if not given.isdecimal() or not 0 < int(given) <= LONGEST_PERIOD_S or int(given) % MINUTE_S or at % int(given):
        raise _WrongError("not_a_period", given=given)
    return int(given)


def _minute(given: str) -> int:
    """The start of a minute in epoch seconds."""
    if _EPOCH.fullmatch(given):
        seconds = float(given)
        if seconds >= LATEST_S:
            raise _WrongError("milliseconds", given=given)
    else:
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise _WrongError("not_a_time", given=given) from None
        if at.tzinfo is None:
            raise _WrongError("naive_time", given=given)
        seconds = at.timestamp()
        if not 0 <= seconds < LATEST_S:
            raise _WrongError("not_a_time", given=given)
    if seconds % MINUTE_S:
        raise _WrongError("not_a_minute", given=given)
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


def _spelt(stat: str) -> str:
    """A threshold as the tidy frame writes it: "within_0.30s" is "within_0.3s"."""
    within = _WITHIN.fullmatch(stat)
    return f"within_{float(within[1]):g}s" if within else stat


def _value(stat: str, given: str) -> float:
    try:
        value = float(given.replace("_", "?"))  # Python's own digit separator
    except ValueError:
        raise _WrongError("not_a_number", given=given) from None
    if not math.isfinite(value):
        raise _WrongError("not_finite", given=given)
    if value < 0:
        raise _WrongError("negative", given=given)
    if value > 1 and stat.startswith("within_"):
        raise _WrongError("not_a_share", given=given)
    return value


def _numbers(values: list[_Number]) -> CsvNumbers:
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
    return CsvNumbers(frame, unknown={series: merged(windows) for series, windows in unread.items()})
