"""Preflight checks of a blue/green deployment, and the commands that avoid a failure."""

from dataclasses import replace

import pytest

from analysis.deployments.preflight import Preflight, PreflightCheck, preflights
from domain import FleetName, Traffic
from domain.deployments import Deployment, DeploymentState, EcsService, TaskSet, TrafficRoute
from messages import deployments as text
from tests.factories.traffic import (
    BLUE,
    EC2,
    GREEN,
    HEADER_RULE,
    LISTENER,
    command_weights,
    make_rule,
    make_traffic,
    parse_command,
)

Routes = tuple[tuple[FleetName, TrafficRoute], ...]


def codedeploy_state(primary: str = GREEN, latest: str = "Succeeded") -> DeploymentState:
    tasks = TaskSet("ecs-svc/1", "PRIMARY", "web:42", primary, 4, 4, 0)
    service = EcsService(
        "canary", "photo/web", "ACTIVE", "CODE_DEPLOY", "codedeploy", 4, 4, 0, "web:42", task_sets=(tasks,)
    )
    deployment = Deployment("codedeploy", "d-42", "canary", latest, 100, ended=200)
    return DeploymentState(
        0,
        (service,),
        (deployment,),
        (("canary", TrafficRoute((BLUE, GREEN), listener_arn=LISTENER)),),
        (("canary", 0),),
    )


def ecs_state(serving: str = BLUE, status: str = "SUCCESSFUL") -> DeploymentState:
    new, old = ("target", "source") if status == "SUCCESSFUL" else ("source", "target")
    sets = (TaskSet("2", new, "web:42", serving, 4, 4, 0), TaskSet("1", old, "web:41", GREEN, 0, 0, 0))
    route = TrafficRoute((BLUE, GREEN), rule_arn=HEADER_RULE)
    service = EcsService("canary", "photo/web", "ACTIVE", "ECS", "blue_green", 4, 4, 0, "web:42", route=route)
    return DeploymentState(0, (service,), (Deployment("ecs", "abc", "canary", status, 100, ended=200, task_sets=sets),))


def only_preflight(traffic: Traffic, deployments: DeploymentState, now: int = 0) -> Preflight:
    (preflight,) = preflights(traffic, deployments, now=now)
    return preflight


def failed_checks(preflight: Preflight) -> dict[str, tuple[str, ...]]:
    return {one.name: one.groups for one in preflight.checks if one.passed is False}


def test_codedeploy_is_ready_if_the_primary_group_has_all_the_weight() -> None:
    preflight = only_preflight(make_traffic(make_rule(ec2=0, blue=0, green=100)), codedeploy_state())
    assert (preflight.system, preflight.verdict, preflight.steps, preflight.interim_fleet) == (
        "codedeploy",
        "ready",
        (),
        None,
    )
    assert preflight.checks == (
        PreflightCheck("one_live", True),
        PreflightCheck("primary_live", True, (GREEN,)),
        PreflightCheck("baseline_silent", True),
        PreflightCheck("partner_unused", True),
        PreflightCheck("none_running", True),
    )


def test_weighted_routing_blocks_both_systems() -> None:
    codedeploy = only_preflight(make_traffic(make_rule(ec2=500, blue=0, green=500)), codedeploy_state())
    assert (codedeploy.verdict, failed_checks(codedeploy)) == (
        "blocked",
        {"one_live": (EC2, GREEN), "baseline_silent": (EC2,)},
    )
    ecs = only_preflight(make_traffic(make_rule(HEADER_RULE, "10", ec2=500, blue=500)), ecs_state())
    assert (ecs.system, ecs.verdict, failed_checks(ecs)) == (
        "ecs",
        "blocked",
        {"one_live": (EC2, BLUE), "baseline_silent": (EC2,)},
    )


def test_a_group_at_weight_0_blocks_nothing() -> None:
    assert only_preflight(make_traffic(make_rule(blue=0, green=100)), codedeploy_state()).verdict == "ready"


