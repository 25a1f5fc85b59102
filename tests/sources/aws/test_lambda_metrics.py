"""Metrics of Lambda functions and EventBridge rules, with responses that botocore's Stubber checks against its service model."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from domain import Migration, Window
from messages.errors.sources import format_problem
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
    with Stubber(boto3.client("cloudwatch", region_name="ap-northeast-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def create_source(stub: Stubber) -> LambdaMetrics:
    return LambdaMetrics(create_migration(), clock=lambda: NOW, client=stub.client)


def metric_data_response(values: dict[str, list[float]], n_series: int = 9) -> dict[str, Any]:
    return {
        "MetricDataResults": [
            {
                "Id": query_id,
                "Label": query_id,
                "Timestamps": [AT + timedelta(minutes=minute) for minute in range(len(values.get(query_id, [])))],
                "Values": values.get(query_id, []),
                "StatusCode": "Complete",
            }
            for query_id in (f"q{position}" for position in range(n_series))
        ]
    }


def test_queries_of_functions_and_rules(stub: Stubber) -> None:
    request: dict[str, Any] = {}
    stub.client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: request.update(params)
    )
    stub.add_response(
        "get_metric_data", metric_data_response({"q0": [1.0, 2.0], "q1": [0.0, 1.0], "q3": [2400.0], "q4": [3.0]})
    )
    pull = create_source(stub).pull(Window.last(60, now=NOW))
    metric_stats = [query["MetricStat"] for query in request["MetricDataQueries"]]

    def metric(namespace: str, name: str, dimension: str, value: str) -> dict[str, Any]:
        return {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": dimension, "Value": value}]}

    def function_metric(name: str, function: str) -> dict[str, Any]:
        return metric("AWS/Lambda", name, "FunctionName", function)

    assert [(query["Metric"], query["Stat"], query["Period"]) for query in metric_stats] == [
        (function_metric("Invocations", "photo-cleanup"), "Sum", 60),
        (function_metric("Errors", "photo-cleanup"), "Sum", 60),
        (function_metric("Throttles", "photo-cleanup"), "Sum", 60),
        (function_metric("Duration", "photo-cleanup"), "Maximum", 60),
        (metric("AWS/Events", "FailedInvocations", "RuleName", "photo-cleanup"), "Sum", 60),
        (function_metric("Invocations", "photo-digest"), "Sum", 60),
        (function_metric("Errors", "photo-digest"), "Sum", 60),
        (function_metric("Throttles", "photo-digest"), "Sum", 60),
        (function_metric("Duration", "photo-digest"), "Maximum", 60),
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
    assert len(answer.series) == 9, "a function that was not invoked is answered without points"


def test_denied_names_the_permission_and_the_policy(stub: Stubber) -> None:
    stub.add_client_error("get_metric_data", "AccessDeniedException", "not authorized", 403)
    pull = create_source(stub).pull(Window.last(60, now=NOW))
    assert pull.answered_ranges == () and pull.frame.empty
    (problem,) = pull.problems
    assert (problem.kind, problem.source, problem.operation) == ("denied", "lambda", "cloudwatch:GetMetricData")
    assert format_problem(problem).next_step == (
        "Allow `cloudwatch:GetMetricData` in the IAM policy of this program's user or role; full policy: "
        "docs/batches.md. Retrying automatically."
    )


def test_check_of_a_denied_permission_asks_no_further(stub: Stubber) -> None:
    stub.add_client_error("get_metric_data", "AccessDeniedException", "not authorized", 403)
    assert [(health.source, health.subject, health.state) for health in create_source(stub).check()] == [
        ("lambda", "", "denied"),
        ("lambda", "cleanup", "not_checked"),
        ("lambda", "digest", "not_checked"),
    ]


def test_check_has_the_age_of_the_newest_invocation_of_each_job(stub: Stubber) -> None:
    stub.add_response("get_metric_data", metric_data_response({}))
    stub.add_response("get_metric_data", metric_data_response({"q1": [1.0, 2.0]}, n_series=2))
    stub.add_response("get_metric_data", metric_data_response({}, n_series=1))
    stub.add_response("get_metric_data", metric_data_response({}, n_series=1))
    _, cleanup, digest = create_source(stub).check()
    assert (cleanup.subject, cleanup.state, cleanup.newest_age_s) == ("cleanup", "never_reported", None)
    assert (digest.subject, digest.state, digest.newest_age_s) == ("digest", "up", 19 * 60)
    assert cleanup.problem and format_problem(cleanup.problem).text == (
        "CloudWatch has no invocation of the function of job cleanup, in the last 454 days."
    )


def test_enabled_only_if_a_job_names_its_function() -> None:
    assert [source.name for source in create_sources(create_migration()).batches] == ["mackerel_batches", "lambda"]
    assert [source.name for source in create_sources(create_migration([{"name": "export", "rule": "x"}])).batches] == [
        "mackerel_batches"
    ]


def test_every_metric_is_documented() -> None:
    page = Path("docs/batches.md").read_text(encoding="utf-8")
    for metric, (namespace, name, stat, _) in FUNCTION_METRICS.items():
        assert f"| `{metric}` | `{namespace}` | `{name}` | `{stat}` |" in page, metric
