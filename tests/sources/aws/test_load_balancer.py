"""The load balancer source, over HTTP against the fake (moto with faults)."""

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from domain import Aws, Condition, Migration, Rule, Target, Traffic
from domain.serialization import from_json, to_json
from domain.traffic import blue_green_blocked
from messages.errors.sources import format_problem
from sources.aws.client import create_client
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
UNKNOWN_GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/unknown/0123456789abcdef"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FakeElbv2]:
    with FakeElbv2() as server:
        server.add_group("photo-ecs-green")
        server.add_group("unassigned")
        server.add_group("empty", targets=0)
        yield server


@pytest.fixture
def server(shared_server: FakeElbv2, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeElbv2]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", shared_server.url)
    yield shared_server
    if THROTTLED in shared_server.errors.values():
        client_for.cache_clear()  # adaptive retries slow down a client that was throttled
    shared_server.reset()


@cache
def client_for(aws: Aws, endpoint: str, read_timeout_s: float) -> Any:
    return create_client("elbv2", aws, max_attempts=1, read_timeout_s=read_timeout_s)


def create_source(migration: Migration, *, read_timeout_s: float = 5) -> LoadBalancer:
    assert migration.aws
    endpoint = os.environ["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"]
    aws = Aws(region=migration.aws.region, load_balancer=migration.aws.load_balancer)
    client = client_for(aws, endpoint, read_timeout_s)
    return LoadBalancer(migration, clock=lambda: datetime.fromtimestamp(NOON, UTC), client=client)


def snapshot_of(server: FakeElbv2, **configured: Any) -> TrafficSnapshot:
    return create_source(server.migration(**configured)).snapshot()


def split_of(snapshot: TrafficSnapshot) -> Rule:
    assert snapshot.traffic and snapshot.traffic.split
    return snapshot.traffic.split


def weights(rule: Rule) -> dict[str, int]:
    return {share.target_group: share.weight for share in rule.shares}


def problem_keys(snapshot: TrafficSnapshot) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.operation, problem.about) for problem in snapshot.problems]


# Reading


def test_snapshot_has_weights_rules_and_targets(server: FakeElbv2) -> None:
    snapshot = snapshot_of(server)
    assert (snapshot.asked_at, snapshot.problems) == (NOON, ())
    assert split_of(snapshot).arn == server.rule
    assert split_of(snapshot).listener == "HTTPS:443"
    assert split_of(snapshot).priority == "default"
    assert split_of(snapshot).stickiness_s is None
    assert [(share.target_group, share.fleet, share.weight) for share in split_of(snapshot).shares] == [
        ("photo-ec2", "baseline", 90),
        ("photo-ecs", "canary", 10),
    ]
    assert snapshot.traffic
    assert snapshot.traffic.configured_shares == {"baseline": Fraction(9, 10), "canary": Fraction(1, 10)}
    assert [(rule.listener, rule.action) for rule in snapshot.traffic.rules] == [
        ("HTTP:80", "redirect"),
        ("HTTPS:443", "forward"),
    ]
    assert [(group.target_group, group.fleet, group.healthy) for group in snapshot.traffic.groups] == [
        ("photo-ec2", "baseline", 2),
        ("photo-ecs", "canary", 2),
    ]


def test_snapshot_survives_json(server: FakeElbv2) -> None:
    server.add_header_rule("X-Canary", "always", "photo-ecs")
    traffic = snapshot_of(server).traffic
    assert traffic
    assert from_json(Traffic, to_json(traffic)) == traffic


def test_weights_are_current(server: FakeElbv2) -> None:
    source = create_source(server.migration())
    assert source.snapshot().traffic.configured_shares["canary"] == Fraction(1, 10)  # type: ignore[union-attr]
    server.set_weights({"photo-ec2": 999, "photo-ecs": 1}, stickiness_s=3600)
    snapshot = source.snapshot()
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 1000)
    assert split_of(snapshot).stickiness_s == 3600


def test_all_weight_on_one_fleet_is_reported_and_returned(server: FakeElbv2) -> None:
    server.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    snapshot = snapshot_of(server)
    assert split_of(snapshot).configured_shares == {"baseline": 1, "canary": 0}
    (problem,) = snapshot.problems
    assert problem == Problem("no_split", "load_balancer", RULES, server.load_balancer, "one_side:baseline")


