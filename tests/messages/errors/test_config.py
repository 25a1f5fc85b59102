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
            assert "  " not in sentence and "{" not in sentence.replace("{job}", "").replace("{tag}", "").replace(
                str(value), ""
            ).replace("{sha}", ""), sentence


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (
            "net/photo/50dc6c495c0c9188",
            "is a Network Load Balancer: it counts no HTTP requests, so there is nothing to compare.",
        ),
        (
            "gwy/photo/50dc6c495c0c9188",
            "is a Gateway Load Balancer: it counts no HTTP requests, so there is nothing to compare.",
        ),
        (
            "photo",
            "is a Classic Load Balancer: it has no target groups, so it cannot split the traffic between two fleets.",
        ),
        ("app/photo/id", "is not the ARN of an Application Load Balancer."),
        ("app/photo", "is a truncated ARN of a load balancer. Missing: the load balancer's ID."),
        ("app/photo/50dc6c", "is a truncated ARN of a load balancer. Missing: the rest of the load balancer's ID."),
    ],
)
def test_load_balancers_of_other_types_are_refused_by_what_they_lack(resource: str, reason: str) -> None:
    arn = f"{ELB_ARN_PREFIX}:loadbalancer/{resource}"
    (issue,) = config_issues(config_with("aws.load_balancer", arn))
    assert format_config_issue(issue).text == f"“{arn}” {reason}"


def test_each_code_has_a_message() -> None:
    assert set(_FORMATTERS) | set(_TEXTS) == set(get_args(ConfigIssueCode))


@pytest.mark.parametrize(
    ("key", "value", "title", "text", "next_step"),
    [
        (
            "migration.timezon",
            "Asia/Tokyo",
            "[migration] timezon",
            "Unknown key `timezon`.",
            "Did you mean `timezone`? See docs/configuration.md for every key.",
        ),
        (
            "access_logs",
            {"most_routes": 100},
            "[access_logs] most_routes",
            "`most_routes` was renamed to `max_routes`.",
            "Use `max_routes` instead; the value is unchanged.",
        ),
        (
            "timezone",
            "Asia/Tokyo",
            "timezone",
            "`timezone` is in the wrong place.",
            "Move it below the line `[migration]`.",
        ),
        (
            "fleets.canary",
            None,
            "[fleets.canary]",
            "Missing table: nothing to compare.",
            "Add [fleets.baseline] (old fleet) and [fleets.canary] (new fleet), each with `label` and `target_groups`.",
        ),
        (
            "fleets.baseline.label",
            None,
            "[fleets.baseline] label",
            "`label` is missing in [fleets.baseline].",
            'Example: `label = "EC2"`.',
        ),
        (
            "criteria.1.margin",
            None,
            "[[criteria]] no. 2 margin",
            "`margin` is missing in [[criteria]].",
            'Example: `margin = "0.05pp"`.',
        ),
        (
            "migration.settle_minutes",
            "soon",
            "[migration] settle_minutes",
            "`settle_minutes` must be an integer, got 'soon'.",
            "Example: `settle_minutes = 15`.",
        ),
        (
            "criteria",
            {"metric": "error_rate"},
            "criteria",
            "Criteria must be an array of tables, got {'metric': 'error_rate'}.",
            "Put `[[criteria]]`, with double brackets, above each.",
        ),
        (
            "migration.slow_thresholds_s",
            [90],
            "[migration] slow_thresholds_s, entry 1",
            "An entry of `slow_thresholds_s` must be at most 60, got 90.",
            "Example: `slow_thresholds_s = [0.1, 0.3, 1.0]`.",
        ),
        (
            "migration.timezone",
            "Asia/Tokio",
            "[migration] timezone",
            "Unknown time zone “Asia/Tokio”.",
            "Did you mean `Asia/Tokyo`?",
        ),
        (
            "migration.timezone",
            "JST",
            "[migration] timezone",
            "Unknown time zone “JST”.",
            "Use an IANA name, for example `Asia/Tokyo`, `Europe/Berlin` or `UTC`.",
        ),
        (
            "aws.load_balancer",
            EC2,
            "[aws] load_balancer",
            f"Expected: load balancer. “{EC2}” is the ARN of a target group.",
            f"Copy it from `aws elbv2 describe-load-balancers`; format: `{ALB}`.",
        ),
        (
            "aws.region",
            "us-east-1",
            "[aws] region",
            "`region` is us-east-1, but the load balancer's ARN has ap-northeast-1.",
            'Set `region = "ap-northeast-1"`, or use the ARN of the load balancer in us-east-1.',
        ),
        (
            "fleets.canary.target_groups.1",
            f"{ELB_ARN_PREFIX.replace('123456789012', '210987654321')}:targetgroup/photo-ecs/0f1e2d3c4b5a6978",
            "[fleets.canary] target_groups, entry 2",
            "“arn:aws:elasticloadbalancing:ap-northeast-1:210987654321:targetgroup/photo-ecs/0f1e2d3c4b5a6978” is in "
            "ap-northeast-1, 210987654321; the load balancer is in ap-northeast-1, 123456789012.",
            "Use a target group in the same region and account as `load_balancer` under [aws], or correct that.",
        ),
        (
            "fleets.canary.target_groups.1",
            EC2,
            "[fleets]",
            "In both fleets: photo-ec2. A target group belongs to one fleet.",
            "Remove it from `target_groups` in [fleets.baseline] or in [fleets.canary].",
        ),
        (
            "fleets.canary.target_groups.1",
            BLUE,
            "[fleets.canary] target_groups",
            f"“{BLUE}” is listed more than once, and would be counted twice.",
            "Remove the duplicate.",
        ),
        (
            "criteria.0.margin",
            0.05,
            "[[criteria]] no. 1 margin",
            "“0.05” is not a margin: use a number above 0 with a unit.",
            'Use "0.05pp" (percentage points), "20ms" (milliseconds) or "10%" (relative to the baseline).',
        ),
        (
            "criteria.0.margin",
            "20ms",
            "[[criteria]] no. 1 margin",
            "A margin of 20 ms does not fit `error_rate`.",
            "Its margin is in pp / %: pp are percentage points, ms are milliseconds, and % is relative to the baseline.",
        ),
    ],
)
def test_messages(key: str, value: Any, title: str, text: str, next_step: str) -> None:
    (issue,) = config_issues(config_with(key, value))
    assert format_config_issue(issue) == Message(title, text, next_step, DOCS)


def test_messages_about_the_whole_file() -> None:
    assert format_config_issue(ConfigIssue("", "not_readable", {"detail": "Permission denied"})) == Message(
        "The file",
        "Cannot be read: Permission denied.",
        "Check the path in MIGRATION_CONFIG and the file's permissions. For the demo, unset MIGRATION_CONFIG and run "
        "`make demo`.",
        DOCS,
    )
    assert format_config_issue(ConfigIssue("", "not_toml", {"detail": "Expected ']' (at line 1, column 11)"})).text == (
        "Invalid TOML: Expected ']' (at line 1, column 11)."
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
