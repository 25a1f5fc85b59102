"""Answers everything below /api/ before it reaches Streamlit, which has its page for any unknown path, with 200: a misspelt gate would always pass."""

import json
from http import HTTPStatus

from messages import gate as text
from ui.server.asgi import ASGIApp, Receive, Scope, Send
from ui.server.gate import DECISION_PATH, OPENAPI_PATH, ROLLBACK_PATH, Gate, GateAnswer, refuse
from ui.server.openapi import OPENAPI

API_PREFIX = "/api/"
_OPENAPI = GateAnswer(HTTPStatus.OK, json.dumps(OPENAPI).encode(), (("cache-control", "no-cache"),))


class Api:
    """The middleware. Its answers are not compressed: they are small, and asked for a thousand times a second."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API_PREFIX):
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        body = b"" if scope["method"] == "HEAD" else answer.body
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        if answer.status != HTTPStatus.NOT_MODIFIED:
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> GateAnswer:
        path, method = scope["path"], scope["method"]
        for prefix in (DECISION_PATH, ROLLBACK_PATH):
            if path == prefix or path.startswith(f"{prefix}/"):
                return await self._gate.respond(
                    scope, receive, path[len(prefix) + 1 :], is_rollback=prefix == ROLLBACK_PATH
                )
        if path == OPENAPI_PATH and method in ("GET", "HEAD"):
            return _OPENAPI
        return refuse(HTTPStatus.NOT_FOUND, str(text.NO_SUCH_PATH))
