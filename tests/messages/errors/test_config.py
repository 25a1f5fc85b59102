"""The messages for configuration issues: the key, the issue, and the fix."""

from typing import Any, get_args

import pytest

from domain import ConfigIssue, ConfigIssueCode
from messages.errors.config import _FORMATTERS, _TEXTS, format_config_issue, format_key
from messages.errors.sources import Message
from tests.factories.config import ALB, BLUE, EC2, ELB_ARN_PREFIX, config_issues, config_with
from tests.factories.config_issues import ALL_ISSUES

DOCS = "docs/configuration.md"


@pytest.mark.parametrize(("key", "value"), [issue[:2] for issue in ALL_ISSUES])
def test_each_message_is_in_whole_sentences(key: str, value: Any) -> None:
    for issue in config_issues(config_with(key, value)):
        message = format_config_issue(issue)
        assert message.anchor == DOCS
        for sentence in (message.text, message.next_step):
            assert sentence[0] in "“`[" or sentence[0].isupper(), sentence
            assert sentence.endswith((".", "?", "`.")), sentence
            assert "  " not in sentence and "{" not in sentence.replace(str(value), "").replace("{job}", ""), sentence


def test_each_code_has_a_message() -> None:
    assert set(_FORMATTERS) | set(_TEXTS) == set(get_args(ConfigIssueCode))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "migration.timezon",
            "Asia/Tokyo",
            Message(
                "[migration] timezon",
                "There is no key `timezon` here.",
                "Did you mean `timezone`? See docs/configuration.md for every key.",
                DOCS,
            ),
        ),
        (
            "access_logs",
            {"most_routes": 100},
            Message(
                "[access_logs] most_routes",
                "`most_routes` was renamed to `max_routes`.",
                "Write `max_routes` instead; its value means the same.",
                DOCS,
            ),
        ),
        (
            "timezone",
            "Asia/Tokyo",
            Message("timezone", "`timezone` stands in the wrong place.", "Move it below the line `[migration]`.", DOCS),
        ),
        (
            "fleets.canary",
            None,
            Message(
                "[fleets.canary]",
                "The table is missing, so there is nothing to compare.",
                "Write [fleets.baseline] for the old side and [fleets.canary] for the new one, each with `label` and `target_groups`.",
                DOCS,
            ),
        ),
        (
            "fleets.baseline.label",
            None,
            Message(
                "[fleets.baseline] label",
                "`label` is missing in [fleets.baseline].",
                'Write for example `label = "EC2"`.',
                DOCS,
            ),
        ),
        (
            "criteria.1.margin",
            None,
            Message(
                "[[criteria]] no. 2 margin",
                "`margin` is missing in [[criteria]].",
                'Write for example `margin = "0.05pp"`.',
                DOCS,
            ),
        ),
        (
            "migration.settle_minutes",
            "soon",
            Message(
                "[migration] settle_minutes",
                "`settle_minutes` is a whole number, and this is something else: 'soon'.",
                "Write for example `settle_minutes = 15`.",
                DOCS,
            ),
        ),
        (
            "criteria",
            {"metric": "error_rate"},
            Message(
                "criteria",
                "Criteria are a list of tables, and this is something else: {'metric': 'error_rate'}.",
                "Write `[[criteria]]`, with two brackets, above each of them.",
                DOCS,
            ),
        ),
        (
            "migration.slow_thresholds_s",
            [90],
            Message(
                "[migration] slow_thresholds_s, entry 1",
                "An entry of `slow_thresholds_s` must be at most 60, and is 90.",
                "Write for example `slow_thresholds_s = [0.1, 0.3, 1.0]`.",
                DOCS,
            ),
        ),
        (
            "migration.timezone",
            "Asia/Tokio",
            Message("[migration] timezone", "There is no time zone “Asia/Tokio”.", "Did you mean `Asia/Tokyo`?", DOCS),
        ),
        (
            "migration.timezone",
            "JST",
            Message(
                "[migration] timezone",
                "There is no time zone “JST”.",
                "Write its name in the IANA database, for example `Asia/Tokyo`, `Europe/Berlin` or `UTC`.",
                DOCS,
            ),
        ),
        (
            "aws.load_balancer",
            EC2,
            Message(
                "[aws] load_balancer",
                f"A load balancer belongs here, and “{EC2}” is the ARN of a target group.",
                f"Copy it from `aws elbv2 describe-load-balancers`; it looks like `{ALB}`.",
                DOCS,
            ),
        ),
        (
            "aws.region",
            "us-east-1",
            Message(
                "[aws] region",
                "`region` is us-east-1, and the load balancer's ARN says ap-northeast-1.",
                'Write `region = "ap-northeast-1"`, or the ARN of the load balancer in us-east-1.',
                DOCS,
            ),
        ),
        (
            "fleets.canary.target_groups.1",
            f"{ELB_ARN_PREFIX.replace('123456789012', '210987654321')}:targetgroup/photo-ecs/0f1e2d3c4b5a6978",
            Message(
                "[fleets.canary] target_groups, entry 2",
                "“arn:aws:elasticloadbalancing:ap-northeast-1:210987654321:targetgroup/photo-ecs/0f1e2d3c4b5a6978” is in "
                "ap-northeast-1, 210987654321; the load balancer is in ap-northeast-1, 123456789012.",
                "Name a target group of the same region and account as `load_balancer` under [aws], or correct that.",
                DOCS,
            ),
        ),
        (
            "fleets.canary.target_groups.1",
            EC2,
            Message(
                "[fleets]",
                "On both sides: photo-ec2. A target group belongs to one fleet.",
                "Take it out of `target_groups` in [fleets.baseline] or in [fleets.canary].",
                DOCS,
            ),
        ),
        (
            "fleets.canary.target_groups.1",
            BLUE,
            Message(
                "[fleets.canary] target_groups",
                f"“{BLUE}” stands here more than once, and would be counted more than once.",
                "Take one of them out.",
                DOCS,
            ),
        ),
        (
            "criteria.0.margin",
            0.05,
            Message(
                "[[criteria]] no. 1 margin",
                "“0.05” is not a margin: it needs a number above 0, and a unit.",
                'Write "0.05pp" for percentage points, "20ms" for milliseconds, or "10%" for a part of the baseline.',
                DOCS,
            ),
        ),
        (
            "criteria.0.margin",
            "20ms",
            Message(
                "[[criteria]] no. 1 margin",
                "A margin of 20 ms does not fit `error_rate`.",
                "Its margin is in pp / %: pp are percentage points, ms are milliseconds, and % is relative to the baseline.",
                DOCS,
            ),
        ),
    ],
)
def test_messages(key: str, value: Any, message: Message) -> None:
    (issue,) = config_issues(config_with(key, value))
    assert format_config_issue(issue) == message


def test_messages_about_the_whole_file() -> None:
    assert format_config_issue(ConfigIssue("", "not_readable", {"detail": "Permission denied"})) == Message(
        "The file",
        "It cannot be read: Permission denied.",
        "Check the path in MIGRATION_CONFIG and who may read the file. To see the demo instead, unset MIGRATION_CONFIG and run `make demo`.",
        DOCS,
    )
    assert format_config_issue(ConfigIssue("", "not_toml", {"detail": "Expected ']' (at line 1, column 11)"})).text == (
        "It is not TOML: Expected ']' (at line 1, column 11)."
    )
    assert format_config_issue(ConfigIssue("", "no_source", {})).title == "The file"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("", "The file"),
        ("aws", "[aws]"),
        ("fleet", "fleet"),
        ("fleets.canary", "[fleets.canary]"),
        ("fleets.canary.target_groups.0", "[fleets.canary] target_groups, entry 1"),
        ("criteria.1", "[[criteria]] no. 2"),
        ("criteria.1.metric", "[[criteria]] no. 2 metric"),
    ],
)
def test_formatted_keys(key: str, text: str) -> None:
    assert format_key(key) == text
