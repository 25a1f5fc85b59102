"""The numbers of an evidence file: the tidy frame as CSV and as Parquet, the same bytes whoever writes it."""

import csv
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import pandas as pd

from domain import FLEETS, Series, Window, assemble, epoch_s
from domain.frame import LABEL_COLUMNS

SORT_COLUMNS = ["ts", "fleet", "target_group", "metric", "stat", "unit", "period_s", "source"]
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def final_rows(frame: pd.DataFrame, window: Window, final_until: int) -> pd.DataFrame:
    """The rows that were judged: whole periods in `window` that end by `settled_until`, in one order. Names are plain text."""
    ts, period_s = epoch_s(frame), frame["period_s"].to_numpy()
    rows: pd.DataFrame = frame[(ts >= window.start) & (ts + period_s <= min(window.end, final_until))]
    return rows.astype(dict.fromkeys(LABEL_COLUMNS, "str")).sort_values(SORT_COLUMNS, ignore_index=True)


def unread_rows(rows: pd.DataFrame, unknown: Mapping[Series, Sequence[Window]]) -> pd.DataFrame:
    """A row without a value for each count that could not be read (`unknown`: archive.Brought's) of a target group that had requests then.

    Without them an absent count would read as 0. `rows` are the settled ones.
    """
    asked = rows[(rows["metric"] == "requests") & (rows["stat"] == "sum")]
    starts, periods = epoch_s(asked), asked["period_s"].to_numpy()
    there = (
        set(zip(rows["target_group"], rows["metric"], rows["stat"], epoch_s(rows), strict=True)) if unknown else set()
    )
    found = [
        (series, int(start), int(period_s))
        for series, windows in unknown.items()
        if series.fleet in FLEETS
        for place in np.flatnonzero((asked["target_group"] == series.target_group).to_numpy())
        for start, period_s in ((starts[place], periods[place]),)
        if any(window.start < start + period_s and start < window.end for window in windows)
        and (series.target_group, series.metric, series.stat, start) not in there
    ]
    if not found:
        return rows[:0]
    series, ts, period_s = zip(*found, strict=True)
    heads = tuple(dict.fromkeys(series))
    code = np.array([heads.index(one) for one in series])
    return assemble(heads, code, np.array(ts), np.full(len(ts), np.nan), np.array(period_s)).astype(
        dict.fromkeys(LABEL_COLUMNS, "str")
    )


def to_csv(rows: pd.DataFrame) -> bytes:
    """`rows` as UTF-8 with LF and a header, text in quotes. `ts` is ISO 8601 in UTC, `value` the shortest decimal that reads back as the same float.

    A name that a spreadsheet would run as a formula gets a ' in front; numbers stay numbers. sources.csv_import reads it back.
    """
    told = rows.assign(
        ts=rows["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{name: _escape_formulas(rows[name]) for name in LABEL_COLUMNS},
    )
    return told.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).encode()


def to_parquet(rows: pd.DataFrame) -> bytes:
    """`rows` with their types and their names as they are."""
    made = BytesIO()
    rows.to_parquet(made, engine="pyarrow", index=False)
    return made.getvalue()


def _escape_formulas(names: "pd.Series[str]") -> "pd.Series[str]":
    return names.where(~names.str.startswith(FORMULA_PREFIXES), "'" + names)
