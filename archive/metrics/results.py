"""What a reading of the archive gives, and what a filling of it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from archive.db.engine import ArchiveProblem
from archive.metrics import rows
from archive.metrics.fetch_plan import Ask, Known, LiveEdge
from domain import Series, Window
from domain.window import MINUTE_S, merged
from sources.base import Problem


@dataclass(frozen=True, slots=True)
class Brought:
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
    last_asked: int | None = None
    asked: int = 0
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None
    took_s: float = 0.0

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Every period_s that serves some part, finest first."""
        return tuple(sorted({period_s for _, period_s in self.periods}))

    @property
    def unread(self) -> tuple[Window, ...]:
        """When the requests of some group were not answered: no fleet's share of the traffic is known then."""
        return merged(gap for one, gaps in self.unknown.items() if one.metric == "requests" for gap in gaps)

    def firm_until(self, *, provisional_s: int, settled: int) -> int:
        """Up to here (epoch seconds) the numbers may be judged: those after it were last read when they were younger than `provisional_s`.

        What ended by `settled` is firm whenever it was read, unless it was read too young and not again.
        """
        if self.last_asked is None:
            return settled
        read = self.last_asked - self.last_asked % MINUTE_S
        young = Window(read - provisional_s, read) if provisional_s else None
        not_again = young is not None and any(gap.overlap(young) for gap in self.missing)
        return read - provisional_s if not_again else max(read - provisional_s, settled)


@dataclass(frozen=True, slots=True)
class Filled:
    """What one filling did: `pulls` made for `asked` datapoints, what is `left` to ask, and whether somebody else is at it (`busy`).

    `answered`: some series were answered. `due_in_s`: when the newest minutes may be asked again.
    """

    pulls: int = 0
    answered: bool = False
    asked: int = 0
    left: tuple[Ask, ...] = ()
    busy: bool = False
    due_in_s: int = 0
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None

    @property
    def minutes_left(self) -> int:
        return sum(window.minutes for window in merged(ask.window for ask in self.left))


def brought(
    window: Window, series: Sequence[Series], known: Sequence[Known], found: rows.Rows, edge: LiveEdge
) -> Brought:
    """A reading of `window`: `found` are the rows, whose codes are positions in `series`; `known` goes with `series`."""
    found = rows.finest(found, {code: one.covered for code, one in enumerate(known)})
    return Brought(
        frame=found.frame(series),
        window=window,
        data_until=_data_until(found, series),
        missing=_missing(window, known, edge),
        unknown=_unknown(window, series, known, edge),
        periods=rows.resolutions(found, _by_period(known), window),
        last_asked=max((one.asked_at for one in known if one.asked_at is not None), default=None),
    )


def _data_until(found: rows.Rows, wanted: Sequence[Series]) -> int | None:
    of_requests = np.array([one.metric == "requests" for one in wanted] or [False])
    said = found.where(of_requests[found.code])
    return int((said.ts + said.period_s).max()) if len(said) else None


def _missing(window: Window, known: Sequence[Known], edge: LiveEdge) -> tuple[Window, ...]:
    if edge.settled <= window.start:
        return ()
    settled = Window(window.start, min(window.end, edge.settled))
    return merged(part for one in known for part in settled.minus(one.within()))


def _unknown(
    window: Window, series: Sequence[Series], known: Sequence[Known], edge: LiveEdge
) -> dict[Series, tuple[Window, ...]]:
    of_counts = ((one, known_of) for one, known_of in zip(series, known, strict=True) if one.stat == "sum")
    return {one: gaps for one, known_of in of_counts if (gaps := window.minus(known_of.answered(edge)))}


def _by_period(known: Sequence[Known]) -> dict[int, tuple[Window, ...]]:
    periods = {period_s for one in known for period_s in one.covered}
    return {period_s: merged(w for one in known for w in one.covered.get(period_s, ())) for period_s in periods}
