"""The week before the first step against the week after the last: the same hours of the same weekdays, the service as a whole."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    MIN_MINUTES,
    difference_bounds,
    mean_bounds,
    running_differences,
    running_rates,
)
from analysis.retrospective.timeline import Timeline
from analysis.series.grid import FloatArray
from domain import FLEETS, Window
from domain.window import HOUR_S

WEEK_S = 7 * 86_400
ALPHA = 0.025  # a side

ComparedMeasure = Literal["requests", "error_rate", "p95", "slow"]


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """One measure before and after, its difference (after − before), and where that surely lies; None before ten hours could be paired.

    Requests are per hour; a rate is a fraction, p95 in seconds. `relative`: the difference and its bounds are fractions of what it was before.
    """

    measure: ComparedMeasure
    before: float
    after: float
    difference: float
    lower: float | None
    upper: float | None
    relative: bool


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """`hours`: how many hours of the two windows could be paired, of at most 168. `complete`: a whole week has passed since the last step.

    `clocks`: the zone's clocks changed within or between the two weeks: hours are paired by the wall clock, because people live by it.
    """

    before: Window
    after: Window
    hours: int
    complete: bool
    clocks_changed: bool
    changes: tuple[MeasureChange, ...]


def weeks(first_step: int, last_step: int, *, until: int) -> tuple[Window, Window]:
    """The week that ends with the hour of the first step, and the week that begins with the hour after the last, or what has passed of it."""
    end = first_step // HOUR_S * HOUR_S
    start = -(-last_step // HOUR_S) * HOUR_S
    return Window(end - WEEK_S, end), Window(start, max(min(start + WEEK_S, until // HOUR_S * HOUR_S), start + HOUR_S))


def before_after(
    before: Window, timeline_before: Timeline, after: Window, timeline_after: Timeline, zone: tzinfo
) -> BeforeAfter:
    """Two weeks in buckets of an hour. Hours pair by weekday and wall clock in `zone`.

    The intervals are the judge's (docs/MATH.md) with hours in the place of minutes: they hold at every look, so also while the week goes on.
    """
    was, now = _service_series(timeline_before), _service_series(timeline_after)
    earlier = {_weekday_and_hour(int(ts), zone): place for place, ts in reversed(list(enumerate(was.ts)))}
    matched = [
        (earlier[key], place) for place, ts in enumerate(now.ts) if (key := _weekday_and_hour(int(ts), zone)) in earlier
    ]
    matched = [(a, b) for a, b in matched if was.requests[a] > 0 and now.requests[b] > 0]
    a, b = (np.array([pair[side] for pair in matched], dtype=np.intp) for side in (0, 1))
    changes: list[MeasureChange] = []
    if len(matched):
        changes.append(_relative_change("requests", was.requests[a], now.requests[b]))
        changes.append(_rate_change(was.errors[a], was.requests[a], now.errors[b], now.requests[b]))
        for measure, x, y in (("p95", was.p95[a], now.p95[b]), ("slow", was.slow[a], now.slow[b])):
            there = ~np.isnan(x) & ~np.isnan(y)
            if there.any():
                changes.append(
                    _relative_change("p95", x[there], y[there])
                    if measure == "p95"
                    else _mean_change("slow", x[there], y[there])
                )
    return BeforeAfter(
        before,
        after,
        len(matched),
        after.end - after.start >= WEEK_S,
        _utc_offset(before.start, zone) != _utc_offset(after.end, zone)
        or _utc_offset(before.end, zone) != _utc_offset(after.start, zone),
        tuple(changes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _ServiceSeries:
    """The service as a whole, hour by hour. p95 and the slow share are those of the fleet that served most in the hour."""

    ts: npt.NDArray[np.int64]
    requests: FloatArray
    errors: FloatArray
    p95: FloatArray
    slow: FloatArray


def _service_series(timeline: Timeline) -> _ServiceSeries:
    fleets = [timeline.fleets[fleet] for fleet in FLEETS]
    requests, errors = (
        np.sum([np.nan_to_num(getattr(one, name)) for one in fleets], axis=0) for name in ("requests", "errors")
    )
    most = np.argmax([np.nan_to_num(one.requests) for one in fleets], axis=0)
    p95, slow = (
        np.vstack([getattr(one, name) for one in fleets])[most, np.arange(len(timeline.ts))] for name in ("p95", "slow")
    )
    return _ServiceSeries(timeline.ts, requests, errors, p95, slow)


def _relative_change(measure: ComparedMeasure, before: FloatArray, after: FloatArray) -> MeasureChange:
    """The mean of hours after over that of the hours before, by the logarithms of the pairs' ratios."""
    known = running_differences(np.log(after / before))
    low, high = (np.expm1(bound[-1]) for bound in mean_bounds(known, ALPHA))
    difference = float(np.expm1(known.mean[-1]))
    x, y = (float(np.exp(np.mean(np.log(values)))) for values in (before, after))
    if measure == "requests":
        x, y = float(before.mean()), float(after.mean())
    return MeasureChange(measure, x, y, difference, *_finite_bounds(low, high), relative=True)


def _mean_change(measure: ComparedMeasure, before: FloatArray, after: FloatArray) -> MeasureChange:
    known = running_differences(after - before)
    low, high = (bound[-1] for bound in mean_bounds(known, ALPHA))
    return MeasureChange(
        measure,
        float(before.mean()),
        float(after.mean()),
        float(known.mean[-1]),
        *_finite_bounds(low, high),
        relative=False,
    )


def _rate_change(
    events_b: FloatArray, requests_b: FloatArray, events_a: FloatArray, requests_a: FloatArray
) -> MeasureChange:
    known = running_rates(events_b, requests_b, events_a, requests_a)
    low, high = (bound[-1] if len(events_b) >= MIN_MINUTES else np.inf for bound in difference_bounds(known, ALPHA))
    before, after = float(known.rate_b[-1]), float(known.rate_c[-1])
    return MeasureChange("error_rate", before, after, after - before, *_finite_bounds(low, high), relative=False)


def _finite_bounds(low: float, high: float) -> tuple[float | None, float | None]:
    return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) and high < 1e6 else (None, None)


def _weekday_and_hour(ts: int, zone: tzinfo) -> tuple[int, int]:
    local = datetime.fromtimestamp(ts, UTC).astimezone(zone)
    return local.weekday(), local.hour


def _utc_offset(ts: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(ts, UTC).astimezone(zone).utcoffset()
