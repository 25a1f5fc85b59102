"""CloudTrail as a source: who changed which rule of the load balancer, when and how, up to 90 days back. It helps, and nothing waits for it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.parsers import ResponseParserError

from domain import FLEETS, Clock, FleetName, Migration, WeightChange, Window, utc_now
from domain.window import MINUTE_S
from sources.aws import client as aws
from sources.aws.cloudtrail_records import OPERATIONS, SOURCE, parse_weight_changes
from sources.base import Events, Health, Problem, health_state

PERMISSION = "cloudtrail:LookupEvents"
MIN_CALL_INTERVAL_S = 0.55  # AWS allows two a second, in one account and region, to everybody together
PAGE_SIZE = 50  # AWS gives no more at once
MAX_PAGES = 40  # of one operation in one asking; what is older is asked for the next time


class RateLimiter:
    """Lets one call through every so many seconds, whoever calls."""

    def __init__(
        self,
        interval_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._every_s, self._clock, self._sleep = interval_s, clock, sleep
        self._lock = threading.Lock()
        self._next_at = 0.0

    def wait(self) -> None:
        with self._lock:
            at = max(self._clock(), self._next_at)
            self._next_at = at + self._every_s
        self._sleep(max(0.0, at - self._clock()))


_RATE_LIMITER = RateLimiter(MIN_CALL_INTERVAL_S)


@dataclass(slots=True)
class _LookupResult:
    """What one asking has found: changes, what is wrong, and from when on every operation was read."""

    since: int
    changes: list[WeightChange] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    skew: Problem | None = None


class CloudTrail:
    """A sources.HistorySource. One may serve many threads.

    `client` is a boto3 client; left out, one is made when first needed. Raises ValueError where the migration has no [aws].
    """

    name = SOURCE
    retention_s = 90 * 86_400  # so far back LookupEvents looks
    delivery_delay_s = 3600  # CloudTrail delivers within 15 minutes as a rule
    poll_interval_s = 120

    def __init__(
        self,
        migration: Migration,
        *,
        clock: Clock = utc_now,
        client: Any = None,
        rate_limiter: RateLimiter = _RATE_LIMITER,
    ) -> None:
        if migration.aws is None:
            raise ValueError("CloudTrail needs the [aws] table.")
        self._aws = migration.aws
        self._load_balancer = migration.aws.load_balancer_arn.dimension
        self._fleet_of: dict[str, FleetName] = {
            arn.text: fleet for fleet in FLEETS for arn in migration.fleets[fleet].arns
        }
        self._clock, self._client, self._rate_limiter = clock, client, rate_limiter
        self._given = client is not None
        self._lock = threading.Lock()

    def events(self, window: Window) -> Events:
        """The changes of rules in `window`; where there are too many for one asking, in its newest part, which is then the answer's window."""
        began, now = time.monotonic(), int(self._clock().timestamp())
        found = _LookupResult(window.start)
        try:
            for operation in OPERATIONS:
                self._look_up(operation, window, found)
        except aws.AWS_ERRORS as error:
            found.problems.append(
                aws.problem_from_error(error, source=self.name, operation=PERMISSION, about=self._aws.region)
            )
            if not self._given and found.problems[-1].kind in _SIGN_AGAIN:
                with self._lock:
                    self._client = None
        complete = not found.problems
        if found.since >= window.end:
            found.problems.append(Problem("incomplete", self.name, PERMISSION, f"{MAX_PAGES} pages"))
            complete = False
        return Events(
            window=Window(found.since, window.end) if complete else window,
            asked_at=now,
            problems=(*found.problems, *([found.skew] if found.skew else [])),
            complete=complete,
            took_s=time.monotonic() - began,
            weight_changes=tuple(sorted(found.changes, key=lambda change: (change.ts, change.key))),
        )

    def check(self) -> tuple[Health, ...]:
        """Is looking up allowed?"""
        began, problem = time.monotonic(), None
        try:
            self._call(EventName="ModifyRule", MaxResults=1)
        except aws.AWS_ERRORS as error:
            problem = aws.problem_from_error(error, source=self.name, operation=PERMISSION, about=self._aws.region)
        took_s = time.monotonic() - began
        state = health_state([problem] if problem else [], took_s, answered=problem is None)
        return (Health(self.name, PERMISSION, state, took_s, problem),)

    def _look_up(self, operation: str, window: Window, found: _LookupResult) -> None:
        """All records of one operation, newest first, page by page."""
        more: dict[str, Any] = {
            "StartTime": datetime.fromtimestamp(window.start, UTC),
            "EndTime": datetime.fromtimestamp(window.end, UTC),
            "MaxResults": PAGE_SIZE,
        }
        for _ in range(MAX_PAGES):
            reply = self._call(EventName=operation, **more)
            found.skew = found.skew or aws.clock_skew_problem(reply, source=self.name, operation=PERMISSION)
            if "Events" not in reply:
                raise ResponseParserError("no Events")
            for event in reply["Events"]:
                with suppress(ValueError):  # no record at all: nothing can be learnt from it
                    found.changes += parse_weight_changes(
                        event.get("CloudTrailEvent", ""), load_balancer=self._load_balancer, fleet_of=self._fleet_of
                    )
            if not reply.get("NextToken"):
                return
            more["NextToken"] = reply["NextToken"]
        oldest = min((event["EventTime"].timestamp() for event in reply["Events"]), default=window.end)
        found.since = max(found.since, -(-int(oldest) // MINUTE_S) * MINUTE_S)

    def _call(self, *, EventName: str, **parameters: Any) -> dict[str, Any]:
        with self._lock:
            if self._client is None:
                self._client = aws.create_client("cloudtrail", self._aws)
            client = self._client
        self._rate_limiter.wait()
        attribute = {"AttributeKey": "EventName", "AttributeValue": EventName}
        return aws.call_api(client.lookup_events, LookupAttributes=[attribute], **parameters)


# What a fresh look at the credentials may cure.
_SIGN_AGAIN = frozenset({"no_credentials", "expired_token", "wrong_key"})
