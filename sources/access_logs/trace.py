"""Searches the access logs for one request: in the files of the minutes of its trace id, and no others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain import FleetName, Window
from domain.trace_ids import TraceId
from domain.window import MINUTE_S
from sources.access_logs.base import LineFinder, LogSource
from sources.access_logs.filenames import FILE_INTERVAL_S, MAX_DELIVERY_DELAY_S, LogFile
from sources.access_logs.log_line import LogLine, find_lines
from sources.base import Problem

# "found", "not_found": all files of its minutes were read. "not_written": some are not delivered yet. "no_files": there is none of its minutes.
# "future": the id is of later. "unread": files could not be listed or read, and the others have no line of it.
TraceState = Literal["found", "not_written", "not_found", "no_files", "future", "unread"]
DELIVERY_DELAY_S = 300  # of a log file, usually
MAX_CLOCK_LEAD_S = 30  # of the client's clock before the load balancer's
RETRY_AFTER_S = 60  # a problem


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """A line, and the fleet of its target group; None for another target group, or without one."""

    line: LogLine
    fleet: FleetName | None


@dataclass(frozen=True, slots=True)
class TraceResult:
    """What the log files of `window` say. `requests`: by time; several after retries and redirects, which keep the id.

    `objects`, `bytes`: how many files were read, and their size. `unnamed`: files that were not, because their name has no time.
    `retry_at`: from when on (epoch seconds) another search may find more; None if the files are complete.
    """

    trace_id: TraceId
    state: TraceState
    window: Window
    requests: tuple[TracedRequest, ...] = ()
    objects: int = 0
    bytes: int = 0
    unnamed: int = 0
    problems: tuple[Problem, ...] = ()
    retry_at: int | None = None


def search(
    source: LogSource,
    trace_id: TraceId,
    fleets: Mapping[str, FleetName],
    route_templates: Sequence[str] = (),
    *,
    now: datetime,
    at: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TraceResult:
    """Searches the files of the five minutes from the id's time on, and if they have no line, those of the five minutes after.

    So at most three files of each load balancer node are read, if it has one for each five minutes. `fleets`: by the name of the target group.
    `at`: another time (epoch seconds) than the id's.
    `should_stop` is checked before each file.
    """
    now_s, sent_at = int(now.timestamp()), trace_id.ts if at is None else at
    start = (sent_at - MAX_CLOCK_LEAD_S) // MINUTE_S * MINUTE_S
    first = Window(start, start + FILE_INTERVAL_S).aligned(FILE_INTERVAL_S)
    if sent_at > now_s + MAX_CLOCK_LEAD_S:
        return TraceResult(trace_id, "future", first)
    found = _Search(source, trace_id, route_templates, sent_at, should_stop)
    found.read(first)
    if not found.lines:
        found.read(Window(first.end, first.end + FILE_INTERVAL_S))
    return found.result(fleets, now_s)


class _Search:
    """The search for one id, in one window after another."""

    def __init__(
        self,
        source: LogSource,
        trace_id: TraceId,
        route_templates: Sequence[str],
        sent_at: int,
        should_stop: Callable[[], bool],
    ) -> None:
        self._source, self._trace_id, self._route_templates = source, trace_id, route_templates
        self._sent_at, self._should_stop = sent_at, should_stop
        self.lines, self._problems = list[LogLine](), list[Problem]()
        self._window: Window | None = None
        self._files, self._unnamed, self._files_bytes = 0, 0, 0

    def read(self, window: Window) -> None:
        listing = self._source.files(window)
        self._window = Window(self._window.start, window.end) if self._window else window
        self._problems += listing.problems
        self._unnamed = sum(file.window is None for file in listing.files)
        for file in listing.files:
            if file.window is not None and not self._should_stop():
                self.lines += self._lines_of(file, listing.load_balancer)
                self._files += 1
                self._files_bytes += file.size

    def _lines_of(self, file: LogFile, load_balancer: str) -> Sequence[LogLine]:
        if isinstance(self._source, LineFinder):
            return self._source.find_lines(file, self._trace_id)
        try:
            path = self._source.download(file)
        except OSError as error:
            path = Problem("no_room", self._source.name, "download", file.key, error.strerror or str(error))
        if isinstance(path, Problem):
            self._problems.append(path)
            return ()
        lines, file_problem = find_lines(path, self._trace_id, self._route_templates, load_balancer=load_balancer)
        if file_problem:
            self._problems.append(Problem("incomplete", self._source.name, "read", file.key, file_problem))
        return lines

    def result(self, fleets: Mapping[str, FleetName], now_s: int) -> TraceResult:
        assert self._window
        lines = sorted(self.lines, key=lambda line: line.ts)
        state, retry_at = self._state(self._window, now_s)
        return TraceResult(
            self._trace_id,
            state,
            self._window,
            tuple(TracedRequest(line, fleets.get(line.target_group)) for line in lines),
            self._files,
            self._files_bytes,
            self._unnamed,
            tuple(dict.fromkeys(self._problems)),
            retry_at,
        )

    def _state(self, window: Window, now_s: int) -> tuple[TraceState, int | None]:
        first_end = self._sent_at // FILE_INTERVAL_S * FILE_INTERVAL_S + FILE_INTERVAL_S
        ends = range(first_end, window.end + 1, FILE_INTERVAL_S)
        next_delivery = next((end + DELIVERY_DELAY_S for end in ends if end + DELIVERY_DELAY_S > now_s), None)
        is_late_possible = now_s < window.end + MAX_DELIVERY_DELAY_S
        later = next_delivery or (now_s + FILE_INTERVAL_S if is_late_possible else None)
        if self.lines:
            return "found", later
        if self._problems:
            return "unread", now_s + RETRY_AFTER_S
        if next_delivery:
            return "not_written", next_delivery
        return "not_found" if self._files else "no_files", later
