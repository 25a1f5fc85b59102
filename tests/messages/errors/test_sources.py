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
            "Not allowed",
            "AWS knows who is asking and does not allow cloudwatch:GetMetricData. Reported: “AccessDenied: User is not authorized”",
            "Allow `cloudwatch:GetMetricData` in the IAM policy of the user or role that this program runs as; "
            "docs/cloudwatch.md has the whole policy. It is asked again by itself.",
        ),
        (
            Problem("denied", "mackerel_events", "GET /api/v0/alerts"),
            "Not allowed",
            "Mackerel knows the key and does not allow GET /api/v0/alerts.",
            "Give the key the Read right in Mackerel (organization → API keys). If keys are restricted to IP addresses there, "
            "add the address of this machine. It is asked again by itself.",
        ),
        (
            Problem("expired_token", "load_balancer", "elasticloadbalancing:DescribeRules"),
            "AWS credentials expired",
            "Elastic Load Balancing refuses elasticloadbalancing:DescribeRules, because the AWS credentials have run out.",
            "Run `aws sso login` with the profile that this program uses, or renew the temporary credentials. It is asked again by itself.",
        ),
        (
            Problem("not_found", "load_balancer", "elasticloadbalancing:DescribeTargetHealth", GROUP),
            "Not found",
            f"Elastic Load Balancing does not find {GROUP} (elasticloadbalancing:DescribeTargetHealth).",
            "Check `target_groups` under [fleets.baseline] or [fleets.canary]: was it deleted, or is it in another account? "
            "`aws elbv2 describe-load-balancers` and `aws elbv2 describe-target-groups` list the ARNs there are.",
        ),
        (
            Problem("not_found", "mackerel", "GET /api/v0/hosts", "mackerel.alb_host", "web-1, web-2"),
            "No such load balancer in Mackerel",
            "No host in Mackerel has metrics of these target groups. Seen: web-1, web-2.",
            "Let Mackerel's AWS integration collect the load balancer with its metrics per target group, or name its host's id "
            "in `alb_host` under [mackerel].",
        ),
        (
            Problem("not_found", "mackerel_events", "GET /api/v0/services", "photo", "Example Org"),
            "No such service in Mackerel",
            "The organization “Example Org”, to which the key belongs, has no service “photo”.",
            "Correct `service` under [mackerel] or [batches], or put another organization's key into MACKEREL_APIKEY.",
        ),
        (
            Problem("clock_skew", "mackerel", "", "+420 s", "2026-11-22 13:33:00 UTC"),
            "Clocks differ",
            "The clock of this machine is 7 min ahead of that of Mackerel, so the newest minutes are not the ones asked for. "
            "Reported: “the time is 2026-11-22 13:33:00 UTC”",
            "Set this machine's clock by NTP (`timedatectl set-ntp true`), and check it with `date -u`.",
        ),
        (
            Problem("elsewhere", "load_balancer", "elasticloadbalancing:DescribeTargetGroups", "photo-ecs-green"),
            "Another load balancer's",
            "Another load balancer serves photo-ecs-green, so the numbers are not this migration's.",
            "Correct `target_groups` under [fleets.baseline] or [fleets.canary], or `load_balancer` under [aws]: "
            "the target groups must be that load balancer's.",
        ),
        (
            Problem("incomplete", "cloudwatch", "cloudwatch:GetMetricData", "2 / 7"),
            "Answered in part",
            "CloudWatch: not all of what was asked for was answered (2 / 7).",
            "Nothing to do for this alone: the rest is asked for again. The source's other problems say why.",
        ),
    ],
)  # fmt: skip
def test_messages(problem: Problem, title: str, text: str, next_step: str) -> None:
    assert format_problem(problem) == Message(title, text, next_step, f"docs/problems.md#{problem.kind}")


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ("one_side:baseline", "Nothing is split: the baseline has all the weight."),
        ("one_side:canary", "Nothing is split: the canary has all the weight."),
        ("none", "There is no rule at app/photo that sends traffic to the target groups of both fleets."),
    ],
)
def test_no_split(detail: str, text: str) -> None:
    message = format_problem(
        Problem("no_split", "load_balancer", "elasticloadbalancing:DescribeRules", "app/photo", detail)
    )
    assert (message.text, message.anchor) == (text, "docs/problems.md#no_split")
    assert message.next_step.startswith("Before the first step and after the last that is as it should be.")


def test_values_of_a_coarser_resolution() -> None:
    message = format_problem(
        Problem("bad_reply", "mackerel", "GET /api/v0/hosts/<hostId>/metrics", "2026-11-22 13:00 UTC", "300 s")
    )
    assert message.title == "Too coarse"
    assert message.text == (
        "Mackerel answered with averages over 5 min where minutes were asked for, from 2026-11-22 13:00 UTC on; "
        "they are not counted as answered."
    )


def test_the_key_of_a_rule() -> None:
    message = format_problem(Problem("not_found", "load_balancer", "elasticloadbalancing:DescribeRules", RULE))
    assert message.next_step.startswith("Check `rule` under [aws]:")


def test_the_time_of_the_next_try() -> None:
    message = format_problem(Problem("throttled", "cloudwatch", "cloudwatch:GetMetricData"), retry_in_s=15)
    assert message.next_step.startswith("It is asked again by itself in 15s. If it goes on,")


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
    assert message.next_step == "It is tried again by itself. The log has the traceback: please report it."


def test_athena_costs() -> None:
    message = format_problem(Problem("too_costly", "athena", "count", str(92 * 10**9), "0.46 USD, 0.10 USD"))
    assert message.text == "Athena would read 92.0 GB, for about 0.46 USD. 0.10 USD are allowed, so nothing was begun."
    assert message.next_step == "Ask for fewer days, or raise `max_usd` under [access_logs.athena]."


def test_athena_excluded_days() -> None:
    not_over = format_problem(Problem("incomplete", "athena", "count", "2026-09-22", "not_over"))
    assert not_over.text == "Athena counts whole days (UTC), half an hour after their end: not yet 2026-09-22."
    counted = format_problem(Problem("incomplete", "athena", "count", "2026-09-21", "counted"))
    assert counted.text == "So many files of 2026-09-21 were counted one by one that a query cannot leave them all out."
    no_location = format_problem(
        Problem("bad_request", "athena", "athena:GetWorkGroup", "primary", "no output location")
    )
    assert no_location.title == "No place for results"
