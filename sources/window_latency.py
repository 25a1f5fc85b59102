"""Latency percentiles over a whole window as one period, for sources that can aggregate it. Billed, so only requested on demand."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain import Window
from domain.latency import LatencySummary
from domain.window import DAY_S
from sources.base import Problem


@dataclass(frozen=True, slots=True)
class WindowLatency:
    """The latency of each target group over `window` as one period. `asked_at`: epoch seconds, by the earlier of the local and the source's clock.

    `covered`: the period of the values, the longest part of `window` that can be requested as one period; None if there is none.
    `groups`: the target groups with data. `complete`: every series was answered; otherwise `problems` say why not.
    """

    window: Window
    covered: Window | None
    asked_at: int
    groups: tuple[LatencySummary, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True


@runtime_checkable
class WindowLatencySource(Protocol):
    """A metric source that can aggregate a whole window, not only minutes."""

    name: str

    def window_latency(self, window: Window) -> WindowLatency:
        """The latency of each target group over `window`. Faults of the service are problems."""


def longest_aligned_period(window: Window, step_s: int, *, max_s: int = DAY_S) -> Window | None:
    """The longest period inside `window` whose start is a multiple of its length, the latest of several; None if there is none.

    Services align periods to the epoch or to the requested start, and CloudWatch does not document which. An aligned period is the same
    either way. Its length is a multiple of `step_s`. Of a window of n minutes it leaves out about √(2n).
    """
    longest_s = min(window.end - window.start, max_s) // step_s * step_s
    for length_s in range(longest_s, 0, -step_s):
        end = window.end // length_s * length_s
        if end - length_s >= window.start:
            return Window(end - length_s, end)
    return None
