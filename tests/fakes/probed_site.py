"""A web site on loopback behind a "load balancer": dynamic pages with times, ids and tokens, and answers that no client should trust."""

import gzip
import json
import secrets
import threading
import time
import zlib
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.http import LoopbackServer

CANARY_HEADER = "X-Canary"


class _Handler(BaseHTTPRequestHandler):
    site: "ProbedSite"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.site.requests.append((self.command, self.path, self.headers["Host"]))
        differs = self.site.canary_differs and CANARY_HEADER in self.headers
        getattr(self, "page_" + self.path.strip("/").partition("?")[0].replace("-", "_"))(differs)

    do_HEAD = do_GET

    def answer(self, body: bytes, content_type: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", secrets.token_hex(16))
        self.send_header("Set-Cookie", f"session={secrets.token_urlsafe(24)}; Path=/; HttpOnly")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def page_html(self, differs: bool) -> None:
        now = formatdate(usegmt=True)
        price = "1,300" if differs else "1,204"
        text = (
            f"<!doctype html><html><head><title>Photos</title></head><body><form><input name=csrf "
            f"value='{secrets.token_urlsafe(32)}'></form><p>{now}</p><p>{time.time_ns()}</p>"
            f"<p>{price} photos</p><script>var nonce='{secrets.token_hex(8)}'</script></body></html>"
        )
        self.answer(gzip.compress(text.encode()), "text/html; charset=utf-8", Content_Encoding="gzip")

    def page_json(self, differs: bool) -> None:
        views = secrets.randbelow(1000)
        item = {"id": 7, "views": views, "at": time.time(), "tags": ["a"] * (3 if differs else 2)}
        self.answer(json.dumps({"items": [item], "etag": secrets.token_hex(4)}).encode(), "application/json")

    def page_image(self, differs: bool) -> None:
        self.answer(b"\x89PNG" + bytes([differs]) * 900, "image/png")

    def page_away(self, differs: bool) -> None:
        where = self.site.away_to or ("https://evil.example/" if differs else "/html")
        self.answer(b"", "text/plain", 302, Location=where)

    def page_bomb(self, differs: bool) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
        self.answer(body, "text/html", Content_Encoding="gzip")

    def page_large(self, differs: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            self.close_connection = True

    def page_stream(self, differs: bool) -> None:
        """Chunks without end."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while True:
                self.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    def page_slow(self, differs: bool) -> None:
        """A byte now and then: each one ends a wait of the client."""
        self.send_response(200)
        self.end_headers()
        self.drip(b"x")

    def page_slow_head(self, differs: bool) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        self.drip(b"x")

    def drip(self, text: bytes) -> None:
        self.close_connection = True
        with suppress(OSError):
            while not self.site.released.wait(0.02):
                self.wfile.write(text)

    def page_endless(self, differs: bool) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x")
        self.hang()

    def page_endless_head(self, differs: bool) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: x")
        self.hang()

    def hang(self) -> None:
        self.close_connection = True
        self.site.released.wait()

    def page_held(self, differs: bool) -> None:
        self.site.released.wait()
        self.answer(b"<p>Photos</p>", "text/html")

    def page_cut(self, differs: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x")
        self.close_connection = True

    def page_charset(self, differs: bool) -> None:
        charset = "shift_jis" if differs else "utf-8"
        self.answer("写真".encode(charset), f"text/plain; charset={charset}")

    def page_no_charset(self, differs: bool) -> None:
        self.answer(b"\xff\xfe\x00", "text/plain; charset=rot_13")

    def page_broken_gzip(self, differs: bool) -> None:
        self.answer(b"not gzip", "text/html", Content_Encoding="gzip")

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class ProbedSite(LoopbackServer):
    """`requests`: method, path and Host of each. `canary_differs`: whether requests with the header get other answers."""

    def __init__(self, *, canary_differs: bool = False) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.canary_differs, self.released = canary_differs, threading.Event()
        self.away_to = ""  # where /away redirects to
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": self})))

    def release(self) -> None:
        self.released.set()
