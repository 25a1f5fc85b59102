"""The position of a CI beside its margin, as a bar."""

import pytest

from analysis import CriterionVerdict
from charts.interval_bar import IntervalBar, interval_bar
from domain import Criterion, Margin

CRITERION = Criterion(metric="error_rate", margin=Margin(value=0.1, unit="pp"))


@pytest.mark.parametrize(
    ("low", "estimate", "high", "expected"),
    [
        (-0.001, 0.0, 0.001, IntervalBar(25, 75, 50)),  # the margin itself
        (0.0005, 0.001, 0.0015, IntervalBar(62.5, 87.5, 75)),
        (-0.1, 0.0, 0.1, IntervalBar(0, 100, 50)),  # far beyond the picture
    ],
)
def test_zero_is_in_the_middle_and_the_margin_ends_at_the_quarters(
    low: float, estimate: float, high: float, expected: IntervalBar
) -> None:
    verdict = CriterionVerdict(
        CRITERION,
        "undecided",
        "inconclusive",
        estimate=estimate,
        lower=low,
        upper=high,
        margin=0.001,
        margin_lower=-0.001,
    )
    assert interval_bar(verdict) == expected


def test_a_relative_margin_is_symmetric() -> None:
    verdict = CriterionVerdict(
        CRITERION, "undecided", "inconclusive", estimate=0.0, lower=-0.0909, upper=0.1, margin=0.1, margin_lower=-0.0909
    )
    assert interval_bar(verdict) == IntervalBar(25, 75, 50)


def test_without_an_interval_there_is_no_bar() -> None:
    assert interval_bar(CriterionVerdict(CRITERION, "not enough data", "few_minutes")) is None
