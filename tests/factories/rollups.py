"""The rollup rows of an archive, and those that its points imply."""

from pathlib import Path

import numpy as np
import pytest

from tests.factories.archives import query_database
from tests.fakes.metric_source import NOON


def rollup_rows(folder: Path) -> list[tuple]:
    """(metric, minute after noon, period in minutes, value, low, high, periods)"""
    return query_database(
        folder,
        f"""SELECT metric, (ts - {NOON}) / 60, period_s / 60, value, low, high, periods
        FROM rollup_10m JOIN series ON series.id = series_id ORDER BY metric, series_id, ts, period_s""",
    )


def expected_rollup(folder: Path) -> list[tuple]:
    """What the cells should be, from all points."""
    values_by_key: dict[tuple, list[float]] = {}
    for metric, number, ts, period_s, value in query_database(
        folder, "SELECT metric, series_id, ts, period_s, value FROM point JOIN series ON series.id = series_id"
    ):
        key = (metric, number, (ts - ts % 600 - NOON) // 60, period_s // 60)
        values_by_key.setdefault(key, []).append(value)
    merge = {"requests": sum, "latency": np.median}
    return [
        (key[0], *key[2:], pytest.approx(merge[key[0]](values)), min(values), max(values), len(values))
        for key, values in sorted(values_by_key.items())
    ]
