"""Criteria of one's own as a source: Mackerel's expressions, evaluated over the minutes of a window."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from domain import (
    FLEETS,
    Clock,
    ConfigIssue,
    Criterion,
    FleetName,
    Migration,
    Series,
    Window,
    assemble,
    check_frame,
    utc_now,
)
from domain.series import OwnStat
from domain.window import HOUR_S, MINUTE_S
from sources.base import AnsweredRange, Health, Problem, Pull
from sources.mackerel.client import CheckStep, MackerelApi, run_checks
from sources.mackerel.expressions.evaluation import FloatArray, PairingError, Steps, evaluate
from sources.mackerel.expressions.parser import ExpressionError, parse, quotient
from sources.mackerel.expressions.reading import ExpressionData, ExpressionReader
from sources.mackerel.expressions.syntax import Call
from sources.mackerel.points import MACKEREL_RETENTION_S, unique_problems
from sources.mackerel.protocol import FATAL_KINDS, MackerelError

SOURCE = "mackerel_criteria"
_OPERATION = "GET /api/v0/hosts/<hostId>/metrics"
_NAMES_OPERATION = "GET /api/v0/hosts/<hostId>/metric-names"
CHECKED_MINUTES = 180
SILENT_AFTER_S = HOUR_S


def expression_issues(criteria: Sequence[Criterion]) -> Iterator[ConfigIssue]:
    """What is wrong with the expressions of `criteria`, by the keys of the file."""
    for position, criterion in enumerate(criteria):
        for fleet in FLEETS:
            if criterion.source != "mackerel":
                continue
            text, key = str(criterion.query(fleet)), f"criteria.{position}.{fleet}"
            try:
                expression = parse(text)
            except ExpressionError as error:
                shown, caret = error.snippet
                place = {"line": str(error.line), "column": str(error.column), "shown": shown, "caret": caret}
                yield ConfigIssue(key, "bad_expression", {"code": error.code, **place, **error.params})
                continue
            if criterion.kind == "rate" and quotient(expression) is None:
                yield ConfigIssue(key, "not_a_quotient", {"given": criterion.name})


@dataclass(frozen=True, slots=True)
class _Side:
    """One fleet of a criterion: its series, and the expression of each."""

    name: str
    series: Mapping[OwnStat, Series]
    expressions: Mapping[OwnStat, Call]


class MackerelCriteria:
    """A MetricSource of the values, or of the counts, of criteria whose source is Mackerel. Thread-safe."""

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, api: MackerelApi | None = None) -> None:
        self._clock, self._api = clock, api or MackerelApi.from_environment()
        self._reader = ExpressionReader(self._api, clock_s=lambda: clock().timestamp())
        self._sides = tuple(
            _side(criterion, fleet)
            for criterion in migration.own_criteria
            for fleet in FLEETS
            if criterion.source == "mackerel"
        )

    def series(self) -> tuple[Series, ...]:
        return tuple(series for side in self._sides for series in side.series.values())

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 460 days, then 0."""
        return MINUTE_S if start >= now - MACKEREL_RETENTION_S else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The criteria in `window`; only those with one of `series`, if given. Mackerel's errors are problems.

        A count of events is 0 in a minute that has a total and no events: a count that never occurred is not posted.
        """
        started_s, now = time.monotonic(), int(self._clock().timestamp())
        requested = [side for side in self._sides if series is None or not series_of(side).isdisjoint(series)]
        answered: list[Series] = []
        values: dict[Series, FloatArray] = {}
        errors: list[MackerelError] = []
        for side in requested:
            try:
                of_side, missing = self._evaluate(side, window)
            except MackerelError as error:
                errors.append(error)
                if error.kind in FATAL_KINDS:
                    break
                continue
            errors += missing
            values |= of_side
            answered += of_side
        problems = unique_problems(errors, self.name)
        if errors and values:
            problems += (Problem("incomplete", self.name, _OPERATION, f"{len(answered)} / {len(self.series())}"),)
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(values, window),
            answered_ranges=(AnsweredRange(frozenset(answered), window, MINUTE_S),) if answered else (),
            problems=(*problems, *self._api.clock_skew(self.name)),
            datapoints_requested=window.minutes * sum(len(side.series) for side in requested),
            took_s=time.monotonic() - started_s,
            clock_ahead_s=self._api.clock_ahead_s,
        )

    def check(self) -> tuple[Health, ...]:
        """Checks the key, and whether each expression has a value in the last hours, for each fleet."""
        now = self._clock()
        window = Window.last(CHECKED_MINUTES, now=now)

        def newest(side: _Side) -> int:
            values, missing = self._evaluate(side, window)
            at = [index for array in values.values() for index in np.flatnonzero(~np.isnan(array))]
            if not at:
                raise next((error for error in missing if error.kind == "not_found"), None) or self._gone(side)
            return max(0, int(now.timestamp()) - (window.start + int(max(at)) * MINUTE_S))

        steps = [CheckStep("GET /api/v0/org", self._api.organization)]
        steps += (
            CheckStep(_OPERATION, partial(newest, side), side.name, "GET /api/v0/org", SILENT_AFTER_S)
            for side in self._sides
        )
        return run_checks(self._api, self.name, steps)

    def _gone(self, side: _Side) -> MackerelError:
        """The metrics of a side without values. The detail is the most similar name that their host or service has; "" if there is none."""
        selectors = {
            call for expression in side.expressions.values() for call in expression.walk() if not call.operands
        }
        for selector in sorted(selectors, key=str):
            if similar := self._reader.similar_name(selector):
                return _about(side, MackerelError("no_such_metric", _NAMES_OPERATION, str(selector), similar))
        return _about(side, MackerelError("no_such_metric", _OPERATION, " · ".join(sorted(map(str, selectors)))))

    def _evaluate(self, side: _Side, window: Window) -> tuple[dict[Series, FloatArray], tuple[MackerelError, ...]]:
        """The values of a side in each minute, and the metrics that were never posted. Raises MackerelError if anything else is missing."""
        try:
            data = self._reader.read(side.expressions.values(), window)
        except MackerelError as error:
            raise _about(side, error) from error
        failure = next((error for error in data.errors if error.kind not in ("no_such_metric", "not_found")), None)
        if failure:
            raise _about(side, failure)
        arrays = {stat: self._single(side, call, data, window) for stat, call in side.expressions.items()}
        if "events" in arrays:
            has_total = ~np.isnan(arrays["total"])
            arrays["events"] = np.where(has_total & np.isnan(arrays["events"]), 0.0, arrays["events"])
        missing = tuple(_about(side, error) for error in data.errors)
        is_missing = all(bool(np.isnan(array).all()) for array in arrays.values()) and bool(missing)
        return ({} if is_missing else {side.series[stat]: array for stat, array in arrays.items()}), missing

    def _single(self, side: _Side, call: Call, data: ExpressionData, window: Window) -> FloatArray:
        """The only series of an expression; gaps if it has none."""
        steps = Steps.over(window)
        try:
            lines = evaluate(call, data.points, steps)
        except PairingError as error:
            detail = f"{error.function}: {error.first} / {error.second}"
            raise MackerelError("bad_request", "evaluate", side.name, detail) from error
        if len(lines.names) > 1:
            raise MackerelError("bad_request", "evaluate", side.name, f"{len(lines.names)} series: {call}")
        return lines.values[0] if len(lines.names) else np.full(steps.count, np.nan)


def _side(criterion: Criterion, fleet: FleetName) -> _Side:
    """Raises ExpressionError or ValueError for what `expression_issues` reports."""
    expression, series = parse(str(criterion.query(fleet))), criterion.series(fleet)
    expressions: dict[OwnStat, Call] = {"value": expression}
    if criterion.kind == "rate":
        parts = quotient(expression)
        if parts is None:
            raise ValueError(f"{criterion.name} is not a quotient.")
        expressions = {"events": parts[0], "total": parts[1]}
    return _Side(criterion.name, series, expressions)


def series_of(side: _Side) -> frozenset[Series]:
    return frozenset(side.series.values())


def _about(side: _Side, error: MackerelError) -> MackerelError:
    """The error with the name of the criterion."""
    return MackerelError(error.kind, error.operation, f"{side.name}: {error.about}".rstrip(": "), error.detail)


def _frame(values: Mapping[Series, FloatArray], window: Window) -> pd.DataFrame:
    series: Iterable[Series] = tuple(values)
    rows = [(code, np.flatnonzero(~np.isnan(values[item]))) for code, item in enumerate(series)]
    code = np.concatenate([np.full(len(at), code) for code, at in rows] or [np.array([], dtype="int64")])
    ts = np.concatenate([window.start + at * MINUTE_S for _, at in rows] or [np.array([], dtype="int64")])
    numbers = np.concatenate(
        [values[item][~np.isnan(values[item])] for item in values] or [np.array([], dtype="float64")]
    )
    return check_frame(assemble(tuple(values), code, ts, numbers, MINUTE_S))
