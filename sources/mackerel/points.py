"""Reads the points of many metrics concurrently, and puts them into one frame."""

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

import numpy as np
import pandas as pd

from domain import Series, Window, assemble, check_frame, empty_frame
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.base import Problem
from sources.mackerel.models import Point
from sources.mackerel.protocol import FATAL_KINDS, MackerelError

MACKEREL_RETENTION_S = 460 * DAY_S  # of minutes; older data has one average a day, which is useless here
MAX_CONCURRENT_REQUESTS = 3  # Mackerel publishes no rate limit
# How far back a newest point is looked for; Mackerel averages over 5 minutes, hours and days for the longer ones.
_LOOKBACKS_S = (3 * HOUR_S, 9 * DAY_S, 230 * DAY_S, MACKEREL_RETENTION_S)
METRIC_NAMES_TTL_S = 300  # the AWS integration posts every 5 minutes, so a new metric appears no sooner

Key = TypeVar("Key", bound=Hashable)


def newest_age_s(reads: Collection[Callable[[Window], Sequence[Point]]], now: datetime) -> int | None:
    """The seconds since the newest point that any of `reads` returns, None if they have none within the retention.

    As precise as Mackerel's resolution: 5 minutes after 3 hours, an hour after 9 days, a day after 230 days.
    """
    for lookback_s in _LOOKBACKS_S:
        window = Window.last(lookback_s // MINUTE_S, now=now)
        if times := [point.time for read in reads for point in read(window)]:
            return max(0, int(now.timestamp()) - max(times))
    return None


def fetch_points(
    read: Callable[[Key], Sequence[Point]], keys: Iterable[Key]
) -> tuple[dict[Key, Sequence[Point]], dict[Key, MackerelError]]:
    """The points and the errors of `read` by key, in the order of `keys`. Keys that were skipped after an error of FATAL_KINDS are in neither."""
    fatal = threading.Event()

    def attempt(key: Key) -> Sequence[Point] | MackerelError | None:
        if fatal.is_set():
            return None
        try:
            return read(key)
        except MackerelError as error:
            if error.kind in FATAL_KINDS:
                fatal.set()
            return error

    keys = tuple(keys)
    with ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS) as pool:
        results = tuple(zip(keys, pool.map(attempt, keys), strict=True))
    errors = {key: result for key, result in results if isinstance(result, MackerelError)}
    return {
        key: result for key, result in results if result is not None and not isinstance(result, MackerelError)
    }, errors


def unique_problems(errors: Iterable[MackerelError], source: str) -> tuple[Problem, ...]:
    """One problem for each (kind, detail), however many metrics have it."""
    unique: dict[tuple[str, str], MackerelError] = {}
    for error in errors:
        unique.setdefault((error.kind, error.detail), error)
    return tuple(error.to_problem(source) for error in unique.values())


def to_frame(
    points: Mapping[Series, Iterable[Point]], scale: Callable[[Series], float] = lambda _: 1.0
) -> pd.DataFrame:
    """A tidy frame of one-minute rows in the order of `points`, each value multiplied by the `scale` of its series."""
    values = {
        (code, point.time - point.time % MINUTE_S): point.value * scale(series)
        for code, series in enumerate(points)
        for point in points[series]
    }
    if not values:
        return empty_frame()
    code_and_ts = np.array(list(values), dtype="int64")
    numbers = np.fromiter(values.values(), "float64", len(values))
    return check_frame(assemble(tuple(points), code_and_ts[:, 0], code_and_ts[:, 1], numbers, MINUTE_S))