def test_without_weight_the_primary_group_has_no_listener() -> None:
    preflight = only_preflight(make_traffic(make_rule(ec2=100, green=0)), codedeploy_state())
    assert (preflight.verdict, preflight.rules, failed_checks(preflight)) == ("blocked", (), {"primary_live": (GREEN,)})
    off, *_ = preflight.steps
    assert command_weights(off.command) == {GREEN: 1}


def test_a_header_rule_keeps_the_primary_group_behind_the_listener() -> None:
    header_rule = make_rule(HEADER_RULE, "10", green=1)
    assert only_preflight(make_traffic(header_rule, make_rule(ec2=100, green=0)), codedeploy_state()).verdict == "ready"
    preflight = only_preflight(make_traffic(header_rule, make_rule(ec2=900, green=100)), codedeploy_state())
    assert preflight.verdict == "blocked"
    assert preflight.interim_fleet == "baseline"
    assert command_weights(preflight.steps[0].command) == {EC2: 900}  # nothing of CodeDeploy's to rewrite


def test_the_steps_restore_the_current_weights() -> None:
    preflight = only_preflight(
        make_traffic(make_rule(stickiness_s=3600, ec2=950, blue=0, green=50)), codedeploy_state()
    )
    assert [step.purpose for step in preflight.steps] == ["route_off", "deploy", "route_back", "route_back_unchanged"]
    off, deploy, back, unchanged = (step.command for step in preflight.steps)
    assert (command_weights(off), preflight.interim_fleet) == ({GREEN: 50}, "canary")
    assert deploy == "ecspresso deploy"
    assert command_weights(back) == {EC2: 950, BLUE: 50, GREEN: 0}  # the deployment leaves the partner group in service
    assert command_weights(unchanged) == {EC2: 950, BLUE: 0, GREEN: 50}
    words, (forward,) = parse_command(unchanged)
    assert words == [
        *("aws", "elbv2", "modify-listener", "--region", "ap-northeast-1"),
        *("--listener-arn", LISTENER, "--default-actions"),
    ]
    assert forward["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 3600}


def test_a_rule_with_a_priority_has_its_own_command_and_keeps_ecs_groups() -> None:
    preflight = only_preflight(make_traffic(make_rule(HEADER_RULE, "10", ec2=75, blue=25, green=0)), ecs_state())
    off, _, back, unchanged = (step.command for step in preflight.steps)
    words, _ = parse_command(off)
    assert words[2:7] == ["modify-rule", "--region", "ap-northeast-1", "--rule-arn", HEADER_RULE]
    assert command_weights(off) == {EC2: 0, BLUE: 25, GREEN: 0}
    assert command_weights(back) == {EC2: 75, BLUE: 0, GREEN: 25}
    assert command_weights(unchanged) == {EC2: 75, BLUE: 25, GREEN: 0}


def test_the_partner_group_is_added_to_a_rule_without_it() -> None:
    preflight = only_preflight(make_traffic(make_rule(ec2=75, green=25)), codedeploy_state())
    assert command_weights(preflight.steps[2].command) == {EC2: 75, GREEN: 0, BLUE: 25}


def test_a_rule_with_authentication_has_no_command() -> None:
    preflight = only_preflight(
        make_traffic(make_rule(preceding_actions=("authenticate-oidc",), ec2=75, green=25)), codedeploy_state()
    )
    assert [step.command for step in preflight.steps] == ["", "ecspresso deploy", "", ""]


def test_a_running_deployment_needs_no_change_of_weights() -> None:
    preflight = only_preflight(make_traffic(make_rule(blue=0, green=100)), codedeploy_state(latest="InProgress"))
    assert (preflight.verdict, failed_checks(preflight), preflight.steps) == ("blocked", {"none_running": ()}, ())


def test_the_weights_of_a_running_deployment_of_ecs_are_left_to_it() -> None:
    shifting = make_traffic(make_rule(HEADER_RULE, "10", blue=90, green=10))
    preflight = only_preflight(shifting, ecs_state(status="IN_PROGRESS"))
    assert (preflight.verdict, failed_checks(preflight), preflight.steps) == ("blocked", {"none_running": ()}, ())
    assert text.preflight(preflight) == "ECS blue/green is blocked: another deployment is in progress."
    assert text.basis(preflight) == "While a deployment runs, ECS sets the weights: leave them as they are."


def test_a_partner_group_with_weight_is_in_use() -> None:
    preflight = only_preflight(make_traffic(make_rule(blue=50, green=50)), codedeploy_state())
    assert failed_checks(preflight) == {"one_live": (BLUE, GREEN), "partner_unused": (BLUE,)}


def test_ecs_requires_the_group_that_its_last_deployment_left_in_service() -> None:
    assert (
        only_preflight(make_traffic(make_rule(HEADER_RULE, "10", blue=1, green=0)), ecs_state(BLUE)).verdict == "ready"
    )
    rolled_back = ecs_state(BLUE, "ROLLBACK_SUCCESSFUL")
    assert only_preflight(make_traffic(make_rule(HEADER_RULE, "10", blue=1, green=0)), rolled_back).verdict == "ready"
    unexpected = only_preflight(make_traffic(make_rule(HEADER_RULE, "10", blue=0, green=1)), ecs_state(BLUE))
    assert failed_checks(unexpected) == {"primary_live": (BLUE,), "partner_unused": (GREEN,)}


def test_unreadable_data_is_unknown() -> None:
    state = codedeploy_state()
    unread = DeploymentState(0, (), (), state.routes)  # ECS denied: the group in service is unknown
    preflight = only_preflight(make_traffic(make_rule(blue=0, green=100)), unread)
    assert preflight.verdict == "unknown"
    assert only_preflight(make_traffic(make_rule(ec2=50, green=50)), unread).verdict == "blocked"


def test_a_rolling_service_touches_no_rule() -> None:
    service = EcsService("canary", "photo/web", "ACTIVE", "ECS", "rolling", 4, 4, 0, "web:42")
    assert preflights(make_traffic(make_rule(ec2=50, green=50)), DeploymentState(0, (service,)), now=0) == ()
    assert preflights(make_traffic(make_rule(ec2=50, green=50)), None, now=0) == ()


def none_running(preflight: Preflight) -> bool | None:
    (check,) = (check for check in preflight.checks if check.name == "none_running")
    return check.passed


@pytest.mark.parametrize("routes", [(), codedeploy_state().routes])
def test_whether_a_deployment_runs_is_unknown_if_codedeploy_was_not_read(routes: Routes) -> None:
    """Without a key `codedeploy`, or with every call refused: ECS alone is readable."""
    read = codedeploy_state()
    unread = DeploymentState(0, read.services, (), routes)
    preflight = only_preflight(make_traffic(make_rule(blue=0, green=100)), unread)
    assert (preflight.verdict, none_running(preflight)) == ("unknown", None)
    assert only_preflight(make_traffic(make_rule(ec2=50, green=50)), unread).verdict == "blocked"


def test_a_deployment_group_without_deployments_is_ready() -> None:
    never = replace(codedeploy_state(), deployments=())
    preflight = only_preflight(make_traffic(make_rule(blue=0, green=100)), never)
    assert (preflight.verdict, none_running(preflight)) == ("ready", True)


def test_an_old_list_says_nothing_of_now() -> None:
    traffic = make_traffic(make_rule(blue=0, green=100))
    assert only_preflight(traffic, codedeploy_state(), now=300).verdict == "ready"
    assert only_preflight(traffic, codedeploy_state(), now=301).verdict == "unknown"
    assert none_running(only_preflight(traffic, codedeploy_state(latest="InProgress"), now=301)) is None


def test_a_listed_group_is_checked_without_ecs() -> None:
    state = replace(codedeploy_state(), services=(), routes=())
    preflight = only_preflight(make_traffic(make_rule(blue=0, green=100)), state)
    assert (preflight.verdict, none_running(preflight)) == ("unknown", True)
