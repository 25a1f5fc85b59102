"""EventBridge as a source of what starts the batches: the rules and schedules that are configured for jobs, as they are now. It only reads."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from domain import Clock, Migration, utc_now
from domain.config.batches import Job
from domain.triggers import Trigger, Triggers
from sources.aws import client
from sources.aws.calls import ClientProvider
from sources.base import Health, Problem, ProblemKind, health_state
from sources.triggers import TriggerSnapshot

SOURCE = "eventbridge"
RULE_PERMISSION, SCHEDULE_PERMISSION = "events:DescribeRule", "scheduler:GetSchedule"
# After one of these, every other question to the same service would end the same way.
_HOPELESS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "expired_token", "denied", "wrong_key", "clock_skew", "timeout", "unreachable", "throttled"}
)


class EventBridge:
    """A sources.triggers.StarterSource. One may serve many threads.

    `events` and `scheduler` are boto3 clients; left out, they are made when first needed. Raises ValueError without [aws] and [batches].
    """

    name = SOURCE

    def __init__(
        self, migration: Migration, *, clock: Clock = utc_now, events_client: Any = None, scheduler_client: Any = None
    ) -> None:
        if migration.aws is None or migration.batches is None:
            raise ValueError("EventBridge needs the [aws] and [batches] tables.")
        self._rule_jobs = tuple(job for job in migration.batches.jobs if job.rule)
        self._schedule_jobs = tuple(job for job in migration.batches.jobs if job.scheduler)
        self._clock = clock
        self._events = ClientProvider("events", migration.aws, events_client)
        self._scheduler = ClientProvider("scheduler", migration.aws, scheduler_client)

    def snapshot(self) -> TriggerSnapshot:
        """One question a configured rule or schedule. What was refused is left out, and told. Never raises for AWS's faults."""
        began, now = time.monotonic(), int(self._clock().timestamp())
        found, problems = self._read(self._rule_jobs, self._read_rule, RULE_PERMISSION)
        more, refused = self._read(self._schedule_jobs, self._read_schedule, SCHEDULE_PERMISSION)
        self._events.reset_on_auth_error(problems)
        self._scheduler.reset_on_auth_error(refused)
        told = (*found, *more)
        every = tuple(dict.fromkeys((*problems, *refused)))
        return TriggerSnapshot(now, Triggers(now, told) if told or not every else None, every, time.monotonic() - began)

    def check(self) -> tuple[Health, ...]:
        """Whether rules and schedules may be read, as far as any is configured."""
        lines = []
        for jobs, read, permission in (
            (self._rule_jobs, self._read_rule, RULE_PERMISSION),
            (self._schedule_jobs, self._read_schedule, SCHEDULE_PERMISSION),
        ):
            if jobs:
                began = time.monotonic()
                _, problems = self._read(jobs[:1], read, permission)
                took_s = time.monotonic() - began
                state = health_state(problems, took_s, answered=not problems)
                lines.append(Health(self.name, permission, state, took_s, next(iter(problems), None)))
        return tuple(lines)

    def _read(
        self, jobs: Iterable[Job], read: Callable[[Job], Trigger], permission: str
    ) -> tuple[list[Trigger], list[Problem]]:
        found: list[Trigger] = []
        problems: list[Problem] = []
        for job in jobs:
            try:
                found.append(read(job))
            except client.AWS_ERRORS as error:
                about = job.rule or job.scheduler
                problem = client.problem_from_error(error, source=self.name, operation=permission, about=about)
                if _is_missing(error):
                    problem = Problem("not_found", self.name, permission, about)
                problems.append(problem)
                if problem.kind in _HOPELESS:
                    break
        return found, problems

    def _read_rule(self, job: Job) -> Trigger:
        reply = client.call_api(self._events().describe_rule, Name=job.rule)
        expression, enabled = str(reply.get("ScheduleExpression", "")), reply.get("State") != "DISABLED"
        return Trigger(job.name, "rule", job.rule, expression, "UTC", enabled)

    def _read_schedule(self, job: Job) -> Trigger:
        group, _, name = job.scheduler.partition("/")
        reply = client.call_api(self._scheduler().get_schedule, GroupName=group, Name=name)
        zone = str(reply.get("ScheduleExpressionTimezone", "")) or "UTC"
        expression, enabled = str(reply.get("ScheduleExpression", "")), reply.get("State") != "DISABLED"
        return Trigger(job.name, "scheduler", job.scheduler, expression, zone, enabled)


def _is_missing(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == "ResourceNotFoundException"
