"""CloudWatch's metrics of batch jobs as a source: invocations, errors, throttles and duration of Lambda functions, failed invocations of rules."""

from collections.abc import Mapping
from math import inf
from typing import Any

from domain import Clock, Migration, Series, utc_now
from domain.config.batches import series_of_function, series_of_rule
from sources.aws.client import aws_of
from sources.aws.cloudwatch import MetricDataSource
from sources.aws.cloudwatch_queries import CloudWatchMetric

SOURCE = "lambda"
# metric -> CloudWatch's namespace, metric and statistic, and the factor to our unit.
FUNCTION_METRICS: Mapping[str, tuple[str, str, str, float]] = {
    "function_invocations": ("AWS/Lambda", "Invocations", "Sum", 1.0),
    "function_errors": ("AWS/Lambda", "Errors", "Sum", 1.0),
    "function_throttles": ("AWS/Lambda", "Throttles", "Sum", 1.0),
    "function_duration": ("AWS/Lambda", "Duration", "Maximum", 0.001),
    "rule_failures": ("AWS/Events", "FailedInvocations", "Sum", 1.0),
}


class LambdaMetrics(MetricDataSource):
    """A MetricSource whose target groups are jobs. A point belongs to the minute in which the function was invoked.

    A function that was not invoked, or does not exist, has no points. Raises ValueError without [aws] and [batches].
    """

    name = SOURCE
    presence_metrics = frozenset({"function_invocations"})
    stale_after_s = inf  # a job may run once a month

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.batches is None:
            raise ValueError("Lambda needs the [batches] table.")
        metrics: dict[Series, CloudWatchMetric] = {}
        for job in (job for job in migration.batches.jobs if job.function):
            rule_series = [series_of_rule(SOURCE, job.name)] if job.rule else []
            for series in (*series_of_function(SOURCE, job.name), *rule_series):
                namespace, name, stat, factor = FUNCTION_METRICS[series.metric]
                dimensions = {"RuleName": job.rule} if series in rule_series else {"FunctionName": job.function_name}
                metrics[series] = CloudWatchMetric(namespace, name, stat, dimensions, factor)
        super().__init__(metrics, aws_of(migration, "Lambda"), clock=clock, client=client)