def test_no_weight_at_all_is_no_split(server: FakeElbv2) -> None:
    server.set_weights({"photo-ec2": 0, "photo-ecs": 0})
    snapshot = snapshot_of(server)
    assert split_of(snapshot).configured_shares == {}
    assert [(problem.kind, problem.detail) for problem in snapshot.problems] == [("no_split", "none")]


def test_weight_on_an_unassigned_group_is_not_one_fleet(server: FakeElbv2) -> None:
    """The canary's ARN has a typo: its group is unassigned with 10 %, so the baseline does not have all weight."""
    snapshot = snapshot_of(server, canary=[server.groups["photo-ecs"] + "0"])
    assert [problem.detail for problem in snapshot.problems if problem.kind == "no_split"] == ["none"]


def test_blue_and_green_are_one_fleet_of_two_groups(server: FakeElbv2) -> None:
    server.set_weights({"photo-ecs-green": 0, "photo-ecs": 10, "photo-ec2": 90})
    snapshot = snapshot_of(server, canary=("photo-ecs", "photo-ecs-green"))
    assert weights(split_of(snapshot)) == {"photo-ec2": 90, "photo-ecs": 10, "photo-ecs-green": 0}
    assert list(weights(split_of(snapshot))) == [
        "photo-ec2",
        "photo-ecs",
        "photo-ecs-green",
    ]  # in the order of the configuration, not of the response
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 10)
    assert snapshot.problems == ()
    assert snapshot.traffic
    assert blue_green_blocked(snapshot.traffic).blocked
    server.set_weights({"photo-ecs-green": 0, "photo-ecs": 100, "photo-ec2": 0})
    after = snapshot_of(server, canary=("photo-ecs", "photo-ecs-green")).traffic
    assert after
    assert not blue_green_blocked(after).blocked


def test_unassigned_group_takes_its_share(server: FakeElbv2) -> None:
    server.set_weights({"unassigned": 2, "photo-ecs": 1, "photo-ec2": 1})
    snapshot = snapshot_of(server)
    assert [(share.target_group, share.fleet) for share in split_of(snapshot).shares] == [
        ("photo-ec2", "baseline"),
        ("photo-ecs", "canary"),
        ("unassigned", None),
    ]
    assert split_of(snapshot).configured_shares == {"baseline": Fraction(1, 4), "canary": Fraction(1, 4)}


def test_plain_forward_has_weight_one_and_authentication_is_skipped(server: FakeElbv2) -> None:
    cognito = {
        "Type": "authenticate-cognito",
        "Order": 1,
        "AuthenticateCognitoConfig": {
            "UserPoolArn": "arn:aws:cognito-idp:ap-northeast-1:123456789012:userpool/ap-northeast-1_aBcDeFgHi",
            "UserPoolClientId": "photo",
            "UserPoolDomain": "photo",
        },
    }
    forward = {"Type": "forward", "Order": 2, "TargetGroupArn": server.groups["photo-ecs"]}
    arn = server.add_rule([{"Field": "path-pattern", "Values": ["/admin/*"]}], cognito, forward)
    traffic = snapshot_of(server).traffic
    assert traffic
    (rule,) = (rule for rule in traffic.rules if rule.arn == arn)
    assert (rule.action, weights(rule)) == ("forward", {"photo-ecs": 1})


def test_weighted_path_rule_is_the_split_if_the_default_is_not(server: FakeElbv2) -> None:
    server.set_weights({"photo-ec2": 1})
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}
    arn = server.add_rule([path], server.forward({"photo-ec2": 3, "photo-ecs": 1}, stickiness_s=60))
    snapshot = snapshot_of(server)
    assert split_of(snapshot).arn == arn
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 4)
    assert split_of(snapshot).stickiness_s == 60
    assert snapshot.problems == ()


@pytest.mark.parametrize("condition", [{"Values": ["/*"]}, {"PathPatternConfig": {"Values": ["/*"]}}])
def test_a_default_action_that_no_request_reaches_is_not_the_split(
    server: FakeElbv2, condition: dict[str, Any]
) -> None:
    arn = server.add_rule([{"Field": "path-pattern", **condition}], server.forward({"photo-ec2": 1}))
    snapshot = snapshot_of(server)
    assert split_of(snapshot).arn == arn
    assert split_of(snapshot).configured_shares == {"baseline": 1, "canary": 0}
    assert [(problem.kind, problem.detail) for problem in snapshot.problems] == [("no_split", "one_side:baseline")]


