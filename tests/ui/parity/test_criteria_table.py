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
        (Judgement("undecided", (UNDECIDED,)), "about 6h 51m to goat 50:50 about 1h 30m"),
        (Judgement("undecided", (replace(UNDECIDED, minutes_to_decision=None),)), "no end in sight at this trafficat 50:50 about 1h 30m"),
        (close_judgement(Judgement("undecided", (UNDECIDED,))), "–"),
    ],
)  # fmt: skip
def test_what_is_still_needed_is_what_the_cli_says(judgement: Judgement, expected: str) -> None:
    text = " ".join(ParsedHtml(str(criteria_table(MIGRATION, judgement))).text.split())
    assert text.endswith(expected)
