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
from sources.base import Health, Problem, ProblemKind, state_of

MOST_PAGES = 100  # of one question

# After one of these every other call would end, or wait, the same way; after two of the others it probably would.
_HOPELESS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "expired_token", "wrong_key", "wrong_region", "clock_skew", "timeout", "unreachable"}
)
_WEARY: frozenset[ProblemKind] = frozenset({"throttled", "server_error"})
_PATIENCE = 2
# What a fresh look at the credentials may cure: a person has signed in again, a role was assumed.
_SIGN_AGAIN: frozenset[ProblemKind] = frozenset({"no_credentials", "expired_token", "wrong_key"})


@dataclass(frozen=True, slots=True)
class Call:
    """How an action is asked: the client's method, what its reply holds the answer under, and the names of the page token there and back.

    A refusal with one of the codes in `nothing` only means that there is nothing yet.
    """

    method: str
    key: str
    token_in_reply: str = ""
    token_in_request: str = ""
    nothing: frozenset[str] = frozenset()


class Client:
    """A boto3 client, made when first needed by the credentials found then, and made anew after those were refused. Serves many threads."""

    def __init__(self, service: str, place: Aws, given: Any = None) -> None:
        self._service, self._aws = service, place
        self._given, self._client = given is not None, given
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = aws.client(self._service, self._aws)
            return self._client

    def hear(self, problems: Iterable[Problem]) -> None:
        """Leaves the client where its credentials were refused; one that was given stays."""
        if not self._given and any(problem.kind in _SIGN_AGAIN for problem in problems):
            with self._lock:
                self._client = None


class Talk:
    """What went wrong in one conversation, how long each action took, and when to stop asking.

    `prefix` makes an action's permission: "elasticloadbalancing" and "DescribeRules" are `elasticloadbalancing:DescribeRules`.
    """

    def __init__(self, source: str, prefix: str, calls: Mapping[str, Call], client: Callable[[], Any]) -> None:
        self._source, self._prefix, self._calls, self._client = source, prefix, calls, client
        self._problems: list[Problem] = []
        self._refused: dict[str, Problem] = {}  # the first refusal of each
        self._took_s: dict[str, float] = {}
        self._over: Problem | None = None  # every further question would end like this
        self._weary = 0
        self._skew: Problem | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Each once; the clocks' difference last."""
        return tuple(dict.fromkeys([*self._problems, *([self._skew] if self._skew else [])]))

    def tried(self, action: str) -> bool:
        return action in self._took_s

    def failed(self, action: str) -> bool:
        return action in self._refused

    def remark(self, kind: ProblemKind, action: str, about: str, detail: str = "") -> None:
        self._problems.append(Problem(kind, self._source, self._permission(action), about, detail))

    def ask(self, action: str, *, about: str, **parameters: Any) -> list[Any] | Problem:
        """The list that an action answers with, from all its pages (a single object as a list of one), or why there is none.

        Not asked where it would end as before.
        """
        before = self._refused.get(action)
        if self._over or (before and before.kind == "denied"):
            return self._over or self._refused[action]
        began = time.monotonic()
        try:
            return self._turn_pages(action, parameters)
        except aws.FAULTS as error:
            if isinstance(error, ClientError) and error.response["Error"].get("Code") in self._calls[action].nothing:
                return []
            problem = aws.problem_of(error, source=self._source, operation=self._permission(action), about=about)
        finally:
            self._took_s[action] = self._took_s.get(action, 0.0) + time.monotonic() - began
        self._problems.append(problem)
        self._refused.setdefault(action, problem)
        self._weary += problem.kind in _WEARY
        if problem.kind in _HOPELESS or self._weary >= _PATIENCE:
            self._over = problem
        return problem

    def _turn_pages(self, action: str, parameters: Mapping[str, Any]) -> list[Any]:
        call = self._calls[action]
        found: list[Any] = []
        token: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            reply = aws.call(getattr(self._client(), call.method), **parameters, **token)
            self._skew = self._skew or aws.skew_of(reply, source=self._source, operation=self._permission(action))
            if call.key not in reply:
                raise ResponseParserError(f"no {call.key}")
            told = reply[call.key]
            found += told if isinstance(told, list) else [told]
            if not reply.get(call.token_in_reply):
                return found
            token = {call.token_in_request: reply[call.token_in_reply]}
        raise ResponseParserError(f"more than {MOST_PAGES} pages")

    def health(self, action: str) -> Health:
        """How an action fared: its own worst problem; where it was never asked, what kept it from being asked."""
        permission = self._permission(action)
        problems = [problem for problem in self.problems if problem.operation == permission]
        took_s = self._took_s.get(action, 0.0)
        if action not in self._took_s:
            problems = [self._over] if self._over else list(self._refused.values())[:1]
        state = state_of(problems, took_s)
        told = next((problem for problem in problems if state_of((problem,), took_s) == state), None)
        refused = self._over or action in self._refused
        if refused and told and told.kind == "clock_skew" and state in ("up", "slow"):  # elsewhere it is only a remark
            state = "down"
        return Health(self._source, permission, state, took_s, told)

    def _permission(self, action: str) -> str:
        return f"{self._prefix}:{action}"
