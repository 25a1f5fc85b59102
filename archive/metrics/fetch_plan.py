"""What to ask a source for, and what its answer teaches. Pure: no clock, no database, no source."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain import Series, Window
from domain.series import HOUR_S
from domain.window import MINUTE_S, merged
from sources.base import Answer

FIRST_WAIT_S, LONGEST_WAIT_S = 60, 900  # a series that is refused is asked again after 1, 2, 4 … 15 minutes
FORGOTTEN_S = 86_400
UNIFORM_MINUTES = 360  # where both ends of so short a time are kept in one period, all of it is
SKEW_S = 120  # clocks of several machines may differ by so much before the archive takes one for wrong


@dataclass(frozen=True, slots=True)
class LiveEdge:
    """Where time stands at `now` (epoch seconds): minutes older than `settle_s` are settled, the younger ones are asked every `ask_every_s`."""

    now: int
    settle_s: int
    ask_every_s: int = 60

    @property
    def newest(self) -> int:
        """The end of the newest whole minute: the future is never asked for."""
        return self.now - self.now % MINUTE_S

    @property
    def settled(self) -> int:
        return self.settled_at(self.now)

    def settled_at(self, at: int) -> int:
        """Up to here everything was settled at `at`."""
        return (at - self.settle_s) // MINUTE_S * MINUTE_S

    def reach(self, window: Window) -> Window | None:
        """`window` without the future; whoever asks for one unsettled minute asks for all, so that one asking serves everybody."""
        start, end = window.start, min(window.end, self.newest)
        if end > self.settled:
            start, end = min(start, self.settled), self.newest
        return Window(start, end) if window.start < end else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A window that was asked for and not answered, `failures` times in a row, the last time at `at` (epoch seconds)."""

    window: Window
    failures: int
    at: int

    @property
    def again_at(self) -> int:
        return self.at + int(min(FIRST_WAIT_S * 2 ** (self.failures - 1), LONGEST_WAIT_S))

    def waits(self, now: int) -> bool:
        return self.at <= now < self.again_at  # one from the future was written by a wrong clock


@dataclass(frozen=True, slots=True)
class Known:
    """What the archive knows of one series.

    `covered`: by period in seconds, the settled time that was answered, merged. `asked_at`: when its unsettled minutes were last answered.
    """

    covered: Mapping[int, tuple[Window, ...]] = field(default_factory=dict)
    asked_at: int | None = None
    refusals: tuple[Refusal, ...] = ()

    def within(self, period_s: int | None = None) -> tuple[Window, ...]:
        """The time that is covered in this period or a finer one; in any, if none is given."""
        fine = [windows for each_s, windows in self.covered.items() if period_s is None or each_s <= period_s]
        return fine[0] if len(fine) == 1 else merged(window for windows in fine for window in windows)

    def answered(self, edge: LiveEdge) -> tuple[Window, ...]:
        """The time that was answered, in any period, the unsettled minutes included."""
        if self.asked_at is None:
            return self.within()
        start, end = edge.settled_at(self.asked_at), self.asked_at - self.asked_at % MINUTE_S
        return merged((*self.within(), Window(start, end)))

    def sane(self, edge: LiveEdge) -> "Known":
        """The same without coverage of what cannot be settled yet: a clock that ran ahead and was set right had claimed it."""
        last = edge.settled + SKEW_S
        if all(windows[-1].end <= last for windows in self.covered.values() if windows):
            return self
        covered = {
            period_s: tuple(
                Window(window.start, min(window.end, edge.settled)) for window in windows if window.start < edge.settled
            )
            for period_s, windows in self.covered.items()
        }
        return replace(self, covered=covered)


UNKNOWN = Known()


@dataclass(frozen=True, slots=True)
class Ask:
    """One pull to make: these series over this window, for which the source keeps `period_s`."""

    series: tuple[Series, ...]
    window: Window
    period_s: int


