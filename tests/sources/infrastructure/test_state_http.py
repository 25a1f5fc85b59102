"""States by HTTP on loopback: Terraform Cloud's API, plain URLs, redirects, and to which server credentials go."""

import gzip
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest

from messages.errors.infrastructure import format_infrastructure_issue
from messages.errors.sources import format_problem
from sources.aws.client import AwsAccess
from sources.infrastructure import state_http
from sources.infrastructure.base import HintsResult
from sources.infrastructure.reader import read_infrastructure
from tests.fakes.http import LoopbackServer

TOKEN = "abcdefgh1234.atlasv1.EXAMPLEtokenEXAMPLEtoken"
Reply = tuple[int, dict[str, str], bytes]


class StateServer(LoopbackServer):
    """Answers GET requests with `replies` by path; `requests` has each path with its Authorization header."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, str]] = []
        self.stopped = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests.append((self.path, self.headers.get("Authorization", "")))
                reply = owner.replies.get(self.path.partition("?")[0], (404, {}, b"{}"))
                if callable(reply):
                    reply(self)
                    return
                status, headers, body = reply
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def release(self) -> None:
        self.stopped.set()

    def add_workspace(self, download_url: str) -> None:
        """The workspace acme/photo, as HCP Terraform's API documents it."""
        workspace = {"data": {"id": "ws-8fE2", "type": "workspaces", "attributes": {"name": "photo"}}}
        version = {
            "data": {"id": "sv-1", "attributes": {"hosted-state-download-url": download_url, "status": "finalized"}}
        }
        for path, document in (
            ("/api/v2/organizations/acme/workspaces/photo", workspace),
            ("/api/v2/workspaces/ws-8fE2/current-state-version", version),
        ):
            self.replies[path] = (200, {}, json.dumps(document).encode())

    @property
    def workspace(self) -> str:
        return f"{self.url}/app/acme/workspaces/photo"


@pytest.fixture
def server() -> Iterator[StateServer]:
    with StateServer() as running:
        yield running


@pytest.fixture
def other() -> Iterator[StateServer]:
    with StateServer() as running:
        yield running


def read(location: str, **environment: str) -> HintsResult:
    return read_infrastructure(AwsAccess(), tfstate=[location], environment=environment)


def failure(result: HintsResult) -> tuple[str, str]:
    (problem,) = result.problems
    assert not result.hints.origins
    return problem.kind, problem.detail


def test_a_plain_url(server: StateServer, state: bytes) -> None:
    server.replies["/photo.tfstate"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(state))
    result = read(f"{server.url}/photo.tfstate?signature=abc")
    assert (result.hints.services, result.problems) == (("photo/web",), ())
    assert result.hints.origins == (f"{server.url}/photo.tfstate",)  # without its query
    assert server.requests == [("/photo.tfstate?signature=abc", "")]


def test_user_and_password_are_sent_to_their_server_alone(
    server: StateServer, other: StateServer, state: bytes
) -> None:
    server.replies["/a"] = (302, {"Location": "/b"}, b"")
    server.replies["/b"] = (307, {"Location": f"{other.url}/c"}, b"")
    other.replies["/c"] = (200, {}, state)
    result = read(server.url.replace("://", "://ci:" + "s3cret-of-the-backend@") + "/a")
    assert result.hints.services == ("photo/web",)
    basic = f"Basic {b64encode(b'ci:s3cret-of-the-backend').decode()}"
    assert server.requests == [("/a", basic), ("/b", basic)]
    assert other.requests == [("/c", "")]
    assert "s3cret" not in repr(result)


def test_the_current_state_of_a_workspace(server: StateServer, other: StateServer, state: bytes) -> None:
    """Its download is redirected to the storage, which is another host."""
    server.add_workspace("/api/state-versions/sv-1/hosted_state")
    server.replies["/api/state-versions/sv-1/hosted_state"] = (302, {"Location": f"{other.url}/v1/object/xyz"}, b"")
    other.replies["/v1/object/xyz"] = (200, {}, state)
    result = read(f"{server.workspace}/settings/general", TF_TOKEN_127_0_0_1=TOKEN)
    assert (result.hints.services, result.issues, result.problems) == (("photo/web",), (), ())
    assert [path for path, _ in server.requests] == [
        "/api/v2/organizations/acme/workspaces/photo",
        "/api/v2/workspaces/ws-8fE2/current-state-version",
        "/api/state-versions/sv-1/hosted_state",
    ]
    assert {authorization for _, authorization in server.requests} == {f"Bearer {TOKEN}"}
    assert other.requests == [("/v1/object/xyz", "")]


def test_an_absolute_download_url_of_another_host_gets_no_token(
    server: StateServer, other: StateServer, state: bytes
) -> None:
    server.add_workspace(f"{other.url}/state")
    other.replies["/state"] = (200, {}, state)
    assert read(server.workspace, TF_TOKEN_127_0_0_1=TOKEN).hints.services == ("photo/web",)
    assert other.requests == [("/state", "")]


