"""Who passes the sign-in, on every kind of path: with the load balancer's token, which every request must have."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.config.sign_in import SignIn
from tests.fakes.alb_signer import KEY_ID, SIGNER, USER, FakeAlbSigner
from ui.assets import PLOTLY_JS
from ui.server.asgi import Event, Receive, Scope, Send, header_values
from ui.server.request_guard import Refusal
from ui.server.sign_in import IDENTITY_HEADER, AlbSignIn, Session, SignInGuard

TOKEN = "token-of-the-gate"
BROWSER = {"accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module")
def signer() -> Iterator[FakeAlbSigner]:
    with FakeAlbSigner() as signer:
        yield signer


@dataclass
class Result:
    """`reached`: the headers that the application got; None if it was not reached. The status of a refused WebSocket is 1008."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    reached: Scope | None = None

    @property
    def identity(self) -> Any:
        assert self.reached
        values = header_values(self.reached, IDENTITY_HEADER.encode())
        return json.loads(values[0]) if len(values) == 1 else values


def settings(signer: FakeAlbSigner, **changes: Any) -> SignIn:
    table = {"method": "alb", "load_balancer": SIGNER, "public_keys_url": signer.url, "viewers": ["@example.com"]}
    return SignIn.model_validate(table | changes)


def ask(
    sign_in: SignIn | None, path: str, headers: dict[str, str] | None = None, *, kind: str = "http", method: str = "GET"
) -> Result:
    result = Result()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        result.reached = scope
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Event:
        raise AssertionError("the body is not read")

    async def send(event: Event) -> None:
        if event["type"] == "http.response.start":
            result.status = event["status"]
            result.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        elif event["type"] == "websocket.close":
            result.status = event["code"]
        else:
            result.body += event["body"].decode()

    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope: Scope = {"type": kind, "path": path, "method": method, "headers": pairs, "client": ("10.0.0.9", 1)}
    guard = SignInGuard(app, lambda: sign_in, lambda *_: pytest.fail("another method"), token=TOKEN)
    asyncio.run(guard(scope, receive, send))
    return result


GUARDED = pytest.mark.parametrize(
    "path",
    [
        "/",
        "/parity",
        "/media/1234.csv",
        "/_stcore/host-config",
        "/_stcore/upload_file/1/2",
        "/_stcore/bidi-components/x",
        "/api/openapi.json",
        "/api/v1/decisionx",
        "/auth/login",
        "/staticx/y",
        "/healthz/",
        "//healthz",
    ],
)


@GUARDED
def test_without_a_token_nothing_of_the_dashboard_is_served(path: str, signer: FakeAlbSigner) -> None:
    for headers in ({}, BROWSER, {"authorization": "Bearer wrong"}, {IDENTITY_HEADER: '{"name": "me"}'}):
        result = ask(settings(signer), path, headers)
        assert (result.status, result.reached) == (401, None)
        assert "did not come through the load balancer" in result.body


@GUARDED
def test_with_a_token_of_a_viewer_it_is(path: str, signer: FakeAlbSigner) -> None:
    result = ask(settings(signer), path, {"x-amzn-oidc-data": signer.sign()})
    assert result.identity == {"name": "佐藤 あゆみ", "email": "ayumi@example.com", "role": "viewer"}


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/_stcore/health",
        "/metrics",
        "/api/v1/decision",
        "/api/v1/decision/2",
        "/api/v1/rollback",
        "/_stcore/agent/mcp",
        "/static/js/index.js",
        PLOTLY_JS.url,
    ],
)
def test_health_program_files_and_what_has_a_guard_of_its_own_pass(path: str, signer: FakeAlbSigner) -> None:
    result = ask(settings(signer), path, {IDENTITY_HEADER: '{"name": "me"}'})
    assert (result.status, result.identity) == (200, [])


@pytest.mark.parametrize("path", ["/_stcore/stream", "/_stcore/agent/mcp", "/metrics", "/static/x"])
def test_no_websocket_is_open_or_has_another_guard(path: str, signer: FakeAlbSigner) -> None:
    for headers in ({}, {"authorization": f"Bearer {TOKEN}"}, {"x-amzn-oidc-data": signer.sign(alg="none")}):
        result = ask(settings(signer), path, headers, kind="websocket")
        assert (result.status, result.reached) == (1008, None)
    result = ask(settings(signer), path, {"x-amzn-oidc-data": signer.sign()}, kind="websocket")
    assert result.identity["role"] == "viewer"


def test_what_a_client_calls_its_identity_is_replaced(signer: FakeAlbSigner) -> None:
    claimed = {IDENTITY_HEADER: '{"name": "boss", "role": "approver"}'}
    result = ask(settings(signer), "/", claimed | {"x-amzn-oidc-data": signer.sign()})
    assert result.identity["name"] == "佐藤 あゆみ"
    assert ask(None, "/", claimed).identity == []
    assert ask(settings(signer), "/parity", claimed | {"authorization": f"Bearer {TOKEN}"}).identity == []


