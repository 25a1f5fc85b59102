"""Mackerel's API v0 as pure functions: builds requests and parses responses. Does no I/O. Headers are case-insensitive mappings."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from sources.base import Problem, ProblemKind
from sources.transport import http_date_s

MAX_DETAIL_CHARS = 300  # of an error text
# After one of these errors every further request would most likely fail the same way.
FATAL_KINDS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "wrong_key", "denied", "throttled", "timeout", "unreachable", "server_error"}
)

ModelT = TypeVar("ModelT", bound=BaseModel)


class MackerelError(Exception):
    """A request failed. Sources return it as a `Problem`."""

    def __init__(self, kind: ProblemKind, operation: str, about: str = "", detail: str = "") -> None:
        super().__init__(f"{operation} {about}: {kind} {detail}")
        self.kind, self.operation, self.about, self.detail = kind, operation, about, detail

    def to_problem(self, source: str) -> Problem:
        return Problem(self.kind, source, self.operation, self.about, self.detail)


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request. `operation`: its name in the API's documentation ("GET /api/v0/hosts/<hostId>/metrics"). `about`: the requested object."""

    operation: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    about: str = ""


def build_request(
    template: str, *, query: Iterable[tuple[str, object]] = (), about: str = "", **path_params: str
) -> Request:
    """A request whose path is `template` with its <parameters> filled in and escaped. Query names may repeat; values of None or "" are omitted."""
    path = template
    for name, value in path_params.items():
        path = path.replace(f"<{name}>", quote(value, safe=""))
    pairs = tuple((name, str(value)) for name, value in query if value is not None and value != "")
    return Request(f"GET {template}", path, pairs, about or next(iter(path_params.values()), ""))


def _error_message(data: Any, body: bytes) -> str:
    error = data.get("error") if isinstance(data, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    if not isinstance(text, str):
        text = body.decode("utf-8", "replace")
    return text.strip()[:MAX_DETAIL_CHARS]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, None if it is absent or invalid. A date is compared with the server's own clock (Date)."""
    header = headers.get("Retry-After", "").strip()
    if header.isdecimal():
        return float(header)
    until_s, server_time_s = http_date_s(header), http_date_s(headers.get("Date", ""))
    return max(0.0, until_s - server_time_s) if until_s is not None and server_time_s is not None else None


def problem_kind(status: int) -> ProblemKind | None:
    """The problem that an HTTP status stands for, None for 2xx. Redirects are not followed: the API has none, a proxy's sign-in page has."""
    if 200 <= status < 300:
        return None
    kinds: Mapping[int, ProblemKind] = {401: "wrong_key", 403: "denied", 404: "not_found", 429: "throttled"}
    if status in kinds:
        return kinds[status]
    if status >= 500:
        return "server_error"
    return "bad_request" if status >= 400 else "bad_reply"


def parse_response(request: Request, status: int, body: bytes, model: type[ModelT]) -> ModelT:
    """The response to `request` as `model`. Raises MackerelError if the status is not 2xx or the body does not fit.

    Errors are {"error": {"message": "…"}} or {"error": "…"}; from a gateway they are plain text, HTML or empty.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if kind := problem_kind(status):
        detail = f"{status} {_error_message(data, body)}".strip()
        raise MackerelError(kind, request.operation, request.about, detail)
    if data is None:
        raise MackerelError("bad_reply", request.operation, request.about, _error_message(data, body) or "(empty)")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise MackerelError("bad_reply", request.operation, request.about, f"{path}: {first['msg']}") from error
