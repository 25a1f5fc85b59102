"""A CI beside its margin as a bar: one row of a forest plot."""

from dataclasses import dataclass
from typing import Literal

from analysis import CriterionVerdict

REACH_MARGINS = 2.0  # the picture extends to twice the margin on each side


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """Positions in % of the picture's width: 0 is at 50, the margin's ends at 25 and 75. Values beyond the picture are at its ends.

    `beyond`: the ends of the picture beyond which the interval reaches.
    """

    left_percent: float
    right_percent: float
    estimate_percent: float

    @property
    def beyond(self) -> tuple[Literal["left", "right"], ...]:
        left: tuple[Literal["left", "right"], ...] = ("left",) if self.left_percent <= 0 else ()
        return (*left, "right") if self.right_percent >= 100 else left


def interval_bar(verdict: CriterionVerdict) -> IntervalBar | None:
    """The bar of one criterion; None without an interval. Both halves of a margin have the same width, also of a relative one (10 % → −9.1 %)."""
    margin, margin_low = verdict.margin, verdict.margin_lower
    if verdict.lower is None or verdict.upper is None or verdict.estimate is None or not margin or not margin_low:
        return None

    def position(difference: float) -> float:
        of_margin = difference / (margin if difference >= 0 else -margin_low)
        return 50 + 50 * max(-REACH_MARGINS, min(REACH_MARGINS, of_margin)) / REACH_MARGINS

    return IntervalBar(position(verdict.lower), position(verdict.upper), position(verdict.estimate))
