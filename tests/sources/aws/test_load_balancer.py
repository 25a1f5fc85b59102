"""The load balancer as a source, by unpatched boto3 over HTTP against moto behind the faults of tests/worlds."""

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from domain import Aws, Condition, Migration, Rule, Target
from domain.traffic import blue_green_blocked, traffic_from_json, traffic_to_json
from sources.aws import client as aws
from sources.aws.load_balancer import LoadBalancer, parse_condition, parse_rule
from sources.base import Problem, TrafficSnapshot
from tests.fakes.elbv2 import (
    EXPIRED,
    INTERNAL_FAILURE,
    THROTTLED,
    UNKNOWN_KEY,
    ErrorReply,
    FakeElbv2,
    access_denied,
    target,
)

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
LISTENERS, RULES = "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules"
GROUPS, HEALTH = "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"
UNKNOWN_GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/nobody/0123456789abcdef"


@pytest.fixture(scope="module")
def one_world() -> Iterator[FakeElbv2]:
    with FakeElbv2() as world:
        world.add_group("photo-ecs-green")
        world.add_group("stranger")
        world.add_group("empty", targets=0)
        yield world


@pytest.fixture
def world(one_world: FakeElbv2, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeElbv2]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", one_world.url)
    yield one_world
    if THROTTLED in one_world.errors.values():
        client_for.cache_clear()  # a client that was throttled once asks more slowly ever after
    one_world.reset()


@cache
def client_for(place: Aws, endpoint: str, read_timeout_s: float) -> Any:
    return aws.create_client("elbv2", place, max_attempts=1, read_timeout_s=read_timeout_s)


def create_source(migration: Migration, *, read_timeout_s: float = 5) -> LoadBalancer:
    assert migration.aws
    endpoint = os.environ["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"]
    place = Aws(region=migration.aws.region, load_balancer=migration.aws.load_balancer)
    client = client_for(place, endpoint, read_timeout_s)
    return LoadBalancer(migration, clock=lambda: datetime.fromtimestamp(NOON, UTC), client=client)


def snapshot_of(world: FakeElbv2, **configured: Any) -> TrafficSnapshot:
    return create_source(world.migration(**configured)).snapshot()


def split_of(seen: TrafficSnapshot) -> Rule:
    assert seen.traffic and seen.traffic.split
    return seen.traffic.split


def weights(rule: Rule) -> dict[str, int]:
    return {share.target_group: share.weight for share in rule.shares}


def problem_keys(seen: TrafficSnapshot) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.operation, problem.about) for problem in seen.problems]


# What is read


def test_a_look_holds_weights_rules_and_targets(world: FakeElbv2) -> None:
    seen = snapshot_of(world)
    assert (seen.asked_at, seen.problems) == (NOON, ())
    assert split_of(seen).arn == world.rule
    assert split_of(seen).listener == "HTTPS:443"
    assert split_of(seen).priority == "default"
    assert split_of(seen).stickiness_s is None
    assert [(share.target_group, share.fleet, share.weight) for share in split_of(seen).shares] == [
        ("photo-ec2", "baseline", 90),
        ("photo-ecs", "canary", 10),
    ]
    assert seen.traffic
    assert seen.traffic.configured_shares == {"baseline": Fraction(9, 10), "canary": Fraction(1, 10)}
    assert [(rule.listener, rule.action) for rule in seen.traffic.rules] == [
        ("HTTP:80", "redirect"),
        ("HTTPS:443", "forward"),
    ]
    assert [(group.target_group, group.fleet, group.healthy) for group in seen.traffic.groups] == [
        ("photo-ec2", "baseline", 2),
        ("photo-ecs", "canary", 2),
    ]


def test_a_look_survives_the_archive(world: FakeElbv2) -> None:
    world.add_header_rule("X-Canary", "always", "photo-ecs")
    seen = snapshot_of(world).traffic
    assert seen
    assert traffic_from_json(traffic_to_json(seen)) == seen


def test_weights_are_those_of_now(world: FakeElbv2) -> None:
    there = create_source(world.migration())
    assert there.snapshot().traffic.configured_shares["canary"] == Fraction(1, 10)  # type: ignore[union-attr]
    world.set_weights({"photo-ec2": 999, "photo-ecs": 1}, stickiness_s=3600)
    seen = there.snapshot()
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 1000)
    assert split_of(seen).stickiness_s == 3600


