"""One conversation with one AWS service: calls read to their last page, what went wrong as problems, and when to stop asking."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from domain import Aws
from sources.aws import client as aws
from sources.base import Health, Problem, ProblemKind, health_state

MAX_PAGES = 100  # of one question

# After one of these every other call would end, or wait, the same way; after two of the others it probably would.
_FATAL: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "expired_token", "wrong_key", "wrong_region", "clock_skew", "timeout", "unreachable"}
)
_TRANSIENT: frozenset[ProblemKind] = frozenset({"throttled", "server_error"})
_FAILURE_LIMIT = 2
# What a fresh look at the credentials may cure: a person has signed in again, a role was assumed.
_AUTH_ERRORS: frozenset[ProblemKind] = frozenset({"no_credentials", "expired_token", "wrong_key"})


@dataclass(frozen=True, slots=True)
class Operation:
    """How an action is asked: the client's method, what its reply holds the answer under, and the names of the page token there and back.

    A refusal with one of the codes in `nothing` only means that there is nothing yet.
    """

    method: str
    result_key: str
    response_token: str = ""
    request_token: str = ""
    empty_result_codes: frozenset[str] = frozenset()


class ClientProvider:
    """A boto3 client, made when first needed by the credentials found then, and made anew after those were refused. Serves many threads."""

    def __init__(self, service: str, place: Aws, given: Any = None) -> None:
        self._service, self._aws = service, place
        self._given, self._client = given is not None, given
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = aws.create_client(self._service, self._aws)
            return self._client

    def reset_on_auth_error(self, problems: Iterable[Problem]) -> None:
        """Leaves the client where its credentials were refused; one that was given stays."""
        if not self._given and any(problem.kind in _AUTH_ERRORS for problem in problems):
            with self._lock:
                self._client = None


class ApiSession:
    """What went wrong in one conversation, how long each action took, and when to stop asking.

    `prefix` makes an action's permission: "elasticloadbalancing" and "DescribeRules" are `elasticloadbalancing:DescribeRules`.
    """

    def __init__(self, source: str, prefix: str, calls: Mapping[str, Operation], client: Callable[[], Any]) -> None:
        self._source, self._prefix, self._operations, self._client = source, prefix, calls, client
        self._problems: list[Problem] = []
        self._failed_operations: dict[str, Problem] = {}  # the first refusal of each
        self._took_s: dict[str, float] = {}
        self._stopped_by: Problem | None = None  # every further question would end like this
        self._transient_failures = 0
        self._skew: Problem | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Each once; the clocks' difference last."""
        return tuple(dict.fromkeys([*self._problems, *([self._skew] if self._skew else [])]))

    def was_called(self, action: str) -> bool:
        return action in self._took_s

    def has_failed(self, action: str) -> bool:
        return action in self._failed_operations

    def add_problem(self, kind: ProblemKind, action: str, about: str, detail: str = "") -> None:
        self._problems.append(Problem(kind, self._source, self._permission(action), about, detail))

    def fetch_all(self, action: str, *, about: str, **parameters: Any) -> list[Any] | Problem:
        """The list that an action answers with, from all its pages (a single object as a list of one), or why there is none.

        Not asked where it would end as before.
        """
        before = self._failed_operations.get(action)
        if self._stopped_by or (before and before.kind == "denied"):
            return self._stopped_by or self._failed_operations[action]
        began = time.monotonic()
        try:
            return self._fetch_pages(action, parameters)
        except aws.AWS_ERRORS as error:
            if (
                isinstance(error, ClientError)
                and error.response["Error"].get("Code") in self._operations[action].empty_result_codes
            ):
                return []
            problem = aws.problem_from_error(
                error, source=self._source, operation=self._permission(action), about=about
            )
        finally:
            self._took_s[action] = self._took_s.get(action, 0.0) + time.monotonic() - began
        self._problems.append(problem)
        self._failed_operations.setdefault(action, problem)
        self._transient_failures += problem.kind in _TRANSIENT
        if problem.kind in _FATAL or self._transient_failures >= _FAILURE_LIMIT:
            self._stopped_by = problem
        return problem

    def _fetch_pages(self, action: str, parameters: Mapping[str, Any]) -> list[Any]:
        call = self._operations[action]
        found: list[Any] = []
        token: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            reply = aws.call_api(getattr(self._client(), call.method), **parameters, **token)
            self._skew = self._skew or aws.clock_skew_problem(
                reply, source=self._source, operation=self._permission(action)
            )
            if call.result_key not in reply:
                raise ResponseParserError(f"no {call.result_key}")
            told = reply[call.result_key]
            found += told if isinstance(told, list) else [told]
            if not reply.get(call.response_token):
                return found
            token = {call.request_token: reply[call.response_token]}
        raise ResponseParserError(f"more than {MAX_PAGES} pages")

    def health(self, action: str) -> Health:
        """How an action fared: its own worst problem; where it was never asked, what kept it from being asked."""
        permission = self._permission(action)
        problems = [problem for problem in self.problems if problem.operation == permission]
        took_s = self._took_s.get(action, 0.0)
        if action not in self._took_s:
            problems = [self._stopped_by] if self._stopped_by else list(self._failed_operations.values())[:1]
        state = health_state(problems, took_s)
        told = next((problem for problem in problems if health_state((problem,), took_s) == state), None)
        refused = self._stopped_by or action in self._failed_operations
        if refused and told and told.kind == "clock_skew" and state in ("up", "slow"):  # elsewhere it is only a remark
            state = "down"
        return Health(self._source, permission, state, took_s, told)

    def _permission(self, action: str) -> str:
        return f"{self._prefix}:{action}"
