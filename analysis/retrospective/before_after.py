"""The week before the first weight change against the week after the last: paired hours of the week, both fleets together."""

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
ALPHA = 0.025  # per side

ComparedMeasure = Literal["requests", "error_rate", "p95", "slow"]


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """One measure before and after, and the difference (after − before) with its CI; None below ten paired hours.

    Requests are per hour; a rate is a fraction, p95 in seconds. `relative`: the difference and its bounds are fractions of `before`.
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
    """Two windows compared. `hours`: number of paired hours, of at most 168. `complete`: a whole week has passed since the last weight change.

    `clocks_changed`: the zone's UTC offset changed within or between the windows. Hours are paired by the wall clock.
    """

    before: Window
    after: Window
    hours: int
    complete: bool
    clocks_changed: bool
    changes: tuple[MeasureChange, ...]


def weeks(first_step: int, last_step: int, *, until: int) -> tuple[Window, Window]:
    """The week up to the hour of the first weight change, and the week from the hour after the last one, as far as it has passed."""
    end = first_step // HOUR_S * HOUR_S
    start = -(-last_step // HOUR_S) * HOUR_S
    return Window(end - WEEK_S, end), Window(start, max(min(start + WEEK_S, until // HOUR_S * HOUR_S), start + HOUR_S))


def before_after(
    before: Window, timeline_before: Timeline, after: Window, timeline_after: Timeline, zone: tzinfo
) -> BeforeAfter:
    """Compares two timelines with hourly buckets, paired by weekday and wall clock in `zone`; of a repeated hour the first one counts.

    The CIs are the judge's (docs/MATH.md) with hours in place of minutes: anytime-valid, so also before the week is complete.
    """
    old, new = _service_series(timeline_before), _service_series(timeline_after)
    old_index = {_weekday_and_hour(int(ts), zone): index for index, ts in reversed(list(enumerate(old.ts)))}
    hours = [(old_index.get(_weekday_and_hour(int(ts), zone)), index) for index, ts in enumerate(new.ts)]
    matched = [(i, j) for i, j in hours if i is not None and old.requests[i] > 0 and new.requests[j] > 0]
    i, j = (np.array([pair[side] for pair in matched], dtype=np.intp) for side in (0, 1))
    changes: list[MeasureChange] = []
    if len(matched):
        changes.append(_relative_change("requests", old.requests[i], new.requests[j]))
        changes.append(_rate_change(old.errors[i], old.requests[i], new.errors[j], new.requests[j]))
        if (p95 := ~np.isnan(old.p95[i]) & ~np.isnan(new.p95[j])).any():
            changes.append(_relative_change("p95", old.p95[i][p95], new.p95[j][p95]))
        if (slow := ~np.isnan(old.slow[i]) & ~np.isnan(new.slow[j])).any():
            changes.append(_mean_change("slow", old.slow[i][slow], new.slow[j][slow]))
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


def _relative_change(measure: ComparedMeasure, before: FloatArray, after: FloatArray) -> MeasureChange:
    """The geometric mean ratio of the pairs, minus 1."""
    log_ratios = running_differences(np.log(after / before))
    lower, upper = (np.expm1(bound[-1]) for bound in mean_bounds(log_ratios, ALPHA))
    difference = float(np.expm1(log_ratios.mean[-1]))
    mean_before, mean_after = (float(np.exp(np.mean(np.log(values)))) for values in (before, after))
    if measure == "requests":
        mean_before, mean_after = float(before.mean()), float(after.mean())
    return MeasureChange(measure, mean_before, mean_after, difference, *_finite_bounds(lower, upper), relative=True)


def _mean_change(measure: ComparedMeasure, before: FloatArray, after: FloatArray) -> MeasureChange:
    differences = running_differences(after - before)
    lower, upper = (bound[-1] for bound in mean_bounds(differences, ALPHA))
    return MeasureChange(
        measure,
        float(before.mean()),
        float(after.mean()),
        float(differences.mean[-1]),
        *_finite_bounds(lower, upper),
        relative=False,
    )


def _rate_change(
    events_b: FloatArray, requests_b: FloatArray, events_a: FloatArray, requests_a: FloatArray
) -> MeasureChange:
    rates = running_rates(events_b, requests_b, events_a, requests_a)
    lower, upper = (bound[-1] if len(events_b) >= MIN_MINUTES else np.inf for bound in difference_bounds(rates, ALPHA))
    before, after = float(rates.rate_b[-1]), float(rates.rate_c[-1])
    return MeasureChange("error_rate", before, after, after - before, *_finite_bounds(lower, upper), relative=False)


def _finite_bounds(lower: float, upper: float) -> tuple[float | None, float | None]:
    return (float(lower), float(upper)) if np.isfinite(lower) and np.isfinite(upper) and upper < 1e6 else (None, None)


def _weekday_and_hour(ts: int, zone: tzinfo) -> tuple[int, int]:
    local = datetime.fromtimestamp(ts, UTC).astimezone(zone)
    return local.weekday(), local.hour


def _utc_offset(ts: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(ts, UTC).astimezone(zone).utcoffset()
