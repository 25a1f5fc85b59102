"""The week before the first step against the week after the last: the same hours of the same weekdays, the service as a whole."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import FEWEST_MINUTES, counts, difference_bounds, differences, mean_bounds
from analysis.retrospective.timeline import Course
from analysis.series.grid import Values
from domain import FLEETS, Window

WEEK_S = 7 * 86_400
HOUR_S = 3600
ALPHA = 0.025  # a side

Measure = Literal["requests", "error_rate", "p95", "slow"]


@dataclass(frozen=True, slots=True)
class Change:
    """One measure before and after, its difference (after − before), and where that surely lies; None before ten hours could be paired.

    Requests are per hour; a rate is a fraction, p95 in seconds. `relative`: the difference and its bounds are fractions of what it was before.
    """

    measure: Measure
    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
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
    clocks: bool
    changes: tuple[Change, ...]


def weeks(first_step: int, last_step: int, *, until: int) -> tuple[Window, Window]:
    """The week that ends with the hour of the first step, and the week that begins with the hour after the last, or what has passed of it."""
    end = first_step // HOUR_S * HOUR_S
    start = -(-last_step // HOUR_S) * HOUR_S
    return Window(end - WEEK_S, end), Window(start, max(min(start + WEEK_S, until // HOUR_S * HOUR_S), start + HOUR_S))


def before_after(before: Window, told_before: Course, after: Window, told_after: Course, zone: tzinfo) -> BeforeAfter:
    """Two weeks in buckets of an hour. Hours pair by weekday and wall clock in `zone`.

    The intervals are the judge's (docs/MATH.md) with hours in the place of minutes: they hold at every look, so also while the week goes on.
    """
    was, now = _service(told_before), _service(told_after)
    earlier = {_wall(int(ts), zone): place for place, ts in reversed(list(enumerate(was.ts)))}
    matched = [(earlier[key], place) for place, ts in enumerate(now.ts) if (key := _wall(int(ts), zone)) in earlier]
    matched = [(a, b) for a, b in matched if was.requests[a] > 0 and now.requests[b] > 0]
    a, b = (np.array([pair[side] for pair in matched], dtype=np.intp) for side in (0, 1))
    changes: list[Change] = []
    if len(matched):
        changes.append(_relative("requests", was.requests[a], now.requests[b]))
        changes.append(_rates(was.errors[a], was.requests[a], now.errors[b], now.requests[b]))
        for measure, x, y in (("p95", was.p95[a], now.p95[b]), ("slow", was.slow[a], now.slow[b])):
            there = ~np.isnan(x) & ~np.isnan(y)
            if there.any():
                changes.append(
                    _relative("p95", x[there], y[there]) if measure == "p95" else _mean("slow", x[there], y[there])
                )
    return BeforeAfter(
        before,
        after,
        len(matched),
        after.end - after.start >= WEEK_S,
        _offset(before.start, zone) != _offset(after.end, zone)
        or _offset(before.end, zone) != _offset(after.start, zone),
        tuple(changes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Service:
    """The service as a whole, hour by hour. p95 and the slow share are those of the fleet that served most in the hour."""

    ts: npt.NDArray[np.int64]
    requests: Values
    errors: Values
    p95: Values
    slow: Values


def _service(told: Course) -> _Service:
    fleets = [told.fleets[fleet] for fleet in FLEETS]
    requests, errors = (
        np.sum([np.nan_to_num(getattr(one, name)) for one in fleets], axis=0) for name in ("requests", "errors")
    )
    most = np.argmax([np.nan_to_num(one.requests) for one in fleets], axis=0)
    p95, slow = (
        np.vstack([getattr(one, name) for one in fleets])[most, np.arange(len(told.ts))] for name in ("p95", "slow")
    )
    return _Service(told.ts, requests, errors, p95, slow)


def _relative(measure: Measure, before: Values, after: Values) -> Change:
    """The mean of hours after over that of the hours before, by the logarithms of the pairs' ratios."""
    known = differences(np.log(after / before))
    low, high = (np.expm1(bound[-1]) for bound in mean_bounds(known, ALPHA))
    difference = float(np.expm1(known.mean[-1]))
    x, y = (float(np.exp(np.mean(np.log(values)))) for values in (before, after))
    if measure == "requests":
        x, y = float(before.mean()), float(after.mean())
    return Change(measure, x, y, difference, *_known(low, high), relative=True)


def _mean(measure: Measure, before: Values, after: Values) -> Change:
    known = differences(after - before)
    low, high = (bound[-1] for bound in mean_bounds(known, ALPHA))
    return Change(
        measure, float(before.mean()), float(after.mean()), float(known.mean[-1]), *_known(low, high), relative=False
    )


def _rates(events_b: Values, requests_b: Values, events_a: Values, requests_a: Values) -> Change:
    known = counts(events_b, requests_b, events_a, requests_a)
    low, high = (bound[-1] if len(events_b) >= FEWEST_MINUTES else np.inf for bound in difference_bounds(known, ALPHA))
    before, after = float(known.rate_b[-1]), float(known.rate_c[-1])
    return Change("error_rate", before, after, after - before, *_known(low, high), relative=False)


def _known(low: float, high: float) -> tuple[float | None, float | None]:
    return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) and high < 1e6 else (None, None)


def _wall(ts: int, zone: tzinfo) -> tuple[int, int]:
    local = datetime.fromtimestamp(ts, UTC).astimezone(zone)
    return local.weekday(), local.hour


def _offset(ts: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(ts, UTC).astimezone(zone).utcoffset()
