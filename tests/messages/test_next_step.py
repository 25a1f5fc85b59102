"""Every reason of a next step in a sentence, its risks, and the table's cells."""

from dataclasses import replace
from typing import get_args

import pytest

from analysis.deployments.next_step import CanaryLoad, NextStep, StepForecast, StepReason
from messages import next_step as text
from services.next_step import gate
from tests.factories.config import make_migration
from tests.factories.traffic import HEADER_RULE, make_rule

PHOTO = make_migration("migration.slo", "99.9% over 30d").model_copy(update={"criteria": ()})
WITHOUT_SLO = PHOTO.model_copy(update={"slo": None})
ROWS = (
    StepForecast(0.1, {"error_rate": 300, "latency_p95": None}, 12.4, 0.002, 120.0),
    StepForecast(0.25, {"error_rate": 90, "latency_p95": 95}, 21.0, 0.0321, 300.0),
    StepForecast(1.0, {"error_rate": None, "latency_p95": None}, None, None, 1200.0),
)
STEP = NextStep("next", ROWS, 0.1, 0.25, 95, load=CanaryLoad(1200.0, 1, 120.0))


def first(reason: StepReason, subject: str = "") -> str:
    return text.sentences(replace(STEP, reason=reason, subject=subject), PHOTO)[0]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("next", "Set ECS to 25%: the smallest larger weight that is decided within a day, in about 1h 35m."),
        (
            "too_slow",
            "10% is not decided within a day at this traffic. Set ECS to 25%: the smallest larger weight that is, in about 1h 35m.",
        ),
        (
            "last",
            "Set ECS to 100%: no smaller candidate is left. Nothing is compared from then on; keep EC2 ready for a rollback.",
        ),
        ("stay", "Stay at 10%: decision expected in about 1h 35m."),
        ("no_weights", "Weights unavailable: no step can be recommended."),
        ("no_split", "No rule splits the traffic between the fleets: no step can be recommended."),
        ("at_100", "ECS has all traffic: no step is left."),
        (
            "at_0",
            "ECS has no traffic, so there is nothing to forecast from. The smallest first step is 0.1%: weights 999 and 1.",
        ),
        ("roll_back", "No step: the decision is ROLL BACK."),
        ("hold", "No step: the decision is HOLD. Resolve its reasons first."),
        ("no_data", "No step without current data. See Data sources."),
        ("waiting", "Stay at 10% until the decision is made: routes or a source are still missing."),
        ("too_little", "Stay at 10%: too few minutes of this phase to forecast from."),
        ("none_useful", "No larger weight is decided within a day at this traffic."),
        ("over_budget", "No step: each weight that is decided within a day may burn more than the error budget."),
    ],
)
def test_each_reason_is_a_sentence(reason: StepReason, sentence: str) -> None:
    assert first(reason) == sentence


def test_reasons_with_a_subject() -> None:
    assert first("deploying", "web:42") == "No step while web:42 is being deployed: one change at a time."
    assert (
        first("continue_deployment", "web:42")
        == "Continue the deployment of web:42, which waits for approval: the decision is CONTINUE."
    )
    assert first("keep_waiting", "web:42") == "Leave the deployment of web:42 waiting until there is a decision."
    assert (
        first("other_groups", "legacy")
        == "No step: legacy, an unassigned target group, has weight, and its requests are not counted."
    )
    assert first("worse", "latency_p95") == "Stay at 10%: p95 is not decided, and possibly worse."


def test_no_reason_is_without_a_sentence() -> None:
    assert all(first(reason) for reason in get_args(StepReason))


def test_the_risks_of_the_recommended_step() -> None:
    assert text.sentences(replace(STEP, unchanged_rules=(make_rule(HEADER_RULE, "10", green=1),)), PHOTO)[1:] == (
        "At worst 21 extra errors until then, 3.21% of the error budget.",
        "Capacity unverified: 300 req/min per ECS target, 2.5 times the highest sustained for 1h (120).",
        "The commands leave other rules as they are: HTTPS:443 10 (X-Canary: ecs).",
    )


def test_a_load_that_was_carried_is_no_risk_and_without_an_slo_there_is_no_budget() -> None:
    carried = replace(STEP, load=CanaryLoad(1200.0, 1, 300.0), rows=(replace(ROWS[1], budget_burned=None),))
    assert text.sentences(carried, WITHOUT_SLO)[1:] == ("At worst 21 extra errors until then.",)
    assert text.sentences(replace(STEP, reason="stay", recommended=0.1), PHOTO)[1:] == ()


def test_the_cells_are_under_their_headings() -> None:
    assert text.head(PHOTO, gate(PHOTO)) == (
        "ECS share",
        "Time to decision: error rate",
        "Time to decision: p95",
        "Extra errors at worst",
        "of the error budget",
        "req/min per target",
    )
    assert [text.cells(STEP, row, PHOTO) for row in ROWS] == [
        ("10% · now", "~5h", "> 4 weeks", "≤ 12", "0.20%", "120 (1×)"),
        ("25% · recommended", "~1h 30m", "~1h 35m", "≤ 21", "3.21%", "300 (2.5×)"),
        ("100%", "–", "–", "–", "–", "1,200 (10×)"),
    ]
    assert text.cells(replace(STEP, load=CanaryLoad()), ROWS[1], WITHOUT_SLO)[-2:] == ("≤ 21", "300")
    assert text.cells(replace(STEP, load=CanaryLoad(1200.0, 1, 2.4)), ROWS[1], PHOTO)[-1] == "300 (125×)"
    stay = replace(STEP, reason="stay", recommended=0.1)
    assert text.cells(stay, ROWS[0], PHOTO)[0] == "10% · stay"
