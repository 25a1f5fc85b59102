"""What one record says: which rule, from whom, how, and the share that it was told."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import FleetName, WeightChange
from sources.aws.cloudtrail_records import parse_weight_changes

SAMPLES = Path("tests/samples/cloudtrail")
LOAD_BALANCER = "app/photo/50dc6c495c0c9188"
ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
FLEETS: dict[str, FleetName] = {
    f"{ELB}targetgroup/photo-ec2/73e2d6bc24d8a067": "baseline",
    f"{ELB}targetgroup/photo-ecs/0a1b2c3d4e5f6071": "canary",
}
RULE = f"{ELB}listener-rule/{LOAD_BALANCER}/f2f7dc8efc522ab2/9683b2d02a6cabee"
LISTENER = f"{ELB}listener/{LOAD_BALANCER}/f2f7dc8efc522ab2"
HEADER_RULE = f"{RULE[:-4]}d00r"


def parse_sample(name: str) -> list[WeightChange]:
    return list(
        parse_weight_changes((SAMPLES / f"{name}.json").read_text(), load_balancer=LOAD_BALANCER, fleet_of=FLEETS)
    )


@pytest.mark.parametrize(
    ("name", "rule", "after", "who", "how"),
    [
        ("modify_rule_by_cli", RULE, 0.25, "kenji.mori", "cli"),
        ("modify_rule_by_console", RULE, 0.5, "naoko.sato@example.com", "console"),
        ("modify_listener_by_terraform", LISTENER, 0.001, "photo-terraform", "terraform"),
        ("modify_listener_by_codedeploy", LISTENER, 1.0, "codedeploy", "deployment"),
        ("modify_rule_by_cloudformation", RULE, 0.1, "AWSCloudFormation", "cloudformation"),
        ("create_rule_a_door", HEADER_RULE, 1.0, "root", "unknown"),
        ("modify_rule_capitals_and_numbers_as_text", RULE, 0.25, "kenji.mori", "cli"),
        ("modify_rule_all_small_letters", RULE, 0.25, "kenji.mori", "cli"),
    ],
)
def test_who_told_which_rule_what_and_how(name: str, rule: str, after: float, who: str, how: str) -> None:
    (change,) = parse_sample(name)
    assert (change.rule, change.after, change.author, change.tool, change.affects_weights) == (
        rule,
        after,
        who,
        how,
        True,
    )
    assert change.since == change.ts and change.before is None and change.sources == ("cloudtrail",)


def test_the_second_the_words_of_the_rule_and_the_whole_record_are_kept() -> None:
    (change,) = parse_sample("modify_rule_by_cli")
    assert change.ts == 1_767_355_207  # 2026-01-02 12:00:07 UTC
    assert change.about == "path-pattern: /* → photo-ec2 75, photo-ecs 25"
    assert change.key == "00000000-0000-4000-8000-000000000001:0"
    assert json.loads(change.raw) == json.loads((SAMPLES / "modify_rule_by_cli.json").read_text())
    assert parse_sample("create_rule_a_door")[0].about == "X-Canary: ecs → photo-ecs 1"


def test_a_change_of_conditions_or_priorities_tells_no_weights() -> None:
    (conditions,) = parse_sample("modify_rule_conditions_only")
    assert (conditions.affects_weights, conditions.after, conditions.tool) == (False, None, "program")
    priorities = parse_sample("set_rule_priorities")
    assert [(one.rule, one.affects_weights, one.about) for one in priorities] == [
        (RULE, False, "priority 3"),
        (HEADER_RULE, False, "priority 4"),
    ]
    assert len({one.key for one in priorities}) == 2


def test_a_rule_that_is_deleted_has_no_share_any_more() -> None:
    (change,) = parse_sample("delete_rule")
    assert (change.rule, change.after, change.affects_weights) == (RULE, None, True)


@pytest.mark.parametrize("name", ["modify_rule_refused", "modify_rule_of_another_load_balancer"])
def test_what_failed_or_is_about_others_is_no_change(name: str) -> None:
    assert parse_sample(name) == []


@pytest.mark.parametrize(
    ("agent", "how"),
    [
        ("console.amazonaws.com", "console"),
        ("aws-cli/2.22.0 exec-env/CloudShell", "cli"),
        ("ecs.amazonaws.com", "deployment"),
        ("aws-sdk-go/1.55 ecspresso/2.8.7", "program"),
        ("OpenTofu/1.9.0", "terraform"),
        ("curl/8.5.0", "unknown"),
    ],
)
def test_what_a_user_agent_tells(agent: str, how: str) -> None:
    record = json.loads((SAMPLES / "modify_rule_by_cli.json").read_text()) | {"userAgent": agent}
    (change,) = parse_weight_changes(json.dumps(record), load_balancer=LOAD_BALANCER, fleet_of=FLEETS)
    assert change.tool == how


NAMES = st.sampled_from(
    ["ruleArn", "actions", "weight", "targetGroups", "forwardConfig", "type", "conditions", "values"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(
    LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(NAMES, one, max_size=4), max_leaves=12
)
# Deep enough to be taken for weights.
WEIGHTS = JSON.map(lambda one: [{"type": "forward", "forwardConfig": {"targetGroups": [{"weight": one}, one]}}])


@given(JSON | WEIGHTS, JSON, JSON)
def test_whatever_it_says_the_time_and_the_rule_are_still_read(actions, reply, identity) -> None:  # type: ignore[no-untyped-def]
    record = json.loads((SAMPLES / "modify_rule_by_cli.json").read_text())
    record |= {"requestParameters": {"ruleArn": RULE, "actions": actions}, "userIdentity": identity}
    record |= {"responseElements": {"rules": [{"ruleArn": RULE, "conditions": reply}]}}
    (change,) = parse_weight_changes(json.dumps(record), load_balancer=LOAD_BALANCER, fleet_of=FLEETS)
    assert (change.ts, change.rule, change.operation) == (1_767_355_207, RULE, "ModifyRule")


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"eventName": "ModifyRule", "eventTime": "yesterday"}'])
def test_what_is_no_record_is_none(text: str) -> None:
    try:
        assert list(parse_weight_changes(text, load_balancer=LOAD_BALANCER, fleet_of=FLEETS)) == []
    except ValueError:
        assert text in ("", '{"eventName": "ModifyRule", "eventTime": "yesterday"}')
