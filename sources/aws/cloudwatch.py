"""CloudWatch as a source: the metrics of the load balancer and its target groups, by GetMetricData alone."""

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from domain import FLEETS, Aws, Clock, Migration, Series, Window, assemble, check_frame, empty_frame, utc_now
from domain.latency import latency_summaries, series_of_window_latency
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.aws.calls import MAX_PAGES, ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.aws.cloudwatch_queries import (
    MAX_QUERIES,
    SOURCE,
    CloudWatchQuantity,
    MetricDataRequest,
    all_series,
    cloudwatch_metric,
    get_metric_data_params,
    plan_requests,
    retention_starts,
    statistic_kind,
)
from sources.aws.cloudwatch_responses import MetricDataResponse
from sources.base import (
    STALE_AFTER_S,
    AnsweredRange,
    Health,
    Problem,
    ProblemKind,
    Pull,
    check_result,
    with_newest,
)
from sources.window_latency import WindowLatency, longest_aligned_period

MAX_IDLE_PAGES = 3  # consecutive pages without new data: CloudWatch returns "PartialData" and does not finish
MAX_DIVISIONS = 10  # of a rejected call while nothing is answered: enough to come from MAX_QUERIES to one series
MAX_REJECTED_CALLS = 60  # of one request
_SERVER_FAULTS: frozenset[ProblemKind] = frozenset({"server_error", "not_supported"})
# (range, period) in which a newest datapoint is looked for. Each period is retained for longer than its range.
_LOOKBACKS_S = ((3 * HOUR_S, MINUTE_S), (14 * DAY_S, HOUR_S), (454 * DAY_S, DAY_S))
_ACTION = "GetMetricData"
_OPERATIONS: Mapping[str, Operation] = {_ACTION: Operation("MetricDataResults", item_key="Id")}


