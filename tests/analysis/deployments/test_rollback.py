"""Rollback readiness."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.deployments.rollback import FleetLoad, RollbackReadiness, peak_per_target, rollback_readiness
from domain import Condition, Group, Rule, Share, Target, Traffic
from messages.deployments import rollback_command_title
from tests.factories.config import make_migration
from tests.factories.traffic import ARNS, BLUE, EC2, GREEN, HEADER_RULE, command_weights, fleet_of, make_rule

NAN = float("nan")


def traffic(split: Rule, *, healthy: int = 4, unhealthy: int = 0, health_read: bool = True) -> Traffic:
    targets = tuple(
        Target(f"i-{at}", 80, "", "healthy" if at < healthy else "unhealthy", "", "")
        for at in range(healthy + unhealthy)
    )
    groups = tuple(
        Group(arn, name, fleet_of(name), (targets if health_read else None) if name == EC2 else ())
        for name, arn in ARNS.items()
    )
    return Traffic(0, (split,), groups, split.arn)


def readiness(*args: object, load: FleetLoad, **more: object) -> RollbackReadiness:
    result = rollback_readiness(traffic(*args, **more), load)  # type: ignore[arg-type]
    assert result
    return result


def test_it_is_ready_if_each_target_has_carried_the_load() -> None:
    result = readiness(make_rule(ec2=500, blue=0, green=500), load=FleetLoad(6000.0, 12000.0, 3000.0))
    assert (result.verdict, result.reason) == ("ready", "carried_before")
    assert (result.healthy, result.registered, result.current_load, result.expected_load, result.max_load) == (
        4,
        4,
        1500.0,
        3000.0,
        3000.0,
    )
    assert command_weights(result.command) == {EC2: 500, BLUE: 0, GREEN: 0}


def test_it_is_unproven_otherwise() -> None:
    result = readiness(make_rule(ec2=500, green=500), load=FleetLoad(6000.0, 12000.0, 2999.0))
    assert (result.verdict, result.reason) == ("unproven", "never_carried")


def test_only_healthy_targets_carry() -> None:
    result = readiness(make_rule(ec2=500, green=500), load=FleetLoad(6000.0, 12000.0, 3000.0), healthy=2, unhealthy=2)
    assert (result.verdict, result.healthy, result.registered, result.expected_load) == ("unproven", 2, 4, 6000.0)


@pytest.mark.parametrize("ill", [0, 4])
def test_without_a_healthy_target_it_is_impossible(ill: int) -> None:
    result = readiness(make_rule(ec2=500, green=500), load=FleetLoad(6000.0, 12000.0, 9000.0), healthy=0, unhealthy=ill)
    assert (result.verdict, result.reason, result.registered) == ("impossible", "no_healthy", ill)


def test_a_baseline_at_weight_0_gets_a_weight() -> None:
    result = readiness(make_rule(ec2=0, green=100), load=FleetLoad(None, 4000.0, 1000.0))
    assert (result.verdict, result.current_load, result.expected_load) == ("ready", None, 1000.0)
    assert command_weights(result.command) == {EC2: 1, GREEN: 0}


def test_no_command_is_needed_if_all_traffic_is_on_the_baseline() -> None:
    result = readiness(make_rule(ec2=100, green=0), load=FleetLoad(8000.0, 8000.0, 1000.0))
    assert (result.verdict, result.reason, result.command) == ("ready", "all_on_baseline", "")


def test_unknown_data_has_a_reason() -> None:
    half = make_rule(ec2=500, green=500)
    assert readiness(half, load=FleetLoad(1.0, 1.0, 1.0), health_read=False).reason == "health_unread"
    assert readiness(half, load=FleetLoad(None, None, 1.0)).reason == "requests_unread"
    assert readiness(half, load=FleetLoad(1.0, 1.0, None)).reason == "no_history"
    assert readiness(make_rule(green=100), load=FleetLoad(1.0, 1.0, 1.0)).reason == "not_in_rule"
    verdicts = {
        readiness(half, load=FleetLoad(1.0, 1.0, None)).verdict,
        readiness(half, load=FleetLoad(None, None, 1.0)).verdict,
    }
    assert verdicts == {"unknown"}


def test_without_a_rule_there_is_no_readiness() -> None:
    assert rollback_readiness(Traffic(0, (), (), ""), FleetLoad(1.0, 1.0, 1.0)) is None


def buckets(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_the_peak_is_the_mean_of_an_hour_per_healthy_target() -> None:
    ts = np.arange(4) * 1800
    ten = buckets(30, 30, 30, 30)
    # 90,000 requests of 4 targets in the first hour; in the second 60,000 of 2, half of the time of 4.
    assert peak_per_target(ts, buckets(60_000, 30_000, 30_000, 30_000), buckets(4, 4, 2, 4), ten) == 375.0
    assert peak_per_target(ts, buckets(60_000, 30_000, 0, 0), buckets(4, 4, NAN, 0), ten) == 375.0
    assert peak_per_target(ts, buckets(NAN, NAN, NAN, NAN), buckets(NAN, NAN, NAN, NAN), ten) is None


def test_the_peak_divides_by_the_known_minutes() -> None:
    ts, requests, healthy = np.array([0, 1800]), buckets(90_000, NAN), buckets(3, NAN)
    assert peak_per_target(ts, requests, healthy, buckets(30, 0)) == 1000.0
    assert peak_per_target(ts, requests, healthy, buckets(14, 0)) is None  # a burst proves nothing


def test_a_baseline_group_without_weight_does_not_count() -> None:
    split = make_rule(ec2=500, green=500)
    split = replace(split, shares=(*split.shares, Share("arn:of:an:old:group", "photo-ec2-old", "baseline", 0)))
    unread = Group("arn:of:an:old:group", "photo-ec2-old", "baseline", None)
    known = traffic(split)
    result = rollback_readiness(replace(known, groups=(*known.groups, unread)), FleetLoad(6000.0, 12000.0, 3000.0))
    assert result and (result.reason, result.healthy) == ("carried_before", 4)
    assert '"TargetGroupArn":"arn:of:an:old:group","Weight":0' in result.command


def test_weight_on_a_group_of_neither_fleet_is_unknown() -> None:
    split = make_rule(ec2=900)
    split = replace(split, shares=(*split.shares, Share("arn:of:a:stranger", "photo-old", None, 100)))
    result = readiness(split, load=FleetLoad(6000.0, 6000.0, 3000.0))
    assert (result.verdict, result.reason, result.healthy) == ("unknown", "other_groups", 4)


def rollback_of(*rules: Rule, split: Rule) -> RollbackReadiness:
    known = replace(traffic(split), rules=(*rules, split))
    result = rollback_readiness(known, FleetLoad(6000.0, 6000.0, 3000.0))
    assert result
    return result


def test_each_splitting_rule_has_its_own_command() -> None:
    path = (Condition("path-pattern", "", ("/api/*",)),)
    of_a_path = replace(make_rule("arn:path", "20", ec2=1, green=3), conditions=path)
    other_listener = replace(make_rule("arn:http", ec2=0, blue=100, green=100), listener_arn="arn:listener/http")
    also_ec2 = replace(make_rule("arn:ec2", "30", ec2=1), conditions=(Condition("host-header", "", ("a.example",)),))
    split = make_rule(ec2=500, green=500)
    result = rollback_of(of_a_path, also_ec2, other_listener, split=split)
    first, second, third = result.command.split("\n\n")
    assert command_weights(first) == {EC2: 500, GREEN: 0}
    assert command_weights(second) == {EC2: 1, GREEN: 0}
    assert command_weights(third) == {EC2: 1, BLUE: 0, GREEN: 0}
    assert "modify-listener" in first and "--rule-arn arn:path" in second and "listener/http" in third
    assert result.unchanged_rules == ()


def test_rules_that_stay_on_the_canary_are_named() -> None:
    header = make_rule(HEADER_RULE, "10", green=1)
    signed_in = make_rule("arn:oidc", "20", preceding_actions=("authenticate-oidc",), ec2=1, green=1)
    signed_in = replace(signed_in, conditions=(Condition("path-pattern", "", ("/admin/*",)),))
    result = rollback_of(header, signed_in, split=make_rule(ec2=500, green=500))
    assert command_weights(result.command) == {EC2: 500, GREEN: 0}
    assert result.unchanged_rules == (header, signed_in)
    assert rollback_command_title(result, make_migration()) == (
        "Route 100% to EC2, except HTTPS:443 10 (X-Canary: ecs), HTTPS:443 20 (path-pattern: /admin/*), "
        "which stays on ECS"
    )


def test_another_split_is_taken_back_although_the_chosen_one_is_on_the_baseline() -> None:
    header = make_rule(HEADER_RULE, "10", ec2=1, green=1)
    result = rollback_of(header, split=make_rule(ec2=100, green=0))
    assert result.reason == "carried_before"
    assert command_weights(result.command.split("\n\n")[1]) == {EC2: 1, GREEN: 0}
    assert result.unchanged_rules == ()


def with_groups(*groups: tuple[str, int, int | None]) -> Traffic:
    """A split between ECS and baseline groups of these names, weights and numbers of healthy targets (None: unread)."""
    split = make_rule(green=100)
    shares = tuple(Share(f"arn:{name}", name, "baseline", weight) for name, weight, _ in groups)
    target = Target("i-1", 80, "", "healthy", "", "")
    baseline = tuple(
        Group(f"arn:{name}", name, "baseline", None if healthy is None else (target,) * healthy)
        for name, _, healthy in groups
    )
    split = replace(split, shares=(*split.shares, *shares))
    return Traffic(0, (split,), baseline, split.arn)


def test_a_baseline_group_with_weight_and_no_healthy_target_would_fail_its_share() -> None:
    load = FleetLoad(1000.0, 3000.0, 1000.0)
    result = rollback_readiness(with_groups(("a", 50, 3), ("b", 50, 0)), load)
    assert result and (result.verdict, result.reason, result.empty_groups) == ("impossible", "empty_group", ("b",))
    assert (result.healthy, result.registered) == (3, 3)
    result = rollback_readiness(with_groups(("a", 50, None), ("b", 50, 0)), load)
    assert result and (result.verdict, result.empty_groups, result.healthy) == ("impossible", ("b",), None)


def test_a_baseline_without_weight_gets_it_where_its_targets_are() -> None:
    result = rollback_readiness(with_groups(("a", 0, 3), ("b", 0, 0)), FleetLoad(0.0, 3000.0, 1000.0))
    assert result and (result.verdict, result.current_load, result.expected_load) == ("ready", 0.0, 1000.0)
    assert '"TargetGroupArn":"arn:a","Weight":1' in result.command
    assert '"TargetGroupArn":"arn:b","Weight":0' in result.command
    result = rollback_readiness(with_groups(("a", 0, 0), ("b", 0, 0)), FleetLoad(0.0, 3000.0, 1000.0))
    assert result and (result.verdict, result.reason) == ("impossible", "no_healthy")


def test_a_weighted_group_with_unread_health_is_unknown() -> None:
    traffic = with_groups(("a", 50, 3), ("b", 50, 3))
    result = rollback_readiness(replace(traffic, groups=traffic.groups[:1]), FleetLoad(1000.0, 3000.0, 1000.0))
    assert result and (result.verdict, result.reason) == ("unknown", "health_unread")
