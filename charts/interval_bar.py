"""One interval in its margin, as a bar: what a forest plot has in each row."""

from dataclasses import dataclass

from analysis import CriterionVerdict

REACH = 2.0  # the picture reaches to twice the margin on each side


@dataclass(frozen=True, slots=True)
class Bar:
    """Places in % of the picture's width: zero at 50, the margin's edges at 25 and 75. What lies beyond the picture stands at its end."""

    left: float
    right: float
    estimate: float


def bar(found: CriterionVerdict) -> Bar | None:
    """The bar of one criterion; None before there is an interval. Both halves of a margin are drawn alike, also of a relative one (10 % → −9.1 %)."""
    margin, margin_low = found.margin, found.margin_low
    if found.low is None or found.high is None or found.estimate is None or not margin or not margin_low:
        return None

    def place(difference: float) -> float:
        of_margin = difference / (margin if difference >= 0 else -margin_low)
        return 50 + 50 * max(-REACH, min(REACH, of_margin)) / REACH

    return Bar(place(found.low), place(found.high), place(found.estimate))