class MetricDataSource:
    """A MetricSource of the series of `metrics`, read with GetMetricData. Thread-safe.

    `clock` decides which periods are still retained. `client`: a boto3 client to use instead of making one.
    """

    name = SOURCE
    presence_metrics = frozenset({"requests", "healthy_hosts"})  # every group in use has one
    stale_after_s: ClassVar[float] = STALE_AFTER_S

    def __init__(self, metrics: Mapping[Series, CloudWatchQuantity], aws: Aws, *, clock: Clock, client: Any) -> None:
        self._metrics, self._series, self._region, self._clock = dict(metrics), tuple(metrics), aws.region, clock
        # Rejected by CloudWatch, and answered with a server error, at the latest request.
        self._invalid, self._unanswered = frozenset[Series](), frozenset[Series]()
        self._client = ClientProvider("cloudwatch", aws, client)

    def series(self) -> tuple[Series, ...]:
        """All series, in the order in which they are requested."""
        return self._series

    def unsupported_metrics(self) -> tuple[str, ...]:
        """None."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        """60 for 15 days, 300 for 63 days, 3,600 for 455 days, then 0; each ends a little early, at a multiple of the next coarser period."""
        return next((period_s for period_s, first in retention_starts(now) if start >= first), 0)

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The metrics in `window` (only of `series`, if given), newest first.

        Coarse periods are requested whole, so an AnsweredRange may exceed `window`. CloudWatch's faults are problems; everything else that
        was received is in the result.
        """
        started, now = time.monotonic(), int(self._clock().timestamp())
        requested = frozenset(self._series if series is None else series)
        selected = tuple(candidate for candidate in self._series if candidate in requested)
        responses, session = self._fetch_all(tuple(plan_requests(selected, window, now)))
        return Pull(
            window=window,
            asked_at=now,
            frame=_frame(selected, responses),
            answered_ranges=tuple(
                AnsweredRange(response.answered_series, response.request.window, response.request.period_s)
                for response in responses
                if response.answered_series
            ),
            problems=session.problems,
            datapoints_requested=sum(response.request.datapoints for response in responses),
            took_s=time.monotonic() - started,
            clock_ahead_s=session.clock_ahead_s,
        )

    def check(self) -> tuple[Health, ...]:
        """Requests all series, because CloudWatch may refuse one of them; then the newest datapoint of each target group.

        In hours: a statistic that cannot be computed fails only if there are datapoints.
        """
        now = self._clock()
        series = tuple(series for series in self._series if not series.hourly)[:MAX_QUERIES]
        hours = Window.last(180, now=now).aligned(HOUR_S)
        _, session = self._fetch_all((MetricDataRequest(series, hours, HOUR_S),))
        return (session.check(_ACTION), *self._check_groups(int(now.timestamp()), session))

    def _check_groups(self, now: int, session: ApiSession) -> Iterator[Health]:
        """Whether each target group has ever reported, and the age of its newest datapoint. `session` requested all series."""
        series = [item for item in self._series if item.metric in self.presence_metrics]
        groups = tuple(dict.fromkeys(item.target_group for item in series))
        newest: dict[str, int] = {}
        blocked = session.blocked_by(_ACTION)
        failures: dict[str, Problem] = dict.fromkeys(groups, blocked) if blocked else {}
        for range_s, period_s in _LOOKBACKS_S:
            pending = [item for item in series if item.target_group not in newest.keys() | failures.keys()]
            window = Window(now - now % MINUTE_S - range_s, now - now % MINUTE_S).aligned(period_s)
            for first in range(0, len(pending), MAX_QUERIES):
                request = MetricDataRequest(tuple(pending[first : first + MAX_QUERIES]), window, period_s)
                self._find_newest(request, newest, failures)
        for group in groups:
            problems = [problem for problem in session.problems if problem.about.startswith(f"{group}: ")]
            age_s = max(0, now - newest[group]) if group in newest else None
            yield self._check_group(group, age_s, problems, failures.get(group))

    def _find_newest(self, request: MetricDataRequest, newest: dict[str, int], failures: dict[str, Problem]) -> None:
        """Adds the newest datapoint of each target group, and why one was not answered."""
        (response,), session = self._fetch_all((request,))
        for position, item in enumerate(request.series):
            group = item.target_group
            if points := response.points.get(position):
                newest[group] = max(*points, newest.get(group, 0))
            elif item not in response.answered_series and (problems := session.problems):
                own = (problem for problem in problems if problem.about.startswith(f"{group}: "))
                failures[group] = next(own, problems[0])

    def _check_group(
        self, group: str, age_s: int | None, problems: Sequence[Problem], failure: Problem | None
    ) -> Health:
        """`problems`: of the group's series. `failure`: why its newest datapoint is unknown."""
        permission = f"cloudwatch:{_ACTION}"
        if failure and age_s is None and not problems:
            return Health(self.name, permission, "not_checked", 0.0, failure, group)
        if age_s is None and not problems:
            problems = [Problem("no_such_metric", self.name, permission, group)]
        result = check_result(self.name, permission, 0.0, problems, subject=group)
        return with_newest(result, age_s, stale_after_s=self.stale_after_s)

    def _fetch_all(self, requests: Sequence[MetricDataRequest]) -> tuple[list[MetricDataResponse], ApiSession]:
        """The responses in order, until a failure makes further calls pointless; the session has all problems."""
        session = ApiSession(self.name, "cloudwatch", _OPERATIONS, self._client)
        responses: list[MetricDataResponse] = []
        for request in requests:
            responses.append(self._fetch(session, request))
            if session.blocked_by(_ACTION):
                break
        if len(responses) < len(requests):
            session.add_problem("incomplete", _ACTION, f"{len(responses)} / {len(requests)}")
        return responses, session

    def _fetch(self, session: ApiSession, request: MetricDataRequest) -> MetricDataResponse:
        """All pages of one request; series with InternalError are requested once more."""
        response = MetricDataResponse(self._metrics, request)
        self._fetch_dividing(session, response)
        if not response.failed and (positions := response.positions_with_status("InternalError")):
            self._fetch_pages(session, response, positions)
        for issue in response.issues():
            session.add_problem(issue.kind, _ACTION, issue.about, issue.detail)
        return response

    def _fetch_dividing(self, session: ApiSession, response: MetricDataResponse) -> None:
        """Adds all series to the response. One invalid series makes CloudWatch reject a whole call, and one statistic that a server cannot calculate
        may make it fail: such a call is divided until those are found.

        If nothing is answered at all, the fault is not that of a series: it is a problem of the call.
        """
        series, refused = response.request.series, dict[int, Problem]()
        pending, n_rejected = self._batches(series), 0
        while pending:
            positions = pending.pop()
            divisible = not session.has_failed(_ACTION)
            problem = self._fetch_pages(session, response, positions)
            if problem is None:
                continue
            if divisible and self._divide_by_statistic(session, response, positions, problem, pending):
                continue
            n_rejected += problem.kind == "bad_request"
            limit = MAX_REJECTED_CALLS if response.status else MAX_DIVISIONS
            if problem.kind != "bad_request" or not divisible or n_rejected > limit:
                response.fail(positions if response.status else range(len(series)))
                if not response.status:
                    return
                continue
            session.withdraw(_ACTION, problem)
            if len(positions) > 1:
                middle = len(positions) // 2
                pending += [positions[middle:], positions[:middle]]
            else:
                refused[positions[0]] = problem
        answered = frozenset(series[position] for position in response.status)
        if refused and not answered and not self._invalid.issuperset(series[position] for position in refused):
            session.add_failure(_ACTION, next(iter(refused.values())))
            response.fail(range(len(series)))
            return
        response.refused = {position: problem.detail for position, problem in refused.items()}
        self._invalid = (self._invalid - answered) | {series[position] for position in refused}
        self._unanswered = (self._unanswered - answered) | {series[position] for position in response.unanswered}

    def _divide_by_statistic(
        self,
        session: ApiSession,
        response: MetricDataResponse,
        positions: Sequence[int],
        problem: Problem,
        pending: list[Sequence[int]],
    ) -> bool:
        """Whether a server error may be, or is, that of some statistics: then their series are requested apart, or are `unanswered`."""
        if problem.kind not in _SERVER_FAULTS or not response.status.keys().isdisjoint(positions):
            return False
        by_kind = self._by_statistic_kind(response.request.series, positions)
        if len(by_kind) > 1:
            session.withdraw(_ACTION, problem)
            pending += reversed(by_kind.values())
            return True
        if 0 in by_kind:
            return False
        session.withdraw(_ACTION, problem)
        if not response.status and not self._answers_counts(session, response.request):
            return False
        response.unanswered |= dict.fromkeys(positions, problem.detail)
        return True

    def _by_statistic_kind(self, series: Sequence[Series], positions: Iterable[int]) -> dict[int, list[int]]:
        """The positions by `statistic_kind`, counts first."""
        kinds = {position: statistic_kind(self._metrics[series[position]].stat) for position in positions}
        return {kind: [position for position in kinds if kinds[position] == kind] for kind in sorted({*kinds.values()})}

    def _answers_counts(self, session: ApiSession, request: MetricDataRequest) -> bool:
        """Whether CloudWatch answers for a count of the same target group, when it answered none of the requested statistics."""
        group = request.series[0].target_group
        counts = tuple(
            series
            for series in self._series
            if series.target_group == group and not statistic_kind(self._metrics[series].stat)
        )
        if not counts:
            return False
        params = get_metric_data_params(
            self._metrics, MetricDataRequest(counts[:1], request.window, request.period_s), (0,)
        )
        return not isinstance(session.call(_ACTION, about=self._region, **params), Problem)

    def _batches(self, series: Sequence[Series]) -> list[Sequence[int]]:
        """The positions of the series to request together, the last first: all, but those that were rejected before one by one, and those that
        were unanswered by kind of statistic.
        """
        invalid = [position for position, item in enumerate(series) if item in self._invalid]
        unanswered = [position for position, item in enumerate(series) if item in self._unanswered - self._invalid]
        valid = [position for position in range(len(series)) if position not in (*invalid, *unanswered)]
        return [
            *([position] for position in invalid),
            *self._by_statistic_kind(series, unanswered).values(),
            *([valid] if valid else []),
        ]

    def _fetch_pages(
        self, session: ApiSession, response: MetricDataResponse, positions: Iterable[int]
    ) -> Problem | None:
        """Adds the pages for the series at `positions`; the problem if one could not be fetched."""
        params, idle_pages = get_metric_data_params(self._metrics, response.request, positions), 0
        for _ in range(MAX_PAGES):
            page = session.call(_ACTION, about=self._region, **params)
            if isinstance(page, Problem):
                return page
            idle_pages = 0 if response.add_page(page) else idle_pages + 1
            if not page.get("NextToken") or idle_pages >= MAX_IDLE_PAGES:
                break
            params["NextToken"] = page["NextToken"]
        return None


