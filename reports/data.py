"""The numbers of an evidence file: the tidy frame as CSV and as Parquet, the same bytes whoever writes it."""

import csv
from io import BytesIO

import pandas as pd

from migration import Window, epoch_s
from migration.frame import NAMES

ORDER = ["ts", "fleet", "target_group", "metric", "stat", "unit", "period_s", "source"]
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def settled_rows(frame: pd.DataFrame, window: Window, settled_until: int) -> pd.DataFrame:
    """The rows that were judged: whole periods in `window` that end by `settled_until`, in one order. Names are plain text."""
    ts, period_s = epoch_s(frame), frame["period_s"].to_numpy()
    rows: pd.DataFrame = frame[(ts >= window.start) & (ts + period_s <= min(window.end, settled_until))]
    return rows.astype(dict.fromkeys(NAMES, "str")).sort_values(ORDER, ignore_index=True)


def to_csv(rows: pd.DataFrame) -> bytes:
    """`rows` as UTF-8 with LF and a header, text in quotes. `ts` is ISO 8601 in UTC, `value` the shortest decimal that reads back as the same float.

    A name that a spreadsheet would run as a formula gets a ' in front; numbers stay numbers.
    """
    told = rows.assign(ts=rows["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), **{name: _inert(rows[name]) for name in NAMES})
    return told.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).encode()


def to_parquet(rows: pd.DataFrame) -> bytes:
    """`rows` with their types and their names as they are."""
    made = BytesIO()
    rows.to_parquet(made, engine="pyarrow", index=False)
    return made.getvalue()


def _inert(names: "pd.Series[str]") -> "pd.Series[str]":
    return names.where(~names.str.startswith(FORMULAS), "'" + names)