def test_a_configured_rule_that_no_request_reaches_splits_nothing(server: FakeElbv2) -> None:
    server.add_rule([{"Field": "path-pattern", "Values": ["/*"]}], server.forward({"photo-ec2": 1}))
    snapshot = snapshot_of(server, rule=server.rule)
    assert split_of(snapshot).arn == server.rule
    assert snapshot.traffic and [rule.arn for rule in snapshot.traffic.unreachable_splits] == [server.rule]
    assert [(problem.kind, problem.detail) for problem in snapshot.problems] == [("no_split", "none")]


def test_header_rule(server: FakeElbv2) -> None:
    arn = server.add_header_rule("X-Canary", "always", "photo-ecs")
    traffic = snapshot_of(server).traffic
    assert traffic
    assert [(rule.arn, rule.conditions) for rule in traffic.header_rules] == [
        (arn, (Condition("http-header", "X-Canary", ("always",)),))
    ]
    assert traffic.split_arn == server.rule


def test_weighted_header_rule_is_the_split_only_if_configured(server: FakeElbv2) -> None:
    server.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    header = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["1"]}}
    arn = server.add_rule([header], server.forward({"photo-ec2": 1, "photo-ecs": 1}))
    snapshot = snapshot_of(server)
    assert (split_of(snapshot).arn, snapshot.problems) == (server.rule, ())
    assert split_of(snapshot_of(server, rule=arn)).configured_shares["canary"] == Fraction(1, 2)


def test_rules_are_sorted_by_listener_and_priority(server: FakeElbv2) -> None:
    for priority in (10, 9, 100):
        path = {"Field": "path-pattern", "Values": [f"/{priority}"]}
        server.add_rule([path], server.redirect(), priority=priority)
    traffic = snapshot_of(server).traffic
    assert traffic
    assert [rule.priority for rule in traffic.rules] == ["default", "9", "10", "100", "default"]


@pytest.mark.parametrize(
    ("payload", "condition"),
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
def test_conditions_in_new_and_old_form(payload: Mapping[str, Any], condition: Condition) -> None:
    assert parse_condition(payload) == condition


def test_rule_with_many_target_groups() -> None:
    arns = [UNKNOWN_GROUP.replace("unknown", f"group-{number}") for number in range(12)]
    action = {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in arns]},
    }
    rule = parse_rule({"RuleArn": "r", "Priority": "1", "Actions": [action]}, {}, {arns[11]: "baseline"})
    assert len(rule.shares) == 12
    assert rule.configured_shares == {"baseline": Fraction(1, 12), "canary": 0}


def test_all_pages_are_read(server: FakeElbv2) -> None:
    for number in range(1, 6):
        server.add_rule([{"Field": "path-pattern", "Values": [f"/{number}"]}], server.redirect(), priority=number)
    unpaged = snapshot_of(server)
    server.page_size = 2
    server.calls.clear()
    assert snapshot_of(server).traffic == unpaged.traffic
    assert server.calls.count("DescribeRules") == 1 + 3
    server.page_size = 1
    server.calls.clear()
    assert snapshot_of(server).traffic == unpaged.traffic
    assert server.calls.count("DescribeListeners") == 2


# Targets


def test_target_health_has_reason_and_description(server: FakeElbv2) -> None:
    draining = "Target deregistration is in progress"
    server.target_health["photo-ecs"] = [
        target("10.0.1.23", "draining", "Target.DeregistrationInProgress", draining),
        target("10.0.1.22", "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]"),
        target("10.0.1.21", "healthy", port=8081),
        target("10.0.1.21", "healthy", port=8080),
    ]
    traffic = snapshot_of(server).traffic
    assert traffic
    (ecs,) = (group for group in traffic.groups if group.fleet == "canary")
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


def test_order_of_targets_does_not_matter(server: FakeElbv2) -> None:
    server.target_health["photo-ecs"] = [target("10.0.1.21", "healthy"), target("10.0.1.22", "healthy")]
    traffic = snapshot_of(server).traffic
    server.target_health["photo-ecs"] = server.target_health["photo-ecs"][::-1]
    assert snapshot_of(server).traffic == traffic