class CloudWatch(MetricDataSource):
    """The load balancer's metrics. A WindowLatencySource, too. Raises ValueError if the migration has no [aws]."""

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        metrics = {series: cloudwatch_metric(migration, series) for series in all_series(migration)}
        super().__init__(metrics, aws_of(migration, "CloudWatch"), clock=clock, client=client)
        self._latency_series = tuple(
            series
            for fleet in FLEETS
            for group in migration.fleets[fleet].names
            for series in series_of_window_latency(SOURCE, fleet, group, migration.slow_thresholds_s)
        )
        self._metrics |= {series: cloudwatch_metric(migration, series) for series in self._latency_series}

    def window_latency(self, window: Window) -> WindowLatency:
        """The latency of each target group over `window`, requested as one period: the longest part of `window` that fits in one.

        Target groups without data are left out.
        """
        now = int(self._clock().timestamp())
        step_s = self.finest_period_s(window.start, now=now)
        covered = longest_aligned_period(window, step_s) if step_s else None
        if covered is None:
            return WindowLatency(window, None, now)
        period_s, series = covered.end - covered.start, self._latency_series
        responses, session = self._fetch_all(
            [
                MetricDataRequest(series[first : first + MAX_QUERIES], covered, period_s)
                for first in range(0, len(series), MAX_QUERIES)
            ]
        )
        values = {
            response.request.series[position]: points[covered.start]
            for response in responses
            for position, points in sorted(response.points.items())
            if covered.start in points
        }
        answered = frozenset[Series]().union(*(response.answered_series for response in responses))
        complete = answered == frozenset(series)
        asked_at = now - math.ceil(session.clock_ahead_s)
        return WindowLatency(window, covered, asked_at, latency_summaries(values), session.problems, complete=complete)


def _frame(selected: Sequence[Series], responses: Iterable[MetricDataResponse]) -> pd.DataFrame:
    """The points of all responses as one tidy frame, by series, then by time."""
    code_of = {series: code for code, series in enumerate(selected)}
    codes, times, values, periods = [], [], [], []
    for response in responses:
        for position, points in response.points.items():
            codes.append(np.full(len(points), code_of[response.request.series[position]]))
            times.append(np.fromiter(points.keys(), "int64", len(points)))
            values.append(np.fromiter(points.values(), "float64", len(points)))
            periods.append(np.full(len(points), response.request.period_s))
    if not codes:
        return empty_frame()
    code, ts = np.concatenate(codes), np.concatenate(times)
    order = np.lexsort((ts, code))
    return check_frame(
        assemble(selected, code[order], ts[order], np.concatenate(values)[order], np.concatenate(periods)[order])
    )
