"""Lambda's and EventBridge's metrics, by replies that botocore checks against its own model."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from domain import Migration, Window
from messages.errors import sources
from sources.aws.lambda_metrics import FUNCTION_METRICS, LambdaMetrics
from sources.registry import create_sources
from tests.factories.config import make_migration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = NOW - timedelta(minutes=20)
JOBS = [
    {"name": "cleanup", "rule": "photo-cleanup", "function": "photo-cleanup"},
    {
        "name": "digest",
        "scheduler": "digest",
        "function": "arn:aws:lambda:ap-northeast-1:123456789012:function:photo-digest:live",
    },
    {"name": "export"},
]


def create_migration(jobs: list[dict[str, str]] = JOBS) -> Migration:
    return make_migration("batches", {"duration": "b.{job}.d", "jobs": jobs})


@pytest.fixture
def stub() -> Iterator[Stubber]:
    made = Stubber(boto3.client("cloudwatch", region_name="ap-northeast-1"))
    with made:
        yield made
        made.assert_no_pending_responses()


def create_source(stub: Stubber) -> LambdaMetrics:
    return LambdaMetrics(create_migration(), clock=lambda: NOW, client=stub.client)


def metric_data_response(values: dict[str, list[float]]) -> dict[str, Any]:
    every = [f"q{place}" for place in range(9)]
    return {
        "MetricDataResults": [
            {
                "Id": one,
                "Label": one,
                "Timestamps": [AT + timedelta(minutes=minute) for minute in range(len(values.get(one, [])))],
                "Values": values.get(one, []),
                "StatusCode": "Complete",
            }
            for one in every
        ]
    }


def test_each_function_is_asked_by_its_name_and_each_rule_by_its_own(stub: Stubber) -> None:
    asked: dict[str, Any] = {}
    stub.client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: asked.update(params)
    )
    stub.add_response(
        "get_metric_data", metric_data_response({"q0": [1.0, 2.0], "q1": [0.0, 1.0], "q3": [2400.0], "q4": [3.0]})
    )
    pull = create_source(stub).pull(Window.last(60, now=NOW))
    said = [
        (one["MetricStat"]["Metric"], one["MetricStat"]["Stat"], one["MetricStat"]["Period"])
        for one in asked["MetricDataQueries"]
    ]

    def metric(namespace: str, name: str, dimension: str, value: str) -> dict[str, Any]:
        return {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": dimension, "Value": value}]}

    def of_function(name: str, function: str) -> dict[str, Any]:
        return metric("AWS/Lambda", name, "FunctionName", function)

    assert said == [
        (of_function("Invocations", "photo-cleanup"), "Sum", 60),
        (of_function("Errors", "photo-cleanup"), "Sum", 60),
        (of_function("Throttles", "photo-cleanup"), "Sum", 60),
        (of_function("Duration", "photo-cleanup"), "Maximum", 60),
        (metric("AWS/Events", "FailedInvocations", "RuleName", "photo-cleanup"), "Sum", 60),
        (of_function("Invocations", "photo-digest"), "Sum", 60),
        (of_function("Errors", "photo-digest"), "Sum", 60),
        (of_function("Throttles", "photo-digest"), "Sum", 60),
        (of_function("Duration", "photo-digest"), "Maximum", 60),
    ]
    frame = pull.frame
    assert list(zip(frame["target_group"], frame["metric"], frame["value"], strict=True)) == [
        ("cleanup", "function_invocations", 1.0),
        ("cleanup", "function_invocations", 2.0),
        ("cleanup", "function_errors", 0.0),
        ("cleanup", "function_errors", 1.0),
        ("cleanup", "function_duration", 2.4),
        ("cleanup", "rule_failures", 3.0),
    ]
    (answer,) = pull.answered_ranges
    assert len(answer.series) == 9, "a function that nobody invoked is answered with nothing"
    assert pull.queries[4].text == "AWS/Events FailedInvocations Sum 60 s RuleName=photo-cleanup"
    assert "AWS*2fLambda~'Invocations~'FunctionName~'photo-cleanup" in pull.queries[0].link


def test_refused_it_says_which_permission_and_where_the_policy_is(stub: Stubber) -> None:
    stub.add_client_error("get_metric_data", "AccessDeniedException", "not authorized", 403)
    pull = create_source(stub).pull(Window.last(60, now=NOW))
    assert pull.answered_ranges == () and pull.frame.empty
    (problem,) = pull.problems
    assert (problem.kind, problem.source, problem.operation) == ("denied", "lambda", "cloudwatch:GetMetricData")
    assert sources.format_problem(problem).next_step == (
        "Allow `cloudwatch:GetMetricData` in the IAM policy of the user or role that this program runs as; docs/batches.md has the whole policy. "
        "It is asked again by itself."
    )


def test_the_doctor_asks_for_one_number(stub: Stubber) -> None:
    stub.add_client_error("get_metric_data", "AccessDeniedException", "not authorized", 403)
    (line,) = create_source(stub).check()
    assert (line.source, line.permission, line.state) == ("lambda", "cloudwatch:GetMetricData", "denied")


def test_it_is_asked_only_where_a_job_names_its_function() -> None:
    assert [one.name for one in create_sources(create_migration()).batches] == ["mackerel_batches", "lambda"]
    assert [one.name for one in create_sources(create_migration([{"name": "export", "rule": "x"}])).batches] == [
        "mackerel_batches"
    ]


def test_every_metric_is_documented() -> None:
    from pathlib import Path

    text = (Path(__file__).parent.parents[2] / "docs" / "batches.md").read_text(encoding="utf-8")
    for ours, (namespace, name, stat, _) in FUNCTION_METRICS.items():
        assert f"| `{ours}` | `{namespace}` | `{name}` | `{stat}` |" in text, ours
