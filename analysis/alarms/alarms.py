"""Alarms: the stretches of minutes in which a rule was met for long enough."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.alarms.rules import MET, NOT_MET, UNKNOWN, AlarmData, AlarmRule, RuleStates, StateArray, rule_states
from analysis.series.grid import FloatArray, TimeGrid
from domain import FLEETS, FleetName
from domain.window import MINUTE_S

MIN_EVENTS = 10  # failed requests of a stretch
MIN_EXPECTED_REQUESTS = 15.0  # by chance none arrives of 15 once in three million times
MAX_GAP_MINUTES = 5  # minutes without a result that do not divide a stretch
# Counts of the newest minute are still arriving, each at its own time. A percentile only grows with them.
SETTLE_MINUTES: Mapping[AlarmRule, int] = {"error_rate": 1, "no_response": 1, "no_requests": 1, "latency_p95": 0}
_MINUTES: Mapping[AlarmRule, int] = {"error_rate": 2, "no_response": 2, "no_requests": 2, "latency_p95": 3}
_MIN_EVENTS: Mapping[AlarmRule, float] = {
    "error_rate": MIN_EVENTS,
    "no_response": MIN_EVENTS,
    "no_requests": MIN_EXPECTED_REQUESTS,
    "latency_p95": 0,
}


@dataclass(frozen=True, slots=True)
class AlarmValue:
    """One fleet's side of an alarm: `count` failures among `total` requests of its minutes, and their quotient as `value`.

    Of "no_requests": `count` requests, of the fleet without any among `total` expected ones; no `value`. Of a latency: `value` in seconds in the
    newest minute, with `total` answers; no `count`.
    """

    value: float | None
    count: int | None
    total: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule that a fleet met from `start` to `until` (epoch seconds; None while it is open).

    `raised_at`: the end of the data that raised it.
    """

    rule: AlarmRule
    fleet: FleetName
    start: int
    raised_at: int
    until: int | None
    values: Mapping[FleetName, AlarmValue]

    @property
    def open(self) -> bool:
        return self.until is None


@dataclass(frozen=True, slots=True)
class LabelledAlarm:
    """What the event of an alarm stores (JSON, as its detail): the values and both fleets' labels, from which each reader's sentence is made."""

    alarm: Alarm
    labels: Mapping[FleetName, str]


@dataclass(frozen=True, slots=True)
class AlarmState:
    """The alarms of a time, oldest first. `checked_until`: the end of the newest minute with data (epoch seconds; None without any).

    `not_known`: rules and fleets without a result there, because data was not read.
    """

    alarms: tuple[Alarm, ...]
    checked_until: int | None
    not_known: tuple[tuple[AlarmRule, FleetName], ...]


def find_alarms(data: AlarmData) -> AlarmState:
    """The alarms in a grid of minutes, which should begin three hours before the first minute of interest."""
    newest = newest_minute(data.grid)
    if newest is None:
        return AlarmState((), None, ())
    found, not_known = list[Alarm](), list[tuple[AlarmRule, FleetName]]()
    for fleet in FLEETS:
        for rule, result in rule_states(data, fleet).items():
            n_settled = newest + 1 - SETTLE_MINUTES[rule]
            found += _alarms_of(data.grid, rule, fleet, result, n_settled)
            if n_settled > 0 and result.states[n_settled - 1] == UNKNOWN:
                not_known.append((rule, fleet))
    found.sort(key=lambda alarm: alarm.start)
    return AlarmState(tuple(found), int(data.grid.ts[newest]) + MINUTE_S, tuple(not_known))


def newest_minute(grid: TimeGrid) -> int | None:
    """The index of the newest minute of which anything was reported; None without one."""
    reported = ~np.isnan(grid.requests) | (np.nan_to_num(grid.alb["alb_5xx"]) > 0)
    return int(np.flatnonzero(reported)[-1]) if reported.any() else None


def _alarms_of(
    grid: TimeGrid, rule: AlarmRule, fleet: FleetName, result: RuleStates, n_settled: int
) -> Iterator[Alarm]:
    states = result.states[: max(n_settled, 0)]
    for run in _runs(states):
        raised = _raised(run, result.events, _MINUTES[rule], _MIN_EVENTS[rule])
        if raised is None:
            continue
        last = int(run[-1])
        is_open = last == len(states) - 1
        yield Alarm(
            rule,
            fleet,
            int(grid.ts[run[0]]),
            int(grid.ts[raised]) + MINUTE_S * (1 + SETTLE_MINUTES[rule]),
            None if is_open else int(grid.ts[last]) + MINUTE_S,
            {name: _value(rule, result.counts[name][run], result.totals[name][run]) for name in FLEETS},
        )


def _value(rule: AlarmRule, counts: FloatArray, totals: FloatArray) -> AlarmValue:
    """A fleet's value over the minutes of a stretch."""
    if rule == "latency_p95":
        return AlarmValue(float(counts[-1]), None, round(float(totals[-1])))
    count, total = float(np.nansum(counts)), float(np.nansum(totals))
    return AlarmValue(None if rule == "no_requests" else count / total, round(count), round(total))


def _runs(states: StateArray) -> list[npt.NDArray[np.intp]]:
    """The indices of minutes that meet a rule, divided where it was not met between them or had no result for too long."""
    met = np.flatnonzero(states == MET)
    if not len(met):
        return []
    n_not_met = np.cumsum(states == NOT_MET)[met]
    divided = (np.diff(n_not_met) > 0) | (np.diff(met) > MAX_GAP_MINUTES + 1)
    return np.split(met, np.flatnonzero(divided) + 1)


def _raised(run: npt.NDArray[np.intp], events: FloatArray, minutes: int, min_events: float) -> int | None:
    """The first minute at which the last `minutes` consecutive ones met the rule, with enough events so far."""
    if len(run) < minutes:
        return None
    consecutive = run[minutes - 1 :] - run[: len(run) - minutes + 1] == minutes - 1
    enough = np.cumsum(events[run])[minutes - 1 :] >= min_events
    hits = np.flatnonzero(consecutive & enough)
    return int(run[minutes - 1 + hits[0]]) if len(hits) else None
