"""Log lines of batch runs: the JSON in a line, and the values at the configured paths. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from domain.config.batches import RunLog, SchedulerKind
from domain.run_steps import MAX_SQL_CHARS, RunStep

MAX_LINE_CHARS = 262_144  # longer lines are not parsed
MAX_ID_CHARS = 200
MAX_NUMBER = 1e12
_REQUEST_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
_PART = re.compile(r"\.?([A-Za-z_@][\w@-]*)|\[(\d+|\*)\]")
_TRUE, _FALSE = ("true", "ok", "success", "succeeded", "1"), ("false", "error", "failed", "failure", "0")


def parse_line(
    message: str, paths: RunLog, *, key: str, ts: int, job: str, scheduler: SchedulerKind
) -> tuple[RunStep, ...]:
    """The steps in one line, one for each SQL statement at the path; () without JSON or without any value but ids.

    `job`: the step's job, if `paths.job` is not configured; of a line with another job there are no steps.
    """
    text, payload = _json_of(message)
    if payload is None:
        return ()
    if paths.job and (found := _first(payload, paths.job)) is not None and str(found) != job:
        return ()
    columns = {name: list(_values(payload, getattr(paths, name))) for name in ("sql", "rows", "seconds", "success")}
    n_steps = max(map(len, columns.values()))
    request_id = _request_id(payload, text)
    event_id = str(_first(payload, paths.event_id) or "")[:MAX_ID_CHARS]
    steps = (
        RunStep(
            key if not index else f"{key}:{index}",
            job,
            scheduler,
            ts,
            request_id,
            event_id,
            sql=_text(_at(columns["sql"], index)),
            rows=_number(_at(columns["rows"], index)),
            seconds=_number(_at(columns["seconds"], index)),
            success=_flag(_at(columns["success"], index, shared=True)),
        )
        for index in range(n_steps)
    )
    return tuple(step for step in steps if (step.sql, step.rows, step.seconds, step.success) != ("", None, None, None))


def _json_of(message: str) -> tuple[str, Any]:
    """The text before the JSON object, and the object: Lambda's text format has time, request id and level before it."""
    start = message.find("{")
    if start < 0 or len(message) > MAX_LINE_CHARS:
        return "", None
    try:
        payload, _ = json.JSONDecoder().raw_decode(message, start)
    except (ValueError, RecursionError):
        return "", None
    # Lambda's JSON format has the application's object, or its text, in `message`.
    inner = payload.get("message")
    if isinstance(inner, str) and inner.lstrip().startswith("{"):
        try:
            inner = json.loads(inner)
        except (ValueError, RecursionError):
            inner = None
    if isinstance(inner, dict):
        payload = {**inner, "requestId": payload.get("requestId", inner.get("requestId"))}
    return message[:start], payload


def _request_id(payload: Mapping[str, Any], prefix: str) -> str:
    found = payload.get("requestId") or payload.get("aws_request_id") or payload.get("function_request_id")
    if isinstance(found, str):
        return found[:MAX_ID_CHARS]
    match = _REQUEST_ID.search(prefix)
    return match[0] if match else ""


def _values(payload: Any, path: str) -> Iterator[Any]:
    """The values at `$.a.b[0].c`; `[*]` is every item of a list."""
    values = [payload] if path else []
    for match in _PART.finditer(path.removeprefix("$")):
        name, index = match.groups()
        values = [item for value in values for item in _children(value, name, index)]
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _children(value: Any, name: str | None, index: str | None) -> list[Any]:
    if name is not None:
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return []
    return value if index == "*" else value[int(index or 0) :][:1]


def _first(payload: Any, path: str) -> Any:
    return next(_values(payload, path), None)


def _at(values: list[Any], index: int, *, shared: bool = False) -> Any:
    """The value of a statement; a single one of `shared` belongs to all."""
    if shared and len(values) == 1:
        return values[0]
    return values[index] if index < len(values) else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return " ".join(value[: 4 * MAX_SQL_CHARS].split())[:MAX_SQL_CHARS]


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) <= MAX_NUMBER else None  # also without NaN


def _flag(value: Any) -> bool | None:
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None
