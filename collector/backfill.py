"""The back-fill: what a source still keeps of the time before, asked gently, newest first, while the live edge goes on as ever."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from archive.archive import Archive
from archive.metrics.fetch_plan import UNKNOWN, Ask, Known, LiveEdge, asks, periods_of, tiers
from archive.metrics.results import Filled
from domain import Series, Window
from domain.window import MINUTE_S
from sources.base import MetricSource

PIECE_PERIODS = 720  # half a day of minutes in one pull: few enough that the live edge never waits long for its turn
KEPT_S = 455 * 86_400  # as long as CloudWatch keeps anything
MINUTES_S = (
    63 * 86_400
)  # of a source that keeps minutes for longer than that, no more is asked unless somebody says since when
QUIET_S = 15 * 86_400  # where all that was answered of so long a time holds nothing, what lies before it is not asked
LOOK_AGAIN_S = 600  # once all is there: a gap that an outage left behind is found after so long
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15, 900
REST = 3  # times as long as a pull took: the pages' share of the processor, and of the source's patience

Standing = Literal["filling", "waiting", "done"]


@dataclass(frozen=True, slots=True)
class Backfilled:
    """How far one source's past is kept: `there` of `whole` periods, of one series, each in the resolution that the source still has.

    `state`: "filling", "waiting" (refused, throttled, or the archive cannot be written) or "done". `back_to`: from here on (epoch seconds)
    everything that can be had is there. `window`: what shall be there; it begins later where the source had nothing for long.
    """

    state: Standing
    there: int
    whole: int
    back_to: int
    window: Window


class Backfill:
    """Fills one source's past, a pull a step. `since`: the first minute that is wanted (epoch seconds); None: everything the source keeps."""

    def __init__(self, archive: Archive, source: MetricSource, *, since: int | None) -> None:
        self._archive, self._source, self._since = archive, source, since
        self._paused_at, self._pause_s = 0, 0
        self._quiet_before = 0
        self.backfilled: Backfilled | None = None

    def heed(self, filled: Filled, now: datetime) -> bool:
        """Whether an asking of the source, for whatever time, went well. If not, the past waits, longer each time until some of it came."""
        if filled.archive_problem:
            self._tell("waiting")
        if not filled.pulls or (
            filled.answered and not any(problem.kind == "throttled" for problem in filled.problems)
        ):
            return True
        self._paused_at = int(now.timestamp())
        self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._tell("waiting")
        return False

    def step(self, now: datetime, *, ask_every_s: int = 60) -> float:
        """Makes one pull, if any is to be made. Returns the seconds until the next step. Raises ArchiveError where the archive cannot be read."""
        at = int(now.timestamp())
        if 0 <= at - self._paused_at < self._pause_s:
            self._tell("waiting")
            return float(self._paused_at + self._pause_s - at)
        window = self._window(now)
        if window is None:
            return float(LOOK_AGAIN_S)
        known, wanted, edge = self._archive.knows(self._source.name), self._source.series(), self._archive.edge(now)
        # Series that wait after a refusal, of any time, are not asked for the past either.
        asked = [one for one in wanted if not any(old.waits(at) for old in known.get(one, UNKNOWN).refusals)]
        left = asks(window, asked, known, edge, partial(self._source.finest_period_s, now=at), longest=PIECE_PERIODS)
        if left and self._silent(Window(left[0].window.end, left[0].window.end + QUIET_S), known, edge):
            self._quiet_before = left[0].window.end
            return 0.0
        unwritten = self._archive.problem is not None
        state: Standing = (
            "waiting" if unwritten or (len(asked) < len(wanted) and not left) else "filling" if left else "done"
        )
        self.backfilled = self._progress(window, left, at, state)
        if unwritten or not left:
            return float(FIRST_PAUSE_S if state == "waiting" else LOOK_AGAIN_S)
        began, first = time.monotonic(), left[0]
        filled = self._archive.fill(
            first.window,
            self._source,
            now=now,
            ask_every_s=ask_every_s,
            longest=PIECE_PERIODS,
            at_most=1,
            only=first.series.__contains__,
        )
        if not self.heed(filled, now):
            return float(self._pause_s)
        self._pause_s = 0
        return REST * (time.monotonic() - began)

    def _progress(self, window: Window, left: Sequence[Ask], now: int, state: Standing) -> Backfilled:
        parts = tiers(window, partial(self._source.finest_period_s, now=now))
        kept = [part for part, period_s in parts if period_s]  # what lies before the first is nowhere to be had
        window = Window(kept[0].start, window.end) if kept else window
        whole = periods_of(parts)
        lacking = [ask for ask in left if not all(one.hourly for one in ask.series)]
        back_to = max((ask.window.end for ask in lacking), default=window.start)
        return Backfilled(
            state, whole - periods_of((ask.window, ask.period_s) for ask in lacking), whole, back_to, window
        )

    def _silent(self, window: Window, known: Mapping[Series, Known], edge: LiveEdge) -> bool:
        """Whether all of a settled window was answered, and held nothing of any series."""
        of_minutes = (known.get(one, UNKNOWN) for one in self._source.series() if not one.hourly)
        return (
            window.end <= edge.settled
            and not any(window.minus(one.within()) for one in of_minutes)
            and not self._archive.any_numbers(window, self._source.name)
        )

    def _window(self, now: datetime) -> Window | None:
        """The settled time that shall be there."""
        at, end = int(now.timestamp()), self._archive.edge(now).settled
        far = MINUTES_S if self._source.finest_period_s(at - MINUTES_S, now=at) == MINUTE_S else KEPT_S
        start = max(at - far if self._since is None else self._since, self._quiet_before)
        start += -start % 3600
        return Window(start, end) if start < end else None

    def _tell(self, state: Standing) -> None:
        if self.backfilled:
            self.backfilled = replace(self.backfilled, state=state)