def test_all_on_one_side_is_said_and_shown(world: FakeElbv2) -> None:
    world.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    seen = snapshot_of(world)
    assert split_of(seen).configured_shares == {"baseline": 1, "canary": 0}
    (problem,) = seen.problems
    assert problem == Problem("no_split", "load_balancer", RULES, world.load_balancer, "one_side:baseline")


def test_no_weight_at_all_is_no_side(world: FakeElbv2) -> None:
    world.set_weights({"photo-ec2": 0, "photo-ecs": 0})
    seen = snapshot_of(world)
    assert split_of(seen).configured_shares == {}
    assert [(problem.kind, problem.detail) for problem in seen.problems] == [("no_split", "none")]


def test_weight_on_a_group_of_neither_fleet_is_not_all_on_one_side(world: FakeElbv2) -> None:
    """The canary's ARN has a slip: its group is a stranger with 10 %, and the baseline does not have it all."""
    seen = snapshot_of(world, canary=[world.groups["photo-ecs"] + "0"])
    assert [problem.detail for problem in seen.problems if problem.kind == "no_split"] == ["none"]


def test_blue_and_green_are_one_side_but_two_groups_with_weight(world: FakeElbv2) -> None:
    world.set_weights({"photo-ecs-green": 0, "photo-ecs": 10, "photo-ec2": 90})
    seen = snapshot_of(world, canary=("photo-ecs", "photo-ecs-green"))
    assert weights(split_of(seen)) == {"photo-ec2": 90, "photo-ecs": 10, "photo-ecs-green": 0}
    assert list(weights(split_of(seen))) == ["photo-ec2", "photo-ecs", "photo-ecs-green"]  # as configured, not as told
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 10)
    assert seen.problems == ()
    assert seen.traffic
    assert blue_green_blocked(seen.traffic).blocked
    world.set_weights({"photo-ecs-green": 0, "photo-ecs": 100, "photo-ec2": 0})
    after = snapshot_of(world, canary=("photo-ecs", "photo-ecs-green")).traffic
    assert after
    assert not blue_green_blocked(after).blocked


def test_a_group_of_neither_fleet_takes_its_part(world: FakeElbv2) -> None:
    world.set_weights({"stranger": 2, "photo-ecs": 1, "photo-ec2": 1})
    seen = snapshot_of(world)
    assert [(share.target_group, share.fleet) for share in split_of(seen).shares] == [
        ("photo-ec2", "baseline"),
        ("photo-ecs", "canary"),
        ("stranger", None),
    ]
    assert split_of(seen).configured_shares == {"baseline": Fraction(1, 4), "canary": Fraction(1, 4)}


def test_a_plain_forward_has_weight_one_and_signing_in_before_it_changes_nothing(world: FakeElbv2) -> None:
    cognito = {
        "Type": "authenticate-cognito",
        "Order": 1,
        "AuthenticateCognitoConfig": {
            "UserPoolArn": "arn:aws:cognito-idp:ap-northeast-1:123456789012:userpool/ap-northeast-1_aBcDeFgHi",
            "UserPoolClientId": "photo",
            "UserPoolDomain": "photo",
        },
    }
    forward = {"Type": "forward", "Order": 2, "TargetGroupArn": world.groups["photo-ecs"]}
    arn = world.add_rule([{"Field": "path-pattern", "Values": ["/admin/*"]}], cognito, forward)
    seen = snapshot_of(world).traffic
    assert seen
    (rule,) = (rule for rule in seen.rules if rule.arn == arn)
    assert (rule.action, weights(rule)) == ("forward", {"photo-ecs": 1})


def test_a_weighted_path_is_the_split_where_the_default_is_not(world: FakeElbv2) -> None:
    world.set_weights({"photo-ec2": 1})
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}
    arn = world.add_rule([path], world.forward({"photo-ec2": 3, "photo-ecs": 1}, stickiness_s=60))
    seen = snapshot_of(world)
    assert split_of(seen).arn == arn
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 4)
    assert split_of(seen).stickiness_s == 60
    assert seen.problems == ()


