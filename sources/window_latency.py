"""A window asked once, as one period: percentiles of all its answers together. Not every source can; paid, so only asked when somebody looks."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain import Window
from domain.latency import LatencySummary
from sources.base import Problem


@dataclass(frozen=True, slots=True)
class WindowLatency:
    """What a source said of `window` as one period. `asked_at` is epoch seconds.

    `covered` is the period that the numbers stand for: the longest part of `window` that can be had in one piece, None where there is none.
    `groups` are the target groups that have any number there. `complete`: everything was answered; otherwise `problems` say why not.
    """

    window: Window
    covered: Window | None
    asked_at: int
    groups: tuple[LatencySummary, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True


@runtime_checkable
class WindowLatencySource(Protocol):
    """A metric source that can merge the answers of a whole window, and not only those of a minute."""

    name: str

    def window_latency(self, window: Window) -> WindowLatency:
        """The latency of each target group over `window`. Never raises for outside faults."""
        ...


def longest_aligned_period(window: Window, step_s: int, *, max_s: int = 86_400) -> Window | None:
    """The longest period inside `window` that is a single one however the other side cuts time; the latest of several; None where there is none.

    Some cut periods by the clock (multiples of their length since the epoch), some from the start that was asked for, and CloudWatch does not
    promise either. A period whose start is a multiple of its length, asked for from that start to that end, is the same by both. Its length is
    a multiple of `step_s`. What is lost is small: of a window of n minutes about √(2n).
    """
    most_s = min(window.end - window.start, max_s) // step_s * step_s
    for length_s in range(most_s, 0, -step_s):
        end = window.end // length_s * length_s
        if end - length_s >= window.start:
            return Window(end - length_s, end)
    return None
