"""What reading metrics from the archive returns, and what fetching them did."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from archive.db.errors import ArchiveProblem
from archive.metrics.fetch_plan import Coverage, FetchRequest, FreshnessPolicy
from archive.metrics.rows import Rows, finest_resolution, resolutions
from domain import Series, Window
from domain.series import is_request_count
from domain.window import MINUTE_S, merge_windows
from sources.base import Problem


@dataclass(frozen=True, slots=True)
class RequestCoverage:
    """What is known of the requests of one target group in a window besides the rows.

    `unanswered`: time without an answer; `failed`: time that was requested and not answered, which remains so until it is. `ever_reported`:
    the archive has a request of the group, at whatever time.
    """

    unanswered: tuple[Window, ...] = ()
    failed: tuple[Window, ...] = ()
    ever_reported: bool = True


@dataclass(frozen=True, slots=True)
class MetricsResult:
    """The metrics of one source in a window, and how complete they are. Times are epoch seconds.

    `frame`: tidy, sorted by time. `data_until`: the end of the newest period with requests. `missing`: final time without data of some series, unless
    it is not kept any more.
    `unknown`: by count series, the time without an answer, where a missing row does not mean 0. `requests`: what is known of each series of
    requests; none before the source was asked for anything. `periods`: which period_s serves which part.
    `last_asked_at`: when the provisional minutes were last answered. `datapoints_requested`: from the source, for this result.
    """

    frame: pd.DataFrame
    window: Window
    data_until: int | None = None
    missing: tuple[Window, ...] = ()
    unknown: Mapping[Series, tuple[Window, ...]] = field(default_factory=dict)
    requests: Mapping[Series, RequestCoverage] = field(default_factory=dict)
    periods: tuple[tuple[Window, int], ...] = ()
    last_asked_at: int | None = None
    datapoints_requested: int = 0
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None
    took_s: float = 0.0

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Every period_s in use, finest first."""
        return tuple(sorted({period_s for _, period_s in self.periods}))

    @property
    def requests_unknown(self) -> tuple[Window, ...]:
        """Time without an answer for the requests of some target group: the fleets' shares of the traffic are unknown."""
        return merge_windows(
            gap for series, gaps in self.unknown.items() if series.metric == "requests" for gap in gaps
        )

    def final_until(self, *, provisional_s: int, final_by_age: int) -> int:
        """The end of what may be judged (epoch seconds): minutes after it were last read when younger than `provisional_s`.

        What ended by `final_by_age` is final, unless it was read while provisional and not again.
        """
        if self.last_asked_at is None:
            return final_by_age
        read_at = self.last_asked_at - self.last_asked_at % MINUTE_S
        provisional = Window(read_at - provisional_s, read_at) if provisional_s else None
        not_read_again = provisional is not None and any(gap.overlap(provisional) for gap in self.missing)
        return read_at - provisional_s if not_read_again else max(read_at - provisional_s, final_by_age)


@dataclass(frozen=True, slots=True)
class FillResult:
    """What one fill did. `requests`: by window, those that remain. `busy`: another thread or process is fetching.

    `answered`: some series were answered. `due_in_s`: seconds until the provisional minutes may be fetched again.
    """

    requests: Mapping[Window, tuple[FetchRequest, ...]] = field(default_factory=dict)
    pulls: int = 0
    answered: bool = False
    datapoints_requested: int = 0
    busy: bool = False
    due_in_s: int = 0
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None

    @property
    def remaining(self) -> tuple[FetchRequest, ...]:
        """The requests of the first window that has any."""
        return next((requests for requests in self.requests.values() if requests), ())

    @property
    def complete_windows(self) -> tuple[Window, ...]:
        """The windows of which nothing is to be fetched now."""
        return tuple(window for window, requests in self.requests.items() if not requests)

    def missing_minutes(self, window: Window, *, final_until: int) -> int:
        """The number of minutes before `final_until` that the requests of `window` are for."""
        merged = merge_windows(request.window for request in self.requests.get(window, ()))
        return sum(max(min(part.end, final_until) - part.start, 0) for part in merged) // MINUTE_S


def metrics_result(
    window: Window,
    series: Sequence[Series],
    coverage: Sequence[Coverage],
    points: Rows,
    policy: FreshnessPolicy,
    *,
    reported: Collection[Series] = (),
) -> MetricsResult:
    """The result for `window`. Codes of `points` are positions in `series`; `coverage` is parallel to `series`.

    `reported`: series of requests with a point at any time, besides those with a point in `points`.
    """
    points = finest_resolution(points, {code: of_series.covered for code, of_series in enumerate(coverage)})
    with_points = {series[code] for code in np.unique(points.code)}
    return MetricsResult(
        frame=points.frame(series),
        window=window,
        data_until=_data_until(points, series),
        missing=_missing(window, coverage, policy),
        unknown=_unknown(window, series, coverage, policy),
        requests={
            item: RequestCoverage(
                window.subtract(known.answered_windows(policy)),
                merge_windows(
                    part for fetch in known.failed_fetches if (part := fetch.window.overlap(window)) is not None
                ),
                item in reported or item in with_points,
            )
            for item, known in zip(series, coverage, strict=True)
            if is_request_count(item)
        },
        periods=resolutions(points, _covered_by_period(coverage), window),
        last_asked_at=max((item.asked_at for item in coverage if item.asked_at is not None), default=None),
    )


def _data_until(points: Rows, series: Sequence[Series]) -> int | None:
    is_requests = np.array([item.metric == "requests" for item in series] or [False])
    requests = points.where(is_requests[points.code])
    return int((requests.ts + requests.period_s).max()) if len(requests) else None


def _missing(window: Window, coverage: Sequence[Coverage], policy: FreshnessPolicy) -> tuple[Window, ...]:
    start, end = max(window.start, policy.kept_since), min(window.end, policy.final_until)
    if end <= start:
        return ()
    final = Window(start, end)
    return merge_windows(gap for item in coverage for gap in final.subtract(item.covered_windows()))


def _unknown(
    window: Window, series: Sequence[Series], coverage: Sequence[Coverage], policy: FreshnessPolicy
) -> dict[Series, tuple[Window, ...]]:
    counts = ((item, known) for item, known in zip(series, coverage, strict=True) if item.stat == "sum")
    return {item: gaps for item, known in counts if (gaps := window.subtract(known.answered_windows(policy)))}


def _covered_by_period(coverage: Sequence[Coverage]) -> dict[int, tuple[Window, ...]]:
    periods = {period_s for item in coverage for period_s in item.covered}
    return {
        period_s: merge_windows(window for item in coverage for window in item.covered.get(period_s, ()))
        for period_s in periods
    }
