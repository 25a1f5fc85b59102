"""The table of criteria on the Parity page."""

from dataclasses import replace

import pytest

from analysis import CriterionVerdict, Judgement
from analysis.parity.verdicts import DEFAULT_CRITERIA, close_judgement
from tests.factories.archives import MIGRATION
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


def test_routes_are_the_last_row_and_gate_criteria_are_marked() -> None:
    criterion = ERRORS.model_copy(update={"critical": True})
    judgement = Judgement("undecided", (replace(UNDECIDED, criterion=criterion),))
    routes = ("/endpoints?from=a", [("regression", 1), ("parity", 2)], "regression")
    html = criteria_table(MIGRATION, judgement, routes)  # type: ignore[arg-type]
    text = " ".join(ParsedHtml(html).text.split())
    assert text.endswith("routes1 ▲ regression 2 ● parity ▲ regression")
    assert "<a href='/endpoints?from=a'" in html and "<span class='gate'>gate</span>" in html
    assert "of-routes" not in criteria_table(MIGRATION, judgement)
