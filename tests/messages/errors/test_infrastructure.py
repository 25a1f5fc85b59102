"""Messages for what could not be read of infrastructure files and states."""

from typing import get_args

import pytest

from messages.errors.infrastructure import _TEXTS, format_infrastructure_issue
from messages.errors.sources import Message, format_problem
from sources.base import Problem
from sources.infrastructure.base import InfrastructureIssue, InfrastructureIssueCode

PARAMS = dict.fromkeys(
    ("detail", "limit", "suffix", "path", "expression", "function", "key", "variable", "address", "host", "version"),
    "x",
)


def test_an_issue_with_a_line() -> None:
    params = {"variable": "AWS_REGION", "key": "region", "expression": "must_env `AWS_REGION`"}
    issue = InfrastructureIssue("variable_not_set", "deploy/ecspresso.yml", 2, params)
    assert format_infrastructure_issue(issue) == Message(
        "deploy/ecspresso.yml, line 2",
        "`region` is not rendered: the environment variable AWS_REGION is not set.",
        "Set AWS_REGION as for ecspresso; without it, `init` looks for the value in AWS.",
        "docs/init.md#what-could-not-be-read",
    )


def test_braces_of_a_template_are_shown() -> None:
    params = {"function": "ssm", "key": "cluster", "expression": "ssm `/photo`"}
    message = format_infrastructure_issue(InfrastructureIssue("unknown_function", "ecspresso.yml", 3, params))
    assert message.text == "`cluster` is not rendered: {{ ssm `/photo` }} calls `ssm`, which only ecspresso has."


@pytest.mark.parametrize("code", get_args(InfrastructureIssueCode))
def test_every_issue_has_a_text_and_a_next_step(code: InfrastructureIssueCode) -> None:
    message = format_infrastructure_issue(InfrastructureIssue(code, "file", 0, PARAMS))
    assert message.title == "file"
    assert message.text.endswith(".") and message.next_step.endswith(".")


def test_there_is_no_text_without_an_issue() -> None:
    assert set(_TEXTS) == set(get_args(InfrastructureIssueCode))


@pytest.mark.parametrize(
    ("problem", "title", "text", "next_step"),
    [
        (
            Problem("denied", "tfstate_s3", "s3:GetObject", "s3://photo-tfstate/a", "AccessDenied: no"),
            "Access to the state denied",
            "AWS denied s3:GetObject for s3://photo-tfstate/a. S3 answers the same for an object that does not exist, unless `s3:ListBucket` is allowed. "
            "Reported: “AccessDenied: no”",
            "Allow `s3:GetObject` on that object, for `init` only (docs/init.md), or run `terraform state pull > state.json` and pass that file.",
        ),
        (
            Problem("not_found", "cloudformation", "cloudformation:ListStackResources", "photo"),
            "No such stack",
            "CloudFormation has no stack photo in this account and region.",
            "Correct its name, or pass its ARN; `aws cloudformation describe-stacks` lists them.",
        ),
        (
            Problem("denied", "cloudformation", "cloudformation:ListStackResources", "photo"),
            "Access denied",
            "AWS denied cloudformation:ListStackResources.",
            "Allow `cloudformation:ListStackResources` in the IAM policy of this program's user or role; full policy: docs/init.md. Then try again.",
        ),
        (
            Problem("unreachable", "tfstate", "GET", "https://tfe.example.com"),
            "Unreachable",
            "Cannot connect to the server of https://tfe.example.com.",
            "Check the network, DNS and proxy of this host. Then try again.",
        ),
    ],
)
def test_problems_of_states_and_stacks(problem: Problem, title: str, text: str, next_step: str) -> None:
    message = format_problem(problem, is_retried=False)
    assert (message.title, message.text, message.next_step) == (title, text, next_step)
