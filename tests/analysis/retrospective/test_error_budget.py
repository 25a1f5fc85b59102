"""The error budget of an SLO: what it allows at a traffic, and which share of it errors burned."""

import pytest

from analysis.retrospective.error_budget import error_budget
from domain import Slo

SLO = Slo.model_validate("99.9% over 30d")
DAY_S = 86_400


def test_the_budget_is_of_the_traffic_of_the_whole_period() -> None:
    budget = error_budget(SLO, 7_000_000, 7 * DAY_S)  # a million a day
    assert budget.errors == pytest.approx(30_000)
    assert budget.burned({"baseline": 300, "canary": 45_000}) == pytest.approx({"baseline": 0.01, "canary": 1.5})
    assert error_budget(SLO, 2_000_000, 2 * DAY_S).errors == pytest.approx(30_000)
    assert error_budget(Slo.model_validate("99% over 7 d"), 7_000_000, 7 * DAY_S).errors == pytest.approx(70_000)


def test_what_is_not_known_is_not_burned() -> None:
    assert error_budget(SLO, 7_000_000, 7 * DAY_S).burned({"baseline": None, "canary": 0}) == {
        "baseline": None,
        "canary": 0,
    }
    for requests, covered_s in ((1_000_000, DAY_S - 600), (0, 7 * DAY_S), (0, 0)):
        budget = error_budget(SLO, requests, covered_s)
        assert budget.errors is None and budget.burned({"baseline": 1, "canary": 1}) == {
            "baseline": None,
            "canary": None,
        }