def test_a_header_is_a_door(world: FakeElbv2) -> None:
    arn = world.add_header_rule("X-Canary", "always", "photo-ecs")
    seen = snapshot_of(world).traffic
    assert seen
    assert [(door.arn, door.headers) for door in seen.header_rules] == [
        (arn, (Condition("http-header", "X-Canary", ("always",)),))
    ]
    assert seen.split_arn == world.rule


def test_half_of_what_bears_a_header_is_not_the_split_unless_configured(world: FakeElbv2) -> None:
    world.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    header = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["1"]}}
    arn = world.add_rule([header], world.forward({"photo-ec2": 1, "photo-ecs": 1}))
    seen = snapshot_of(world)
    assert (split_of(seen).arn, seen.problems) == (world.rule, ())
    assert split_of(snapshot_of(world, rule=arn)).configured_shares["canary"] == Fraction(1, 2)


def test_rules_come_by_listener_and_priority(world: FakeElbv2) -> None:
    for priority in (10, 9, 100):
        path = {"Field": "path-pattern", "Values": [f"/{priority}"]}
        world.add_rule([path], world.redirect(), priority=priority)
    seen = snapshot_of(world).traffic
    assert seen
    assert [rule.priority for rule in seen.rules] == ["default", "9", "10", "100", "default"]


@pytest.mark.parametrize(
    ("told", "condition"),
    [
        (
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com", "example.com"]}},
            Condition("host-header", "", ("*.example.com", "example.com")),
        ),
        (
            {"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"Values": ["/a"]}},
            Condition("path-pattern", "", ("/a",)),
        ),
        ({"Field": "path-pattern", "Values": ["/a"]}, Condition("path-pattern", "", ("/a",))),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Cookie", "Values": ["*side=canary*"]}},
            Condition("http-header", "Cookie", ("*side=canary*",)),
        ),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "RegexValues": ["^(1|on)$"]}},
            Condition("http-header", "X-Beta", ("~^(1|on)$",)),
        ),
        ({"Field": "path-pattern", "RegexValues": ["^/v[12]/"]}, Condition("path-pattern", "", ("~^/v[12]/",))),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "canary", "Value": "1"}]}},
            Condition("query-string", "canary", ("1",)),
        ),
        (
            {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": "canary", "Value": "1"}, {"Key": "side", "Value": "ecs"}]},
            },
            Condition("query-string", "", ("canary=1", "side=ecs")),
        ),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "canary"}]}},
            Condition("query-string", "", ("canary",)),
        ),
        (
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}},
            Condition("source-ip", "", ("192.0.2.0/24",)),
        ),
        (
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "HEAD"]}},
            Condition("http-request-method", "", ("GET", "HEAD")),
        ),
        ({"Field": "something-new", "SomethingNewConfig": {}}, Condition("something-new", "", ())),
    ],
)
def test_every_condition_in_its_new_and_its_old_form(told: Mapping[str, Any], condition: Condition) -> None:
    assert parse_condition(told) == condition


def test_a_rule_may_forward_to_any_number_of_groups() -> None:
    arns = [UNKNOWN_GROUP.replace("nobody", f"group-{number}") for number in range(12)]
    action = {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in arns]},
    }
    rule = parse_rule({"RuleArn": "r", "Priority": "1", "Actions": [action]}, {}, {arns[11]: "baseline"})
    assert len(rule.shares) == 12
    assert rule.configured_shares == {"baseline": Fraction(1, 12), "canary": 0}


def test_pages_are_turned_to_the_end(world: FakeElbv2) -> None:
    for number in range(1, 6):
        world.add_rule([{"Field": "path-pattern", "Values": [f"/{number}"]}], world.redirect(), priority=number)
    whole = snapshot_of(world)
    world.page_size = 2
    world.calls.clear()
    assert snapshot_of(world).traffic == whole.traffic
    assert world.calls.count("DescribeRules") == 1 + 3
    world.page_size = 1
    world.calls.clear()
    assert snapshot_of(world).traffic == whole.traffic
    assert world.calls.count("DescribeListeners") == 2


# Targets


