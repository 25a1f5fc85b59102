"""What a load balancer was told: which rule splits the traffic, what the split is, and that the archive reads what it wrote."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Condition, FleetName, Rule, Share, Traffic
from domain.traffic import (
    BlueGreen,
    blue_green_blocked,
    detect_weight_change,
    find_split,
    traffic_from_json,
    traffic_to_json,
)

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
    """A rule that forwards to groups by name; "other" is of neither fleet. None: it redirects."""
    shares = tuple(Share(f"arn:{name}", name, FLEET_OF.get(name), weight) for name, weight in (weights or {}).items())
    action = "redirect" if weights is None else "forward"
    return Rule(
        arn or f"{listener}/{priority}", f"arn:{listener}", listener, priority, action, conditions, shares, None
    )


def traffic(*rules: Rule, asked_at: int = 0, configured: str = "") -> Traffic:
    split = find_split(rules, configured)
    return Traffic(asked_at, rules, (), split.arn if split else "")


# What a rule is told


@pytest.mark.parametrize(
    ("weights", "told", "sides", "live"),
    [
        ({"ec2": 90, "blue": 10}, (Fraction(9, 10), Fraction(1, 10)), {"baseline", "canary"}, ["ec2", "blue"]),
        ({"ec2": 999, "blue": 1}, (Fraction(999, 1000), Fraction(1, 1000)), {"baseline", "canary"}, ["ec2", "blue"]),
        ({"ec2": 100, "blue": 0}, (Fraction(1), Fraction(0)), {"baseline"}, ["ec2"]),
        ({"ec2": 1, "blue": 1}, (Fraction(1, 2), Fraction(1, 2)), {"baseline", "canary"}, ["ec2", "blue"]),
        # A deployment leaves the group that it took out of service behind at 0.
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
        # A group of neither side takes its part.
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
    weights: dict[str, int], told: tuple[Fraction, Fraction], sides: set[str], live: list[str]
) -> None:
    one = rule(weights)
    assert one.configured_shares == {"baseline": told[0], "canary": told[1]}
    assert one.fleets == sides
    assert [share.target_group for share in one.weighted_shares] == live


@pytest.mark.parametrize("weights", [{"ec2": 0, "blue": 0}, {}, None])
def test_without_any_weight_nothing_is_told(weights: dict[str, int] | None) -> None:
    assert rule(weights).configured_shares == {}
    assert rule(weights).fleets == set()


@given(st.dictionaries(st.sampled_from(["ec2", "blue", "green"]), st.integers(0, 999), min_size=1))
def test_shares_add_up_to_one_and_forget_the_scale_of_the_weights(weights: dict[str, int]) -> None:
    told = rule(weights).configured_shares
    assert sum(told.values()) == (1 if any(weights.values()) else 0)
    assert rule({name: weight * 7 for name, weight in weights.items()}).configured_shares == told


# Which rule splits


def test_the_listener_that_redirects_is_passed_over() -> None:
    assert traffic(rule(None, listener="HTTP:80"), rule({"ec2": 90, "blue": 10})).split_arn == "HTTPS:443/default"


def test_all_on_one_side_is_no_split_but_its_rule_carries_the_split_before_and_after() -> None:
    seen = traffic(rule({"ec2": 100}, API, priority="1"), rule({"ec2": 100, "blue": 0}))
    assert seen.split_arn == "HTTPS:443/default"
    assert seen.splits == ()


def test_a_weighted_path_comes_before_a_default_with_one_side() -> None:
    seen = traffic(rule({"ec2": 90, "blue": 10}, API, priority="10"), rule({"ec2": 1}))
    assert seen.split_arn == "HTTPS:443/10"
    assert seen.configured_shares["canary"] == Fraction(1, 10)


def test_of_several_splits_it_is_the_default_then_the_lowest_priority() -> None:
    ten, nine = (rule({"ec2": 1, "blue": 1}, API, priority=priority) for priority in ("10", "9"))
    default = rule({"ec2": 90, "blue": 10})
    assert traffic(ten, nine, default).split == default
    assert traffic(ten, nine, rule({"ec2": 1})).split == nine
    assert traffic(ten, nine, default).splits == (ten, nine, default)


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_listeners_it_is_the_usual_one(turned: bool) -> None:
    rules = [rule({"ec2": 9, "blue": 1}, listener=name) for name in ("HTTP:8080", "HTTPS:8443", "HTTP:80", "HTTPS:443")]
    assert traffic(*(reversed(rules) if turned else rules)).split_arn == "HTTPS:443/default"
    assert traffic(*rules[:3]).split_arn == "HTTP:80/default"


def test_the_listener_that_tests_the_next_deployment_is_not_the_split() -> None:
    seen = traffic(rule({"green": 1}, listener="HTTP:9001"), rule({"blue": 1}, listener="HTTPS:443"))
    assert seen.split_arn == "HTTPS:443/default"


CONDITIONAL = pytest.mark.parametrize(
    "marked",
    [
        X_CANARY,
        Condition("http-header", "Cookie", ("*beta=1*",)),
        Condition("query-string", "canary", ("1",)),
        Condition("source-ip", "", ("192.0.2.0/24",)),
    ],
)


@CONDITIONAL
def test_what_leads_some_to_one_side_is_a_door(marked: Condition) -> None:
    door = rule({"blue": 1}, marked, priority="1")
    seen = traffic(door, rule({"ec2": 1}, API, priority="2"), rule({"ec2": 100, "blue": 0}))
    assert seen.header_rules == (door,)
    assert seen.split_arn == "HTTPS:443/default"
    assert traffic(door).split is None


@CONDITIONAL
def test_half_of_some_requests_is_not_the_split_of_all(marked: Condition) -> None:
    some = rule({"ec2": 1, "blue": 1}, marked, priority="1")
    seen = traffic(some, rule({"ec2": 100, "blue": 0}))
    assert seen.split_arn == "HTTPS:443/default"
    assert seen.splits == (some,)
    assert seen.header_rules == ()


def test_behind_a_cdn_that_adds_a_header_the_split_has_a_header() -> None:
    verify = Condition("http-header", "X-Origin-Verify", ("a-shared-word",))
    for weights in ({"ec2": 90, "blue": 10}, {"ec2": 100, "blue": 0}):
        seen = traffic(rule(weights, verify, priority="1"), rule(None))
        assert seen.split_arn == "HTTPS:443/1"
        assert seen.header_rules == ()


def test_the_configured_rule_is_taken_whatever_it_says_and_no_other_where_it_is_gone() -> None:
    some, default = rule({"blue": 1}, X_CANARY, priority="1"), rule({"ec2": 90, "blue": 10})
    assert traffic(some, default, configured="HTTPS:443/1").split == some
    assert traffic(some, default, configured="HTTPS:443/1").header_rules == ()
    assert traffic(some, default, configured="HTTPS:443/2").split is None


@pytest.mark.parametrize("weights", [None, {"other": 1}, {}])
def test_where_no_rule_knows_a_fleet_none_splits(weights: dict[str, int] | None) -> None:
    assert traffic(rule(weights)).split is None
    assert traffic(rule(weights)).configured_shares == {}


# What changed


def test_a_step_fell_between_two_looks() -> None:
    before, after = (
        traffic(rule({"ec2": 100 - share, "blue": share}), asked_at=asked_at)
        for share, asked_at in ((10, 60), (25, 75))
    )
    step = detect_weight_change(before, after)
    assert step
    assert (step.since, step.ts, step.before, step.after, step.title) == (60, 75, 0.1, 0.25, "10.0% → 25.0%")
    assert (step.logged, step.author, step.tool, step.sources) == (False, "", "unknown", ("load_balancer",))


def test_a_change_names_the_rule_or_the_listener_whose_default_action_it_is() -> None:
    looks = [traffic(rule({"ec2": 90, "blue": weight}), asked_at=weight) for weight in (10, 20)]
    step = detect_weight_change(*looks)
    assert looks[0].split and step and looks[0].split.priority == "default"
    assert step.rule == looks[0].split.listener_arn


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ec2": 90, "blue": 10}, {"ec2": 9, "blue": 1}),
        ({"ec2": 90, "blue": 10, "green": 0}, {"ec2": 90, "blue": 0, "green": 10}),  # a deployment, not a step
        ({"ec2": 90, "blue": 10}, None),  # nobody knows the split now
    ],
)
def test_the_same_split_in_other_words_is_none(before: dict[str, int], after: dict[str, int] | None) -> None:
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
    door = rule({"green": 1}, X_CANARY, priority="1")
    said = blue_green_blocked(traffic(door, rule(weights)))
    assert said == BlueGreen(blocked, said.groups)
    assert [share.target_group for share in said.groups] == groups


# In the archive


@given(st.from_type(Traffic))
def test_what_the_archive_wrote_it_reads(traffic: Traffic) -> None:
    text = traffic_to_json(traffic)
    assert traffic_from_json(text) == traffic
    assert traffic_to_json(traffic_from_json(text)) == text


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"asked_at": "now", "rules": [], "groups": [], "split_arn": ""}'])
def test_what_it_did_not_write_it_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        traffic_from_json(text)
