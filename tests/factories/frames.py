"""Small tidy frames with literal numbers."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from domain import Series, Window, assemble, check_frame

START = 1_790_000_040 // 300 * 300  # a multiple of five minutes, so that every period fits

# (fleet, target group, metric, stat) → a value per period, None if it is absent: {("canary", "ecs", "requests", "sum"): [100, None, 90]}
SeriesValues = Mapping[tuple[str, str, str, str], Sequence[float | None]]


def tidy_frame(rows: SeriesValues, *, period_s: int = 60, start: int = START) -> pd.DataFrame:
    """One row for each value that is not None; the periods are consecutive from `start` on."""
    series = [Series("test", *key, unit="") for key in rows]
    points = [
        (code, i, value)
        for code, values in enumerate(rows.values())
        for i, value in enumerate(values)
        if value is not None
    ]
    code, minute, value = (
        (np.array(column) for column in zip(*points, strict=True)) if points else (np.array([], dtype=int),) * 3
    )
    return check_frame(assemble(series, code, start + minute * period_s, value.astype(float), period_s))


def window(minutes: int, *, start: int = START) -> Window:
    return Window(start, start + minutes * 60)
