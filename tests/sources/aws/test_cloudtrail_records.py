"""Parsing one CloudTrail record: rule, share, author and tool."""

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
HEADER_RULE = f"{RULE[:-4]}beef"


def parse_sample(name: str) -> list[WeightChange]:
    return list(
        parse_weight_changes((SAMPLES / f"{name}.json").read_text(), load_balancer=LOAD_BALANCER, fleet_of=FLEETS)
    )


@pytest.mark.parametrize(
    ("name", "rule", "share", "author", "tool"),
    [
        ("modify_rule_by_cli", RULE, 0.25, "kenji.mori", "cli"),
        ("modify_rule_by_console", RULE, 0.5, "naoko.sato@example.com", "console"),
        ("modify_listener_by_terraform", LISTENER, 0.001, "photo-terraform", "terraform"),
        ("modify_listener_by_codedeploy", LISTENER, 1.0, "codedeploy", "deployment"),
        ("modify_rule_by_cloudformation", RULE, 0.1, "AWSCloudFormation", "cloudformation"),
        ("create_rule_by_header", HEADER_RULE, 1.0, "root", "unknown"),
        ("modify_rule_capitals_and_numbers_as_text", RULE, 0.25, "kenji.mori", "cli"),
        ("modify_rule_all_small_letters", RULE, 0.25, "kenji.mori", "cli"),
    ],
)
def test_rule_share_author_and_tool(name: str, rule: str, share: float, author: str, tool: str) -> None:
    (change,) = parse_sample(name)
    assert (change.rule, change.after, change.author, change.tool) == (rule, share, author, tool)
    assert change.affects_weights
    assert change.since == change.ts and change.before is None and change.sources == ("cloudtrail",)


def test_time_summary_key_and_raw_record() -> None:
    (change,) = parse_sample("modify_rule_by_cli")
    assert change.ts == 1_767_355_207  # 2026-01-02 12:00:07 UTC
    assert change.about == "path-pattern: /* → photo-ec2 75, photo-ecs 25"
    assert change.key == "00000000-0000-4000-8000-000000000001:0"
    assert json.loads(change.raw) == json.loads((SAMPLES / "modify_rule_by_cli.json").read_text())
    assert parse_sample("create_rule_by_header")[0].about == "X-Canary: ecs → photo-ecs 1"


def test_conditions_and_priorities_do_not_affect_weights() -> None:
    (conditions,) = parse_sample("modify_rule_conditions_only")
    assert (conditions.affects_weights, conditions.after, conditions.tool) == (False, None, "program")
    priorities = parse_sample("set_rule_priorities")
    assert [(change.rule, change.affects_weights, change.about) for change in priorities] == [
        (RULE, False, "priority 3"),
        (HEADER_RULE, False, "priority 4"),
    ]
    assert len({change.key for change in priorities}) == 2


def test_deleted_rule_has_no_share() -> None:
    (change,) = parse_sample("delete_rule")
    assert (change.rule, change.after, change.affects_weights) == (RULE, None, True)


@pytest.mark.parametrize("name", ["modify_rule_refused", "modify_rule_of_another_load_balancer"])
def test_failed_calls_and_other_load_balancers_are_ignored(name: str) -> None:
    assert parse_sample(name) == []


@pytest.mark.parametrize(
    ("agent", "tool"),
    [
        ("console.amazonaws.com", "console"),
        ("aws-cli/2.22.0 exec-env/CloudShell", "cli"),
        ("ecs.amazonaws.com", "deployment"),
        ("aws-sdk-go/1.55 ecspresso/2.8.7", "program"),
        ("OpenTofu/1.9.0", "terraform"),
        ("curl/8.5.0", "unknown"),
    ],
)
def test_tool_by_user_agent(agent: str, tool: str) -> None:
    record = json.loads((SAMPLES / "modify_rule_by_cli.json").read_text()) | {"userAgent": agent}
    (change,) = parse_weight_changes(json.dumps(record), load_balancer=LOAD_BALANCER, fleet_of=FLEETS)
    assert change.tool == tool


NAMES = st.sampled_from(
    ["ruleArn", "actions", "weight", "targetGroups", "forwardConfig", "type", "conditions", "values"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(
    LEAVES, lambda values: st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=4), max_leaves=12
)
# With the structure of weights.
WEIGHTS = JSON.map(lambda value: [{"type": "forward", "forwardConfig": {"targetGroups": [{"weight": value}, value]}}])


@given(JSON | WEIGHTS, JSON, JSON)
def test_time_and_rule_are_read_from_any_payload(actions, conditions, identity) -> None:  # type: ignore[no-untyped-def]
    record = json.loads((SAMPLES / "modify_rule_by_cli.json").read_text())
    record |= {"requestParameters": {"ruleArn": RULE, "actions": actions}, "userIdentity": identity}
    record |= {"responseElements": {"rules": [{"ruleArn": RULE, "conditions": conditions}]}}
    (change,) = parse_weight_changes(json.dumps(record), load_balancer=LOAD_BALANCER, fleet_of=FLEETS)
    assert (change.ts, change.rule, change.operation) == (1_767_355_207, RULE, "ModifyRule")


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"eventName": "ModifyRule", "eventTime": "yesterday"}'])
def test_invalid_records(text: str) -> None:
    try:
        assert list(parse_weight_changes(text, load_balancer=LOAD_BALANCER, fleet_of=FLEETS)) == []
    except ValueError:
        assert text in ("", '{"eventName": "ModifyRule", "eventTime": "yesterday"}')
