"""The table of criteria on the Parity page."""

from dataclasses import replace

import pytest

from analysis import CriterionVerdict, Judgement
from analysis.parity.verdicts import DEFAULT_CRITERIA, close_judgement
from domain import Criterion
from reports.templating import render
from tests.factories.archives import MIGRATION
from tests.factories.config_issues import CPU, own_table
from tests.factories.html import ParsedHtml
from ui.verdicts import criteria_table

ERRORS = DEFAULT_CRITERIA[0]
YOUNG = CriterionVerdict(ERRORS, "not enough data", "few_minutes")
UNDECIDED = CriterionVerdict(ERRORS, "undecided", "inconclusive", minutes_to_decision=411, minutes_to_decision_even=90)


@pytest.mark.parametrize(
    ("judgement", "expected"),
    [
        (Judgement("not enough data", (YOUNG,)), "–"),
        (Judgement("undecided", (UNDECIDED,)), "~6h 51m~1h 30m at 50:50"),
        (Judgement("undecided", (replace(UNDECIDED, minutes_to_decision=None),)), "> 4 weeks at current traffic~1h 30m at 50:50"),
        (close_judgement(Judgement("undecided", (UNDECIDED,))), "–"),
    ],
)  # fmt: skip
def test_what_is_still_needed_is_what_the_cli_says(judgement: Judgement, expected: str) -> None:
    text = " ".join(ParsedHtml(str(criteria_table(MIGRATION, judgement))).text.split())
    assert text.endswith(expected)


@pytest.mark.parametrize(("source", "is_said"), [("mackerel", True), ("cloudwatch", False)])
def test_the_rules_of_expressions_are_said_once_if_there_is_one(source: str, is_said: bool) -> None:
    query = CPU if source == "cloudwatch" else "service(photo, a)"
    names = ("uploads", "mails")
    criteria = [
        Criterion.model_validate(own_table(name=name, source=source, baseline=query, canary=query)) for name in names
    ]
    results = [replace(UNDECIDED, criterion=criterion) for criterion in (ERRORS, *criteria)]
    text = ParsedHtml(str(render("verdicts.methods", results=results))).text
    assert text.count("no point is a gap, not 0; diff and divide have a gap if either side has one") == int(is_said)
    assert [text.count(f"{name}: judged by the differences of paired minutes") for name in names] == [1, 1]


def test_built_in_criteria_have_no_paragraph() -> None:
    assert render("verdicts.methods", results=[YOUNG]) == ""


def test_routes_are_the_last_row_and_gate_criteria_are_marked() -> None:
    criterion = ERRORS.model_copy(update={"critical": True})
    judgement = Judgement("undecided", (replace(UNDECIDED, criterion=criterion),))
    routes = ("/endpoints?from=a", [("regression", 1), ("parity", 2)], "regression")
    html = criteria_table(MIGRATION, judgement, routes)  # type: ignore[arg-type]
    text = " ".join(ParsedHtml(html).text.split())
    assert text.endswith("routes1 ▲ regression 2 ● parity ▲ regression")
    assert "<a href='/endpoints?from=a'" in html and "<span class='gate'>gate</span>" in html
    assert "of-routes" not in criteria_table(MIGRATION, judgement)
