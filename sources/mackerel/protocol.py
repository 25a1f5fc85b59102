"""Mackerel's API v0 without the network: a request as a value, a reply as a value, and what it means. All pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from sources.base import Problem, ProblemKind

MAX_DETAIL_CHARS = 300  # so many characters of what the other side said are kept
# After one of these, whatever is asked next would most likely end the same way.
FATAL_KINDS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "wrong_key", "denied", "throttled", "timeout", "unreachable", "server_error"}
)

ModelT = TypeVar("ModelT", bound=BaseModel)


class MackerelError(Exception):
    """Why Mackerel did not answer; a source turns it into a `Problem` where it leaves."""

    def __init__(self, kind: ProblemKind, operation: str, about: str = "", detail: str = "") -> None:
        super().__init__(f"{operation} {about}: {kind} {detail}")
        self.kind, self.operation, self.about, self.detail = kind, operation, about, detail

    def to_problem(self, source: str) -> Problem:
        return Problem(self.kind, source, self.operation, self.about, self.detail)


@dataclass(frozen=True, slots=True)
class Request:
    """One GET. `operation` names it as the documentation does ("GET /api/v0/hosts/<hostId>/metrics"); `about` is what it asks for."""

    operation: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    about: str = ""


def build_request(
    template: str, *, query: Iterable[tuple[str, object]] = (), about: str = "", **path_params: str
) -> Request:
    """A request for `template`, whose <parts> are filled in and escaped. Query pairs may repeat a name; those with None or "" are left out."""
    path = template
    for name, value in path_params.items():
        path = path.replace(f"<{name}>", quote(value, safe=""))
    said = tuple((name, str(value)) for name, value in query if value is not None and value != "")
    return Request(f"GET {template}", path, said, about or next(iter(path_params.values()), ""))


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: `data` is the JSON document, None where there is none; `message` is the error's text in Mackerel's words."""

    status: int
    data: Any
    message: str
    retry_after_s: float | None
    server_time_s: float | None  # their clock, epoch seconds

    @property
    def temporary(self) -> bool:
        return self.status == 429 or self.status >= 500


def read_response(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """A reply from its status, headers (names in any case) and body, whatever they hold.

    Errors come as {"error": {"message": "…"}}, as {"error": "…"}, and from a gateway as plain text, HTML or nothing.
    """
    said = {name.lower(): value for name, value in headers.items()}
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    date_s = _http_date_s(said.get("date", ""))
    return Response(
        status, data, _error_message(data, body), _retry_after_s(said.get("retry-after", ""), date_s), date_s
    )


def _error_message(data: Any, body: bytes) -> str:
    error = data.get("error") if isinstance(data, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    if not isinstance(text, str):
        text = body.decode("utf-8", "replace")
    return text.strip()[:MAX_DETAIL_CHARS]


def _http_date_s(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _retry_after_s(header: str, server_time_s: float | None) -> float | None:
    """Retry-After in seconds; it may also be a date, which is compared with their own clock."""
    if header.strip().isdecimal():
        return float(header)
    until_s = _http_date_s(header)
    return max(0.0, until_s - server_time_s) if until_s is not None and server_time_s is not None else None


def pause_s(attempt: int, retry_after_s: float | None, chance: float) -> float:
    """How long to wait after the attempt number `attempt` (from 0): what was asked for, and at least half a second, doubled each time.

    `chance` (0 to 1) spreads several clients that were refused at once.
    """
    own_s: float = 0.5 * 2**attempt
    return max(retry_after_s or 0.0, own_s) + own_s * chance


def problem_kind(status: int) -> ProblemKind | None:
    """What a status means, None for a good one. Redirects are not followed: the API has none, a sign-in page of a proxy does."""
    if 200 <= status < 300:
        return None
    known: Mapping[int, ProblemKind] = {401: "wrong_key", 403: "denied", 404: "not_found", 429: "throttled"}
    if status in known:
        return known[status]
    if status >= 500:
        return "server_error"
    return "bad_request" if status >= 400 else "bad_reply"


def parse_response(request: Request, response: Response, model: type[ModelT]) -> ModelT:
    """What the reply to `request` says, as `shape`. Raises MackerelFault for every other outcome."""
    if kind := problem_kind(response.status):
        detail = f"{response.status} {response.message}".strip()
        raise MackerelError(kind, request.operation, request.about, detail)
    if response.data is None:
        raise MackerelError("bad_reply", request.operation, request.about, response.message or "(empty)")
    try:
        return model.model_validate(response.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise MackerelError("bad_reply", request.operation, request.about, f"{where}: {first['msg']}") from error