def test_empty_and_unreadable_target_groups(server: FakeElbv2) -> None:
    server.errors_by_parameter[server.groups["photo-ecs"]] = INTERNAL_FAILURE
    traffic = snapshot_of(server, baseline=("photo-ec2", "empty")).traffic
    assert traffic
    assert [
        (group.target_group, None if group.targets is None else len(group.targets)) for group in traffic.groups
    ] == [
        ("photo-ec2", 2),
        ("empty", 0),
        ("photo-ecs", None),
    ]


def test_unknown_target_group_is_reported_and_others_are_read(server: FakeElbv2) -> None:
    snapshot = snapshot_of(server, baseline=(UNKNOWN_GROUP, "photo-ec2"))
    assert problem_keys(snapshot) == [("not_found", GROUPS, UNKNOWN_GROUP)]
    assert snapshot.traffic
    assert [(group.target_group, group.targets is None) for group in snapshot.traffic.groups] == [
        ("unknown", True),
        ("photo-ec2", False),
        ("photo-ecs", False),
    ]


def test_target_group_of_another_load_balancer(server: FakeElbv2) -> None:
    created = server.elbv2.create_load_balancer(Name="other", Subnets=server.subnets)
    other = created["LoadBalancers"][0]["LoadBalancerArn"]
    arn = server.add_group("elsewhere")
    server.elbv2.create_listener(
        LoadBalancerArn=other,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    snapshot = snapshot_of(server, canary=("photo-ecs", "elsewhere", "photo-ecs-green"))
    problem = Problem("elsewhere", "load_balancer", GROUPS, arn, other)
    assert snapshot.problems == (problem,)
    by_name = states(server, canary=("photo-ecs", "elsewhere"))
    assert (by_name[GROUPS], by_name["photo-ecs"], by_name["elsewhere"]) == (
        ("up", ""),
        ("up", ""),
        ("failed", "elsewhere"),
    )
    assert format_problem(problem).next_step.startswith(
        "Correct `target_groups` under [fleets.baseline] or [fleets.canary]"
    )
    assert snapshot.traffic
    assert [group.targets is None for group in snapshot.traffic.groups] == [False] * 4


# Missing resources


def test_unknown_load_balancer(server: FakeElbv2) -> None:
    unknown = server.load_balancer.replace("/photo/", "/unknown/")
    snapshot = snapshot_of(server, load_balancer=unknown)
    assert snapshot.traffic is None
    assert problem_keys(snapshot)[0] == ("not_found", LISTENERS, unknown)


def test_missing_configured_rule_is_not_replaced(server: FakeElbv2) -> None:
    unknown = server.rule[:-16] + "0123456789abcdef"
    snapshot = snapshot_of(server, rule=unknown)
    assert problem_keys(snapshot) == [("not_found", RULES, unknown)]
    assert snapshot.traffic
    assert (snapshot.traffic.split, snapshot.traffic.configured_shares) == (None, {})
    assert len(snapshot.traffic.rules) == 2


# Failures


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EXPIRED, "expired_token"),
        (UNKNOWN_KEY, "wrong_key"),
        ((400, "RequestExpired", "Request has expired."), "clock_skew"),
        ((403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."), "wrong_region"),
    ],
)
def test_fatal_failure_stops_all_calls(server: FakeElbv2, error: ErrorReply, kind: str) -> None:
    server.errors["*"] = error
    snapshot = snapshot_of(server)
    assert snapshot.traffic is None
    assert problem_keys(snapshot) == [(kind, LISTENERS, server.load_balancer)]
    assert server.calls == ["DescribeListeners"]


@pytest.mark.parametrize("error", [THROTTLED, INTERNAL_FAILURE])
def test_second_transient_failure_stops_all_calls(server: FakeElbv2, error: ErrorReply) -> None:
    server.errors["*"] = error
    assert snapshot_of(server).traffic is None
    assert server.calls == ["DescribeListeners", "DescribeTargetGroups"]


def test_denied_target_health_leaves_the_weights(server: FakeElbv2) -> None:
    server.errors["DescribeTargetHealth"] = access_denied("DescribeTargetHealth")
    snapshot = snapshot_of(server)
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 10)
    assert problem_keys(snapshot) == [("denied", HEALTH, server.groups["photo-ec2"])]
    assert "is not authorized to perform: elasticloadbalancing:DescribeTargetHealth" in snapshot.problems[0].detail
    assert snapshot.traffic
    assert [group.targets for group in snapshot.traffic.groups] == [None, None]
    assert server.calls.count("DescribeTargetHealth") == 1


