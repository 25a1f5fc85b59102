"""Configured shares, the rule that splits the traffic, weight changes, and JSON of traffic snapshots."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Condition, FleetName, Rule, Share, Traffic
from domain.serialization import from_json, to_json
from domain.traffic import blue_green_blocked, detect_weight_change, find_split

FLEET_OF: dict[str, FleetName] = {"ec2": "baseline", "blue": "canary", "green": "canary"}
X_CANARY = Condition("http-header", "X-Canary", ("always",))
API = Condition("path-pattern", "", ("/api/*",))


def rule(
    weights: dict[str, int] | None = None,
    *conditions: Condition,
    arn: str = "",
    priority: str = "default",
    listener: str = "HTTPS:443",
) -> Rule:
    """A rule that forwards to target groups by name ("other" is of neither fleet), or that redirects if `weights` is None."""
    shares = tuple(Share(f"arn:{name}", name, FLEET_OF.get(name), weight) for name, weight in (weights or {}).items())
    action = "redirect" if weights is None else "forward"
    return Rule(
        arn or f"{listener}/{priority}", f"arn:{listener}", listener, priority, action, conditions, shares, None
    )


def traffic(*rules: Rule, asked_at: int = 0, configured: str = "") -> Traffic:
    split = find_split(rules, configured)
    return Traffic(asked_at, rules, (), split.arn if split else "")


# Configured shares


@pytest.mark.parametrize(
    ("weights", "shares", "fleets", "weighted"),
    [
        ({"ec2": 90, "blue": 10}, (Fraction(9, 10), Fraction(1, 10)), {"baseline", "canary"}, ["ec2", "blue"]),
        ({"ec2": 999, "blue": 1}, (Fraction(999, 1000), Fraction(1, 1000)), {"baseline", "canary"}, ["ec2", "blue"]),
        ({"ec2": 100, "blue": 0}, (Fraction(1), Fraction(0)), {"baseline"}, ["ec2"]),
        ({"ec2": 1, "blue": 1}, (Fraction(1, 2), Fraction(1, 2)), {"baseline", "canary"}, ["ec2", "blue"]),
        # A deployment leaves the previous group at weight 0.
        (
            {"ec2": 90, "blue": 10, "green": 0},
            (Fraction(9, 10), Fraction(1, 10)),
            {"baseline", "canary"},
            ["ec2", "blue"],
        ),
        (
            {"ec2": 90, "blue": 4, "green": 6},
            (Fraction(9, 10), Fraction(1, 10)),
            {"baseline", "canary"},
            ["ec2", "blue", "green"],
        ),
        # With a group of neither fleet.
        (
            {"ec2": 1, "blue": 1, "other": 2},
            (Fraction(1, 4), Fraction(1, 4)),
            {"baseline", "canary"},
            ["ec2", "blue", "other"],
        ),
        ({"other": 1}, (Fraction(0), Fraction(0)), set(), ["other"]),
    ],
)
def test_weights_are_shares_of_their_sum(
    weights: dict[str, int], shares: tuple[Fraction, Fraction], fleets: set[str], weighted: list[str]
) -> None:
    split = rule(weights)
    assert split.configured_shares == {"baseline": shares[0], "canary": shares[1]}
    assert split.fleets == fleets
    assert [share.target_group for share in split.weighted_shares] == weighted


@pytest.mark.parametrize("weights", [{"ec2": 0, "blue": 0}, {}, None])
def test_without_weights_there_are_no_shares(weights: dict[str, int] | None) -> None:
    assert rule(weights).configured_shares == {}
    assert rule(weights).fleets == set()


@given(st.dictionaries(st.sampled_from(["ec2", "blue", "green"]), st.integers(0, 999), min_size=1))
def test_shares_add_up_to_one_and_are_independent_of_scale(weights: dict[str, int]) -> None:
    shares = rule(weights).configured_shares
    assert sum(shares.values()) == (1 if any(weights.values()) else 0)
    assert rule({name: weight * 7 for name, weight in weights.items()}).configured_shares == shares


# The rule that splits


def test_a_redirect_is_not_the_split() -> None:
    assert traffic(rule(None, listener="HTTP:80"), rule({"ec2": 90, "blue": 10})).split_arn == "HTTPS:443/default"


def test_a_rule_with_all_weight_on_one_fleet_may_be_the_split() -> None:
    snapshot = traffic(rule({"ec2": 100}, API, priority="1"), rule({"ec2": 100, "blue": 0}))
    assert snapshot.split_arn == "HTTPS:443/default"
    assert snapshot.splits == ()


def test_a_weighted_path_takes_precedence_over_a_default_with_one_fleet() -> None:
    snapshot = traffic(rule({"ec2": 90, "blue": 10}, API, priority="10"), rule({"ec2": 1}))
    assert snapshot.split_arn == "HTTPS:443/10"
    assert snapshot.configured_shares["canary"] == Fraction(1, 10)


def test_the_default_action_then_the_lowest_priority_takes_precedence() -> None:
    ten, nine = (
        rule({"ec2": 1, "blue": 1}, Condition("path-pattern", "", (path,)), priority=priority)
        for priority, path in (("10", "/api/*"), ("9", "/v2/*"))
    )
    default = rule({"ec2": 90, "blue": 10})
    assert traffic(ten, nine, default).split == default
    assert traffic(ten, nine, rule({"ec2": 1})).split == nine
    assert traffic(ten, nine, default).splits == (ten, nine, default)


@pytest.mark.parametrize("reverse", [False, True])
def test_https_443_takes_precedence(reverse: bool) -> None:
    rules = [rule({"ec2": 9, "blue": 1}, listener=name) for name in ("HTTP:8080", "HTTPS:8443", "HTTP:80", "HTTPS:443")]
    assert traffic(*(reversed(rules) if reverse else rules)).split_arn == "HTTPS:443/default"
    assert traffic(*rules[:3]).split_arn == "HTTP:80/default"


def test_a_test_listener_is_not_the_split() -> None:
    snapshot = traffic(rule({"green": 1}, listener="HTTP:9001"), rule({"blue": 1}, listener="HTTPS:443"))
    assert snapshot.split_arn == "HTTPS:443/default"


CONDITIONAL = pytest.mark.parametrize(
    "condition",
    [
        X_CANARY,
        Condition("http-header", "Cookie", ("*beta=1*",)),
        Condition("query-string", "canary", ("1",)),
        Condition("source-ip", "", ("192.0.2.0/24",)),
    ],
)


@CONDITIONAL
def test_a_conditional_rule_to_one_fleet_is_a_header_rule(condition: Condition) -> None:
    header_rule = rule({"blue": 1}, condition, priority="1")
    snapshot = traffic(header_rule, rule({"ec2": 1}, API, priority="2"), rule({"ec2": 100, "blue": 0}))
    assert snapshot.header_rules == (header_rule,)
    assert snapshot.split_arn == "HTTPS:443/default"
    assert traffic(header_rule).split is None


@CONDITIONAL
def test_a_conditional_split_comes_after_an_unconditional_rule(condition: Condition) -> None:
    conditional = rule({"ec2": 1, "blue": 1}, condition, priority="1")
    snapshot = traffic(conditional, rule({"ec2": 100, "blue": 0}))
    assert snapshot.split_arn == "HTTPS:443/default"
    assert snapshot.splits == (conditional,)
    assert snapshot.header_rules == ()


def test_behind_a_cdn_the_split_may_have_a_header_condition() -> None:
    verify = Condition("http-header", "X-Origin-Verify", ("a-shared-word",))
    for weights in ({"ec2": 90, "blue": 10}, {"ec2": 100, "blue": 0}):
        snapshot = traffic(rule(weights, verify, priority="1"), rule(None))
        assert snapshot.split_arn == "HTTPS:443/1"
        assert snapshot.header_rules == ()


def test_only_a_configured_rule_is_the_split() -> None:
    conditional, default = rule({"blue": 1}, X_CANARY, priority="1"), rule({"ec2": 90, "blue": 10})
    assert traffic(conditional, default, configured="HTTPS:443/1").split == conditional
    assert traffic(conditional, default, configured="HTTPS:443/1").header_rules == ()
    assert traffic(conditional, default, configured="HTTPS:443/2").split is None


@pytest.mark.parametrize("weights", [None, {"other": 1}, {}])
def test_without_a_rule_to_a_fleet_there_is_no_split(weights: dict[str, int] | None) -> None:
    assert traffic(rule(weights)).split is None
    assert traffic(rule(weights)).configured_shares == {}


# Rules that no request reaches

ANY_PATH = Condition("path-pattern", "", ("/*",))


def test_a_default_action_behind_a_rule_for_every_path_is_not_the_split() -> None:
    catch_all, default = rule({"ec2": 1}, ANY_PATH, priority="1"), rule({"ec2": 90, "blue": 10})
    snapshot = traffic(catch_all, default)
    assert snapshot.split == catch_all
    assert snapshot.configured_shares == {"baseline": 1, "canary": 0}
    assert (snapshot.splits, snapshot.unreachable_splits) == ((), (default,))


def test_a_weighted_rule_behind_a_redirect_of_every_path_is_not_the_split() -> None:
    redirect = rule(None, ANY_PATH, priority="1", listener="HTTP:80")
    weighted = rule({"ec2": 50, "blue": 50}, ANY_PATH, priority="2", listener="HTTP:80")
    https = rule({"ec2": 100, "blue": 0}, ANY_PATH, priority="1")
    snapshot = traffic(redirect, weighted, rule(None, listener="HTTP:80"), https, rule(None))
    assert snapshot.split == https
    assert snapshot.configured_shares == {"baseline": 1, "canary": 0}
    assert snapshot.unreachable == {"HTTP:80/2", "HTTP:80/default", "HTTPS:443/default"}


def test_the_order_is_that_of_priorities_and_of_each_listener() -> None:
    weighted = rule({"ec2": 1, "blue": 1}, API, priority="9")
    assert traffic(weighted, rule({"ec2": 1}, ANY_PATH, priority="10")).split == weighted
    assert traffic(rule({"ec2": 1}, ANY_PATH, priority="10"), weighted).unreachable == set()
    assert traffic(rule({"ec2": 1}, listener="HTTP:80"), weighted).split == weighted


def test_a_rule_for_every_path_ranks_as_the_default_action() -> None:
    of_a_path = rule({"ec2": 1, "blue": 1}, API, priority="1")
    catch_all = rule({"ec2": 90, "blue": 10}, ANY_PATH, priority="2")
    assert traffic(of_a_path, catch_all, rule({"ec2": 1})).split == catch_all


def test_any_source_address_is_no_limit() -> None:
    anybody = rule({"ec2": 90, "blue": 10}, Condition("source-ip", "", ("0.0.0.0/0",)), priority="1")
    snapshot = traffic(anybody, rule({"ec2": 1}))
    assert not anybody.is_conditional and snapshot.split == anybody


def test_an_unreachable_header_rule_is_none() -> None:
    header_rule = rule({"blue": 1}, X_CANARY, priority="2")
    assert traffic(rule({"ec2": 1, "blue": 1}, ANY_PATH, priority="1"), header_rule).header_rules == ()


def test_a_configured_rule_stays_the_split_but_is_known_to_be_unreachable() -> None:
    catch_all, default = rule({"ec2": 1}, ANY_PATH, priority="1"), rule({"ec2": 100, "blue": 0})
    snapshot = traffic(catch_all, default, configured="HTTPS:443/default")
    assert (snapshot.split, snapshot.unreachable_splits) == (default, (default,))


# Other rules that send to the fleets

HOST = Condition("host-header", "", ("photo.example.com",))


def test_several_rules_split() -> None:
    of_a_host, of_a_path = rule({"ec2": 50, "blue": 50}, HOST, priority="10"), rule({"blue": 1}, API, priority="20")
    same, default = rule({"ec2": 9, "blue": 1}, listener="HTTP:80"), rule({"ec2": 90, "blue": 10})
    snapshot = traffic(same, of_a_host, of_a_path, rule({"other": 1}, X_CANARY, priority="30"), default)
    assert snapshot.split == default
    assert snapshot.other_splits == (same, of_a_host)
    assert snapshot.deviating_rules == (of_a_host, of_a_path)  # `same` does not change the share


# Weight changes


def test_a_change_is_detected_between_two_snapshots() -> None:
    before, after = (
        traffic(rule({"ec2": 100 - share, "blue": share}), asked_at=asked_at)
        for share, asked_at in ((10, 60), (25, 75))
    )
    change = detect_weight_change(before, after)
    assert change
    assert (change.since, change.ts, change.before, change.after, change.title) == (60, 75, 0.1, 0.25, "10.0% → 25.0%")
    assert (change.logged, change.author, change.tool, change.sources) == (False, "", "unknown", ("load_balancer",))


def test_a_change_of_a_default_action_has_the_listener_arn() -> None:
    snapshots = [traffic(rule({"ec2": 90, "blue": weight}), asked_at=weight) for weight in (10, 20)]
    change = detect_weight_change(*snapshots)
    assert snapshots[0].split and change and snapshots[0].split.priority == "default"
    assert change.rule == snapshots[0].split.listener_arn


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ec2": 90, "blue": 10}, {"ec2": 9, "blue": 1}),
        ({"ec2": 90, "blue": 10, "green": 0}, {"ec2": 90, "blue": 0, "green": 10}),  # a deployment, not a step
        ({"ec2": 90, "blue": 10}, None),  # the split is unknown
    ],
)
def test_equal_shares_are_no_change(before: dict[str, int], after: dict[str, int] | None) -> None:
    assert detect_weight_change(traffic(rule(before)), traffic(rule(after))) is None


# Blue/green deployments


@pytest.mark.parametrize(
    ("weights", "blocked", "groups"),
    [
        ({"ec2": 90, "blue": 10}, True, ["ec2", "blue"]),
        ({"ec2": 0, "blue": 50, "green": 50}, True, ["blue", "green"]),
        ({"blue": 1, "other": 1}, True, ["blue", "other"]),
        ({"ec2": 0, "blue": 100, "green": 0}, False, ["blue"]),
        ({"ec2": 100, "blue": 0}, False, ["ec2"]),
        ({"ec2": 0, "blue": 0}, False, []),
        (None, False, []),
    ],
)
def test_a_blue_green_deployment_needs_one_group_with_weight(
    weights: dict[str, int] | None, blocked: bool, groups: list[str]
) -> None:
    header_rule = rule({"green": 1}, X_CANARY, priority="1")
    result = blue_green_blocked(traffic(header_rule, rule(weights)))
    assert result.blocked == blocked
    assert [share.target_group for share in result.groups] == groups


# JSON


@given(st.from_type(Traffic))
def test_json_round_trip(traffic: Traffic) -> None:
    text = to_json(traffic)
    assert from_json(Traffic, text) == traffic
    assert to_json(from_json(Traffic, text)) == text


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"asked_at": "now", "rules": [], "groups": [], "split_arn": ""}'])
def test_invalid_json_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(Traffic, text)
