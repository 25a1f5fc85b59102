"""The week before the first weight change against the week after the last: days paired by weekday, both fleets together."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.retrospective.timeline import Timeline
from analysis.series.grid import FloatArray
from domain import FLEETS, Window
from domain.window import DAY_S, HOUR_S

WEEK_S = 7 * DAY_S
ALPHA = 0.025  # per side
MIN_DAYS = 5  # fewer have no interval
MIN_PAIRED_HOURS = 12  # a day with fewer does not count
MAX_BOUND = 1e6  # a larger one says nothing
PRIOR_DAYS = 0.25  # scale of the normal mixture over effect sizes: the interval is tightest after a week

ComparedMeasure = Literal["requests", "error_rate", "p95", "slow"]


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """One measure before and after, and the difference (after − before) with its CI; None below MIN_DAYS days.

    Requests are per hour; a rate is a fraction, p95 in seconds. `relative`: the difference and its bounds are fractions of `before`. `days`: the
    number of days on which both are known.
    """

    measure: ComparedMeasure
    before: float
    after: float
    difference: float
    lower: float | None
    upper: float | None
    relative: bool
    days: int


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Two windows compared. `hours`: number of paired hours, of at most 168, on `days` days. `complete`: a whole week has passed since the last
    weight change.

    `clocks_changed`: the zone's UTC offset changed within or between the windows. Hours are paired by the wall clock.
    """

    before: Window
    after: Window
    hours: int
    days: int
    complete: bool
    clocks_changed: bool
    changes: tuple[MeasureChange, ...]


