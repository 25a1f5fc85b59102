"""[batches]: the metric names under which jobs report their runs to Mackerel, by scheduler kind, and each job's schedule."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from domain.config.base import ConfigTable, TimezoneName, matches
from domain.config.errors import config_error
from domain.cron import Schedule, ScheduleError, parse_schedule
from domain.series import FLEETS, FleetName, Series

RunMetric = Literal["duration", "success", "failure"]
RUN_METRICS: tuple[RunMetric, ...] = ("duration", "success", "failure")
SchedulerKind = FleetName  # baseline: cron; canary: EventBridge and Lambda
DurationUnit = Literal["s", "ms", "min"]
UNIT_SECONDS: Mapping[DurationUnit, float] = {"s": 1.0, "ms": 0.001, "min": 60.0}

_PLACEHOLDER = "{job}"
_JOB_NAME = r"[A-Za-z0-9_-]+"  # of a discovered job: no dots, which separate the parts of a Mackerel metric name
_JsonPath = Annotated[str, matches(r"(\$?(\.?[A-Za-z_@][\w@-]*|\[(\d{1,4}|\*)\])+)?", "not_a_json_path")]
_Pattern = Annotated[str, matches(r"([A-Za-z0-9._-]*\{job\}[A-Za-z0-9._-]*)?", "not_a_pattern")]


class Job(ConfigTable):
    """A batch job. `schedule` is in `timezone`; an EventBridge `rule` or a `scheduler` (group/name) triggers the Lambda function `function`."""

    name: Annotated[str, matches("[A-Za-z0-9._-]+", "not_a_job")]
    schedule: str = ""
    timezone: TimezoneName = "UTC"
    rule: str = ""
    scheduler: str = ""
    function: str = ""
    grace_minutes: Annotated[int, Field(ge=1, le=1440)] = 10  # a run that starts up to this much late is on time

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, text: str) -> str:
        if text:
            try:
                return parse_schedule(text).text
            except ScheduleError as error:
                raise config_error(error.code, **error.params) from None
        return text

    @field_validator("scheduler")
    @classmethod
    def _qualify_scheduler(cls, text: str) -> str:
        return text if not text or "/" in text else f"default/{text}"

    @model_validator(mode="after")
    def _check_trigger(self) -> Self:
        if self.rule and self.scheduler:
            raise config_error("rule_and_scheduler", given=self.name)
        if self.rule and self.timezone != "UTC":
            raise config_error("rule_in_a_zone", given=self.timezone)
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def parsed_schedule(self) -> Schedule | None:
        return parse_schedule(self.schedule) if self.schedule else None

    @property
    def function_name(self) -> str:
        """The bare function name; `function` may be an ARN or have an alias."""
        return self.function.rpartition(":function:")[2].partition(":")[0]

    @property
    def grace_s(self) -> int:
        return self.grace_minutes * 60


class RunLog(ConfigTable):
    """Where the JSON lines that a run logs have what it did: `$.statements[*].rows`. The function's log group is /aws/lambda/ and its name.

    `cron_group`: the log group with the output of cron; `{job}` in it stands for the job's name. `filter`: a filter pattern of CloudWatch Logs.
    `max_calls`, `max_mb`: what one poll may read at most.
    """

    sql: _JsonPath = ""
    rows: _JsonPath = ""
    seconds: _JsonPath = ""
    success: _JsonPath = ""
    event_id: _JsonPath = ""
    job: _JsonPath = ""
    cron_group: Annotated[str, matches(r"[\w./#{}-]{0,512}", "not_a_log_group")] = ""
    filter: Annotated[str, Field(max_length=1024)] = ""
    max_calls: Annotated[int, Field(ge=1, le=200)] = 20
    max_mb: Annotated[int, Field(ge=1, le=100)] = 4

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        if not (self.sql or self.rows or self.seconds or self.success):
            raise config_error("no_json_path")
        if self.cron_group and "{job}" not in self.cron_group and not self.job:
            raise config_error("shared_log_group", given=self.cron_group)
        return self


class Batches(ConfigTable):
    """Metric name patterns in which `{job}` stands for the job's name; `cron_…` are those of the runs by cron.

    `timestamp`: whether a data point has the time at which its run ended or started.
    """

    service: str = ""
    duration: _Pattern = ""
    success: _Pattern = ""
    failure: _Pattern = ""
    unit: DurationUnit = "s"
    cron_duration: _Pattern = ""
    cron_success: _Pattern = ""
    cron_failure: _Pattern = ""
    cron_unit: DurationUnit = "s"
    timestamp: Literal["end", "start"] = "end"
    log: RunLog | None = None
    jobs: tuple[Job, ...] = ()

    @model_validator(mode="after")
    def _check_patterns(self) -> Self:
        patterns = [pattern for kind in FLEETS for pattern in self.patterns(kind).values()]
        if not patterns:
            raise config_error("no_pattern")
        if duplicate := next((pattern for pattern in patterns if patterns.count(pattern) > 1), ""):
            raise config_error("pattern_twice", given=duplicate)
        return self

    @model_validator(mode="after")
    def _check_jobs(self) -> Self:
        names = [job.name for job in self.jobs]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise config_error("job_twice", at=f"batches.jobs.{position}.name", given=name)
        return self

    def patterns(self, scheduler_kind: SchedulerKind) -> dict[RunMetric, str]:
        """The configured patterns of one scheduler kind."""
        prefix = "cron_" if scheduler_kind == "baseline" else ""
        patterns: dict[RunMetric, str] = {metric: getattr(self, f"{prefix}{metric}") for metric in RUN_METRICS}
        return {metric: pattern for metric, pattern in patterns.items() if pattern}

    def seconds_per_unit(self, scheduler_kind: SchedulerKind) -> float:
        """The factor from a reported duration to seconds."""
        return UNIT_SECONDS[self.cron_unit if scheduler_kind == "baseline" else self.unit]

    def find_job(self, name: str) -> Job | None:
        return next((job for job in self.jobs if job.name == name), None)


def metric_name(pattern: str, job: str) -> str:
    """The name of a job's metric: `batch.thumbnails.duration`."""
    return pattern.replace(_PLACEHOLDER, job)