def test_why_a_target_is_ill_in_the_load_balancers_own_words(world: FakeElbv2) -> None:
    draining = "Target deregistration is in progress"
    world.target_health["photo-ecs"] = [
        target("10.0.1.23", "draining", "Target.DeregistrationInProgress", draining),
        target("10.0.1.22", "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]"),
        target("10.0.1.21", "healthy", port=8081),
        target("10.0.1.21", "healthy", port=8080),
    ]
    seen = snapshot_of(world).traffic
    assert seen
    (ecs,) = (group for group in seen.groups if group.fleet == "canary")
    assert ecs.healthy == 2
    assert ecs.targets == (
        Target("10.0.1.21", 8080, "", "healthy", "", ""),
        Target("10.0.1.21", 8081, "", "healthy", "", ""),
        Target(
            "10.0.1.22",
            80,
            "",
            "unhealthy",
            "Target.ResponseCodeMismatch",
            "Health checks failed with these codes: [502]",
        ),
        Target("10.0.1.23", 80, "", "draining", "Target.DeregistrationInProgress", draining),
    )


def test_targets_in_another_order_are_no_other_traffic(world: FakeElbv2) -> None:
    world.target_health["photo-ecs"] = [target("10.0.1.21", "healthy"), target("10.0.1.22", "healthy")]
    one = snapshot_of(world).traffic
    world.target_health["photo-ecs"] = world.target_health["photo-ecs"][::-1]
    assert snapshot_of(world).traffic == one


def test_a_group_without_targets_has_none_and_one_that_cannot_be_asked_is_unknown(world: FakeElbv2) -> None:
    world.errors_by_parameter[world.groups["photo-ecs"]] = INTERNAL_FAILURE
    seen = snapshot_of(world, baseline=("photo-ec2", "empty")).traffic
    assert seen
    assert [(group.target_group, None if group.targets is None else len(group.targets)) for group in seen.groups] == [
        ("photo-ec2", 2),
        ("empty", 0),
        ("photo-ecs", None),
    ]


def test_an_unknown_group_is_named_and_the_others_are_read(world: FakeElbv2) -> None:
    seen = snapshot_of(world, baseline=(UNKNOWN_GROUP, "photo-ec2"))
    assert problem_keys(seen) == [("not_found", GROUPS, UNKNOWN_GROUP)]
    assert seen.traffic
    assert [(group.target_group, group.targets is None) for group in seen.traffic.groups] == [
        ("nobody", True),
        ("photo-ec2", False),
        ("photo-ecs", False),
    ]


def test_a_group_behind_another_load_balancer_is_elsewhere(world: FakeElbv2) -> None:
    made = world.elbv2.create_load_balancer(Name="other", Subnets=world.subnets)
    other = made["LoadBalancers"][0]["LoadBalancerArn"]
    arn = world.add_group("elsewhere")
    world.elbv2.create_listener(
        LoadBalancerArn=other,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    seen = snapshot_of(world, canary=("photo-ecs", "elsewhere", "photo-ecs-green"))
    assert seen.problems == (Problem("elsewhere", "load_balancer", GROUPS, arn, other),)
    assert seen.traffic
    assert [group.targets is None for group in seen.traffic.groups] == [False] * 4


# What is not there


def test_an_unknown_load_balancer(world: FakeElbv2) -> None:
    gone = world.load_balancer.replace("/photo/", "/gone/")
    seen = snapshot_of(world, load_balancer=gone)
    assert seen.traffic is None
    assert problem_keys(seen)[0] == ("not_found", LISTENERS, gone)


def test_a_configured_rule_that_is_gone_is_not_replaced_by_another(world: FakeElbv2) -> None:
    gone = world.rule[:-16] + "0123456789abcdef"
    seen = snapshot_of(world, rule=gone)
    assert problem_keys(seen) == [("not_found", RULES, gone)]
    assert seen.traffic
    assert (seen.traffic.split, seen.traffic.configured_shares) == (None, {})
    assert len(seen.traffic.rules) == 2


# Faults


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (EXPIRED, "expired_token"),
        (UNKNOWN_KEY, "wrong_key"),
        ((400, "RequestExpired", "Request has expired."), "clock_skew"),
        ((403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."), "wrong_region"),
    ],
)
def test_after_a_refusal_of_everything_nothing_more_is_asked(world: FakeElbv2, refusal: ErrorReply, kind: str) -> None:
    world.errors["*"] = refusal
    seen = snapshot_of(world)
    assert seen.traffic is None
    assert problem_keys(seen) == [(kind, LISTENERS, world.load_balancer)]
    assert world.calls == ["DescribeListeners"]


@pytest.mark.parametrize("refusal", [THROTTLED, INTERNAL_FAILURE])
def test_after_two_tired_answers_nothing_more_is_asked(world: FakeElbv2, refusal: ErrorReply) -> None:
    world.errors["*"] = refusal
    assert snapshot_of(world).traffic is None
    assert world.calls == ["DescribeListeners", "DescribeTargetGroups"]


def test_targets_denied_leaves_the_weights(world: FakeElbv2) -> None:
    world.errors["DescribeTargetHealth"] = access_denied("DescribeTargetHealth")
    seen = snapshot_of(world)
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 10)
    assert problem_keys(seen) == [("denied", HEALTH, world.groups["photo-ec2"])]
    assert "is not authorized to perform: elasticloadbalancing:DescribeTargetHealth" in seen.problems[0].detail
    assert seen.traffic
    assert [group.targets for group in seen.traffic.groups] == [None, None]
    assert world.calls.count("DescribeTargetHealth") == 1


