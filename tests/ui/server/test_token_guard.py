"""What is not a page is answered with the token, or to this machine; pages are none of the guard's business."""

import asyncio

import pytest

from ui.server.asgi import Event, Receive, Scope, Send
from ui.server.token_guard import TokenGuard

TOKEN = "correct-horse"


def ask(path: str, *, token: str = "", kind: str = "http", client: str = "127.0.0.1", **headers: str) -> int:
    """The status of the answer: 200 if the application behind the guard was reached."""
    sent: list[Event] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def receive() -> Event:
        raise AssertionError("the body is not read")

    async def send(event: Event) -> None:
        sent.append(event)

    values = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": kind, "path": path, "headers": values, "client": (client, 1)}
    asyncio.run(TokenGuard(app, token)(scope, receive, send))
    status = int(sent[0]["status"])
    challenges = [value for name, value in sent[0].get("headers", ()) if name == b"www-authenticate"]
    assert challenges == ([b'Bearer realm="dashboard"'] if status == 401 else [])
    return status


GUARDED = pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/_stcore/agent/interact",
        "/_stcore/agent/mcp",
        "/_stcore/agent/openapi.json",
        "/base/_stcore/agent/mcp",
    ],
)


@GUARDED
def test_with_a_token_it_must_be_sent_from_anywhere(path: str) -> None:
    assert ask(path, token=TOKEN) == ask(path, token=TOKEN, authorization="Bearer wrong") == 401
    assert ask(path, token=TOKEN, client="192.0.2.1", authorization=f"Bearer {TOKEN}", x_forwarded_for="1.2.3.4") == 200


@GUARDED
def test_without_one_this_machine_alone_is_answered(path: str) -> None:
    assert ask(path) == ask(path, client="::1") == 200
    assert (
        ask(path, client="192.0.2.1")
        == ask(path, via="1.1 proxy")
        == ask(path, authorization="Bearer x", forwarded="for=::1")
        == 403
    )


@pytest.mark.parametrize(
    "path", ["/", "/parity", "/metrics/", "/_stcore/stream", "/_stcore/health", "/api/v1/decision"]
)
def test_pages_and_the_gate_are_left_alone(path: str) -> None:
    assert ask(path, token=TOKEN, client="192.0.2.1") == 200


def test_a_websocket_is_left_alone() -> None:
    assert ask("/_stcore/stream", token=TOKEN, kind="websocket") == 200
