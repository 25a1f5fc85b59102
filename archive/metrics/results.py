"""What a reading of the archive gives, and what a filling of it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from archive.db.engine import ArchiveProblem
from archive.metrics import rows
from archive.metrics.fetch_plan import Coverage, FetchRequest, FreshnessPolicy
from domain import Series, Window
from domain.window import MINUTE_S, merge_windows
from sources.base import Problem


@dataclass(frozen=True, slots=True)
class MetricsResult:
    """The numbers of one source in a window, and how far they can be relied on. Times are epoch seconds; `asked` counts datapoints.

    `frame` is tidy, in the order of time. `data_until`: the end of the newest period with requests. `missing`: settled time of which
    some series was not answered yet. `unknown`: the counts that were not answered, and when: what is absent there is not 0. `periods`: which
    period_s serves which part. `last_asked`: when the newest minutes were last answered.
    """

    frame: pd.DataFrame
    window: Window
    data_until: int | None = None
    missing: tuple[Window, ...] = ()
    unknown: Mapping[Series, tuple[Window, ...]] = field(default_factory=dict)
    periods: tuple[tuple[Window, int], ...] = ()
    last_asked_at: int | None = None
    datapoints_requested: int = 0
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None
    took_s: float = 0.0

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Every period_s that serves some part, finest first."""
        return tuple(sorted({period_s for _, period_s in self.periods}))

    @property
    def requests_unknown(self) -> tuple[Window, ...]:
        """When the requests of some group were not answered: no fleet's share of the traffic is known then."""
        return merge_windows(gap for one, gaps in self.unknown.items() if one.metric == "requests" for gap in gaps)

    def final_until(self, *, provisional_s: int, final_by_age: int) -> int:
        """Up to here (epoch seconds) the numbers may be judged: those after it were last read when they were younger than `provisional_s`.

        What ended by `settled` is firm whenever it was read, unless it was read too young and not again.
        """
        if self.last_asked_at is None:
            return final_by_age
        read = self.last_asked_at - self.last_asked_at % MINUTE_S
        young = Window(read - provisional_s, read) if provisional_s else None
        not_again = young is not None and any(gap.overlap(young) for gap in self.missing)
        return read - provisional_s if not_again else max(read - provisional_s, final_by_age)


@dataclass(frozen=True, slots=True)
class FillResult:
    """What one filling did: `pulls` made for `asked` datapoints, what is `left` to ask, and whether somebody else is at it (`busy`).

    `answered`: some series were answered. `due_in_s`: when the newest minutes may be asked again.
    """

    pulls: int = 0
    answered: bool = False
    datapoints_requested: int = 0
    remaining: tuple[FetchRequest, ...] = ()
    busy: bool = False
    due_in_s: int = 0
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None

    @property
    def minutes_remaining(self) -> int:
        return sum(window.minutes for window in merge_windows(ask.window for ask in self.remaining))


def metrics_result(
    window: Window, series: Sequence[Series], coverage: Sequence[Coverage], rows_: rows.Rows, policy: FreshnessPolicy
) -> MetricsResult:
    """A reading of `window`: `found` are the rows, whose codes are positions in `series`; `known` goes with `series`."""
    rows_ = rows.finest_resolution(rows_, {code: one.covered for code, one in enumerate(coverage)})
    return MetricsResult(
        frame=rows_.frame(series),
        window=window,
        data_until=_data_until(rows_, series),
        missing=_missing(window, coverage, policy),
        unknown=_unknown(window, series, coverage, policy),
        periods=rows.resolutions(rows_, _covered_by_period(coverage), window),
        last_asked_at=max((one.asked_at for one in coverage if one.asked_at is not None), default=None),
    )


def _data_until(rows_: rows.Rows, series: Sequence[Series]) -> int | None:
    of_requests = np.array([one.metric == "requests" for one in series] or [False])
    said = rows_.where(of_requests[rows_.code])
    return int((said.ts + said.period_s).max()) if len(said) else None


def _missing(window: Window, coverage: Sequence[Coverage], policy: FreshnessPolicy) -> tuple[Window, ...]:
    if policy.final_until <= window.start:
        return ()
    settled = Window(window.start, min(window.end, policy.final_until))
    return merge_windows(part for one in coverage for part in settled.subtract(one.covered_windows()))


def _unknown(
    window: Window, series: Sequence[Series], coverage: Sequence[Coverage], policy: FreshnessPolicy
) -> dict[Series, tuple[Window, ...]]:
    of_counts = ((one, known_of) for one, known_of in zip(series, coverage, strict=True) if one.stat == "sum")
    return {one: gaps for one, known_of in of_counts if (gaps := window.subtract(known_of.answered_windows(policy)))}


def _covered_by_period(coverage: Sequence[Coverage]) -> dict[int, tuple[Window, ...]]:
    periods = {period_s for one in coverage for period_s in one.covered}
    return {
        period_s: merge_windows(w for one in coverage for w in one.covered.get(period_s, ())) for period_s in periods
    }
