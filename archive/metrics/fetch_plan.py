"""Which windows of which series to fetch, and what an answer adds to their coverage. Pure: no clock, no database, no source."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain import Series, Window
from domain.window import HOUR_S, MINUTE_S, merge_windows
from sources.base import AnsweredRange

FIRST_BACKOFF_S, MAX_BACKOFF_S = 60, 900  # a failed series is retried after 1, 2, 4 … 15 minutes
FAILURE_EXPIRY_S = 86_400
UNIFORM_MINUTES = 360  # a window this short has one resolution if both of its ends have the same
MAX_ARCHIVE_CLOCK_SKEW_S = 120  # between the clocks of machines that share an archive


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """What is final at `now` (epoch seconds): minutes older than `final_after_s`. Provisional minutes are fetched every `refresh_interval_s`.

    Time before `kept_since` (a whole hour) is not kept, and never fetched.
    """

    now: int
    final_after_s: int
    refresh_interval_s: int = 60
    kept_since: int = 0

    @property
    def latest_end(self) -> int:
        """The end of the newest complete minute."""
        return self.now - self.now % MINUTE_S

    @property
    def final_until(self) -> int:
        return self.final_until_at(self.now)

    def final_until_at(self, at: int) -> int:
        """`final_until` as it was at `at`."""
        return (at - self.final_after_s) // MINUTE_S * MINUTE_S

    def fetch_window(self, window: Window) -> Window | None:
        """`window` without the future and what is not kept.

        If it has a provisional minute, it is extended to all of them, so that one fetch serves every caller.
        """
        first, end = max(window.start, self.kept_since), min(window.end, self.latest_end)
        start = first
        if end > self.final_until:
            start, end = min(start, self.final_until), self.latest_end
        return Window(start, end) if first < end else None


@dataclass(frozen=True, slots=True)
class FailedFetch:
    """A window that was requested and not answered, `failures` times in a row, last at `failed_at` (epoch seconds)."""

    window: Window
    failures: int
    failed_at: int

    @property
    def retry_at(self) -> int:
        return self.failed_at + int(min(FIRST_BACKOFF_S * 2 ** (self.failures - 1), MAX_BACKOFF_S))

    def in_backoff(self, now: int) -> bool:
        return self.failed_at <= now < self.retry_at  # a failure from the future comes from a wrong clock


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the archive has of one series.

    `covered`: by period in seconds, the final time that was answered, merged. `asked_at`: when its provisional minutes were last answered.
    """

    covered: Mapping[int, tuple[Window, ...]] = field(default_factory=dict)
    asked_at: int | None = None
    failed_fetches: tuple[FailedFetch, ...] = ()

    def covered_windows(self, period_s: int | None = None) -> tuple[Window, ...]:
        """The time covered in this period or a finer one; in any period for None."""
        covered = [windows for covered_s, windows in self.covered.items() if period_s is None or covered_s <= period_s]
        return covered[0] if len(covered) == 1 else merge_windows(window for windows in covered for window in windows)

    def answered_windows(self, policy: FreshnessPolicy) -> tuple[Window, ...]:
        """The time answered in any period, with the provisional minutes."""
        if self.asked_at is None:
            return self.covered_windows()
        start, end = policy.final_until_at(self.asked_at), self.asked_at - self.asked_at % MINUTE_S
        return merge_windows((*self.covered_windows(), Window(start, end)))

    def within(self, window: Window) -> "Coverage":
        """The part in `window`; with `asked_at` if that was in it or a minute later."""
        covered = {
            period_s: tuple(part for known in windows if (part := known.overlap(window)))
            for period_s, windows in self.covered.items()
        }
        asked_at = self.asked_at if self.asked_at is not None and self.asked_at < window.end + MINUTE_S else None
        return Coverage(covered, asked_at, self.failed_fetches)

    def clamp_to_final(self, policy: FreshnessPolicy) -> "Coverage":
        """Without coverage of time that is not final yet, which a clock that ran ahead left behind. Ends at whole periods."""
        latest = policy.final_until + MAX_ARCHIVE_CLOCK_SKEW_S
        if all(windows[-1].end <= latest for windows in self.covered.values() if windows):
            return self
        covered = {
            period_s: tuple(
                Window(window.start, min(window.end, until))
                for window in windows
                if window.start < (until := policy.final_until // period_s * period_s)
            )
            for period_s, windows in self.covered.items()
        }
        return replace(self, covered=covered)


NO_COVERAGE = Coverage()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One pull to make: these series over this window, for which the source has `period_s`."""

    series: tuple[Series, ...]
    window: Window
    period_s: int

    def includes(self, other: "FetchRequest") -> bool:
        return set(other.series) <= set(self.series) and self.window.overlap(other.window) == other.window


def plan_fetches(
    window: Window,
    series: Sequence[Series],
    coverage: Mapping[Series, Coverage],
    policy: FreshnessPolicy,
    finest_period: Callable[[int], int],
    *,
    max_periods: int = 1440,
) -> tuple[FetchRequest, ...]:
    """Requests for what is missing or provisional: newest first, series with failures last, each of at most `max_periods` periods.

    Series that miss the same window share a request. `finest_period` gives the shortest period in seconds that the source has for a minute
    (0: none); it grows with age. Hourly series are requested for final whole hours inside the window only.
    """
    fetch_window = policy.fetch_window(window)
    if fetch_window is None:
        return ()
    minutes = resolution_tiers(fetch_window, finest_period)
    hours = _whole_hours(fetch_window, finest_period, policy)
    by_part: dict[tuple[Window, int], list[Series]] = {}
    for item in series:
        known = coverage.get(item, NO_COVERAGE).clamp_to_final(policy)
        for part in _missing_parts(known, hours if item.hourly else minutes, policy):
            by_part.setdefault(part, []).append(item)
    # The provisional minutes stay in one request, because their `asked_at` is stored once.
    min_s = policy.final_after_s + 60 * MINUTE_S
    requests = [
        FetchRequest(tuple(members), chunk, period_s)
        for (missing, period_s), members in by_part.items()
        for chunk in _chunks_newest_first(missing, max(max_periods * period_s, -(-min_s // period_s) * period_s))
    ]

    def order(request: FetchRequest) -> tuple[bool, int, int, int]:
        # Failed series come last: if the first pull returns nothing, the source counts as down.
        failed = any(coverage.get(item, NO_COVERAGE).failed_fetches for item in request.series)
        return failed, -request.window.end, -len(request.series), request.window.start

    return tuple(sorted(requests, key=order))


def _whole_hours(
    window: Window, finest_period: Callable[[int], int], policy: FreshnessPolicy
) -> tuple[tuple[Window, int], ...]:
    """The final whole hours of `window` that the source still has, each part with its period."""
    start, end = -(-window.start // HOUR_S) * HOUR_S, min(window.end, policy.final_until) // HOUR_S * HOUR_S
    if start >= end:
        return ()
    return tuple(
        (part, max(period_s, HOUR_S) if period_s else 0)
        for part, period_s in resolution_tiers(Window(start, end), finest_period)
    )


def resolution_tiers(window: Window, finest_period: Callable[[int], int]) -> tuple[tuple[Window, int], ...]:
    """`window` cut where the source's finest period changes, in order, each part with its period in seconds.

    A part of at least UNIFORM_MINUTES may be finer than its surroundings, as in the demo.
    """
    first, last = finest_period(window.start), finest_period(window.end - MINUTE_S)
    if (first == last and window.minutes <= UNIFORM_MINUTES) or window.minutes == 1:
        return ((window, first),)
    middle = window.start + window.minutes // 2 * MINUTE_S
    before = resolution_tiers(Window(window.start, middle), finest_period)
    after = resolution_tiers(Window(middle, window.end), finest_period)
    (left, left_s), (right, right_s) = before[-1], after[0]
    if left_s != right_s:
        return before + after
    return (*before[:-1], (Window(left.start, right.end), left_s), *after[1:])


def count_periods(parts: Iterable[tuple[Window, int]]) -> int:
    """The number of periods in parts of time, each with its period in seconds (0: none). Overlapping time counts once."""
    by_period: dict[int, list[Window]] = {}
    for part, period_s in parts:
        by_period.setdefault(period_s, []).append(part)
    return sum(
        (window.end - window.start) // period_s
        for period_s, windows in by_period.items()
        if period_s
        for window in merge_windows(windows)
    )


def due_in_s(series: Sequence[Series], coverage: Mapping[Series, Coverage], policy: FreshnessPolicy) -> int:
    """Seconds until the provisional minutes of some series may be fetched again; 0: now."""
    waits = (_backoff(coverage.get(item, NO_COVERAGE), policy)[0] - policy.now for item in series if not item.hourly)
    return min(waits, default=policy.refresh_interval_s)


def update_coverage(
    before: Coverage,
    series: Series,
    request: FetchRequest,
    answered_ranges: Sequence[AnsweredRange],
    policy: FreshnessPolicy,
    *,
    source_failed: bool,
    clock_ahead_s: float = 0.0,
) -> Coverage:
    """The coverage of `series` after the answer to `request`: what was final by the local clock and by the source's (`clock_ahead_s` behind).

    `source_failed`: the source answered nothing, so the series' back-off does not grow.
    """
    of_series = [answer for answer in answered_ranges if series in answer.series]
    covered = dict(before.covered)
    final_until = policy.final_until_at(policy.now - math.ceil(max(clock_ahead_s, 0.0)))
    for answer in of_series:
        until = min(answer.window.end, final_until // answer.period_s * answer.period_s)
        if answer.window.start < until:
            windows = (*covered.get(answer.period_s, ()), Window(answer.window.start, until))
            covered[answer.period_s] = merge_windows(windows)
    if series not in request.series:
        return replace(before, covered=covered)

    answered = [answer.window for answer in of_series if answer.period_s <= request.period_s]
    failed = request.window.subtract(answered)
    provisional_answered = any(window.end > policy.final_until for window in answered)
    if provisional_answered:  # the next refresh fetches all provisional minutes again
        failed = tuple(
            Window(window.start, min(window.end, policy.final_until))
            for window in failed
            if window.start < policy.final_until
        )
    failed_fetches = [
        replace(old, window=window)
        for old in before.failed_fetches
        if 0 <= policy.now - old.failed_at < FAILURE_EXPIRY_S
        for window in old.window.subtract((*answered, *failed))
    ]
    for window in failed:
        failures = max((old.failures for old in before.failed_fetches if old.window.overlap(window)), default=0)
        failures = max(failures, 1) if source_failed else failures + 1
        failed_fetches.append(FailedFetch(window, failures, policy.now))
    asked_at = policy.now if provisional_answered else before.asked_at
    return Coverage(covered, asked_at, tuple(sorted(failed_fetches, key=lambda fetch: fetch.window)))


def _missing_parts(
    coverage: Coverage, parts: Sequence[tuple[Window, int]], policy: FreshnessPolicy
) -> Iterator[tuple[Window, int]]:
    _, until = _backoff(coverage, policy)
    waiting = tuple(fetch.window for fetch in coverage.failed_fetches if fetch.in_backoff(policy.now))
    for part, period_s in parts:
        if not period_s:
            continue
        # Whole, complete periods only, so that the answer covers exactly what was requested.
        start, end = part.start // period_s * period_s, -(-part.end // period_s) * period_s
        end = min(end, until // period_s * period_s)
        if start < end:
            missing = Window(start, end).subtract((*coverage.covered_windows(period_s), *waiting))
            yield from ((window, period_s) for window in merge_windows(window.aligned(period_s) for window in missing))


def _backoff(coverage: Coverage, policy: FreshnessPolicy) -> tuple[int, int]:
    """(when, until): before `when` only time before `until` may be fetched."""
    waits = [
        (fetch.retry_at, policy.final_until_at(fetch.failed_at))
        for fetch in coverage.failed_fetches
        if fetch.in_backoff(policy.now) and fetch.window.end > policy.final_until_at(fetch.failed_at)
    ]
    if coverage.asked_at is not None and 0 <= policy.now - coverage.asked_at < policy.refresh_interval_s:
        waits.append((coverage.asked_at + policy.refresh_interval_s, policy.final_until_at(coverage.asked_at)))
    if not waits:
        return policy.now, policy.latest_end
    return max(when for when, _ in waits), min(until for _, until in waits)


def _chunks_newest_first(window: Window, max_s: int) -> Iterator[Window]:
    end = window.end
    while end > window.start:
        start = max(window.start, end - max_s)
        yield Window(start, end)
        end = start
