"""What the fakes share: a server on loopback in a thread of its own, and requests in AWS JSON."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Protocol, Self

ErrorReply = tuple[int, str, str]  # HTTP status, AWS's error code, its message


class Server(Protocol):
    """The part of socketserver and werkzeug servers that is used here."""

    server_port: int

    def serve_forever(self, poll_interval: float) -> None: ...
    def shutdown(self) -> None: ...
    def server_close(self) -> None: ...


class LoopbackServer:
    """Serves at `.url` while its block lasts."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def release(self) -> None:
        """Lets requests finish that hang on purpose."""


class AwsJsonHandler(BaseHTTPRequestHandler):
    """Answers POST requests in AWS JSON 1.1 with what `reply` returns for the operation and its parameters: HTTP status and payload."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together

    def reply(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        raise NotImplementedError

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        status, payload = self.reply(self.headers["X-Amz-Target"], request)
        self.send(status, json.dumps(payload).encode(), "application/x-amz-json-1.1")

    def send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: tests read `calls` and `requests` of the fakes."""


def aws_json_handler(reply: Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]) -> type[AwsJsonHandler]:
    return type("Handler", (AwsJsonHandler,), {"reply": staticmethod(reply)})
