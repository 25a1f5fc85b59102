"""CloudTrail as a source: who changed which rule of the load balancer, when and how, up to 90 days back. Supplementary."""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain import Clock, Migration, WeightChange, Window, utc_now
from domain.window import DAY_S, MINUTE_S
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.aws.cloudtrail_records import OPERATIONS, SOURCE, parse_weight_changes
from sources.aws.load_balancer import fleet_by_arn
from sources.base import Events, Health, Problem

MIN_CALL_INTERVAL_S = 0.55  # AWS allows two calls per second for a whole account and region
PAGE_SIZE = 50  # AWS's maximum
MAX_PAGES = 40  # of one operation in one poll; older records are left to the next poll
_ACTION = "LookupEvents"
_OPERATIONS: Mapping[str, Operation] = {_ACTION: Operation("Events", item_key="EventTime")}


class RateLimiter:
    """Spaces calls of all threads by at least `interval_s`."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s, self._next_at, self._lock = interval_s, 0.0, threading.Lock()

    def wait(self) -> None:
        with self._lock:
            at = max(time.monotonic(), self._next_at)
            self._next_at = at + self._interval_s
        time.sleep(max(0.0, at - time.monotonic()))


_RATE_LIMITER = RateLimiter(MIN_CALL_INTERVAL_S)


class CloudTrail:
    """A HistorySource. Thread-safe. A record that cannot be read is a problem, and is not looked up again.

    `client`: a boto3 client to use instead of making one. Raises ValueError if the migration has no [aws].
    """

    name = SOURCE
    retention_s = 90 * DAY_S
    delivery_delay_s = 3600  # CloudTrail usually delivers within 15 minutes
    poll_interval_s = 120

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        aws = aws_of(migration, "CloudTrail")
        self._region, self._load_balancer = aws.region, aws.load_balancer_arn.dimension
        self._fleet_of = fleet_by_arn(migration)
        self._clock, self._client = clock, ClientProvider("cloudtrail", aws, client)

    def events(self, window: Window) -> Events:
        """The weight changes in `window`; if there are too many for one poll, of its newest part, which is then the result's window."""
        started, now = time.monotonic(), int(self._clock().timestamp())
        session = self._session()
        changes: list[WeightChange] = []
        first, complete = window.start, True
        for operation in OPERATIONS:
            read_from = self._look_up(session, operation, window, changes)
            if read_from is None:
                complete = False
                break
            first = max(first, read_from)
        if first >= window.end:
            session.add_problem("incomplete", _ACTION, f"{MAX_PAGES} pages")
            complete = False
        return Events(
            window=Window(first, window.end) if complete else window,
            asked_at=now,
            problems=session.problems,
            complete=complete,
            took_s=time.monotonic() - started,
            weight_changes=tuple(sorted(changes, key=lambda change: (change.ts, change.key))),
            clock_ahead_s=session.clock_ahead_s,
        )

    def check(self) -> tuple[Health, ...]:
        """Looks up one record."""
        session = self._session()
        self._call(session, "ModifyRule", MaxResults=1)
        return (session.check(_ACTION),)

    def _session(self) -> ApiSession:
        return ApiSession(SOURCE, "cloudtrail", _OPERATIONS, self._client)

    def _look_up(self, session: ApiSession, operation: str, window: Window, changes: list[WeightChange]) -> int | None:
        """Adds the changes by one operation, newest first. Returns the epoch second from which on all were read; None after a failed call."""
        params: dict[str, Any] = {
            "StartTime": datetime.fromtimestamp(window.start, UTC),
            "EndTime": datetime.fromtimestamp(window.end, UTC),
            "MaxResults": PAGE_SIZE,
        }
        records: list[dict[str, Any]] = []
        for _ in range(MAX_PAGES):
            response = self._call(session, operation, **params)
            if isinstance(response, Problem):
                return None
            records = response["Events"]
            for record in records:
                try:
                    changes += parse_weight_changes(
                        record.get("CloudTrailEvent", ""), load_balancer=self._load_balancer, fleet_of=self._fleet_of
                    )
                except (ValueError, RecursionError) as error:
                    session.add_problem("bad_reply", _ACTION, record.get("EventId", ""), f"not a record: {error}")
            if not response.get("NextToken"):
                return window.start
            params["NextToken"] = response["NextToken"]
        oldest = min((record["EventTime"].timestamp() for record in records), default=window.end)
        return -(-int(oldest) // MINUTE_S) * MINUTE_S

    def _call(self, session: ApiSession, operation: str, **params: Any) -> dict[str, Any] | Problem:
        _RATE_LIMITER.wait()
        attribute = {"AttributeKey": "EventName", "AttributeValue": operation}
        return session.call(_ACTION, about=self._region, LookupAttributes=[attribute], **params)