def asks(
    window: Window,
    wanted: Sequence[Series],
    known: Mapping[Series, Known],
    edge: LiveEdge,
    finest: Callable[[int], int],
    *,
    longest: int = 1440,
) -> tuple[Ask, ...]:
    """What is neither there nor settled, newest first, series that lack the same in one ask of at most `longest` periods.

    Series that were refused something come after the others.

    `finest` tells the shortest period that the source keeps for a minute (0: none), longer the older the minute. Of hourly series only the
    settled hours that lie wholly inside the window are asked for.
    """
    reach = edge.reach(window)
    if reach is None:
        return ()
    parts, hours = tiers(reach, finest), _hours(reach, finest, edge)
    lacking: dict[tuple[Window, int], list[Series]] = {}
    for series in wanted:
        for missing in _missing(known.get(series, UNKNOWN).sane(edge), hours if series.hourly else parts, edge):
            lacking.setdefault(missing, []).append(series)
    # The unsettled minutes stay in one piece: whether they were asked is remembered once for all of them.
    shortest_s = edge.settle_s + 60 * MINUTE_S
    every = [
        Ask(tuple(series), piece, period_s)
        for (missing, period_s), series in lacking.items()
        for piece in _from_the_end(missing, max(longest * period_s, -(-shortest_s // period_s) * period_s))
    ]

    def order(ask: Ask) -> tuple[bool, int, int, int]:
        # What was refused comes last: where the first pull brings nothing at all, the source is taken to be down.
        refused = any(known.get(series, UNKNOWN).refusals for series in ask.series)
        return refused, -ask.window.end, -len(ask.series), ask.window.start

    return tuple(sorted(every, key=order))


def _hours(reach: Window, finest: Callable[[int], int], edge: LiveEdge) -> tuple[tuple[Window, int], ...]:
    """The settled whole hours of `reach` that the source still keeps."""
    start, end = -(-reach.start // HOUR_S) * HOUR_S, min(reach.end, edge.settled) // HOUR_S * HOUR_S
    if start >= end:
        return ()
    return tuple(
        (part, max(period_s, HOUR_S) if period_s else 0) for part, period_s in tiers(Window(start, end), finest)
    )


def tiers(window: Window, finest: Callable[[int], int]) -> tuple[tuple[Window, int], ...]:
    """`window` cut where the source's finest period changes, in order, each part with its period.

    A stretch of UNIFORM_MINUTES or more may be kept finer than what lies around it, as the demo keeps its episodes.
    """
    first, last = finest(window.start), finest(window.end - MINUTE_S)
    if (first == last and window.minutes <= UNIFORM_MINUTES) or window.minutes == 1:
        return ((window, first),)
    middle = window.start + window.minutes // 2 * MINUTE_S
    before = tiers(Window(window.start, middle), finest)
    after = tiers(Window(middle, window.end), finest)
    (early, period_s), (late, same_s) = before[-1], after[0]
    if period_s != same_s:
        return before + after
    return (*before[:-1], (Window(early.start, late.end), period_s), *after[1:])


def periods_of(parts: Iterable[tuple[Window, int]]) -> int:
    """How many periods there are in parts of time, each with its period in seconds (0: none there); the same time twice counts once."""
    by_period: dict[int, list[Window]] = {}
    for part, period_s in parts:
        by_period.setdefault(period_s, []).append(part)
    return sum(
        (window.end - window.start) // period_s
        for period_s, windows in by_period.items()
        if period_s
        for window in merged(windows)
    )


def due_in_s(wanted: Sequence[Series], known: Mapping[Series, Known], edge: LiveEdge) -> int:
    """In how many seconds the unsettled minutes of some series may be asked for again; 0: now."""
    live = (known.get(series, UNKNOWN) for series in wanted if not series.hourly)
    return min((_held(one, edge)[0] - edge.now for one in live), default=edge.ask_every_s)


def learnt(
    before: Known, series: Series, ask: Ask, answers: Sequence[Answer], edge: LiveEdge, *, wholesale: bool
) -> Known:
    """What is known of `series` after `ask` was answered so. `wholesale`: the source answered nothing at all, so the series is not to blame."""
    mine = [answer for answer in answers if series in answer.series]
    covered = dict(before.covered)
    for answer in mine:
        until = min(answer.window.end, edge.settled // answer.period_s * answer.period_s)
        if answer.window.start < until:
            windows = (*covered.get(answer.period_s, ()), Window(answer.window.start, until))
            covered[answer.period_s] = merged(windows)
    if series not in ask.series:
        return replace(before, covered=covered)

    answered = [answer.window for answer in mine if answer.period_s <= ask.period_s]
    refused = ask.window.minus(answered)
    newest_too = any(window.end > edge.settled for window in answered)
    if newest_too:  # what it left out of the unsettled minutes comes with the next asking
        refused = tuple(
            Window(window.start, min(window.end, edge.settled)) for window in refused if window.start < edge.settled
        )
    left = [
        replace(old, window=rest)
        for old in before.refusals
        if 0 <= edge.now - old.at < FORGOTTEN_S
        for rest in old.window.minus((*answered, *refused))
    ]
    for window in refused:
        so_far = max((old.failures for old in before.refusals if old.window.overlap(window)), default=0)
        left.append(Refusal(window, max(so_far, 1) if wholesale else so_far + 1, edge.now))
    return Known(covered, edge.now if newest_too else before.asked_at, tuple(sorted(left, key=lambda old: old.window)))


def _missing(known: Known, parts: Sequence[tuple[Window, int]], edge: LiveEdge) -> Iterator[tuple[Window, int]]:
    _, until = _held(known, edge)
    waiting = tuple(refusal.window for refusal in known.refusals if refusal.waits(edge.now))
    for part, period_s in parts:
        if not period_s:
            continue
        # Whole periods only, so that what is asked is what is answered, and a period that is not over waits.
        start, end = part.start // period_s * period_s, -(-part.end // period_s) * period_s
        end = min(end, until // period_s * period_s)
        if start < end:
            lacking = Window(start, end).minus((*known.within(period_s), *waiting))
            yield from ((window, period_s) for window in merged(window.aligned(period_s) for window in lacking))


def _held(known: Known, edge: LiveEdge) -> tuple[int, int]:
    """(when, until): the unsettled minutes are left alone until `when`; meanwhile only what lies before `until` may be asked for."""
    held = [
        (refusal.again_at, edge.settled_at(refusal.at))
        for refusal in known.refusals
        if refusal.waits(edge.now) and refusal.window.end > edge.settled_at(refusal.at)
    ]
    if known.asked_at is not None and 0 <= edge.now - known.asked_at < edge.ask_every_s:
        held.append((known.asked_at + edge.ask_every_s, edge.settled_at(known.asked_at)))
    if not held:
        return edge.now, edge.newest
    return max(when for when, _ in held), min(until for _, until in held)


def _from_the_end(window: Window, longest_s: int) -> Iterator[Window]:
    end = window.end
    while end > window.start:
        start = max(window.start, end - longest_s)
        yield Window(start, end)
        end = start
