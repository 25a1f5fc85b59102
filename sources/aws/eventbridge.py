"""EventBridge as a source of what starts the batch jobs: the configured rules and schedules as they are now. Only reads."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from domain import Clock, Migration, utc_now
from domain.config.batches import Job
from domain.triggers import Trigger, Triggers
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.base import Health, Problem
from sources.triggers import TriggerSnapshot

SOURCE = "eventbridge"
_DESCRIBE_RULE, _GET_SCHEDULE = "DescribeRule", "GetSchedule"
_OPERATIONS: Mapping[str, Operation] = {
    _DESCRIBE_RULE: Operation("describe_rule"),
    _GET_SCHEDULE: Operation("get_schedule"),
}
RULE_PERMISSION, SCHEDULE_PERMISSION = f"events:{_DESCRIBE_RULE}", f"scheduler:{_GET_SCHEDULE}"


class EventBridge:
    """A TriggerSource. Thread-safe.

    `events_client`, `scheduler_client`: boto3 clients to use instead of making them. Raises ValueError without [aws] and [batches].
    """

    name = SOURCE

    def __init__(
        self, migration: Migration, *, clock: Clock = utc_now, events_client: Any = None, scheduler_client: Any = None
    ) -> None:
        if migration.batches is None:
            raise ValueError("EventBridge needs the [batches] table.")
        aws = aws_of(migration, "EventBridge")
        self._rule_jobs = tuple(job for job in migration.batches.jobs if job.rule)
        self._schedule_jobs = tuple(job for job in migration.batches.jobs if job.scheduler)
        self._clock = clock
        self._events_client = ClientProvider("events", aws, events_client)
        self._scheduler_client = ClientProvider("scheduler", aws, scheduler_client)

    def snapshot(self) -> TriggerSnapshot:
        """Every configured rule and schedule; those that could not be read are left out, with a problem."""
        started, now = time.monotonic(), int(self._clock().timestamp())
        rules, schedules = self._sessions()
        triggers = (*_read_rules(rules, self._rule_jobs), *_read_schedules(schedules, self._schedule_jobs))
        problems = (*rules.problems, *schedules.problems)
        return TriggerSnapshot(
            now, Triggers(now, triggers) if triggers or not problems else None, problems, time.monotonic() - started
        )

    def check(self) -> tuple[Health, ...]:
        """Reads the first rule and the first schedule, if configured."""
        rules, schedules = self._sessions()
        _read_rules(rules, self._rule_jobs[:1])
        _read_schedules(schedules, self._schedule_jobs[:1])
        return (
            *([rules.health(_DESCRIBE_RULE)] if self._rule_jobs else ()),
            *([schedules.health(_GET_SCHEDULE)] if self._schedule_jobs else ()),
        )

    def _sessions(self) -> tuple[ApiSession, ApiSession]:
        return (
            ApiSession(SOURCE, "events", _OPERATIONS, self._events_client),
            ApiSession(SOURCE, "scheduler", _OPERATIONS, self._scheduler_client),
        )


def _read_rules(session: ApiSession, jobs: Iterable[Job]) -> list[Trigger]:
    triggers = []
    for job in jobs:
        rule = session.call(_DESCRIBE_RULE, about=job.rule, Name=job.rule)
        if not isinstance(rule, Problem):
            triggers.append(Trigger(job.name, "rule", job.rule, _expression(rule), "UTC", _is_enabled(rule)))
    return triggers


def _read_schedules(session: ApiSession, jobs: Iterable[Job]) -> list[Trigger]:
    triggers = []
    for job in jobs:
        group, _, name = job.scheduler.partition("/")
        schedule = session.call(_GET_SCHEDULE, about=job.scheduler, GroupName=group, Name=name)
        if not isinstance(schedule, Problem):
            zone = str(schedule.get("ScheduleExpressionTimezone", "")) or "UTC"
            enabled = _is_enabled(schedule)
            triggers.append(Trigger(job.name, "scheduler", job.scheduler, _expression(schedule), zone, enabled))
    return triggers


def _expression(payload: Mapping[str, Any]) -> str:
    return str(payload.get("ScheduleExpression", ""))


def _is_enabled(payload: Mapping[str, Any]) -> bool:
    return payload.get("State") != "DISABLED"
