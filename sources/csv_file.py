"""A tidy CSV as a source of numbers: text in, the tidy frame or what is wrong with which line out. Pure; whoever has the file reads it."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from migration import FLEETS, Series, assemble, check_frame, empty_frame
from migration.mistakes import closest
from migration.window import MINUTE_S

if TYPE_CHECKING:
    import _csv

NAME = "csv"
HEADER = ("ts", "fleet", "metric", "stat", "value")
COUNTS = ("requests", "target_5xx", "unanswered")
METRICS = (*COUNTS, "latency")
MOST_MISTAKES = 20  # then reading stops: who has as many has made one of them again and again
LONGEST_DAYS = 366  # what a file may reach over: one mistyped year would make billions of minutes
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
    "twice",
    "too_long",  # from the first minute to the last
]

_EPOCH = re.compile(r"\d+(\.0*)?")
_PERCENTILE = re.compile(r"p(\d\d?(\.\d+)?)")
_WITHIN = re.compile(r"within_(\d+(\.\d+)?)s")
_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class CsvMistake:
    """One thing wrong in a CSV: `line` counts from 1, and is 0 where it is about the whole file. words/csv_file.py says it."""

    line: int
    slug: CsvSlug
    particulars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CsvNumbers:
    """What was read: a tidy frame in the order of time, empty where there are `mistakes` (in the order of lines, MOST_MISTAKES at most)."""

    frame: pd.DataFrame
    mistakes: tuple[CsvMistake, ...] = ()


class _WrongError(Exception):
    """Ends the reading of one line."""

    def __init__(self, slug: CsvSlug, **particulars: str) -> None:
        super().__init__(slug)
        self.slug, self.particulars = slug, particulars


def read_csv(data: bytes) -> CsvNumbers:
    """The numbers of a CSV with the columns of HEADER, in any order: one row is one statistic of one fleet in one minute.

    `ts` is the minute's start, ISO-8601 with its zone or epoch seconds; counts are per minute, latency is in seconds. A fleet counts as one target
    group. The order of rows means nothing. A byte-order mark, CRLF and blank lines are fine; anything else that is not as above is a mistake.
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
    if sorted(names) != sorted(HEADER):
        return _only(_wrong_header(head, names))

    places, lines = {name: names.index(name) for name in HEADER}, dict[tuple[str, str, str, int], int]()
    values, mistakes = list[tuple[str, str, str, int, float]](), list[CsvMistake]()
    for row in rows:
        if len(mistakes) == MOST_MISTAKES:
            break
        if isinstance(row, CsvMistake):
            mistakes.append(row)
            break
        line, cells = row
        try:
            fleet, metric, stat, ts, value = _number(places, cells)
            if (first := lines.setdefault((fleet, metric, stat, ts), line)) != line:
                raise _WrongError("twice", first=str(first), fleet=fleet, metric=metric, stat=stat)
        except _WrongError as wrong:
            mistakes.append(CsvMistake(line, wrong.slug, wrong.particulars))
            continue
        values.append((fleet, metric, stat, ts, value))
    if not values and not mistakes:
        mistakes.append(CsvMistake(head, "no_rows"))
    if not mistakes and (far := _too_far_apart(lines)):
        mistakes.append(far)
    return CsvNumbers(empty_frame(), tuple(mistakes)) if mistakes else CsvNumbers(_frame(values))


def _too_far_apart(lines: Mapping[tuple[str, str, str, int], int]) -> CsvMistake | None:
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


def _number(places: Mapping[str, int], cells: list[str]) -> tuple[str, str, str, int, float]:
    """(fleet, metric, stat, epoch seconds, value) of a line. Raises _WrongError with the first thing that is wrong."""
    if len(cells) != len(HEADER):
        raise _WrongError("wrong_columns", found=str(len(cells)))
    ts, fleet, metric, stat, value = (cells[places[name]] for name in HEADER)
    at = _minute(ts)
    if fleet not in FLEETS:
        raise _WrongError("unknown_fleet", given=fleet, close=closest(fleet, FLEETS))
    if metric not in METRICS:
        raise _WrongError("unknown_metric", given=metric, close=closest(metric, METRICS))
    if not _is_stat(metric, stat):
        raise _WrongError("unknown_stat", given=stat, metric=metric)
    return fleet, metric, _spelt(stat), at, _value(stat, value)


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
    if metric in COUNTS:
        return stat == "sum"
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


def _frame(values: list[tuple[str, str, str, int, float]]) -> pd.DataFrame:
    """The tidy frame, in the order of time and then of names, whatever the order of `values`."""
    values = sorted(values, key=lambda one: (one[3], one[:3]))
    units = {"average": "s", "sum": "count", "sample_count": "count"}
    known: dict[tuple[str, str, str], int] = {}
    code = [known.setdefault(one[:3], len(known)) for one in values]
    series = [
        Series(NAME, fleet, fleet, metric, stat, units.get(stat, "fraction" if stat.startswith("within_") else "s"))
        for fleet, metric, stat in known
    ]
    ts, value = np.array([one[3] for one in values]), np.array([one[4] for one in values])
    return check_frame(assemble(series, np.array(code), ts, value, MINUTE_S))