def test_groups_denied_leaves_weights_and_targets(world: FakeElbv2) -> None:
    world.errors["DescribeTargetGroups"] = access_denied("DescribeTargetGroups")
    seen = snapshot_of(world)
    assert [problem.operation for problem in seen.problems] == [GROUPS]
    assert seen.traffic
    assert [group.healthy for group in seen.traffic.groups] == [2, 2]


def test_rules_denied_leaves_a_default_action_that_splits(world: FakeElbv2) -> None:
    world.errors["DescribeRules"] = access_denied("DescribeRules")
    seen = snapshot_of(world)
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 10)
    assert (split_of(seen).priority, split_of(seen).listener_arn) == ("default", world.listener)
    assert [problem.kind for problem in seen.problems] == ["denied"]


@pytest.mark.parametrize("refusal", [access_denied("DescribeRules"), THROTTLED])
def test_rules_unread_and_the_split_maybe_among_them_is_unknown(world: FakeElbv2, refusal: ErrorReply) -> None:
    world.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    path = {"Field": "path-pattern", "Values": ["/api/*"]}
    world.add_rule([path], world.forward({"photo-ec2": 90, "photo-ecs": 10}))
    world.errors["DescribeRules"] = refusal
    seen = snapshot_of(world)
    assert seen.traffic is None
    assert {problem.operation for problem in seen.problems} == {RULES}


def test_the_rules_of_one_listener_unread_leave_the_split_of_the_other(world: FakeElbv2) -> None:
    world.errors_by_parameter[world.redirecting_listener] = INTERNAL_FAILURE
    seen = snapshot_of(world)
    assert split_of(seen).arn == world.rule
    assert problem_keys(seen) == [("server_error", RULES, world.redirecting_listener)]


def test_no_split_is_only_said_where_all_rules_were_read(world: FakeElbv2) -> None:
    world.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    world.errors_by_parameter[world.redirecting_listener] = INTERNAL_FAILURE
    seen = snapshot_of(world, rule=world.rule)
    assert split_of(seen).fleets == {"baseline"}
    assert [problem.kind for problem in seen.problems] == ["server_error"]


def test_listeners_denied_leaves_the_configured_rule(world: FakeElbv2) -> None:
    world.errors["DescribeListeners"] = access_denied("DescribeListeners")
    assert snapshot_of(world).traffic is None
    seen = snapshot_of(world, rule=world.rule)
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 10)
    assert split_of(seen).listener == ""
    assert problem_keys(seen) == [("denied", LISTENERS, world.load_balancer)]


def test_a_load_balancer_that_hangs_is_given_up_at_once(world: FakeElbv2) -> None:
    world.hang["DescribeListeners"] = threading.Event()
    seen = create_source(world.migration(), read_timeout_s=0.2).snapshot()
    assert seen.traffic is None
    assert [problem.kind for problem in seen.problems] == ["timeout"]
    assert world.calls == ["DescribeListeners"]


@pytest.mark.parametrize("body", [b"<html><body>Sign in to the network</body></html>", b"", b"no XML", b"<a/>"])
def test_a_proxys_page_is_a_bad_reply(world: FakeElbv2, body: bytes) -> None:
    world.raw_replies["DescribeListeners"] = body
    seen = snapshot_of(world)
    assert seen.traffic is None
    assert [problem.kind for problem in seen.problems] == ["bad_reply"]


