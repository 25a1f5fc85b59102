"""Another judge's own cases and its users' complaints, replayed: each agrees, or differs as docs/MATH.md says and for its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis import CriterionVerdict, judge
from domain import Criterion
from tests.factories.frames import tidy_frame

VECTORS = Path(__file__).parent.parent.parent / "samples" / "canary_vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "kayenta_classifier.json").read_text(encoding="utf-8"))
REPORTS: list[dict[str, Any]] = json.loads((VECTORS / "user_reports.json").read_text(encoding="utf-8"))

FEW = ("not enough data", "few_minutes")
# What we say where they say Pass, High, Low or Nodata; in their order.
EXPECTED = [
    ("Pass", "undecided", "inconclusive"),  # equal within noise: thirty minutes do not prove equality within 10 %
    ("Low", "improvement", "beyond_margin"),
    (
        "Pass",
        "regression",
        "beyond_margin",
    ),  # they were asked for decreases alone; ours has a better side, not a deaf one
    ("Low", "improvement", "beyond_margin"),
    ("High", *FEW),  # five points each: a level that lasts five minutes cannot be told from one that stays
    ("Pass", *FEW),
    ("Pass", *FEW),  # nine of sixty values are positive
    ("Low", "undecided", "significantly_better"),  # 7–20 % better, margin 10 %: their test has no margin
    ("Low", *FEW),
    ("Pass", *FEW),
    ("Pass", *FEW),
    ("Pass", *FEW),
    ("Nodata", "not enough data", "not_measured"),
    ("", "not enough data", "one_side_empty"),  # nothing at all: they ask for a reason, and there is one
    ("High", *FEW),
    ("High", "not enough data", "not_measured"),  # a latency of zero is none
    ("High", "not enough data", "not_measured"),
    ("High", *FEW),
    ("Pass", *FEW),
]


def as_latency(case: dict[str, Any]) -> CriterionVerdict:
    return replay(case, "latency", "p50", Criterion.model_validate({"metric": "latency_p50", "margin": "10%"}))


def as_errors(case: dict[str, Any]) -> CriterionVerdict:
    """The same numbers as errors among ten thousand requests a minute."""
    rate = Criterion.model_validate({"metric": "target_5xx_rate", "margin": "10%"})
    return replay(case, "target_5xx", "sum", rate)


def replay(case: dict[str, Any], metric: str, stat: str, criterion: Criterion) -> CriterionVerdict:
    """Value by value as minutes."""
    rows = {}
    minutes = max(len(case["control"]), len(case["experiment"]))
    for fleet, values in (("baseline", case["control"]), ("canary", case["experiment"])):
        rows[fleet, fleet, metric, stat] = values
        rows[fleet, fleet, "requests", "sum"] = [10_000] * minutes
    return judge(tidy_frame(rows), [criterion]).criteria[0]


@pytest.mark.parametrize(
    ("case", "ours"), list(zip(CASES, EXPECTED, strict=True)), ids=[case["name"] for case in CASES]
)
def test_their_own_cases(case: dict[str, Any], ours: tuple[str, str, str]) -> None:
    said = as_latency(case)
    assert (case["expected"].get("classification", ""), said.verdict, said.reason) == ours


def test_no_case_of_theirs_is_turned_round() -> None:
    """Not once do we say worse where they say Low, better where they say High, or parity where they say either."""
    wrong = {"High": ("parity", "improvement"), "Low": ("parity", "regression"), "Nodata": ("parity",)}
    for case in CASES:
        said = as_latency(case).verdict
        assert said not in wrong.get(case["expected"].get("classification", ""), ())


@pytest.mark.parametrize("report", REPORTS, ids=[report["thread"] for report in REPORTS])
def test_what_surprised_their_users_does_not_pass_here(report: dict[str, Any]) -> None:
    """Kayenta passed all four. None is parity here, as latency or as errors; the gate stays shut."""
    assert report["kayenta"] == "Pass"
    for said in (as_latency(report), as_errors(report)):
        assert said.verdict in ("regression", "undecided", "not enough data")


def test_what_their_users_expected_comes_out_or_costs_more_than_is_promised() -> None:
    """docs/MATH.md, "The complaints": the gate of all four stays shut, and what "High" would cost on equal sides is beyond 2.5 % a side."""
    memory, variability, four_errors, seven_errors = (
        next(one for one in REPORTS if one["thread"].endswith(thread)) for thread in ("#6278", "#780", "#426", "#799")
    )
    assert as_latency(variability).verdict == "undecided"
    assert (as_errors(seven_errors).verdict, as_errors(seven_errors).reason) == ("undecided", "inconclusive")
    assert as_errors(four_errors).canary_events == 4 and 0.5**4 > 0.025
    bad_minutes = sum(1 for value in seven_errors["experiment"] if value)
    assert as_errors(seven_errors).canary_events == 7 and bad_minutes == 5 and 0.5**bad_minutes > 0.025 > 0.5**7
    slow = [value > 1 for value in memory["experiment"]]
    assert slow == [True] * 7 + [False] * 3  # one episode


def test_seven_of_ten_minutes_a_hundred_times_slower_are_a_regression_once_they_go_on() -> None:
    """spinnaker#6278, whose user was perplexed that it passes: ten minutes are one episode; mixed over an hour there is no doubt."""
    (report,) = (one for one in REPORTS if one["thread"] == "spinnaker/spinnaker#6278")
    order = [0, 7, 1, 2, 8, 3, 4, 9, 5, 6]
    going_on = {
        "control": report["control"] * 3,
        "experiment": [report["experiment"][at] for at in order] * 3,
    }
    assert as_latency(going_on).verdict == "regression"
