"""Kayenta's own test cases and its users' complaints, replayed: each result agrees, or differs for the reason in docs/MATH.md."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis import CriterionVerdict
from domain import Criterion
from tests.factories.frames import tidy_frame
from tests.factories.judgement import judge

VECTORS = Path(__file__).parent.parent.parent / "samples" / "canary_vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "kayenta_classifier.json").read_text(encoding="utf-8"))
REPORTS: list[dict[str, Any]] = json.loads((VECTORS / "user_reports.json").read_text(encoding="utf-8"))

FEW = ("not enough data", "few_minutes")
# Kayenta's classification (Pass, High, Low or Nodata), our verdict and reason; in the order of its cases.
EXPECTED = [
    ("Pass", "undecided", "inconclusive"),  # equal within noise: thirty minutes do not prove equality within 10 %
    ("Low", "improvement", "beyond_margin"),
    (
        "Pass",
        "regression",
        "beyond_margin",
    ),  # they were asked for decreases alone; ours has a better side, not a deaf one
    ("Low", "improvement", "beyond_margin"),
    ("High", *FEW),  # five points each: a shift of five minutes cannot be distinguished from a lasting one
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
    """The same numbers as errors among ten thousand requests per minute."""
    rate = Criterion.model_validate({"metric": "target_5xx_rate", "margin": "10%"})
    return replay(case, "target_5xx", "sum", rate)


def replay(case: dict[str, Any], metric: str, stat: str, criterion: Criterion) -> CriterionVerdict:
    """Judges the values as consecutive minutes."""
    rows = {}
    minutes = max(len(case["control"]), len(case["experiment"]))
    for fleet, values in (("baseline", case["control"]), ("canary", case["experiment"])):
        rows[fleet, fleet, metric, stat] = values
        rows[fleet, fleet, "requests", "sum"] = [10_000] * minutes
    return judge(tidy_frame(rows), [criterion]).criteria[0]


@pytest.mark.parametrize(
    ("case", "ours"), list(zip(CASES, EXPECTED, strict=True)), ids=[case["name"] for case in CASES]
)
def test_kayentas_own_cases(case: dict[str, Any], ours: tuple[str, str, str]) -> None:
    result = as_latency(case)
    assert (case["expected"].get("classification", ""), result.verdict, result.reason) == ours


def test_no_classification_is_contradicted() -> None:
    """Never worse for their Low, better for their High, or parity for either."""
    contradictions = {"High": ("parity", "improvement"), "Low": ("parity", "regression"), "Nodata": ("parity",)}
    for case in CASES:
        result = as_latency(case).verdict
        assert result not in contradictions.get(case["expected"].get("classification", ""), ())


@pytest.mark.parametrize("report", REPORTS, ids=[report["thread"] for report in REPORTS])
def test_the_reported_cases_do_not_pass(report: dict[str, Any]) -> None:
    """Kayenta passed all four. None is parity here, as latency or as errors: the gate stays closed."""
    assert report["kayenta"] == "Pass"
    for result in (as_latency(report), as_errors(report)):
        assert result.verdict in ("regression", "undecided", "not enough data")


def test_expected_failures_are_met_or_would_exceed_the_error_budget() -> None:
    """docs/MATH.md, "The complaints": the gate stays closed for all four; "High" would exceed 2.5% false alarms per side."""
    memory, variability, four_errors, seven_errors = (
        next(report for report in REPORTS if report["thread"].endswith(thread))
        for thread in ("#6278", "#780", "#426", "#799")
    )
    assert as_latency(variability).verdict == "undecided"
    assert (as_errors(seven_errors).verdict, as_errors(seven_errors).reason) == ("undecided", "inconclusive")
    assert as_errors(four_errors).canary_events == 4 and 0.5**4 > 0.025
    bad_minutes = sum(1 for value in seven_errors["experiment"] if value)
    assert as_errors(seven_errors).canary_events == 7 and bad_minutes == 5 and 0.5**bad_minutes > 0.025 > 0.5**7
    slow = [value > 1 for value in memory["experiment"]]
    assert slow == [True] * 7 + [False] * 3  # one episode


def test_seven_of_ten_slow_minutes_are_a_regression_once_repeated() -> None:
    """spinnaker#6278, whose user expected a failure: ten minutes are one episode; interleaved and repeated there is no doubt."""
    (report,) = (report for report in REPORTS if report["thread"] == "spinnaker/spinnaker#6278")
    order = [0, 7, 1, 2, 8, 3, 4, 9, 5, 6]
    repeated = {
        "control": report["control"] * 3,
        "experiment": [report["experiment"][index] for index in order] * 3,
    }
    assert as_latency(repeated).verdict == "regression"
