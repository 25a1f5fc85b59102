"""Tables as CSV files, for spreadsheets."""

import csv
from collections.abc import Mapping, Sequence

import pandas as pd

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def escape_formulas(names: "pd.Series[str]") -> "pd.Series[str]":
    """Texts that a spreadsheet would run as a formula get a leading '."""
    return names.where(~names.str.startswith(FORMULA_PREFIXES), "'" + names)


def table_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """UTF-8 with LF and a header, texts quoted and without formulas; None is empty."""
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    for name in columns:
        texts = frame[name].map(lambda value: isinstance(value, str)).astype(bool)
        frame.loc[texts, name] = escape_formulas(frame.loc[texts, name].astype(str))
    return frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).encode()
