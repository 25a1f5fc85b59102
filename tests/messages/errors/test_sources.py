"""Messages for problems of sources and of the archive."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors.archive import ARCHIVE_TEXTS
from messages.errors.source_texts import PROBLEM_TEXTS
from messages.errors.sources import Message, format_archive_problem, format_problem, shorten
from sources.base import Problem, ProblemKind

GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ecs/73e2d6bc24d8a067"
RULE = (
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
    "listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
)
SOURCES = (
    "cloudwatch",
    "load_balancer",
    "mackerel",
    "mackerel_events",
    "cloudtrail",
    "demo",
    "demo_events",
    "demo_audit_log",
    "athena",
    "slack",
    "webhook",
    "sns",
    "mackerel_annotations",
    "sign_in",
)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", get_args(ProblemKind))
@pytest.mark.parametrize("about", ["", GROUP, "photo", "+42 s"])
def test_each_kind_from_each_source_is_in_whole_sentences(kind: ProblemKind, source: str, about: str) -> None:
    message = format_problem(Problem(kind, source, "", about))
    assert message.title and not message.title.endswith(".")
    for sentence in (message.text, message.next_step):
        assert sentence[0].isupper() or sentence.startswith("`"), sentence
        assert sentence.endswith("."), sentence
        assert "{" not in sentence and "  " not in sentence, sentence
    assert message.anchor == f"docs/problems.md#{kind}"


def test_each_kind_has_texts() -> None:
    assert set(PROBLEM_TEXTS) == set(get_args(ProblemKind))


@pytest.mark.parametrize(
    ("problem", "title", "text", "next_step"),
    [
        (
            Problem("denied", "cloudwatch", "cloudwatch:GetMetricData", "", "AccessDenied: User is not authorized"),
            "Access denied",
            "AWS denied cloudwatch:GetMetricData. Reported: “AccessDenied: User is not authorized”",
            "Allow `cloudwatch:GetMetricData` in the IAM policy of this program's user or role; full policy: "
"docs/cloudwatch.md. Retrying automatically.",
        ),
        (
            Problem("denied", "mackerel_annotations", "POST /api/v0/graph-annotations", "WRITE_KEY"),
            "Access denied",
            "Mackerel denied POST /api/v0/graph-annotations for the key in WRITE_KEY.",
            "Grant the key Write permission in Mackerel (organization → API keys). If keys are restricted to IP addresses, add this host's. "
            "Retrying automatically.",
        ),
        (
            Problem("not_found", "slack", "POST", "SLACK_URL", "404 no_service"),
            "Webhook not found",
            "Slack has no webhook at the URL in SLACK_URL. Reported: “404 no_service”",
            "Create one, set SLACK_URL to its URL where the recorder and the dashboard run, and restart.",
        ),
        (
            Problem("not_found", "sns", "sns:Publish", "arn:aws:sns:us-east-1:123456789012:migration"),
            "No such topic",
            "SNS has no topic arn:aws:sns:us-east-1:123456789012:migration.",
            "Correct `sns_topic` under [notify].",
        ),
        (
            Problem("denied", "sns", "sns:Publish"),
            "Access denied",
            "AWS denied sns:Publish.",
            "Allow `sns:Publish` in the IAM policy of this program's user or role; full policy: docs/notifications.md. Retrying automatically.",
        ),
        (
            Problem("denied", "mackerel_events", "GET /api/v0/alerts"),
            "Access denied",
            "Mackerel denied GET /api/v0/alerts for this key.",
            "Grant the key Read permission in Mackerel (organization → API keys). If keys are restricted to IP "
"addresses, add this host's. Retrying automatically.",
        ),
        (
            Problem("expired_token", "load_balancer", "elasticloadbalancing:DescribeRules"),
            "AWS credentials expired",
            "Elastic Load Balancing denied elasticloadbalancing:DescribeRules: AWS credentials expired.",
            "Run `aws sso login` with the profile that this program uses, or renew the temporary credentials. Retrying "
"automatically.",
        ),
        (
            Problem("not_found", "load_balancer", "elasticloadbalancing:DescribeTargetHealth", GROUP),
            "Not found",
            f"Elastic Load Balancing did not find {GROUP} (elasticloadbalancing:DescribeTargetHealth).",
            "Check `target_groups` under [fleets.baseline] or [fleets.canary]: it may be deleted or in another account. "
"`aws elbv2 describe-load-balancers` and `aws elbv2 describe-target-groups` list the existing ARNs.",
        ),
        (
            Problem("not_found", "mackerel", "GET /api/v0/hosts", "mackerel.alb_host", "web-1, web-2"),
            "No such load balancer in Mackerel",
            "No host in Mackerel has metrics of these target groups. Found: web-1, web-2.",
            "Have Mackerel's AWS integration collect the load balancer's metrics per target group, or set its host ID as "
"`alb_host` under [mackerel].",
        ),
        (
            Problem("not_found", "mackerel_events", "GET /api/v0/services", "photo", "Example Org"),
            "No such service in Mackerel",
            "The key's organization “Example Org” has no service “photo”.",
            "Correct `service` under [mackerel] or [batches], or set MACKEREL_APIKEY to another organization's key.",
        ),
        (
            Problem("clock_skew", "mackerel", "", "+420 s", "2026-11-22 13:33:00 UTC"),
            "Clock skew",
            "This host's clock is 7 min ahead of that of Mackerel, so the newest minutes do not match the request. "
"Reported: “the time is 2026-11-22 13:33:00 UTC”",
            "Synchronize this host's clock by NTP (`timedatectl set-ntp true`), and check it with `date -u`.",
        ),
        (
            Problem("elsewhere", "load_balancer", "elasticloadbalancing:DescribeTargetGroups", "photo-ecs-green"),
            "Wrong load balancer",
            "Another load balancer serves photo-ecs-green: its data is not this migration's.",
            "Correct `target_groups` under [fleets.baseline] or [fleets.canary], or `load_balancer` under [aws]: the "
"target groups must belong to that load balancer.",
        ),
        (
            Problem("incomplete", "cloudwatch", "cloudwatch:GetMetricData", "2 / 7"),
            "Partial response",
            "CloudWatch returned only part of the requested data (2 / 7).",
            "Retrying the rest automatically. See this source's other problems for the cause.",
        ),
    ],
)  # fmt: skip
def test_messages(problem: Problem, title: str, text: str, next_step: str) -> None:
    assert format_problem(problem) == Message(title, text, next_step, f"docs/problems.md#{problem.kind}")


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ("one_side:baseline", "No split: the baseline has all weight."),
        ("one_side:canary", "No split: the canary has all weight."),
        ("none", "No rule of app/photo forwards to target groups of both fleets."),
    ],
)
def test_no_split(detail: str, text: str) -> None:
    message = format_problem(
        Problem("no_split", "load_balancer", "elasticloadbalancing:DescribeRules", "app/photo", detail)
    )
    assert (message.text, message.anchor) == (text, "docs/problems.md#no_split")
    assert message.next_step.startswith("Expected before the first step and after the last.")


def test_values_of_a_coarser_resolution() -> None:
    message = format_problem(
        Problem("bad_reply", "mackerel", "GET /api/v0/hosts/<hostId>/metrics", "2026-11-22 13:00 UTC", "300 s")
    )
    assert message.title == "Resolution too coarse"
    assert message.text == (
        "From 2026-11-22 13:00 UTC on, Mackerel returned averages over 5 min instead of minutes; they do not count "
        "as complete."
    )


def test_the_key_of_a_rule() -> None:
    message = format_problem(Problem("not_found", "load_balancer", "elasticloadbalancing:DescribeRules", RULE))
    assert message.next_step.startswith("Check `rule` under [aws]:")


def test_the_time_of_the_next_try() -> None:
    message = format_problem(Problem("throttled", "cloudwatch", "cloudwatch:GetMetricData"), retry_in_s=15)
    assert message.next_step.startswith("Retrying automatically in 15s. If it persists,")


@pytest.mark.parametrize("kind", ARCHIVE_TEXTS)
def test_archive_problems(kind: str) -> None:
    message = format_archive_problem(kind, "database or disk is full")
    assert message.text.endswith(". Reported: “database or disk is full”")
    assert message.next_step.endswith(".")
    assert message.anchor == f"docs/problems.md#archive_{kind}"
    assert format_archive_problem(kind, "").text.endswith(".")


def test_each_archive_problem_kind_has_texts() -> None:
    from archive.db.errors import ArchiveErrorKind

    assert set(ARCHIVE_TEXTS) == set(get_args(ArchiveErrorKind))


@given(st.text(), st.text())
def test_external_text_is_kept_on_one_line(about: str, detail: str) -> None:
    message = format_problem(Problem("bad_request", "cloudwatch", "cloudwatch:GetMetricData{0}", about, detail))
    assert message.text.isprintable()
    assert len(shorten(detail)) <= 240


def test_external_text_is_truncated_and_cleaned() -> None:
    assert shorten("a\x00b\r\n\tc\u202ed") == "a b c d"
    assert shorten("x" * 300) == "x" * 239 + "…"


def test_a_poll_that_raised() -> None:
    message = format_problem(Problem("internal_error", "cloudwatch", "poll metrics", "", "KeyError: 'Values'"))
    assert message.text == "Polling CloudWatch raised an exception in this program. Reported: “KeyError: 'Values'”"
    assert message.next_step == "Retrying automatically. The traceback is in the log: please report it."


def test_athena_costs() -> None:
    message = format_problem(Problem("too_costly", "athena", "count", str(92 * 10**9), "0.46 USD, 0.10 USD"))
    assert (
        message.text
        == "Athena would scan 92.0 GB (about 0.46 USD). The limit is 0.10 USD, so the query was not started."
    )
    assert message.next_step == "Query fewer days, or raise `max_usd` under [access_logs.athena]."


def test_athena_excluded_days() -> None:
    not_over = format_problem(Problem("incomplete", "athena", "count", "2026-09-22", "not_over"))
    assert (
        not_over.text
        == "Athena processes whole days (UTC) from 30 minutes after their end. Not yet available: 2026-09-22."
    )
    counted = format_problem(Problem("incomplete", "athena", "count", "2026-09-21", "counted"))
    assert counted.text == "Too many files of 2026-09-21 were processed one by one for a query to exclude them."
    no_location = format_problem(
        Problem("bad_request", "athena", "athena:GetWorkGroup", "primary", "no output location")
    )
    assert no_location.title == "No result location"


@pytest.mark.parametrize(
    ("kind", "operation", "detail", "text"),
    [
        ("not_found", "GET /api/v0/hosts", "", "Mackerel has no such host, service, role or metric: uploads: x."),
        ("no_such_metric", "GET", "404", "Mackerel has no such host, service, role or metric: uploads: x."),
        (
            "too_costly",
            "GET",
            "480 > 100",
            "The expression of “uploads: x” needs more requests than one poll may send: 480 > 100.",
        ),
        ("not_supported", "GET", "roleSlots", "No API of Mackerel returns the former hosts of a role: uploads: x."),
        ("bad_request", "evaluate", "3 series", "The expression of “uploads: x” does not give one series: 3 series."),
    ],
)
def test_problems_of_an_expression_name_its_criterion(
    kind: ProblemKind, operation: str, detail: str, text: str
) -> None:
    message = format_problem(Problem(kind, "mackerel_criteria", operation, "uploads: x", detail))
    assert message.text == text and message.anchor == f"docs/problems.md#{kind}"


def test_a_bad_request_of_mackerel_is_quoted() -> None:
    message = format_problem(Problem("bad_request", "mackerel_criteria", "GET /api/v0/hosts", "uploads", "400 no"))
    assert "400 no" in message.text
