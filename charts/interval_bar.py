"""One interval in its margin, as a bar: what a forest plot has in each row."""

from dataclasses import dataclass

from analysis import CriterionVerdict

REACH_MARGINS = 2.0  # the picture reaches to twice the margin on each side


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """Places in % of the picture's width: zero at 50, the margin's edges at 25 and 75. What lies beyond the picture stands at its end."""

    left_percent: float
    right_percent: float
    estimate_percent: float


def interval_bar(verdict: CriterionVerdict) -> IntervalBar | None:
    """The bar of one criterion; None before there is an interval. Both halves of a margin are drawn alike, also of a relative one (10 % → −9.1 %)."""
    margin, margin_low = verdict.margin, verdict.margin_lower
    if verdict.lower is None or verdict.upper is None or verdict.estimate is None or not margin or not margin_low:
        return None

    def place(difference: float) -> float:
        of_margin = difference / (margin if difference >= 0 else -margin_low)
        return 50 + 50 * max(-REACH_MARGINS, min(REACH_MARGINS, of_margin)) / REACH_MARGINS

    return IntervalBar(place(verdict.lower), place(verdict.upper), place(verdict.estimate))
