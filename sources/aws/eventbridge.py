"""EventBridge as a source of what starts the batch jobs: the configured rules and schedules as they are now. Only reads."""

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from domain import Clock, Migration, utc_now
from domain.triggers import Trigger, Triggers
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.base import Health, Problem
from sources.triggers import TriggerSnapshot

SOURCE = "eventbridge"
_DESCRIBE_RULE, _GET_SCHEDULE = "DescribeRule", "GetSchedule"
_OPERATIONS = {_DESCRIBE_RULE: Operation(), _GET_SCHEDULE: Operation()}
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
        triggers, rules, schedules = self._read()
        problems = (*rules.problems, *schedules.problems)
        known = Triggers(now, tuple(triggers)) if triggers or not problems else None
        return TriggerSnapshot(now, known, problems, time.monotonic() - started)

    def check(self) -> tuple[Health, ...]:
        """Reads every configured rule and schedule."""
        _, rules, schedules = self._read()
        names = [job.rule for job in self._rule_jobs], [job.scheduler for job in self._schedule_jobs]
        return (
            *_check_all(rules, _DESCRIBE_RULE, dict.fromkeys(names[0])),
            *_check_all(schedules, _GET_SCHEDULE, dict.fromkeys(names[1])),
        )

    def _read(self) -> tuple[list[Trigger], ApiSession, ApiSession]:
        rules = ApiSession(SOURCE, "events", _OPERATIONS, self._events_client, per_resource=True)
        schedules = ApiSession(SOURCE, "scheduler", _OPERATIONS, self._scheduler_client, per_resource=True)
        triggers = []
        for job in self._rule_jobs:
            payload = rules.call(_DESCRIBE_RULE, about=job.rule, Name=job.rule)
            if not isinstance(payload, Problem):
                triggers.append(_parse_trigger(job.name, "rule", job.rule, payload))
        for job in self._schedule_jobs:
            group, _, name = job.scheduler.partition("/")
            payload = schedules.call(_GET_SCHEDULE, about=job.scheduler, GroupName=group, Name=name)
            if not isinstance(payload, Problem):
                triggers.append(_parse_trigger(job.name, "scheduler", job.scheduler, payload))
        return triggers, rules, schedules


def _check_all(session: ApiSession, action: str, names: Collection[str]) -> Iterator[Health]:
    """The permission, then each rule or schedule; nothing if none is configured."""
    if names:
        yield session.check(action, resources=names)
    for name in names:
        yield session.check_resource(action, name, name)


def _parse_trigger(job: str, kind: str, name: str, payload: Mapping[str, Any]) -> Trigger:
    """A response of DescribeRule (always UTC) or GetSchedule."""
    expression, zone = payload.get("ScheduleExpression", ""), payload.get("ScheduleExpressionTimezone") or "UTC"
    return Trigger(job, kind, name, expression, zone, payload.get("State") != "DISABLED")
