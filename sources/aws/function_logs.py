"""CloudWatch Logs as a source of what runs of batch jobs did: FilterLogEvents of each function's log group, within a ceiling. Only reads."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from domain import Clock, Migration, Window, utc_now
from domain.config.batches import RunLog, SchedulerKind
from domain.run_steps import RUN_STEPS, RunStep
from domain.window import DAY_S, MINUTE_S
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.aws.run_log_lines import parse_line
from sources.base import Health, Problem
from sources.run_logs import RunLogs

_FILTER = "FilterLogEvents"
_OPERATIONS = {_FILTER: Operation(result_key="events")}
PERMISSION = f"logs:{_FILTER}"
FIRST_WINDOW_S = 2 * DAY_S  # of a group that was never read; older lines are not read
OVERLAP_S = 5 * MINUTE_S  # a line may arrive later than its time
MAX_PAGE_BYTES = 1_048_576  # of one response, by the API's documentation
PAGE_EVENTS = 10_000


@dataclass(slots=True)
class _Budget:
    """What may still be read in this poll."""

    calls: int
    bytes: int
    calls_made: int = 0
    bytes_read: int = 0

    @property
    def allows_a_page(self) -> bool:
        return self.calls > self.calls_made and self.bytes >= self.bytes_read + MAX_PAGE_BYTES


@dataclass(slots=True)
class _Result:
    steps: list[RunStep] = field(default_factory=list)
    covered: list[tuple[str, Window]] = field(default_factory=list)
    unparsed: int = 0
    is_capped: bool = False


class FunctionLogs:
    """A RunLogSource. Thread-safe. `client`: a boto3 client to use instead of making one. Raises ValueError without [aws] and [batches.log]."""

    name = RUN_STEPS

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.batches is None or migration.batches.log is None:
            raise ValueError("The logs of runs need the [batches.log] table.")
        self._paths: RunLog = migration.batches.log
        self._readers = _readers(migration)
        self._clock = clock
        self._client = ClientProvider("logs", aws_of(migration, "CloudWatch Logs"), client)

    @property
    def groups(self) -> tuple[str, ...]:
        """Each function's group, and those with the output of cron."""
        return tuple(self._readers)

    def read_steps(self, read_until: Mapping[str, int]) -> RunLogs:
        """The lines since `read_until` (epoch seconds, by group), the groups that are furthest behind first, until the ceiling is reached."""
        started, now = time.monotonic(), int(self._clock().timestamp())
        session = ApiSession(self.name, "logs", _OPERATIONS, self._client, per_resource=True)
        budget = _Budget(self._paths.max_calls, int(self._paths.max_mb * MAX_PAGE_BYTES))
        result = _Result()
        for group in sorted(self._readers, key=lambda group: read_until.get(group, 0)):
            start = max(read_until.get(group, 0) - OVERLAP_S, now - FIRST_WINDOW_S) // MINUTE_S * MINUTE_S
            self._read_group(session, group, Window(start, now // MINUTE_S * MINUTE_S + MINUTE_S), budget, result)
        return RunLogs(
            now,
            tuple({step.key: step for step in result.steps}.values()),
            tuple(result.covered),
            session.problems,
            time.monotonic() - started,
            budget.calls_made,
            budget.bytes_read,
            result.unparsed,
            result.is_capped,
        )

    def check(self) -> tuple[Health, ...]:
        """Reads the newest minute of each group, one line at most."""
        session = ApiSession(self.name, "logs", _OPERATIONS, self._client, per_resource=True)
        now_ms = int(self._clock().timestamp()) * 1000
        for group in self._readers:
            session.call(_FILTER, about=group, logGroupName=group, startTime=now_ms - 60_000, endTime=now_ms, limit=1)
        return (
            session.check(_FILTER, resources=self.groups),
            *(session.check_resource(_FILTER, group, group) for group in self._readers),
        )

    def _read_group(self, session: ApiSession, group: str, window: Window, budget: _Budget, result: _Result) -> None:
        params: dict[str, Any] = {
            "logGroupName": group,
            "startTime": window.start * 1000,
            "endTime": window.end * 1000,
            "limit": PAGE_EVENTS,
        }
        if self._paths.filter:
            params["filterPattern"] = self._paths.filter
        newest_ms = window.start * 1000
        while budget.allows_a_page:
            budget.calls_made += 1
            payload = session.call(_FILTER, about=group, **params)
            if isinstance(payload, Problem):
                return
            for event in payload["events"]:
                budget.bytes_read += len(str(event.get("message", "")).encode("utf-8", "replace"))
                newest_ms = max(newest_ms, int(event.get("timestamp", 0)))
                self._parse(group, event, result)
            if not payload.get("nextToken"):
                result.covered.append((group, Window(window.start, window.end - MINUTE_S)))
                return
            params["nextToken"] = payload["nextToken"]
        result.is_capped = True
        # Of a minute that exceeds the ceiling alone, the rest is not read: reading never stands still.
        read_until = max(newest_ms // 1000 // MINUTE_S * MINUTE_S, window.start + OVERLAP_S + MINUTE_S)
        if "nextToken" in params and read_until < window.end:
            result.covered.append((group, Window(window.start, read_until)))

    def _parse(self, group: str, event: Mapping[str, Any], result: _Result) -> None:
        message, ts = str(event.get("message", "")), int(event.get("timestamp", 0)) // 1000
        key = str(
            event.get("eventId")
            or f"{group}:{event.get('timestamp')}:{sha256(message.encode('utf-8', 'replace')).hexdigest()[:16]}"
        )
        steps: list[RunStep] = []
        for job, scheduler in self._readers[group]:
            steps += parse_line(message, self._paths, key=f"{key}:{job}", ts=ts, job=job, scheduler=scheduler)
        result.unparsed += not steps
        result.steps += steps


def _readers(migration: Migration) -> dict[str, list[tuple[str, SchedulerKind]]]:
    """The jobs, and their scheduler, whose lines each log group may have."""
    readers: dict[str, list[tuple[str, SchedulerKind]]] = {}
    batches = migration.batches
    if batches and batches.log:
        for job in batches.jobs:
            if job.function:
                readers.setdefault(f"/aws/lambda/{job.function_name}", []).append((job.name, "canary"))
            if batches.log.cron_group:
                group = batches.log.cron_group.replace("{job}", job.name)
                readers.setdefault(group, []).append((job.name, "baseline"))
    return readers