def test_denied_target_groups_leave_weights_and_targets(server: FakeElbv2) -> None:
    server.errors["DescribeTargetGroups"] = access_denied("DescribeTargetGroups")
    snapshot = snapshot_of(server)
    assert [problem.operation for problem in snapshot.problems] == [GROUPS]
    assert snapshot.traffic
    assert [group.healthy for group in snapshot.traffic.groups] == [2, 2]


def test_denied_rules_leave_a_splitting_default_action(server: FakeElbv2) -> None:
    server.errors["DescribeRules"] = access_denied("DescribeRules")
    snapshot = snapshot_of(server)
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 10)
    assert (split_of(snapshot).priority, split_of(snapshot).listener_arn) == ("default", server.listener)
    assert [problem.kind for problem in snapshot.problems] == ["denied"]


@pytest.mark.parametrize("error", [access_denied("DescribeRules"), THROTTLED])
def test_traffic_is_unknown_if_the_split_may_be_unread(server: FakeElbv2, error: ErrorReply) -> None:
    server.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    path = {"Field": "path-pattern", "Values": ["/api/*"]}
    server.add_rule([path], server.forward({"photo-ec2": 90, "photo-ecs": 10}))
    server.errors["DescribeRules"] = error
    snapshot = snapshot_of(server)
    assert snapshot.traffic is None
    assert {problem.operation for problem in snapshot.problems} == {RULES}


def test_unread_rules_of_one_listener_leave_the_split_of_another(server: FakeElbv2) -> None:
    server.errors_by_parameter[server.redirecting_listener] = INTERNAL_FAILURE
    snapshot = snapshot_of(server)
    assert split_of(snapshot).arn == server.rule
    assert problem_keys(snapshot) == [("server_error", RULES, server.redirecting_listener)]


def test_no_split_is_reported_only_if_all_rules_were_read(server: FakeElbv2) -> None:
    server.set_weights({"photo-ec2": 100, "photo-ecs": 0})
    server.errors_by_parameter[server.redirecting_listener] = INTERNAL_FAILURE
    snapshot = snapshot_of(server, rule=server.rule)
    assert split_of(snapshot).fleets == {"baseline"}
    assert [problem.kind for problem in snapshot.problems] == ["server_error"]


def test_denied_listeners_leave_the_configured_rule(server: FakeElbv2) -> None:
    server.errors["DescribeListeners"] = access_denied("DescribeListeners")
    assert snapshot_of(server).traffic is None
    snapshot = snapshot_of(server, rule=server.rule)
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 10)
    assert split_of(snapshot).listener == ""
    assert problem_keys(snapshot) == [("denied", LISTENERS, server.load_balancer)]


def test_timeout_stops_all_calls(server: FakeElbv2) -> None:
    server.hang["DescribeListeners"] = threading.Event()
    snapshot = create_source(server.migration(), read_timeout_s=0.2).snapshot()
    assert snapshot.traffic is None
    assert [problem.kind for problem in snapshot.problems] == ["timeout"]
    assert server.calls == ["DescribeListeners"]


@pytest.mark.parametrize("body", [b"<html><body>Sign in to the network</body></html>", b"", b"no XML", b"<a/>"])
def test_proxy_page_is_a_bad_reply(server: FakeElbv2, body: bytes) -> None:
    server.raw_replies["DescribeListeners"] = body
    snapshot = snapshot_of(server)
    assert snapshot.traffic is None
    assert [problem.kind for problem in snapshot.problems] == ["bad_reply"]


def test_endless_pages_are_a_bad_reply(server: FakeElbv2) -> None:
    listeners = "<DescribeListenersResult><Listeners/><NextMarker>again</NextMarker></DescribeListenersResult>"
    server.raw_replies["DescribeListeners"] = (
        f"<DescribeListenersResponse>{listeners}</DescribeListenersResponse>".encode()
    )
    snapshot = snapshot_of(server)
    assert [(problem.kind, problem.detail) for problem in snapshot.problems] == [("bad_reply", "more than 100 pages")]


def test_clock_skew_is_reported_once(server: FakeElbv2) -> None:
    server.clock_skew_s = 120
    snapshot = snapshot_of(server)
    assert [(problem.kind, problem.operation) for problem in snapshot.problems] == [("clock_skew", LISTENERS)]
    assert split_of(snapshot).configured_shares["canary"] == Fraction(1, 10)