def test_pages_without_end_are_a_bad_reply(world: FakeElbv2) -> None:
    listeners = "<DescribeListenersResult><Listeners/><NextMarker>again</NextMarker></DescribeListenersResult>"
    world.raw_replies["DescribeListeners"] = (
        f"<DescribeListenersResponse>{listeners}</DescribeListenersResponse>".encode()
    )
    seen = snapshot_of(world)
    assert [(problem.kind, problem.detail) for problem in seen.problems] == [("bad_reply", "more than 100 pages")]


def test_a_clock_that_is_off_is_said_once(world: FakeElbv2) -> None:
    world.clock_skew_s = 120
    seen = snapshot_of(world)
    assert [(problem.kind, problem.operation) for problem in seen.problems] == [("clock_skew", LISTENERS)]
    assert split_of(seen).configured_shares["canary"] == Fraction(1, 10)


def test_nobody_there(world: FakeElbv2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://127.0.0.1:1")
    seen = snapshot_of(world)
    assert seen.traffic is None
    assert [problem.kind for problem in seen.problems] == ["unreachable"]


def test_a_profile_that_does_not_exist(world: FakeElbv2) -> None:
    seen = LoadBalancer(world.migration(profile="nobody")).snapshot()
    assert seen.traffic is None
    assert [problem.kind for problem in seen.problems] == ["no_credentials"]


def test_who_signs_in_again_is_heard(world: FakeElbv2, monkeypatch: pytest.MonkeyPatch) -> None:
    there = LoadBalancer(world.migration())
    world.errors["*"] = EXPIRED
    assert there.snapshot().traffic is None
    world.errors.clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE")
    world.access_keys = {"AKIAI44QH8DHBEXAMPLE"}
    assert there.snapshot().problems == ()


def test_without_aws_there_is_no_load_balancer(world: FakeElbv2) -> None:
    with pytest.raises(ValueError):
        LoadBalancer(world.migration().model_copy(update={"aws": None}))


def test_many_threads_may_look(world: FakeElbv2) -> None:
    there = LoadBalancer(world.migration())
    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda _: there.snapshot(), range(8)))
    assert {seen.problems for seen in looks} == {()}
    assert {seen.traffic.configured_shares["canary"] for seen in looks if seen.traffic} == {Fraction(1, 10)}


# Permissions


def states(world: FakeElbv2, **configured: Any) -> dict[str, tuple[str, str]]:
    """Permission → state, and the kind of its problem."""
    return {
        line.permission: (line.state, line.problem.kind if line.problem else "")
        for line in create_source(world.migration(**configured)).check()
    }


def test_every_permission_has_a_line(world: FakeElbv2) -> None:
    assert states(world) == dict.fromkeys((LISTENERS, RULES, GROUPS, HEALTH), ("up", ""))


def test_the_one_that_is_missing_is_named(world: FakeElbv2) -> None:
    world.errors["DescribeRules"] = access_denied("DescribeRules")
    assert states(world) == {
        LISTENERS: ("up", ""),
        RULES: ("denied", "denied"),
        GROUPS: ("up", ""),
        HEALTH: ("up", ""),
    }


def test_what_could_not_be_tried_says_why(world: FakeElbv2) -> None:
    world.errors["DescribeListeners"] = access_denied("DescribeListeners")
    assert states(world)[RULES] == ("denied", "denied")
    assert states(world)[HEALTH] == ("up", "")
    world.errors = {"*": EXPIRED}
    assert set(states(world).values()) == {("denied", "expired_token")}


def test_a_refusal_for_the_clock_is_down_and_a_clock_that_is_off_is_up(world: FakeElbv2) -> None:
    world.errors["*"] = (400, "RequestExpired", "Request has expired.")
    assert set(states(world).values()) == {("down", "clock_skew")}
    world.errors.clear()
    world.clock_skew_s = -120
    assert states(world)[LISTENERS] == ("up", "clock_skew")


def test_what_the_check_finds_is_what_a_look_finds(world: FakeElbv2) -> None:
    found = states(world, baseline=("photo-ec2", UNKNOWN_GROUP))
    assert found[GROUPS] == ("down", "not_found")
    world.set_weights({"photo-ec2": 1, "photo-ecs": 0})
    assert states(world)[RULES] == ("up", "no_split")
