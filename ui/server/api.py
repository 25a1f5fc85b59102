"""Answers everything below /api/."""

import json
from http import HTTPStatus

from messages import gate as text
from ui.server.asgi import Receive, Scope, Send
from ui.server.gate import Gate, GateAnswer, refuse
from ui.server.openapi import OPENAPI
from ui.server.paths import DECISION_PATH, OPENAPI_PATH, ROLLBACK_PATH

_OPENAPI = GateAnswer(HTTPStatus.OK, json.dumps(OPENAPI).encode(), (("cache-control", "no-cache"),))


class Api:
    """The ASGI application of these paths."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