def parse_job_name(pattern: str, name: str) -> str:
    """The job that metric `name` belongs to; "" if it does not match the pattern."""
    before, _, after = pattern.partition(_PLACEHOLDER)
    match = re.fullmatch(f"{re.escape(before)}({_JOB_NAME}){re.escape(after)}", name)
    return match[1] if match else ""


def series_of_runs(source: str, scheduler_kind: SchedulerKind, job: str, run_metric: RunMetric) -> Series:
    """`run_duration` in seconds, `run_success` or `run_failure` as a count; fleet = scheduler kind, target group = job.

    One value per minute, the last if several runs reported in it.
    """
    unit = "s" if run_metric == "duration" else "count"
    return Series(source, scheduler_kind, job, f"run_{run_metric}", "last", unit)


def series_of_function(source: str, job: str) -> tuple[Series, ...]:
    """CloudWatch metrics of a job's Lambda function, canary only: `function_invocations`, `_errors` and `_throttles` as counts, and
    `function_duration`, the maximum of the period in seconds. A value belongs to the period in which the function was invoked.
    """
    counts = (f"function_{name}" for name in ("invocations", "errors", "throttles"))
    return (
        *(Series(source, "canary", job, name, "sum", "count") for name in counts),
        Series(source, "canary", job, "function_duration", "maximum", "s"),
    )


def series_of_rule(source: str, job: str) -> Series:
    """`rule_failures`: how often a job's EventBridge rule failed to invoke its target."""
    return Series(source, "canary", job, "rule_failures", "sum", "count")
