"""Messages about one request, found by its trace id: of `cli.py trace` and the Endpoints page."""

from datetime import UTC, datetime, tzinfo

from domain import FleetName, Migration
from messages import numbers, times
from messages.command_help import command_help
from messages.i18n import _, lazy
from messages.route import code
from sources.access_logs.trace import TracedRequest, TraceResult

COMMAND = command_help(
    lazy("Find one request in the access logs by its trace id"),
    lazy(
        "ID: a trace id, or the header X-Amzn-Trace-Id. “new”: print a curl command with a new id. Reads [access_logs]: at most three log files per "
        "load balancer node."
    ),
    exit_codes={
        0: lazy("Found; or the curl command was printed."),
        1: lazy("Not found in the log files of its minutes, or there are none."),
        2: lazy("Not written yet."),
        3: lazy("Unknown: no [access_logs], unreadable logs, invalid trace id, option or configuration."),
    },
    examples="""
        cli.py trace new
        cli.py trace 1-6a13f2b0-4bf92f3577b34da6a3ce929d
        cli.py trace 1-6a13f2b0-4bf92f3577b34da6a3ce929d --at "2026-11-25 16:00"
    """,
)
ID = lazy("Trace id, or “new”.")
AT = lazy(
    "When the response was complete, if not within minutes of the id's time: a WebSocket is logged when it closes."
)
TITLE = lazy("One request")
EXPLAINED = lazy(
    "Which fleet answered a request: enter its trace id (X-Amzn-Trace-Id), for example of the curl command below. At most three log files per load balancer "
    "node are read."
)
INPUT_LABEL = lazy("Trace id")
INVALID = lazy(
    "Not a trace id. Expected: 1-, 8 hexadecimal digits, -, 24 hexadecimal digits; or the header X-Amzn-Trace-Id with it."
)
SEARCHING = lazy("Searching the log files…")
BY_SPLIT = lazy("A request with a new trace id")
EXAMPLE = lazy("Example: a request of this demo")
BACK = lazy("All routes")
LATER = lazy("A log file arrives about 5 minutes after its last line. docs/trace.md has ways to see the fleet at once.")
HEAD = (
    lazy("time"),
    lazy("fleet"),
    lazy("target"),
    lazy("request"),
    lazy("code"),
    lazy("request processing"),
    lazy("target processing"),
    lazy("response processing"),
    lazy("route"),
)
TIMES_NOTE = lazy(
    "The three times as the load balancer logs them; “–”: it did not get that far. Without query strings."
)


def by_rule(conditions: str) -> str:
    return _("By the header rule: {conditions}").format(conditions=conditions)


def headline(result: TraceResult, migration: Migration, *, now: datetime) -> str:
    """The result as one sentence."""
    span = times.span(result.window.starts_at, result.window.ends_at, migration.zone, now=now)
    match result.state:
        case "found":
            return _found(result, migration)
        case "not_written":
            retry_at = times.clock_of(result.retry_at or 0, migration.zone, now=now)
            return _("Not written yet. Try again at {time}.").format(time=retry_at)
        case "future":
            sent_at = times.clock_of(result.trace_id.ts, migration.zone, now=now)
            return _("The time in this id, {time}, is in the future: forged, or another clock is wrong.").format(
                time=sent_at
            )
        case "no_files":
            return _("There are no log files of {span}: logging may have been off, or the files were deleted.").format(
                span=span
            )
        case "unread":
            return _("Unknown: not all log files of {span} could be read.").format(span=span)
        case "not_found":
            return _("Not found in the log files of {span}.").format(span=span)


def _found(result: TraceResult, migration: Migration) -> str:
    if len(result.requests) == 1:
        request = result.requests[0]
        line = request.line
        status = _("no response") if line.elb_status is None else code(line.elb_status, line.target_status)
        if not line.target_group:
            return _("Answered by the load balancer itself: {status}.").format(status=status)
        return _("{fleet}: {status}.").format(fleet=fleet_label(request, migration), status=status)
    counts = dict[str, int]()
    for request in result.requests:
        label = fleet_label(request, migration) if request.line.target_group else _("load balancer itself")
        counts[label] = counts.get(label, 0) + 1
    parts = "  ·  ".join(f"{label}: {numbers.count(n)}" for label, n in counts.items())
    return _("{n} requests with this trace id: {parts}").format(n=numbers.count(len(result.requests)), parts=parts)


def notes(result: TraceResult, migration: Migration, *, now: datetime) -> list[str]:
    """What limits the result, and what was read."""
    sentences = []
    if result.state == "not_found":
        sentences.append(
            _(
                "That is no proof that it was not sent: access logs are best effort, not a complete record. Another load balancer or region, or a "
                "response long after the id's time, is also possible."
            )
        )
    if result.state in ("found", "not_found", "no_files") and result.retry_at is not None:
        retry_at = times.clock_of(result.retry_at, migration.zone, now=now)
        sentences.append(
            _("More log files of these minutes may still arrive; next search from {time} on.").format(time=retry_at)
        )
    if result.unnamed:
        sentences.append(
            _("{n} files were not searched: no time in their names.").format(n=numbers.count(result.unnamed))
        )
    if result.objects:
        sentences.append(
            _("{n} log files read ({size} MB).").format(
                n=numbers.count(result.objects), size=f"{result.bytes / 1e6:.1f}"
            )
        )
    return sentences


def fleet_label(request: TracedRequest, migration: Migration) -> str:
    """The fleet's label; the name of a target group of neither fleet; "–" if the request was not forwarded."""
    return migration.fleets[request.fleet].label if request.fleet else request.line.target_group or numbers.NONE


def cells(request: TracedRequest, migration: Migration, *, now: datetime) -> tuple[FleetName | None, tuple[str, ...]]:
    """The fleet, and a row under HEAD."""
    line = request.line
    statuses = numbers.NONE if line.elb_status is None else code(line.elb_status, line.target_status)
    actions = "" if line.actions in ("", "forward") else f" · {line.actions}"
    reason = f" · {line.error_reason}" if line.error_reason else ""
    return request.fleet, (
        _clock(line.ts, migration.zone, now),
        fleet_label(request, migration),
        line.target or numbers.NONE,
        f"{line.type} {line.method} {line.host}{line.path}",
        f"{statuses}{actions}{reason}",
        *(
            numbers.NONE if seconds is None else numbers.milliseconds(seconds)
            for seconds in (line.request_s, line.target_s, line.response_s)
        ),
        line.route,
    )


def _clock(ts: float, zone: tzinfo, now: datetime) -> str:
    return times.clock_s(datetime.fromtimestamp(ts, UTC), zone, now=now)
