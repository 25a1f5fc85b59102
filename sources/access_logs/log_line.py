"""Finds the lines of one request in a log file, by its trace id."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from domain.route_templates import PATH_PARAMETERS, route_template
from domain.trace_ids import TraceId, fields_of_header
from domain.user_agents import agent_family
from sources.access_logs.counter import GZIP_ERRORS, FileProblem, decompressed_chunks
from sources.access_logs.lines import LineSplitter
from sources.access_logs.repair import split_fields, valid_fields

_AGENT = 13
# Behind FIELDS of sources/access_logs/sql.py, by their names in AWS's table.
_TRACE_ID, _CREATED, _ACTIONS, _ERROR_REASON = 17, 21, 22, 24
_HEAD = re.compile(r"([^ ]*) [a-z]+://([^/ ?]*)")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A request as the load balancer logged it. Neither the query string nor the client's address is kept.

    `ts`: when the load balancer generated the response, for a WebSocket when it was closed; `created`: when it received the request, None if the
    line is of before 2018 (epoch seconds). `target_group`, `target`: "" if the request was not forwarded. The statuses are None without a response.
    `request_s`, `target_s`, `response_s`: the request_, target_ and response_processing_time, None for -1. `type`: "h2", "wss", …
    `actions`: "forward", "redirect", "waf,forward", … `error_reason`: "" without one.
    `agent`: the family of the user agent.
    """

    ts: float
    created: float | None
    type: str
    method: str
    host: str
    path: str
    route: str
    target_group: str
    target: str
    elb_status: int | None
    target_status: int | None
    request_s: float | None
    target_s: float | None
    response_s: float | None
    actions: str = ""
    error_reason: str = ""
    agent: str = ""


def find_lines(
    path: Path, trace_id: TraceId, route_templates: Sequence[str] = (), *, load_balancer: str = ""
) -> tuple[tuple[LogLine, ...], FileProblem | None]:
    """The lines whose header has the id as `Root` or `Self`, in the order of the file, and why others may be missing.

    With `load_balancer` ("app/photo/50dc6c495c0c9188"), lines of others are skipped. Only one chunk of the file is in memory.
    """
    lines = list[LogLine]()
    problem: FileProblem | None = None
    try:
        for text in lines_with(path, trace_id.text.encode()):
            if _has_trace_id(text, trace_id):
                line = parse_line(text, route_templates, load_balancer=load_balancer)
                lines += [line] if line else []
    except EOFError:
        problem = "cut_off"
    except GZIP_ERRORS:
        problem = "damaged"
    except OSError:
        problem = "unreadable"
    return tuple(lines), problem


def lines_with(path: Path, needle: bytes) -> Iterator[str]:
    """The lines of a file that contain `needle`, which is in lower case, anywhere. Raises EOFError, GZIP_ERRORS and OSError at damage."""
    splitter = LineSplitter()
    with path.open("rb") as file:
        for chunk in decompressed_chunks(file):
            for lines in splitter.feed(chunk):
                yield from _texts_in(bytes(lines), needle)
    yield from _texts_in(splitter.finish(), needle)


def _texts_in(lines: bytes, needle: bytes) -> Iterator[str]:
    if needle in lines.lower():
        for line in lines.split(b"\n"):
            if needle in line.lower():
                yield line.decode("utf-8", "replace")


def parse_line(text: str, route_templates: Sequence[str] = (), *, load_balancer: str = "") -> LogLine | None:
    """The request of a line; None for a damaged line, and for one of another load balancer, if one is given."""
    written = split_fields(text)
    fields = valid_fields(written)
    if fields is None or fields[2] not in (load_balancer or fields[2], "-"):
        return None
    ts = _epoch_s(fields[1])
    if ts is None:
        return None
    method, host, path = _split_request(fields[12])
    later = [*written[: _ERROR_REASON + 1], *["-"] * (_ERROR_REASON + 1)]
    return LogLine(
        ts=ts,
        created=_epoch_s(later[_CREATED]),
        type=fields[0],
        method=method,
        host=host,
        path=path,
        route=route_template(path, route_templates),
        target_group="" if fields[16] == "-" else fields[16].split("/")[1],
        target="" if fields[4] == "-" else fields[4],
        elb_status=_status(fields[8]),
        target_status=_status(fields[9]),
        request_s=_seconds(fields[5]),
        target_s=_seconds(fields[6]),
        response_s=_seconds(fields[7]),
        actions="" if later[_ACTIONS] == "-" else later[_ACTIONS],
        error_reason="" if later[_ERROR_REASON] == "-" else later[_ERROR_REASON],
        agent=agent_family(fields[_AGENT]),
    )


def _has_trace_id(text: str, trace_id: TraceId) -> bool:
    """Whether the trace id of a line is this one: what a client writes into its URL or user agent is not it."""
    header = fields_of_header("".join(split_fields(text)[_TRACE_ID : _TRACE_ID + 1]))
    return trace_id.text in (header.get("root"), header.get("self"))


def _split_request(request: str) -> tuple[str, str, str]:
    """Method, host and path of a request's line, as the counts have them: without port, query string and parameters of path segments."""
    head = _HEAD.match(request)
    if head is None:
        return request.partition(" ")[0], "", ""
    written_path = request[head.end() :].split("?", 1)[0].split(" ", 1)[0]
    authority = head[2].rpartition("@")[2]
    host = authority if authority.startswith("[") else authority.partition(":")[0]
    return head[1], host, re.sub(PATH_PARAMETERS, "", written_path)


def _epoch_s(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _status(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _seconds(text: str) -> float | None:
    """None for "-", and for -1: the load balancer did not get that far."""
    return float(text) if not text.startswith("-") else None
