"""The data of an evidence file as CSV and as Parquet. Equal data gives equal bytes."""

import csv

import pandas as pd

from domain.frame import LABEL_COLUMNS
from reports.csv_table import escape_formulas


def to_csv(rows: pd.DataFrame) -> bytes:
    """`rows` as UTF-8 with LF and a header, text quoted. `ts`: ISO 8601 in UTC; `value`: the shortest decimal that reads back as the same float.

    A name that a spreadsheet would run as a formula gets a leading '. sources.csv_import reads the file back.
    """
    escaped = rows.assign(
        ts=rows["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{name: escape_formulas(rows[name]) for name in LABEL_COLUMNS},
    )
    return escaped.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).encode()


def to_parquet(rows: pd.DataFrame) -> bytes:
    """`rows` with their types and unchanged names."""
    return rows.to_parquet(engine="pyarrow", index=False)
