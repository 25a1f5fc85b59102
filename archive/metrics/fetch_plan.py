"""What to ask a source for, and what its answer teaches. Pure: no clock, no database, no source."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain import Series, Window
from domain.series import HOUR_S
from domain.window import MINUTE_S, merge_windows
from sources.base import AnsweredRange

FIRST_BACKOFF_S, MAX_BACKOFF_S = 60, 900  # a series that is refused is asked again after 1, 2, 4 … 15 minutes
FAILURE_EXPIRY_S = 86_400
UNIFORM_MINUTES = 360  # where both ends of so short a time are kept in one period, all of it is
MAX_ARCHIVE_CLOCK_SKEW_S = (
    120  # clocks of several machines may differ by so much before the archive takes one for wrong
)


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """Where time stands at `now` (epoch seconds): minutes older than `settle_s` are settled, the younger ones are asked every `ask_every_s`."""

    now: int
    final_after_s: int
    refresh_interval_s: int = 60

    @property
    def latest_end(self) -> int:
        """The end of the newest whole minute: the future is never asked for."""
        return self.now - self.now % MINUTE_S

    @property
    def final_until(self) -> int:
        return self.final_until_at(self.now)

    def final_until_at(self, at: int) -> int:
        """Up to here everything was settled at `at`."""
        return (at - self.final_after_s) // MINUTE_S * MINUTE_S

    def fetch_window(self, window: Window) -> Window | None:
        """`window` without the future; whoever asks for one unsettled minute asks for all, so that one asking serves everybody."""
        start, end = window.start, min(window.end, self.latest_end)
        if end > self.final_until:
            start, end = min(start, self.final_until), self.latest_end
        return Window(start, end) if window.start < end else None


@dataclass(frozen=True, slots=True)
class FailedFetch:
    """A window that was asked for and not answered, `failures` times in a row, the last time at `at` (epoch seconds)."""

    window: Window
    failures: int
    failed_at: int

    @property
    def retry_at(self) -> int:
        return self.failed_at + int(min(FIRST_BACKOFF_S * 2 ** (self.failures - 1), MAX_BACKOFF_S))

    def in_backoff(self, now: int) -> bool:
        return self.failed_at <= now < self.retry_at  # one from the future was written by a wrong clock


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the archive knows of one series.

    `covered`: by period in seconds, the settled time that was answered, merged. `asked_at`: when its unsettled minutes were last answered.
    """

    covered: Mapping[int, tuple[Window, ...]] = field(default_factory=dict)
    asked_at: int | None = None
    failed_fetches: tuple[FailedFetch, ...] = ()

    def covered_windows(self, period_s: int | None = None) -> tuple[Window, ...]:
        """The time that is covered in this period or a finer one; in any, if none is given."""
        fine = [windows for each_s, windows in self.covered.items() if period_s is None or each_s <= period_s]
        return fine[0] if len(fine) == 1 else merge_windows(window for windows in fine for window in windows)

    def answered_windows(self, policy: FreshnessPolicy) -> tuple[Window, ...]:
        """The time that was answered, in any period, the unsettled minutes included."""
        if self.asked_at is None:
            return self.covered_windows()
        start, end = policy.final_until_at(self.asked_at), self.asked_at - self.asked_at % MINUTE_S
        return merge_windows((*self.covered_windows(), Window(start, end)))

    def clamp_to_final(self, policy: FreshnessPolicy) -> "Coverage":
        """The same without coverage of what cannot be settled yet: a clock that ran ahead and was set right had claimed it."""
        last = policy.final_until + MAX_ARCHIVE_CLOCK_SKEW_S
        if all(windows[-1].end <= last for windows in self.covered.values() if windows):
            return self
        covered = {
            period_s: tuple(
                Window(window.start, min(window.end, policy.final_until))
                for window in windows
                if window.start < policy.final_until
            )
            for period_s, windows in self.covered.items()
        }
        return replace(self, covered=covered)