@pytest.mark.parametrize(
    ("environment", "is_sent"),
    [
        ({}, False),
        ({"TFE_TOKEN": TOKEN}, False),  # for app.terraform.io
        ({"TFE_TOKEN": TOKEN, "TFE_HOSTNAME": "127.0.0.1"}, True),
        ({"TFE_TOKEN": TOKEN, "TFE_ADDRESS": "http://127.0.0.1:1"}, True),
        ({"TFE_TOKEN": TOKEN, "TFE_ADDRESS": "https://tfe.example.com"}, False),
        ({"TF_TOKEN_127_0_0_1": f" {TOKEN}\n"}, True),
        ({"TF_TOKEN_127_0_0_1": "a\nb"}, False),
        ({"TF_TOKEN_app_terraform_io": TOKEN}, False),
    ],
)
def test_a_token_is_sent_to_its_own_host(environment: dict[str, str], is_sent: bool, server: StateServer) -> None:
    server.add_workspace("/state")
    result = read(server.workspace, **environment)
    assert {authorization for _, authorization in server.requests} == ({f"Bearer {TOKEN}"} if is_sent else set())
    if not is_sent:
        (issue,) = result.issues
        assert issue.code == "no_token"
        assert format_infrastructure_issue(issue).next_step.startswith("Set TF_TOKEN_127_0_0_1, as for Terraform")


def test_netrc_is_not_used(server: StateServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="utf-8") as file:
        file.write("machine 127.0.0.1 login me password of-the-netrc-file\n")
    monkeypatch.setenv("NETRC", netrc)
    read(f"{server.url}/state")
    server.add_workspace("/state")
    read(server.workspace, TF_TOKEN_127_0_0_1=TOKEN)
    assert {authorization for _, authorization in server.requests} == {"", f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ((401, {}, b"state-secret"), ("denied", "HTTP 401")),
        ((403, {}, b"state-secret"), ("denied", "HTTP 403")),
        ((404, {}, b""), ("not_found", "HTTP 404")),
        ((429, {}, b""), ("throttled", "HTTP 429")),
        ((500, {}, b"state-secret"), ("server_error", "HTTP 500")),
        ((204, {}, b""), ("bad_request", "HTTP 204")),
        ((302, {}, b""), ("bad_request", "HTTP 302")),
        ((302, {"Location": "/state"}, b""), ("bad_reply", "more than 5 redirects")),
        ((302, {"Location": "ftp://example.com/"}, b""), ("bad_reply", "an invalid redirect")),
        ((302, {"Location": "http://[::1"}, b""), ("bad_reply", "an invalid redirect")),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), ("bad_reply", "")),
        ((200, {"Content-Length": "100"}, b"{"), ("bad_reply", "")),
    ],
)
def test_replies_that_are_no_state(reply: Reply, expected: tuple[str, str], server: StateServer) -> None:
    server.replies["/state"] = reply
    result = read(f"{server.url}/state")
    assert failure(result) == expected
    assert result.problems[0].about == f"{server.url}/state"
    assert "state-secret" not in repr(result)
    assert format_problem(result.problems[0], is_retried=False).next_step


def test_no_redirect_from_tls_to_plain_http() -> None:
    assert state_http.redirect_target("https://a.example/x", "http://a.example/y") is None
    assert state_http.redirect_target("https://a.example/x", "//b.example/y") == "https://b.example/y"
    assert state_http.redirect_target("http://127.0.0.1/x", "/y") == "http://127.0.0.1/y"


@pytest.mark.parametrize(
    "document",
    [b"<html>Sign in</html>", b"[]", b'{"data": []}', b'{"data": {"id": 7}}', b"[" * 100_000, b" " * (5 << 20)],
)
def test_documents_that_the_api_does_not_have(document: bytes, server: StateServer) -> None:
    server.replies["/api/v2/organizations/acme/workspaces/photo"] = (200, {}, document)
    kind, _ = failure(read(server.workspace, TF_TOKEN_127_0_0_1=TOKEN))
    assert kind == "bad_reply"


def test_a_state_without_end(server: StateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.infrastructure.state_readers.MAX_STATE_MIB", 1)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b'{"version": 4, "resources": [')
        try:
            while not server.stopped.is_set():
                handler.wfile.write(b'{"type": "aws_db_instance"},' * 2000)
        except OSError:
            pass

    server.replies["/state"] = endless
    (issue,) = read(f"{server.url}/state").issues
    assert (issue.code, issue.params) == ("file_too_large", {"limit": "1 MiB"})


def test_a_server_that_is_not_there() -> None:
    with StateServer() as stopped:
        url = stopped.url
    assert failure(read(f"{url}/state"))[0] == "unreachable"
