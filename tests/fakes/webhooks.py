"""Loopback servers of what notices are sent to: Slack, a webhook, SNS and Mackerel's write half, with replies by script."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.http import LoopbackServer

_SNS_OK = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId>'
    b"</PublishResult></PublishResponse>"
)


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply. `hang`: none, until the server is released."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] | None = None
    hang: bool = False


class FakeReceiver(LoopbackServer):
    """Answers `answers` one after the other, the last one for ever. `received`: all requests; `on_request` is called for each, before the reply."""

    def __init__(self, *answers: Answer, on_request: Callable[[Received], None] = lambda _request: None) -> None:
        self.received: list[Received] = []
        self._answers, self._on_request = list(answers) or [Answer()], on_request
        self._released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver._reply(self, Received(self.command, self.path, dict(self.headers), body))

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    def answer(self, request: Received) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _reply(self, handler: BaseHTTPRequestHandler, request: Received) -> None:
        self.received.append(request)
        self._on_request(request)
        answer = self.answer(request)
        if answer.hang:
            self._released.wait()
            return
        with suppress(ConnectionError):  # the sender was killed
            self._send(handler, answer)

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        for name, value in (answer.headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)

    def release(self) -> None:
        self._released.set()

    def __enter__(self) -> Self:
        super().__enter__()
        return self


class FakeSns(FakeReceiver):
    """Accepts what boto3 publishes. `messages`: parsed."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*(answers or (Answer(body=_SNS_OK, headers={"Content-Type": "text/xml"}),)))

    @property
    def messages(self) -> list[Any]:
        return [json.loads(request.form["Message"]) for request in self.received]


class FakeMackerelWrites(FakeReceiver):
    """Keeps annotations and service metrics as Mackerel does."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*answers)
        self.annotations: list[dict[str, Any]] = []
        self.metrics: dict[tuple[str, int], float] = {}
        self._scripted = bool(answers)

    def answer(self, request: Received) -> Answer:
        if self._scripted:
            return super().answer(request)
        parts = urlsplit(request.path)
        if request.headers.get("X-Api-Key") != "write-key-of-mackerel":
            return Answer(403, b'{"error": "Forbidden"}')
        if request.method == "GET":
            at = int(parse_qs(parts.query)["from"][0])
            found = [item for item in self.annotations if item["from"] <= at <= item["to"]]
            return Answer(body=json.dumps({"graphAnnotations": found}).encode())
        if parts.path.endswith("/tsdb"):
            self.metrics |= {(item["name"], item["time"]): item["value"] for item in request.json}
            return Answer(body=b'{"success": true}')
        self.annotations.append(request.json)
        return Answer(body=json.dumps({"id": str(len(self.annotations)), **request.json}).encode())
