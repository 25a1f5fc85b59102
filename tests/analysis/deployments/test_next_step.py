"""The choice of the next step, why there may be none, and its commands."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import CriterionVerdict, Judgement, Verdict, VerdictReason
from analysis.deployments.next_step import (
    CANDIDATE_SHARES,
    MAX_WEIGHT,
    NextStep,
    StepForecast,
    candidate_shares,
    choose_step,
    obstacle,
    step_commands,
    step_rules,
    step_weights,
)
from analysis.deployments.waits import waiting_deployments
from domain import Criterion, Group, Margin, Rule, Share, Traffic
from domain.decision import DecisionReason, ReasonCode, ReasonedDecision
from domain.deployments import Deployment, DeploymentState, Wait
from tests.factories.traffic import ARNS, BLUE, DEFAULT_RULE, EC2, GREEN, HEADER_RULE, command_weights, make_rule

DAY = 24 * 60
ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True)
CONTINUE = ReasonedDecision()
OTHER_RULE = DEFAULT_RULE.replace("4c2b9d7e1f60a835", "aaaaaaaaaaaaaaaa")


def row(share: float, minutes: int | None, burned: float | None = None) -> StepForecast:
    return StepForecast(share, {"error_rate": minutes}, 10.0, burned, 100.0)


ROWS = (row(0.01, None), row(0.05, 2 * DAY), row(0.1, 900), row(0.25, 300), row(0.5, 200), row(1.0, None))


def waiting(minutes: int | None = None, code: ReasonCode = "undecided") -> ReasonedDecision:
    return ReasonedDecision((DecisionReason(code, "error_rate", minutes),))


def judgement(verdict: Verdict = "undecided", reason: VerdictReason = "inconclusive", **more: float) -> Judgement:
    return Judgement(verdict, (CriterionVerdict(ERRORS, verdict, reason, **more),))


def choose(
    current: float,
    decided: ReasonedDecision = CONTINUE,
    rows: tuple[StepForecast, ...] = ROWS,
    judged: Judgement | None = None,
    elapsed: int = 60,
) -> NextStep:
    return choose_step(rows, current, decided, judged or judgement(), elapsed=elapsed)


@pytest.mark.parametrize(("current", "recommended", "minutes"), [(0.01, 0.1, 900), (0.1, 0.25, 300), (0.25, 0.5, 200)])
def test_it_is_the_smallest_larger_weight_that_is_decided_within_a_day(
    current: float, recommended: float, minutes: int
) -> None:
    step = choose(current)
    assert (step.reason, step.recommended, step.minutes, step.current) == ("next", recommended, minutes, current)
    assert step.row == row(recommended, minutes)


@pytest.mark.parametrize(("minutes", "useful"), [(DAY, True), (DAY + 1, False)])
def test_a_day_is_the_limit(minutes: int, useful: bool) -> None:
    assert row(0.5, minutes).is_useful is useful
    assert choose(0.1, rows=(row(0.1, 900), row(0.5, minutes))).reason == ("next" if useful else "none_useful")


def test_all_criteria_must_be_decided() -> None:
    forecast = StepForecast(0.5, {"error_rate": 60, "latency_p95": 90})
    assert forecast.dwell_minutes == 90
    assert replace(forecast, minutes={"error_rate": 60, "latency_p95": None}).dwell_minutes is None
    assert replace(forecast, minutes={}).dwell_minutes is None


def test_after_the_largest_split_only_100_percent_is_left() -> None:
    assert (choose(0.5).reason, choose(0.5).recommended, choose(0.5).minutes) == ("last", 1.0, None)
    assert choose(0.5, waiting(5 * DAY)).reason == "none_useful"


def test_while_undecided_it_is_to_stay() -> None:
    assert (choose(0.1, waiting(25)).reason, choose(0.1, waiting(25)).minutes) == ("stay", 25)
    assert choose(0.1, waiting(25)).recommended == 0.1
    # Without a forecast of the judge, that of the current weight counts, from its beginning.
    assert choose(0.1, waiting(None), elapsed=100).minutes == 800


@pytest.mark.parametrize(("current", "minutes"), [(0.1, DAY + 1), (0.05, None), (0.01, None)])
def test_a_weight_that_is_not_decided_within_a_day_is_left(current: float, minutes: int | None) -> None:
    step = choose(current, waiting(minutes))
    assert (step.reason, step.recommended) == ("too_slow", 0.25 if current == 0.1 else 0.1)


def test_a_decision_that_is_overdue_is_not_awaited() -> None:
    assert choose(0.1, waiting(None), elapsed=900).reason == "too_slow"


@pytest.mark.parametrize(
    "judged",
    [
        judgement(reason="significantly_worse", alarm_lower=1e-4, alarm_upper=1e-3),
        judgement(reason="incident"),
        judgement(reason="ratio"),
    ],
)
def test_no_step_away_from_something_against_the_canary(judged: Judgement) -> None:
    step = choose(0.1, waiting(5 * DAY), judged=judged)
    assert (step.reason, step.subject, step.recommended) == ("worse", "error_rate", None)


def test_what_else_is_awaited_forbids_a_step() -> None:
    assert choose(0.1, waiting(code="routes_pending")).reason == "waiting"
    assert choose(0.1, rows=()).reason == "too_little"


def test_a_step_that_may_use_up_the_error_budget_is_left_out() -> None:
    dear, cheap = row(0.25, 300, 1.01), row(0.5, 200, 1.0)
    assert choose(0.1, rows=(row(0.1, 900), dear, cheap)).recommended == 0.5
    assert choose(0.1, rows=(row(0.1, 900), dear)).reason == "over_budget"


def traffic(*rules: Rule, split: str = DEFAULT_RULE) -> Traffic:
    groups = tuple(Group(arn, name, "baseline" if name == EC2 else "canary", None) for name, arn in ARNS.items())
    return Traffic(0, rules, groups, split)


SPLIT = traffic(make_rule(ec2=9, blue=0, green=1))


@pytest.mark.parametrize(
    ("weights", "decided", "deploying", "reason", "current"),
    [
        (None, CONTINUE, "", "no_weights", None),
        (traffic(), CONTINUE, "", "no_split", None),
        (traffic(make_rule(ec2=0, green=0)), CONTINUE, "", "no_split", None),
        (SPLIT, waiting(code="gate_regression"), "web:42", "roll_back", 0.1),
        (SPLIT, waiting(code="alarm"), "web:42", "hold", 0.1),
        (SPLIT, waiting(code="stale"), "", "no_data", 0.1),
        (SPLIT, CONTINUE, "web:42", "deploying", 0.1),
        (traffic(make_rule(ec2=0, green=1)), CONTINUE, "", "at_100", 1.0),
        (traffic(make_rule(ec2=1, green=0)), CONTINUE, "", "at_0", 0.0),
        (traffic(make_rule(ec2=1, green=0)), waiting(code="unavailable"), "", "at_0", 0.0),
    ],
)
def test_what_forbids_a_step(
    weights: Traffic | None, decided: ReasonedDecision, deploying: str, reason: str, current: float | None
) -> None:
    step = obstacle(weights, decided, deploying)
    assert step
    assert (step.reason, step.current, step.recommended) == (reason, current, None)
    assert step.subject == ("web:42" if reason == "deploying" else "")


def test_a_deployment_that_waits_for_approval_is_the_next_step_once_it_is_decided() -> None:
    arn = "arn:aws:ecs:ap-northeast-1:123456789012:service-deployment/c/s/d-1"
    paused = Deployment("ecs", "d-1", "canary", "IN_PROGRESS", 0, waits=(Wait("hook-1", None, "roll_back"),), arn=arn)
    (item,) = waiting_deployments(DeploymentState(0, deployments=(paused,)))
    step = obstacle(SPLIT, CONTINUE, "web:42", item)
    assert step and (step.reason, step.is_change, step.ecspresso) == ("continue_deployment", True, "ecspresso continue")
    assert step.commands == item.commands[0].command
    undecided = obstacle(SPLIT, waiting(5), "web:42", item)
    assert undecided and (undecided.reason, undecided.is_advised, undecided.commands) == ("keep_waiting", False, "")
    unknown = obstacle(SPLIT, CONTINUE, "web:42", replace(item, commands=()))
    assert unknown and unknown.reason == "deploying"
    held = obstacle(SPLIT, waiting(code="alarm"), "web:42", item)
    assert held and held.reason == "hold"
    ready = replace(paused, system="codedeploy", status="Ready", waits=(Wait("READY_WAIT"),))
    (item,) = waiting_deployments(DeploymentState(0, deployments=(ready,)))
    step = obstacle(SPLIT, CONTINUE, "web:42", item)
    assert step and "READY_WAIT" in step.commands and step.ecspresso == ""


def test_nothing_forbids_a_step_in_order() -> None:
    assert obstacle(SPLIT, CONTINUE) is None
    assert obstacle(SPLIT, waiting(5)) is None


def test_weight_on_a_group_of_neither_fleet_forbids_a_step() -> None:
    rule = make_rule(ec2=9, green=1)
    rule = replace(rule, shares=(*rule.shares, Share("arn", "legacy", None, 1)))
    step = obstacle(traffic(rule), CONTINUE)
    assert step and (step.reason, step.subject) == ("other_groups", "legacy")
    idle = replace(rule, shares=(*rule.shares[:-1], Share("arn", "legacy", None, 0)))
    assert obstacle(traffic(idle), CONTINUE) is None
    assert step_weights(idle, 0.5, frozenset())["arn"] == 0


def test_the_current_share_is_a_candidate_once() -> None:
    assert candidate_shares(0.1) == CANDIDATE_SHARES == candidate_shares(100 / 1000)
    assert candidate_shares(0.3) == (*CANDIDATE_SHARES[:7], 0.3, *CANDIDATE_SHARES[7:])


@pytest.mark.parametrize(
    ("share", "weights"),
    [(0.001, (999, 1)), (0.005, (199, 1)), (0.1, (9, 1)), (0.25, (3, 1)), (0.5, (1, 1)), (1.0, (0, 1))],
)
def test_weights_are_the_smallest_exact_integers(share: float, weights: tuple[int, int]) -> None:
    found = step_weights(make_rule(ec2=500, blue=0, green=500), share, frozenset())
    assert found == {ARNS[EC2]: weights[0], ARNS[BLUE]: 0, ARNS[GREEN]: weights[1]}


def test_a_fleet_without_weight_gives_it_to_its_healthy_group() -> None:
    rule = make_rule(ec2=1, blue=0, green=0)
    assert step_weights(rule, 0.1, frozenset({ARNS[BLUE]})) == {ARNS[EC2]: 9, ARNS[BLUE]: 1, ARNS[GREEN]: 0}
    assert step_weights(rule, 0.5, frozenset()) == {ARNS[EC2]: 2, ARNS[BLUE]: 1, ARNS[GREEN]: 1}


@given(st.sampled_from(CANDIDATE_SHARES), st.integers(0, 999), st.integers(1, 999), st.integers(1, 999))
def test_weights_are_valid_and_near_the_share(share: float, blue: int, green: int, ec2: int) -> None:
    weights = step_weights(make_rule(ec2=ec2, blue=blue, green=green), share, frozenset())
    assert all(0 <= weight <= MAX_WEIGHT for weight in weights.values())
    canary = weights[ARNS[BLUE]] + weights[ARNS[GREEN]]
    assert abs(Fraction(canary, sum(weights.values())) - Fraction(share)) < Fraction(share) / 2 + Fraction(1, 1000)
    assert bool(weights[ARNS[BLUE]]) == bool(blue)


def test_the_command_sets_them_and_terraform_says_the_same() -> None:
    command, terraform = step_commands(traffic(make_rule(ec2=9, blue=0, green=1, stickiness_s=60)), 0.25)
    assert command.startswith("aws elbv2 modify-listener ")
    assert command_weights(command) == {EC2: 3, BLUE: 0, GREEN: 1}
    assert terraform == (
        "forward {\n"
        f'  target_group {{\n    arn    = "{ARNS[EC2]}"\n    weight = 3\n  }}\n'
        f'  target_group {{\n    arn    = "{ARNS[BLUE]}"\n    weight = 0\n  }}\n'
        f'  target_group {{\n    arn    = "{ARNS[GREEN]}"\n    weight = 1\n  }}\n'
        "  stickiness {\n    enabled  = true\n    duration = 60\n  }\n"
        "}"
    )


def test_a_rule_with_other_actions_has_no_command() -> None:
    rule = make_rule(ec2=9, green=1, preceding_actions=("authenticate-oidc",))
    assert step_commands(traffic(rule), 0.25) == ("", "")


def test_rules_that_mirror_the_split_are_set_with_it() -> None:
    split, header = make_rule(ec2=9, green=1), make_rule(HEADER_RULE, "10", ec2=9, green=1)
    mirror = replace(make_rule(OTHER_RULE, ec2=90, green=10), listener_arn="other")
    apart = replace(make_rule(OTHER_RULE, ec2=90, green=11), listener_arn="other")
    assert step_rules(traffic(split, header, mirror)) == (split, mirror)
    assert step_rules(traffic(split, header, apart)) == (split,)
    commands, _terraform = step_commands(traffic(split, header, mirror), 0.5)
    assert [command_weights(command) for command in commands.split("\n\n")] == [{EC2: 1, GREEN: 1}] * 2