def test_a_user_in_no_list_is_refused_with_the_way_out(signer: FakeAlbSigner) -> None:
    token = {"x-amzn-oidc-data": signer.sign(USER | {"email": "<i>@other.example", "name": "X"})}
    result = ask(settings(signer, sign_out_url="https://id.example.com/logout"), "/parity", token | BROWSER)
    assert (result.status, result.reached) == (403, None)
    assert "&lt;i&gt;@other.example is signed in, but in none of the lists" in result.body
    assert "<a href='/auth/logout'>" in result.body
    assert ask(settings(signer), "/media/1.csv", token | BROWSER).body.startswith("<i>@other.example is signed in")
    assert ask(settings(signer), "/_stcore/stream", token, kind="websocket").status == 1008


def test_the_page_is_in_the_readers_language(signer: FakeAlbSigner) -> None:
    page = ask(settings(signer), "/", BROWSER | {"accept-language": "fr-FR, ja;q=0.8, en;q=0.5"})
    assert "<html lang='ja'>" in page.body and page.headers["cache-control"] == "no-store"
    assert "リクエストがロードバランサーのサインインを通っていません。" in page.body
    assert ask(settings(signer), "/", BROWSER, method="HEAD").body == ""


def test_signing_out_ends_the_load_balancers_session(signer: FakeAlbSigner) -> None:
    result = ask(settings(signer, sign_out_url="https://id.example.com/logout"), "/auth/logout")
    assert (result.status, result.headers["location"]) == (303, "https://id.example.com/logout")
    assert result.headers["set-cookie"].startswith("AWSELBAuthSessionCookie-3=; Max-Age=0; Path=/")


def test_two_tokens_are_none(signer: FakeAlbSigner) -> None:
    """A client that sends one beside the load balancer's must not choose which of them counts."""

    class Twice(dict[str, str]):
        def items(self) -> Any:
            return [("x-amzn-oidc-data", signer.sign()), ("x-amzn-oidc-data", signer.sign())]

    assert ask(settings(signer), "/", Twice(a="b")).status == 401


def test_a_websocket_ends_with_the_session(signer: FakeAlbSigner) -> None:
    ended = list[Event]()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        ended.append(await receive())

    async def never() -> Event:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_event: Event) -> None: ...

    headers = [(b"x-amzn-oidc-data", signer.sign().encode())]
    scope: Scope = {"type": "websocket", "path": "/_stcore/stream", "headers": headers}
    # The guard's clock is that of 13 hours later: the session of 12 hours has ended.
    later = SignInGuard(app, lambda: settings(signer), lambda *_: pytest.fail(), clock=lambda: 1e12)
    asyncio.run(asyncio.wait_for(later(scope, never, send), 10))
    assert ended == [{"type": "websocket.disconnect", "code": 1008}]


def test_a_request_with_a_known_key_needs_no_thread_which_a_slow_key_server_may_hold() -> None:
    with FakeAlbSigner() as signer, ThreadPoolExecutor(1) as threads:
        method = AlbSignIn(settings(signer))

        def identify(key_id: str) -> Coroutine[Any, Any, Session | Refusal]:
            token = signer.sign(kid=key_id)
            return method.identify({"type": "http", "headers": [(b"x-amzn-oidc-data", token.encode())]})

        async def run() -> None:
            asyncio.get_running_loop().set_default_executor(threads)
            assert isinstance(await identify(KEY_ID), Session)
            signer.hanging = {"/slow"}
            slow = asyncio.create_task(identify("slow"))
            with ThreadPoolExecutor(1) as waiting:
                assert await asyncio.get_running_loop().run_in_executor(waiting, signer.arrived.wait, 10)
            assert isinstance(await identify(KEY_ID), Session)
            assert not slow.done()
            signer.release()
            assert isinstance(await slow, Refusal)

        asyncio.run(run())


def test_a_configuration_that_is_loaded_again_keeps_what_is_signing_in() -> None:
    """At its start the dashboard reads it for the guards, and again when it opens its archive."""
    made: list[SignIn] = []

    class Handler:
        async def identify(self, scope: Scope) -> Refusal:
            return Refusal(401, "not signed in")

        async def respond(self, scope: Scope, receive: Receive, send: Send) -> bool:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            return True

        async def ask(self, scope: Scope, send: Send) -> bool:
            return False

    def make(sign_in: SignIn, _app: object) -> Handler:
        made.append(sign_in)
        return Handler()

    async def unused(*_: object) -> Event:
        return {}

    table = {
        "method": "oidc",
        "dashboard_url": "https://dashboard.example.com",
        "issuer": "https://id.example.com",
        "client_id": "dashboard",
        "viewers": ["@example.com"],
    }
    guard = SignInGuard(unused, lambda: SignIn.model_validate(table), make)  # type: ignore[arg-type]
    scope: Scope = {"type": "http", "path": "/", "method": "GET", "headers": [], "client": ("10.0.0.9", 1)}
    for client in ("dashboard", "dashboard", "another"):
        table["client_id"] = client
        asyncio.run(guard(scope, unused, unused))  # type: ignore[arg-type]
    assert [sign_in.client_id for sign_in in made] == ["dashboard", "another"]
