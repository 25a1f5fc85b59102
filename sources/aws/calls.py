"""The one policy for calls to AWS: every page of a list, errors as problems, when to stop calling, and when to recreate the client."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from domain import Aws
from sources.aws.client import (
    AWS_ERRORS,
    AwsAccess,
    call_api,
    clock_ahead_s,
    clock_skew_problem,
    create_client,
    problem_from_error,
    require_keys,
)
from sources.aws.shapes import INVALID_ITEMS
from sources.base import Health, Problem, ProblemKind, check_result, clock_lead_s

MAX_PAGES = 100  # of one list

# New credentials may fix these (a new sign-in, an assumed role), so the client is recreated.
_AUTH_ERRORS: frozenset[ProblemKind] = frozenset({"no_credentials", "expired_token", "wrong_key"})
# Every further call to the service would fail, too, or wait as long. ("denied" stops further calls of the same operation.)
_FATAL = _AUTH_ERRORS | {"wrong_region", "clock_skew", "timeout", "unreachable"}
# These count as fatal from the second on.
_TRANSIENT: frozenset[ProblemKind] = frozenset({"throttled", "server_error", "bad_reply"})
_FAILURE_LIMIT = 2
# Of the resource that a call is about: they do not affect other resources.
_RESOURCE_KINDS: frozenset[ProblemKind] = frozenset({"not_found", "gone", "elsewhere"})

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Operation:
    """The key of an action's result, and the names of the page token in response and request.

    `empty_result_codes`: error codes that mean an empty result. `item_key`: a key that every item of the result list must have.
    """

    result_key: str = ""
    response_token: str = ""
    request_token: str = ""
    empty_result_codes: frozenset[str] = frozenset()
    item_key: str = ""


class ClientProvider:
    """A boto3 client, created at the first call and again after its credentials were rejected. Thread-safe.

    `client`, if given, is used instead and never recreated (tests).
    """

    def __init__(self, service: str, aws: Aws | AwsAccess, client: Any = None) -> None:
        self._service, self._aws = service, aws
        self._fixed, self._client = client is not None, client
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = create_client(self._service, self._aws)
            return self._client

    def reset_on_auth_error(self, problem: Problem) -> None:
        """Discards the client if its credentials were rejected."""
        if not self._fixed and problem.kind in _AUTH_ERRORS:
            with self._lock:
                self._client = None


class ApiSession:
    """The calls of one poll to one service: their problems and durations, and whether to go on.

    `prefix` and an action make a permission: "elasticloadbalancing" and "DescribeRules" → `elasticloadbalancing:DescribeRules`.
    `per_resource`: a policy may name resources, so a denial of one does not stop calls about others; denials of an action are one problem.
    """

    def __init__(
        self,
        source: str,
        prefix: str,
        operations: Mapping[str, Operation],
        client: ClientProvider,
        *,
        per_resource: bool = False,
    ) -> None:
        self._source, self._prefix, self._operations, self._client = source, prefix, operations, client
        self._per_resource = per_resource
        self._problems: list[Problem] = []
        self._failures: dict[str, Problem] = {}  # the first of each action
        self._failures_about: dict[tuple[str, str], Problem] = {}  # the first of each action and resource
        self._durations_s: dict[tuple[str, str], float] = {}  # of each action and resource
        self._fatal: Problem | None = None
        self._transient_failures = 0
        self._skew: Problem | None = None
        self._clock_ahead_s = 0.0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Without duplicates; clock skew last."""
        return tuple(dict.fromkeys([*self._problems, *([self._skew] if self._skew else [])]))

    @property
    def clock_ahead_s(self) -> float:
        """The most by which the local clock was ahead of a response (sources.base.clock_lead_s)."""
        return clock_lead_s(self._clock_ahead_s)

    def was_called(self, action: str) -> bool:
        return any(called == action for called, _ in self._durations_s)

    def has_failed(self, action: str) -> bool:
        """Whether a call of an action failed, or was not sent because of an earlier failure."""
        return action in self._failures

    def blocked_by(self, action: str) -> Problem | None:
        """The failure that makes further calls of an action pointless."""
        failure = self._failures.get(action)
        denied = failure and failure.kind == "denied" and not self._per_resource
        return self._fatal or (failure if denied else None)

    def add_problem(self, kind: ProblemKind, action: str, about: str, detail: str = "") -> None:
        self._problems.append(Problem(kind, self._source, self._permission(action), about, detail))

    def withdraw(self, action: str, problem: Problem) -> None:
        """Forgets a problem of an action that was overcome by other calls."""
        self._problems = [other for other in self._problems if other != problem]
        self._transient_failures -= problem.kind in _TRANSIENT
        if self._failures.get(action) == problem:
            del self._failures[action]
        if self._failures_about.get((action, problem.about)) == problem:
            del self._failures_about[action, problem.about]
        if self._fatal == problem:
            self._fatal = None

    def add_failure(self, action: str, problem: Problem) -> None:
        """Records a problem as the failure of an action, as if its call had just failed."""
        first = self._failures.setdefault(action, problem)
        self._failures_about.setdefault((action, problem.about), problem)
        if first is problem or problem.kind != "denied" or first.kind != "denied":
            self._problems.append(problem)

    def call(self, action: str, *, about: str, **params: Any) -> dict[str, Any] | Problem:
        """One response, or why there is none. Not sent if an earlier failure makes it pointless."""
        return self._guard(action, about, lambda: self._send(action, about, params))

    def fetch_all(self, action: str, *, about: str, **params: Any) -> list[Any] | Problem:
        """The result list from all pages (a single object as a list of one), or why there is none."""
        return self._guard(action, about, lambda: self._fetch_pages(action, about, params))

    def fetch_or_empty(self, action: str, *, about: str, **params: Any) -> list[Any]:
        """As `fetch_all`, but without results if a call fails."""
        results = self.fetch_all(action, about=about, **params)
        return [] if isinstance(results, Problem) else results

    def fetch_batches(self, action: str, *, about: str, size: int, **ids: Sequence[str]) -> list[Any]:
        """As `fetch_or_empty`, for IDs in batches of `size`; `ids` is the one parameter that takes them."""
        ((param, values),) = ids.items()
        batches = (values[first : first + size] for first in range(0, len(values), size))
        return [result for batch in batches for result in self.fetch_or_empty(action, about=about, **{param: batch})]

    def check(self, action: str, *, resources: Collection[str] = ()) -> Health:
        """The result of an action's calls, without problems of `resources`, which are results of their own."""
        permission = self._permission(action)
        failure = self._failures.get(action) or self._fatal
        if not self.was_called(action):
            return self._not_checked(action, failure or next(iter(self._failures.values()), None))
        took_s = sum(duration_s for (called, _), duration_s in self._durations_s.items() if called == action)
        problems = [
            problem
            for problem in self.problems
            if problem.operation == permission and not (problem.kind in _RESOURCE_KINDS and problem.about in resources)
        ]
        answered = failure is None or failure.kind != "clock_skew"
        return check_result(self._source, permission, took_s, problems, answered=answered)

    def check_resource(self, action: str, about: str, subject: str) -> Health:
        """The result for one resource, which an action reads: not checked if its call failed for another reason than the resource."""
        own = [problem for problem in self.problems if problem.about == about and problem.kind in _RESOURCE_KINDS]
        failed = self._failures_about.get((action, about))
        if not own and (failed or (action, about) not in self._durations_s):
            return self._not_checked(action, failed or self._failures.get(action) or self._fatal, subject)
        took_s = self._durations_s.get((action, about), 0.0)
        return check_result(self._source, self._permission(action), took_s, own, subject=subject)

    def _not_checked(self, action: str, reason: Problem | None, subject: str = "") -> Health:
        return Health(self._source, self._permission(action), "not_checked", 0.0, reason, subject)

    def _guard(self, action: str, about: str, work: Callable[[], _Result]) -> _Result | Problem:
        """The result of `work`, or its AWS error as a problem, recorded for the policy."""
        if blocked := self.blocked_by(action):
            self._failures.setdefault(action, blocked)
            return blocked
        started = time.monotonic()
        try:
            return work()
        except AWS_ERRORS as error:
            problem = problem_from_error(error, source=self._source, operation=self._permission(action), about=about)
        finally:
            key = (action, about)
            self._durations_s[key] = self._durations_s.get(key, 0.0) + time.monotonic() - started
        self.add_failure(action, problem)
        self._transient_failures += problem.kind in _TRANSIENT
        if problem.kind in _FATAL or self._transient_failures >= _FAILURE_LIMIT:
            self._fatal = problem
        self._client.reset_on_auth_error(problem)
        return problem

    def _send(self, action: str, about: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The response without items that are not as documented: those are a failure of the action."""
        response = call_api(getattr(self._client(), xform_name(action)), **params)
        permission = self._permission(action)
        ahead_s = clock_ahead_s(response)
        self._clock_ahead_s = max(self._clock_ahead_s, ahead_s)
        self._skew = self._skew or clock_skew_problem(ahead_s, source=self._source, operation=permission)
        operation = self._operations[action]
        if key := operation.result_key:
            require_keys(response, key)
        invalid_items = list(response.get("ResponseMetadata", {}).get(INVALID_ITEMS, ()))
        if operation.item_key:
            complete = [item for item in response[key] if operation.item_key in item]
            if len(complete) < len(response[key]):
                invalid_items.append(f"{key}: no {operation.item_key}")
                response[key] = complete
        for detail in invalid_items:
            self.add_failure(action, Problem("bad_reply", self._source, permission, about, detail))
        return response

    def _fetch_pages(self, action: str, about: str, params: Mapping[str, Any]) -> list[Any]:
        operation = self._operations[action]
        results: list[Any] = []
        token: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            try:
                response = self._send(action, about, {**params, **token})
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in operation.empty_result_codes:
                    return []
                raise
            result = response[operation.result_key]
            results += result if isinstance(result, list) else [result]
            if not response.get(operation.response_token):
                return results
            token = {operation.request_token: response[operation.response_token]}
        raise ResponseParserError(f"more than {MAX_PAGES} pages")

    def _permission(self, action: str) -> str:
        return f"{self._prefix}:{action}"