NO_COVERAGE = Coverage()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One pull to make: these series over this window, for which the source keeps `period_s`."""

    series: tuple[Series, ...]
    window: Window
    period_s: int


def plan_fetches(
    window: Window,
    all_series: Sequence[Series],
    coverage: Mapping[Series, Coverage],
    policy: FreshnessPolicy,
    finest_period: Callable[[int], int],
    *,
    max_periods: int = 1440,
) -> tuple[FetchRequest, ...]:
    """What is neither there nor settled, newest first, series that lack the same in one ask of at most `longest` periods.

    Series that were refused something come after the others.

    `finest` tells the shortest period that the source keeps for a minute (0: none), longer the older the minute. Of hourly series only the
    settled hours that lie wholly inside the window are asked for.
    """
    reach = policy.fetch_window(window)
    if reach is None:
        return ()
    parts, hours = resolution_tiers(reach, finest_period), _whole_hours(reach, finest_period, policy)
    lacking: dict[tuple[Window, int], list[Series]] = {}
    for series in all_series:
        for missing in _missing_parts(
            coverage.get(series, NO_COVERAGE).clamp_to_final(policy), hours if series.hourly else parts, policy
        ):
            lacking.setdefault(missing, []).append(series)
    # The unsettled minutes stay in one piece: whether they were asked is remembered once for all of them.
    shortest_s = policy.final_after_s + 60 * MINUTE_S
    every = [
        FetchRequest(tuple(series), piece, period_s)
        for (missing, period_s), series in lacking.items()
        for piece in _chunks_newest_first(missing, max(max_periods * period_s, -(-shortest_s // period_s) * period_s))
    ]

    def order(request: FetchRequest) -> tuple[bool, int, int, int]:
        # What was refused comes last: where the first pull brings nothing at all, the source is taken to be down.
        refused = any(coverage.get(series, NO_COVERAGE).failed_fetches for series in request.series)
        return refused, -request.window.end, -len(request.series), request.window.start

    return tuple(sorted(every, key=order))


def _whole_hours(
    window: Window, finest_period: Callable[[int], int], policy: FreshnessPolicy
) -> tuple[tuple[Window, int], ...]:
    """The settled whole hours of `reach` that the source still keeps."""
    start, end = -(-window.start // HOUR_S) * HOUR_S, min(window.end, policy.final_until) // HOUR_S * HOUR_S
    if start >= end:
        return ()
    return tuple(
        (part, max(period_s, HOUR_S) if period_s else 0)
        for part, period_s in resolution_tiers(Window(start, end), finest_period)
    )


def resolution_tiers(window: Window, finest_period: Callable[[int], int]) -> tuple[tuple[Window, int], ...]:
    """`window` cut where the source's finest period changes, in order, each part with its period.

    A stretch of UNIFORM_MINUTES or more may be kept finer than what lies around it, as the demo keeps its episodes.
    """
    first, last = finest_period(window.start), finest_period(window.end - MINUTE_S)
    if (first == last and window.minutes <= UNIFORM_MINUTES) or window.minutes == 1:
        return ((window, first),)
    middle = window.start + window.minutes // 2 * MINUTE_S
    before = resolution_tiers(Window(window.start, middle), finest_period)
    after = resolution_tiers(Window(middle, window.end), finest_period)
    (early, period_s), (late, same_s) = before[-1], after[0]
    if period_s != same_s:
        return before + after
    return (*before[:-1], (Window(early.start, late.end), period_s), *after[1:])


def count_periods(parts: Iterable[tuple[Window, int]]) -> int:
    """How many periods there are in parts of time, each with its period in seconds (0: none there); the same time twice counts once."""
    by_period: dict[int, list[Window]] = {}
    for part, period_s in parts:
        by_period.setdefault(period_s, []).append(part)
    return sum(
        (window.end - window.start) // period_s
        for period_s, windows in by_period.items()
        if period_s
        for window in merge_windows(windows)
    )


def due_in_s(all_series: Sequence[Series], coverage: Mapping[Series, Coverage], policy: FreshnessPolicy) -> int:
    """In how many seconds the unsettled minutes of some series may be asked for again; 0: now."""
    live = (coverage.get(series, NO_COVERAGE) for series in all_series if not series.hourly)
    return min((_backoff(one, policy)[0] - policy.now for one in live), default=policy.refresh_interval_s)


def update_coverage(
    before: Coverage,
    series: Series,
    request: FetchRequest,
    answered_ranges: Sequence[AnsweredRange],
    policy: FreshnessPolicy,
    *,
    source_failed: bool,
) -> Coverage:
    """What is known of `series` after `ask` was answered so. `wholesale`: the source answered nothing at all, so the series is not to blame."""
    mine = [answer for answer in answered_ranges if series in answer.series]
    covered = dict(before.covered)
    for answer in mine:
        until = min(answer.window.end, policy.final_until // answer.period_s * answer.period_s)
        if answer.window.start < until:
            windows = (*covered.get(answer.period_s, ()), Window(answer.window.start, until))
            covered[answer.period_s] = merge_windows(windows)
    if series not in request.series:
        return replace(before, covered=covered)

    answered = [answer.window for answer in mine if answer.period_s <= request.period_s]
    refused = request.window.subtract(answered)
    newest_too = any(window.end > policy.final_until for window in answered)
    if newest_too:  # what it left out of the unsettled minutes comes with the next asking
        refused = tuple(
            Window(window.start, min(window.end, policy.final_until))
            for window in refused
            if window.start < policy.final_until
        )
    left = [
        replace(old, window=rest)
        for old in before.failed_fetches
        if 0 <= policy.now - old.failed_at < FAILURE_EXPIRY_S
        for rest in old.window.subtract((*answered, *refused))
    ]
    for window in refused:
        so_far = max((old.failures for old in before.failed_fetches if old.window.overlap(window)), default=0)
        left.append(FailedFetch(window, max(so_far, 1) if source_failed else so_far + 1, policy.now))
    return Coverage(
        covered, policy.now if newest_too else before.asked_at, tuple(sorted(left, key=lambda old: old.window))
    )


def _missing_parts(
    coverage: Coverage, parts: Sequence[tuple[Window, int]], policy: FreshnessPolicy
) -> Iterator[tuple[Window, int]]:
    _, until = _backoff(coverage, policy)
    waiting = tuple(refusal.window for refusal in coverage.failed_fetches if refusal.in_backoff(policy.now))
    for part, period_s in parts:
        if not period_s:
            continue
        # Whole periods only, so that what is asked is what is answered, and a period that is not over waits.
        start, end = part.start // period_s * period_s, -(-part.end // period_s) * period_s
        end = min(end, until // period_s * period_s)
        if start < end:
            lacking = Window(start, end).subtract((*coverage.covered_windows(period_s), *waiting))
            yield from ((window, period_s) for window in merge_windows(window.aligned(period_s) for window in lacking))


def _backoff(coverage: Coverage, policy: FreshnessPolicy) -> tuple[int, int]:
    """(when, until): the unsettled minutes are left alone until `when`; meanwhile only what lies before `until` may be asked for."""
    held = [
        (refusal.retry_at, policy.final_until_at(refusal.failed_at))
        for refusal in coverage.failed_fetches
        if refusal.in_backoff(policy.now) and refusal.window.end > policy.final_until_at(refusal.failed_at)
    ]
    if coverage.asked_at is not None and 0 <= policy.now - coverage.asked_at < policy.refresh_interval_s:
        held.append((coverage.asked_at + policy.refresh_interval_s, policy.final_until_at(coverage.asked_at)))
    if not held:
        return policy.now, policy.latest_end
    return max(when for when, _ in held), min(until for _, until in held)


def _chunks_newest_first(window: Window, max_s: int) -> Iterator[Window]:
    end = window.end
    while end > window.start:
        start = max(window.start, end - max_s)
        yield Window(start, end)
        end = start