def weeks(first_step: int, last_step: int, *, until: int) -> tuple[Window, Window]:
    """The week up to the hour of the first weight change, and that from the hour after the last one, as far as whole days of it have passed.

    The latter is one day at least, which may end after `until`.
    """
    end = first_step // HOUR_S * HOUR_S
    start = -(-last_step // HOUR_S) * HOUR_S
    days = min(max((until - start) // DAY_S, 1), WEEK_S // DAY_S)
    return Window(end - WEEK_S, end), Window(start, start + days * DAY_S)


def before_after(
    before: Window, timeline_before: Timeline, after: Window, timeline_after: Timeline, zone: tzinfo
) -> BeforeAfter:
    """Compares two timelines with hourly buckets, paired by weekday and wall clock in `zone`; of a repeated hour the first one counts.

    Days are the sample: hours of a day resemble each other. The CIs are anytime-valid, so also before the week is complete (docs/MATH.md).
    """
    old, new = _service_series(timeline_before), _service_series(timeline_after)
    old_index = {_weekday_and_hour(int(ts), zone): index for index, ts in reversed(list(enumerate(old.ts)))}
    hours = [(old_index.get(_weekday_and_hour(int(ts), zone)), index) for index, ts in enumerate(new.ts)]
    matched = [(i, j) for i, j in hours if i is not None and old.requests[i] > 0 and new.requests[j] > 0]
    i, j = (np.array([pair[side] for pair in matched], dtype=np.intp) for side in (0, 1))
    day = (new.ts[j] - after.start) // DAY_S
    requests, errors, p95, slow = (
        _daily_sums(day, getattr(old, name)[i], getattr(new, name)[j]) for name in ("requests", "errors", "p95", "slow")
    )
    changes = (
        _change("requests", requests.before / requests.hours, requests.after / requests.hours, relative=True),
        _rate_change(requests, errors),
        _change("p95", p95.before / p95.hours, p95.after / p95.hours, relative=True),
        _change("slow", slow.before / slow.hours, slow.after / slow.hours, relative=False),
    )
    return BeforeAfter(
        before,
        after,
        len(matched),
        len(requests.hours),
        after.end - after.start >= WEEK_S,
        _utc_offset(before.start, zone) != _utc_offset(after.end, zone)
        or _utc_offset(before.end, zone) != _utc_offset(after.start, zone),
        tuple(change for change in changes if change),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _ServiceSeries:
    """Both fleets together, per hour. p95 and the slow share are those of the fleet with most requests in the hour."""

    ts: npt.NDArray[np.int64]
    requests: FloatArray
    errors: FloatArray
    p95: FloatArray
    slow: FloatArray


def _service_series(timeline: Timeline) -> _ServiceSeries:
    fleets = [timeline.fleets[fleet] for fleet in FLEETS]
    requests, errors = (
        np.sum([np.nan_to_num(getattr(fleet, name)) for fleet in fleets], axis=0) for name in ("requests", "errors")
    )
    busiest = np.argmax([np.nan_to_num(fleet.requests) for fleet in fleets], axis=0)
    p95, slow = (
        np.vstack([getattr(fleet, name) for fleet in fleets])[busiest, np.arange(len(timeline.ts))]
        for name in ("p95", "slow")
    )
    return _ServiceSeries(timeline.ts, requests, errors, p95, slow)


@dataclass(frozen=True, slots=True, eq=False)
class _DailySums:
    """A value of paired hours, summed over the `hours` of each day that counts."""

    hours: npt.NDArray[np.int64]
    before: FloatArray
    after: FloatArray


def _daily_sums(day: npt.NDArray[np.int64], before: FloatArray, after: FloatArray) -> _DailySums:
    """The days with at least MIN_PAIRED_HOURS hours in which both values are known."""
    known = ~np.isnan(before) & ~np.isnan(after)
    hours = np.bincount(day[known], minlength=1)
    enough = hours >= MIN_PAIRED_HOURS
    sum_before, sum_after = (np.bincount(day[known], values[known], minlength=1)[enough] for values in (before, after))
    return _DailySums(hours[enough], sum_before.astype(float), sum_after.astype(float))


def _rate_change(requests: _DailySums, errors: _DailySums) -> MeasureChange | None:
    """Independent errors have a variance, with half an error more each day, that a week without errors does not show."""
    poisson = (errors.before + 0.5) / requests.before**2 + (errors.after + 0.5) / requests.after**2
    rates = errors.before / requests.before, errors.after / requests.after
    return _change("error_rate", *rates, relative=False, least_variance=float(poisson.sum()) / max(len(poisson), 1))


def _change(
    measure: ComparedMeasure, before: FloatArray, after: FloatArray, *, relative: bool, least_variance: float = 0.0
) -> MeasureChange | None:
    """The mean difference of the days; if `relative`, their geometric mean ratio, minus 1. None without a day."""
    if not len(before):
        return None
    differences = np.log(after / before) if relative else after - before
    mean, half_width = float(differences.mean()), day_half_width(differences, least_variance)
    difference, lower, upper = (
        float(np.expm1(value)) if relative else value for value in (mean, mean - half_width, mean + half_width)
    )
    known_lower, known_upper = (lower, upper) if upper < MAX_BOUND else (None, None)
    mean_before, mean_after = float(before.mean()), float(after.mean())
    return MeasureChange(
        measure, mean_before, mean_after, difference, known_lower, known_upper, relative, len(differences)
    )


def day_half_width(differences: FloatArray, least_variance: float = 0.0) -> float:
    """Half the width of the CI of the mean of independent days, each bound wrong at any time with probability ≤ ALPHA; ∞ below MIN_DAYS.

    The t-test's e-process with a normal mixture over effect sizes (Wang & Ramdas 2024), as for minutes, but tightest after a week.
    """
    n = len(differences)
    if n < MIN_DAYS:
        return np.inf
    x = n / PRIOR_DAYS
    c = np.exp((np.log1p(x) - 2 * np.log(2 * ALPHA)) / n)
    t2 = (n - 1) * (c - 1) / (1 - c / (1 + x))
    return float(np.sqrt(t2 * max(differences.var(ddof=1), least_variance) / n))


def _weekday_and_hour(ts: int, zone: tzinfo) -> tuple[int, int]:
    local = datetime.fromtimestamp(ts, UTC).astimezone(zone)
    return local.weekday(), local.hour


def _utc_offset(ts: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(ts, UTC).astimezone(zone).utcoffset()
