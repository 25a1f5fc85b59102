"""A server on loopback that quotes credentials in everything it answers: those of the request, and others that it is given."""

import itertools
import json
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.http import LoopbackServer

_CREDENTIAL_HEADERS = ("X-Api-Key", "X-Amz-Security-Token", "Authorization")


class QuotingServer(LoopbackServer):
    """The first part of a request's path says how it answers: `error` (AWS's or Mackerel's own form), `garbage` with status 200, or an HTML `page`."""

    def __init__(self, quoted: Sequence[str], quoted_to_aws: Sequence[str] = ()) -> None:
        """`quoted`: what every answer contains beside the request's own credentials, `quoted_to_aws`: what those to signed requests do.

        Each answer begins with another of them, because texts are cut short.
        """
        self._quoted, self._quoted_to_aws = tuple(quoted), tuple(quoted_to_aws)
        self._begins = itertools.count()
        self.headers = set[str]()  # the values of all headers that were received
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self)))

    def next_text(self, headers: Mapping[str, str]) -> str:
        """The text of the answer to a request with these headers."""
        credentials = (f"{name}: {headers[name]}" for name in _CREDENTIAL_HEADERS if name in headers)
        to_aws = self._quoted_to_aws if "X-Amz-Date" in headers else ()
        texts = (*credentials, *self._quoted, *to_aws)
        begin = next(self._begins) % len(texts)
        return "; ".join((*texts[begin:], *texts[:begin]))


def _make_handler(server: QuotingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.headers |= set(self.headers.values())
            text = server.next_text(self.headers)
            status, content_type, body = _reply(self.path, self.headers.get("Content-Type", ""), text)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    return Handler


def _reply(path: str, request_type: str, text: str) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    if path.startswith("/garbage"):
        return 200, request_type or "application/json", text.encode()
    if path.startswith("/page"):
        return 502, "text/html", f"<!doctype html><html><title>{escaped}</title><body>{escaped}</body></html>".encode()
    if "/api/v0" in path:
        return 403, "application/json", json.dumps({"error": {"message": text}}).encode()
    if "json" in request_type:
        return 400, request_type, json.dumps({"__type": "AccessDeniedException", "message": text}).encode()
    if "cbor" in request_type:
        items = ("__type", "com.amazonaws#AccessDeniedException", "message", text)
        return 400, request_type, b"\xa2" + b"".join(map(_cbor_text, items))
    error = f"<Error><Code>AccessDenied</Code><Message>{escaped}</Message></Error>"
    return 403, "text/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode()


def _cbor_text(text: str) -> bytes:
    """A text of less than 64 KiB in CBOR (RFC 8949, 3.1)."""
    encoded = text.encode()
    return b"\x79" + len(encoded).to_bytes(2) + encoded