def test_no_server_is_unreachable(server: FakeElbv2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://127.0.0.1:1")
    snapshot = snapshot_of(server)
    assert snapshot.traffic is None
    assert [problem.kind for problem in snapshot.problems] == ["unreachable"]


def test_missing_profile(server: FakeElbv2) -> None:
    snapshot = LoadBalancer(server.migration(profile="missing")).snapshot()
    assert snapshot.traffic is None
    assert [problem.kind for problem in snapshot.problems] == ["no_credentials"]


def test_new_credentials_are_used_after_expiry(server: FakeElbv2, monkeypatch: pytest.MonkeyPatch) -> None:
    source = LoadBalancer(server.migration())
    server.errors["*"] = EXPIRED
    assert source.snapshot().traffic is None
    server.errors.clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE")
    server.access_keys = {"AKIAI44QH8DHBEXAMPLE"}
    assert source.snapshot().problems == ()


def test_requires_aws(server: FakeElbv2) -> None:
    with pytest.raises(ValueError):
        LoadBalancer(server.migration().model_copy(update={"aws": None}))


def test_concurrent_snapshots(server: FakeElbv2) -> None:
    source = LoadBalancer(server.migration())
    with ThreadPoolExecutor(4) as pool:
        snapshots = list(pool.map(lambda _: source.snapshot(), range(8)))
    assert {snapshot.problems for snapshot in snapshots} == {()}
    assert {snapshot.traffic.configured_shares["canary"] for snapshot in snapshots if snapshot.traffic} == {
        Fraction(1, 10)
    }


# Permissions


def states(server: FakeElbv2, **configured: Any) -> dict[str, tuple[str, str]]:
    """Permission or target group → state and problem kind."""
    return {
        health.subject or health.permission: (health.state, health.problem.kind if health.problem else "")
        for health in create_source(server.migration(**configured)).check()
    }


def test_check_has_one_line_per_permission_and_target_group(server: FakeElbv2) -> None:
    assert states(server) == dict.fromkeys((LISTENERS, RULES, GROUPS, HEALTH, "photo-ec2", "photo-ecs"), ("up", ""))


def test_check_names_the_missing_permission(server: FakeElbv2) -> None:
    server.errors["DescribeRules"] = access_denied("DescribeRules")
    assert states(server) == {
        LISTENERS: ("up", ""),
        RULES: ("denied", "denied"),
        GROUPS: ("up", ""),
        HEALTH: ("up", ""),
        "photo-ec2": ("up", ""),
        "photo-ecs": ("up", ""),
    }


def test_check_explains_what_could_not_be_tried(server: FakeElbv2) -> None:
    server.errors["DescribeListeners"] = access_denied("DescribeListeners")
    assert states(server)[RULES] == ("not_checked", "denied")
    assert states(server)[HEALTH] == ("up", "")
    server.errors = {"DescribeTargetGroups": access_denied("DescribeTargetGroups")}
    by_name = states(server)
    assert [by_name[name] for name in (GROUPS, HEALTH, "photo-ec2", "photo-ecs")] == [
        ("denied", "denied"),
        ("up", ""),
        ("not_checked", "denied"),
        ("not_checked", "denied"),
    ]
    server.errors = {"*": EXPIRED}
    by_name = states(server)
    assert by_name.pop(LISTENERS) == ("denied", "expired_token")
    assert set(by_name.values()) == {("not_checked", "expired_token")}


def test_clock_skew_is_a_failure_only_if_the_call_fails(server: FakeElbv2) -> None:
    server.errors["*"] = (400, "RequestExpired", "Request has expired.")
    assert states(server)[LISTENERS] == ("failed", "clock_skew")
    server.errors.clear()
    server.clock_skew_s = -120
    assert states(server)[LISTENERS] == ("up", "clock_skew")


def test_check_reports_the_problems_of_a_snapshot(server: FakeElbv2) -> None:
    by_name = states(server, baseline=("photo-ec2", UNKNOWN_GROUP))
    assert (by_name[GROUPS], by_name["photo-ec2"], by_name["unknown"]) == (
        ("up", ""),
        ("up", ""),
        ("failed", "not_found"),
    )
    server.set_weights({"photo-ec2": 1, "photo-ecs": 0})
    assert states(server)[RULES] == ("up", "no_split")
