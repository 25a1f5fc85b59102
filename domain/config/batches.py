"""What a configuration may say of batches: by which names their runs are reported, in which era, and when each job is due."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator, model_validator

from domain.config.base import ConfigTable
from domain.config.errors import closest_zone, config_error
from domain.cron import Schedule, ScheduleError, parse_schedule
from domain.series import FLEETS, FleetName, Series

RunMetric = Literal["duration", "success", "failure"]
RUN_METRICS: tuple[RunMetric, ...] = ("duration", "success", "failure")
# The eras are the two sides of a batch: cron on the old side, EventBridge and Lambda on the new one.
SchedulerKind = FleetName
DurationUnit = Literal["s", "ms", "min"]
UNIT_SECONDS: Mapping[DurationUnit, float] = {"s": 1.0, "ms": 0.001, "min": 60.0}

_PLACEHOLDER = "{job}"
_JOB_NAME = r"[A-Za-z0-9_-]+"  # of a job that is found: without dots, which part Mackerel's names


class Job(ConfigTable):
    """One batch. `schedule` in `timezone`; `rule` or `scheduler` (group/name) is what starts it, `function` the Lambda function that it starts."""

    name: str
    schedule: str = ""
    timezone: str = "UTC"
    rule: str = ""
    scheduler: str = ""
    function: str = ""
    grace_minutes: Annotated[int, Field(ge=1, le=1440)] = 10  # so much later than due is still in time

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            raise config_error("not_a_job", given=name)
        return name

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, text: str) -> str:
        if text:
            try:
                return parse_schedule(text).text
            except ScheduleError as error:
                raise config_error(error.code, **error.params) from None
        return text

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        known = available_timezones()
        if name not in known:
            raise config_error("unknown_timezone", given=name, close=closest_zone(name, known))
        return name

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
        """The schedule as a value; None where none is configured."""
        return parse_schedule(self.schedule) if self.schedule else None

    @property
    def function_name(self) -> str:
        """The bare name of its function, which may be given as an ARN or with an alias."""
        return self.function.rpartition(":function:")[2].partition(":")[0]

    @property
    def grace_s(self) -> int:
        return self.grace_minutes * 60


class Batches(ConfigTable):
    """How batches report to Mackerel: a pattern a measure, in which `{job}` stands for the job's name; `cron_…` is the era before.

    `stamped`: whether a point carries the time at which its run ended, or began.
    """

    service: str = ""
    duration: str = ""
    success: str = ""
    failure: str = ""
    unit: DurationUnit = "s"
    cron_duration: str = ""
    cron_success: str = ""
    cron_failure: str = ""
    cron_unit: DurationUnit = "s"
    timestamp: Literal["end", "start"] = "end"
    jobs: tuple[Job, ...] = ()

    @field_validator("duration", "success", "failure", "cron_duration", "cron_success", "cron_failure")
    @classmethod
    def _check_pattern(cls, text: str) -> str:
        if text and (
            text.count(_PLACEHOLDER) != 1 or not re.fullmatch(r"[A-Za-z0-9._-]*", text.replace(_PLACEHOLDER, ""))
        ):
            raise config_error("not_a_pattern", given=text)
        return text

    @model_validator(mode="after")
    def _check_patterns(self) -> Self:
        every = [pattern for era in FLEETS for pattern in self.patterns(era).values()]
        if not every:
            raise config_error("no_pattern")
        if twice := next((pattern for pattern in every if every.count(pattern) > 1), ""):
            raise config_error("pattern_twice", given=twice)
        return self

    @model_validator(mode="after")
    def _check_jobs(self) -> Self:
        names = [job.name for job in self.jobs]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise config_error("job_twice", at=f"batches.jobs.{position}.name", given=name)
        return self

    def patterns(self, scheduler_kind: SchedulerKind) -> dict[RunMetric, str]:
        """The names that runs are reported by in an era, as far as they are configured."""
        if scheduler_kind == "baseline":
            found = {"duration": self.cron_duration, "success": self.cron_success, "failure": self.cron_failure}
        else:
            found = {"duration": self.duration, "success": self.success, "failure": self.failure}
        return {measure: found[measure] for measure in RUN_METRICS if found[measure]}

    def seconds_per_unit(self, scheduler_kind: SchedulerKind) -> float:
        """What a reported duration is multiplied by."""
        return UNIT_SECONDS[self.cron_unit if scheduler_kind == "baseline" else self.unit]

    def find_job(self, name: str) -> Job | None:
        return next((job for job in self.jobs if job.name == name), None)


def metric_name(pattern: str, job: str) -> str:
    """What a job's metric is called: `batch.thumbnails.duration`."""
    return pattern.replace(_PLACEHOLDER, job)


def parse_job_name(pattern: str, name: str) -> str:
    """The job whose metric this is; "" where the name does not fit the pattern."""
    before, _, after = pattern.partition(_PLACEHOLDER)
    found = re.fullmatch(f"{re.escape(before)}({_JOB_NAME}){re.escape(after)}", name)
    return found[1] if found else ""


def series_of_runs(source: str, scheduler_kind: SchedulerKind, job: str, run_metric: RunMetric) -> Series:
    """What the runs of a job are reported by: `run_duration` in seconds, `run_success` and `run_failure` as counts.

    The fleet is the era, the target group the job. A value stands for its minute, and of several in one minute it is the last.
    """
    return Series(
        source, scheduler_kind, job, f"run_{run_metric}", "last", "s" if run_metric == "duration" else "count"
    )


def series_of_function(source: str, job: str) -> tuple[Series, ...]:
    """What AWS counts of a job's Lambda function, on the new side alone: `function_invocations`, `_errors` and `_throttles` as counts, and
    `function_duration`, the longest of a period in seconds.

    A value stands for the period in which the function was invoked.
    """
    counts = (f"function_{name}" for name in ("invocations", "errors", "throttles"))
    return (
        *(Series(source, "canary", job, name, "sum", "count") for name in counts),
        Series(source, "canary", job, "function_duration", "maximum", "s"),
    )


def series_of_rule(source: str, job: str) -> Series:
    """How often a job's EventBridge rule could not start it: `rule_failures`, a count."""
    return Series(source, "canary", job, "rule_failures", "sum", "count")
