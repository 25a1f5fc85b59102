"""Small tidy frames for tests, written as the numbers a reader can check by eye."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from domain import Series, Window, assemble, check_frame

START = 1_790_000_040 // 300 * 300  # a whole five minutes, so that every period fits

# A row of numbers a minute, None where the minute is absent: {("canary", "ecs", "requests", "sum"): [100, None, 90]}
SeriesValues = Mapping[tuple[str, str, str, str], Sequence[float | None]]


def tidy_frame(rows: SeriesValues, *, period_s: int = 60, start: int = START) -> pd.DataFrame:
    """The frame with one row for each number that is not None, `period_s` apart from `start`."""
    series = [Series("test", *key, unit="") for key in rows]
    at = [
        (code, i, value)
        for code, values in enumerate(rows.values())
        for i, value in enumerate(values)
        if value is not None
    ]
    code, minute, value = (
        (np.array(column) for column in zip(*at, strict=True)) if at else (np.array([], dtype=int),) * 3
    )
    return check_frame(assemble(series, code, start + minute * period_s, value.astype(float), period_s))


def window(minutes: int, *, start: int = START) -> Window:
    return Window(start, start + minutes * 60)
