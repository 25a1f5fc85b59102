"""Finds one request in the access logs by its trace id, for pages and commands, and makes such requests to copy."""

import logging
import shlex
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain import Migration, Rule, Traffic, Window
from domain.trace import start_reference
from domain.trace_ids import TraceId
from services.endpoints import fleet_by_target_group
from sources.access_logs.base import LogSource
from sources.access_logs.filenames import FILE_INTERVAL_S
from sources.access_logs.trace import RETRY_AFTER_S, TraceResult, search
from sources.base import Problem

MAX_RESULTS = 32
MAX_WAITING = 8
PLACEHOLDER_HOST = "HOST"

logger = logging.getLogger(__name__)


def find_request(
    source: LogSource,
    migration: Migration,
    trace_id: TraceId,
    *,
    now: datetime,
    at: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TraceResult:
    """`search` with the fleets and the route patterns of the migration."""
    templates = migration.access_logs.routes if migration.access_logs else ()
    fleets = fleet_by_target_group(migration)
    return search(source, trace_id, fleets, templates, now=now, at=at, should_stop=should_stop)


class TraceLookups:
    """Searches for pages, which do not wait, in a thread of its own: one id at a time. Safe to share between threads."""

    def __init__(self, source: LogSource, migration: Migration) -> None:
        self._source, self._migration = source, migration
        self._lock, self._results = threading.Lock(), OrderedDict[TraceId, TraceResult]()
        self._waiting = OrderedDict[TraceId, datetime]()  # the one that is under way is the first
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def result(self, trace_id: TraceId, *, now: datetime) -> TraceResult | None:
        """What was found last, None if nothing was searched yet. Searches if more may be found since. Returns at once."""
        with self._lock:
            result = self._results.get(trace_id)
            is_current = result and (result.retry_at is None or now.timestamp() < result.retry_at)
            if not is_current and trace_id not in self._waiting and not self._is_stopped:
                self._waiting[trace_id] = now
                while len(self._waiting) > MAX_WAITING:
                    del self._waiting[list(self._waiting)[1]]
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
                    self._thread.start()
            return result

    def wait(self) -> None:
        """Until nothing is under way."""
        if thread := self._thread:
            thread.join()

    def stop(self) -> None:
        """Gives up what is under way, before its next file."""
        self._is_stopped = True
        self.wait()

    def _run(self) -> None:
        start_reference()
        while next_one := self._first_waiting():
            trace_id, now = next_one
            try:
                result = find_request(
                    self._source, self._migration, trace_id, now=now, should_stop=lambda: self._is_stopped
                )
            except Exception:
                logger.exception("request not searched")
                result = _unread(self._source, trace_id, now)
            with self._lock:
                self._results[trace_id] = result
                self._results.move_to_end(trace_id)
                while len(self._results) > MAX_RESULTS:
                    self._results.popitem(last=False)
                self._waiting.pop(trace_id, None)

    def _first_waiting(self) -> tuple[TraceId, datetime] | None:
        """None: the thread ends."""
        with self._lock:
            next_one = None if self._is_stopped else next(iter(self._waiting.items()), None)
            if next_one is None:
                self._thread = None
            return next_one


def _unread(source: LogSource, trace_id: TraceId, now: datetime) -> TraceResult:
    start = trace_id.ts // FILE_INTERVAL_S * FILE_INTERVAL_S
    retry_at = int(now.timestamp()) + RETRY_AFTER_S
    problem = Problem("internal_error", source.name, "read")
    window = Window(start, start + FILE_INTERVAL_S)
    return TraceResult(trace_id, "unread", window, problems=(problem,), retry_at=retry_at)


@dataclass(frozen=True, slots=True)
class CurlCommand:
    """A request to copy. `rule`: the header rule that it matches; None for the split."""

    command: str
    rule: Rule | None = None


def curl_commands(trace_id: TraceId, traffic: Traffic | None) -> tuple[CurlCommand, ...]:
    """A request with the id by the split, and one by each header rule whose condition is a fixed text. Nothing is sent.

    The host is that of the rule's condition, PLACEHOLDER_HOST without one.
    """
    rules = traffic.header_rules if traffic else ()
    by_rule = (CurlCommand(command, rule) for rule in rules if (command := _curl(trace_id, rule)))
    return (CurlCommand(_curl(trace_id, traffic.split if traffic else None) or _command(trace_id)), *by_rule)


def _curl(trace_id: TraceId, rule: Rule | None) -> str | None:
    """None if another condition than on host, path and headers must be met, or a header's text is not fixed."""
    host, path, headers = PLACEHOLDER_HOST, "/", list[str]()
    for condition in rule.conditions if rule else ():
        fixed = next((pattern for pattern in condition.patterns if _is_fixed(pattern)), None)
        match condition.field:
            case "host-header":
                host = fixed or host
            case "path-pattern":
                path = fixed or path
            case "http-header" if fixed:
                headers.append(f"{condition.name}: {fixed}")
            case _:
                return None
    return _command(trace_id, f"https://{host}{path}", headers)


def _is_fixed(pattern: str) -> bool:
    return not pattern.startswith("~") and not set(pattern) & {"*", "?", "\\"} and pattern.isprintable()


def _command(trace_id: TraceId, url: str = f"https://{PLACEHOLDER_HOST}/", headers: Sequence[str] = ()) -> str:
    options = "".join(f" -H {shlex.quote(header)}" for header in (trace_id.header, *headers))
    return f"curl -sS -o /dev/null -w '%{{http_code}}\\n'{options} {shlex.quote(url)}"
