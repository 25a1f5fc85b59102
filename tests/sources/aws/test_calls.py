"""The call policy: what a failure stops, and when the client is recreated."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domain import Aws
from sources.aws import calls
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.base import Health, Problem
from tests.factories.config import ALB

AWS = Aws(region="ap-northeast-1", load_balancer=ALB)
OPERATIONS = {
    "ListNames": Operation("names", "next", "token"),
    "GetName": Operation("name", empty_result_codes=frozenset({"NoSuchName"})),
}


class FakeClient:
    """Returns its responses in turn, or raises them; `requests` are the calls it received."""

    def __init__(self, *responses: dict[str, Any] | str) -> None:
        self.responses, self.requests = list(responses), list[tuple[str, dict[str, Any]]]()

    def _respond(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.requests.append((method, params))
        response = self.responses.pop(0)
        if isinstance(response, str):
            raise ClientError({"Error": {"Code": response, "Message": "no"}}, method)
        return response

    def list_names(self, **params: Any) -> dict[str, Any]:
        return self._respond("list_names", params)

    def get_name(self, **params: Any) -> dict[str, Any]:
        return self._respond("get_name", params)


def session_with(client: FakeClient) -> ApiSession:
    return ApiSession("source", "service", OPERATIONS, ClientProvider("service", AWS, client))


def test_all_pages_are_fetched_and_a_single_object_is_a_list_of_one() -> None:
    client = FakeClient({"names": ["a"], "next": "2"}, {"names": ["b"]}, {"name": "c"})
    session = session_with(client)
    assert session.fetch_all("ListNames", about="x", Size=1) == ["a", "b"]
    assert session.fetch_all("GetName", about="x") == ["c"]
    assert client.requests[:2] == [("list_names", {"Size": 1}), ("list_names", {"Size": 1, "token": "2"})]
    assert session.problems == ()


def test_ids_are_fetched_in_batches() -> None:
    client = FakeClient({"names": ["a", "b"]}, {"names": ["c"]})
    assert session_with(client).fetch_batches("ListNames", about="x", size=2, ids=["1", "2", "3"]) == ["a", "b", "c"]
    assert [params["ids"] for _, params in client.requests] == [["1", "2"], ["3"]]


def test_some_error_codes_mean_an_empty_result() -> None:
    session = session_with(FakeClient("NoSuchName"))
    assert (session.fetch_all("GetName", about="x"), session.problems) == ([], ())


def test_denied_stops_its_action_alone() -> None:
    client = FakeClient("AccessDenied", {"name": "c"})
    session = session_with(client)
    denied = Problem("denied", "source", "service:ListNames", "x", "AccessDenied: no")
    assert session.fetch_all("ListNames", about="x") == session.fetch_all("ListNames", about="y") == denied
    assert session.fetch_or_empty("GetName", about="x") == ["c"]
    assert (session.has_failed("ListNames"), session.has_failed("GetName")) == (True, False)
    assert len(client.requests) == 2


def test_a_denied_action_marks_itself_alone() -> None:
    session = session_with(FakeClient("AccessDenied"))
    session.fetch_all("ListNames", about="x")
    denied = session.problems[0]
    results = [session.check("ListNames"), session.check("GetName"), session.check_resource("GetName", "x", "X")]
    assert [(result.state, result.subject, result.problem) for result in results] == [
        ("denied", "", denied),
        ("not_checked", "", denied),
        ("not_checked", "X", None),
    ]


def test_each_resource_is_asked_about_where_a_policy_may_name_resources() -> None:
    client = FakeClient("AccessDenied", {"name": "b"}, "TargetGroupNotFound", "AccessDenied")
    session = ApiSession("source", "service", OPERATIONS, ClientProvider("service", AWS, client), per_resource=True)
    for about in "abcd":
        session.fetch_all("GetName", about=about)
    denied, missing = session.problems
    results = [session.check_resource("GetName", about, about.upper()) for about in "abcd"]
    assert [(result.subject, result.state, result.problem) for result in results] == [
        ("A", "not_checked", denied),
        ("B", "up", None),
        ("C", "failed", missing),
        ("D", "not_checked", replace(denied, about="d")),
    ]
    assert session.check("GetName", resources="abcd").problem == denied


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "RequestExpired", "PermanentRedirect"])
def test_fatal_failure_stops_all_actions(code: str) -> None:
    client = FakeClient(code)
    session = session_with(client)
    session.fetch_all("ListNames", about="x")
    assert session.fetch_or_empty("GetName", about="x") == []
    assert session.has_failed("GetName") and not session.was_called("GetName")
    assert session.check("GetName") == Health("source", "service:GetName", "not_checked", 0.0, session.problems[0])
    assert len(client.requests) == 1


def test_second_transient_failure_is_fatal_and_others_are_not() -> None:
    client = FakeClient("Throttling", "ValidationError", {"names": []}, "InternalFailure")
    session = session_with(client)
    for about in "abcde":
        session.fetch_all("ListNames", about=about)
    assert [problem.kind for problem in session.problems] == ["throttled", "bad_request", "server_error"]
    assert len(client.requests) == 4


def test_a_proxy_page_in_place_of_every_response_is_requested_twice() -> None:
    client = FakeClient(*[{"other": 1}] * 9)
    session = session_with(client)
    for about in "abcde":
        session.fetch_all("ListNames", about=about)
    session.fetch_all("GetName", about="x")
    assert [problem.kind for problem in session.problems] == ["bad_reply"] * 2
    assert len(client.requests) == 2


def test_response_without_its_result_and_endless_pages_are_bad_replies() -> None:
    session = session_with(FakeClient({"other": 1}, *[{"names": ["a"], "next": "again"}] * calls.MAX_PAGES))
    session.fetch_all("GetName", about="x")
    session.fetch_all("ListNames", about="x")
    assert [(problem.kind, problem.detail) for problem in session.problems] == [
        ("bad_reply", "no name"),
        ("bad_reply", "more than 100 pages"),
    ]


def test_client_is_recreated_after_its_credentials_were_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [FakeClient("ExpiredToken"), FakeClient("AccessDenied"), FakeClient()]
    monkeypatch.setattr(calls, "create_client", lambda service, aws: clients.pop(0))
    provider = ClientProvider("service", AWS)
    first = provider()
    ApiSession("source", "service", OPERATIONS, provider).fetch_all("ListNames", about="x")
    second = provider()
    ApiSession("source", "service", OPERATIONS, provider).fetch_all("ListNames", about="x")
    assert second is not first and provider() is second, "denied is not about credentials"
