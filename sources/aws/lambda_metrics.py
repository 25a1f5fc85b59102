"""CloudWatch as a source of what AWS counted of the batches: how often each job's Lambda function was invoked and failed, and what its rule could not start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain import Clock, Migration, Series, utc_now
from domain.config.batches import Job, series_of_function, series_of_rule
from sources.aws.cloudwatch import MetricDataSource
from sources.aws.cloudwatch_queries import CloudWatchMetric

SOURCE = "lambda"
# Our metric -> namespace, CloudWatch's metric, statistic, and what its number is multiplied by.
FUNCTION_METRICS: Mapping[str, tuple[str, str, str, float]] = {
    "function_invocations": ("AWS/Lambda", "Invocations", "Sum", 1.0),
    "function_errors": ("AWS/Lambda", "Errors", "Sum", 1.0),
    "function_throttles": ("AWS/Lambda", "Throttles", "Sum", 1.0),
    "function_duration": ("AWS/Lambda", "Duration", "Maximum", 0.001),
    "rule_failures": ("AWS/Events", "FailedInvocations", "Sum", 1.0),
}


class LambdaMetrics(MetricDataSource):
    """A sources.MetricSource whose target groups are jobs. A point stands for the minute in which the function was invoked.

    A function that nobody invoked, or that does not exist, is answered with nothing. Raises ValueError without [aws] and [batches].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None or migration.batches is None:
            raise ValueError("Lambda needs the [aws] and [batches] tables.")
        jobs = [job for job in migration.batches.jobs if job.function]
        series = tuple(
            one
            for job in jobs
            for one in (
                *series_of_function(SOURCE, job.name),
                *([series_of_rule(SOURCE, job.name)] if job.rule else ()),
            )
        )
        arn = migration.aws.load_balancer_arn
        place = _FunctionNaming(arn.partition, migration.aws.region, {job.name: job for job in jobs})
        super().__init__(place, series, migration.aws, clock=clock, client=client)


@dataclass(frozen=True, slots=True)
class _FunctionNaming:
    """The sources.aws.cloudwatch_queries.Names of functions and rules, by the jobs that they belong to."""

    partition: str
    region: str
    jobs: Mapping[str, Job]
    labels: Mapping[str, str] = field(default_factory=dict)

    def metric(self, series: Series) -> CloudWatchMetric:
        job = self.jobs[series.target_group]
        namespace, name, stat, factor = FUNCTION_METRICS[series.metric]
        of_rule = series.metric == "rule_failures"
        dimensions = {"RuleName": job.rule} if of_rule else {"FunctionName": job.function_name}
        return CloudWatchMetric(namespace, name, stat, dimensions, factor)
