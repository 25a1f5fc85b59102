"""A reverse proxy on loopback that damages replies: truncated, of wrong types, nested, HTML, XHTML, empty, huge numbers, NaN."""

import json
import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.http import LoopbackServer

HTML = b"<!doctype html><html><head><title>Sign in</title></head><body><br><p>Sign in</body></html>"
XHTML = b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>502</title></head><body><p>Bad gateway</p></body></html>'
_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    "",
    "x",
    "\ud800\x00",
    "1e999",
    [],
    [[]],
    {},
    {"a": {"b": []}},
    -0.5,
)
# What Python's JSON parser accepts beside JSON.
_NUMBERS = (b"1e999", b"-1e999", b"NaN", b"9" * 400, b"-1", b"0.5", b"null", b'"1"')


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a reply that mutations change."""

    status: int
    content_type: str
    body: bytes


Mutation = Callable[[Reply, random.Random], Reply]


def mutate(reply: Reply, source: random.Random) -> Reply:
    """One mutation, or the reply unchanged."""
    return source.choice(_MUTATIONS)(reply, source)


def _page(reply: Reply, source: random.Random) -> Reply:
    body, content_type = source.choice(((HTML, "text/html"), (XHTML, "application/xhtml+xml"), (XHTML, "text/xml")))
    return Reply(source.choice((200, 403, 404, 502)), content_type, body)


def _truncate(reply: Reply, source: random.Random) -> Reply:
    return Reply(reply.status, reply.content_type, reply.body[: source.randrange(len(reply.body) + 1)])


def _replace_number(reply: Reply, source: random.Random) -> Reply:
    numbers = list(re.finditer(rb"(?<=[\[:,>\s])-?\d+(?:\.\d+)?(?=[\],}<\s])", reply.body))
    if not numbers:
        return reply
    number = source.choice(numbers)
    body = reply.body[: number.start()] + source.choice(_NUMBERS) + reply.body[number.end() :]
    return Reply(reply.status, reply.content_type, body)


def _replace_value(reply: Reply, source: random.Random) -> Reply:
    """Replaces or removes one value of a JSON document, or the text of one XML element."""
    try:
        document = json.loads(reply.body)
    except ValueError:
        elements = list(re.finditer(rb"<(\w+)>[^<]*</\1>", reply.body))
        if not elements:
            return reply
        element = source.choice(elements)
        other = source.choice((b"", b"<%s>x</%s>" % (element[1], element[1]), b"<member/>", b"<html/>"))
        return Reply(
            reply.status, reply.content_type, reply.body[: element.start()] + other + reply.body[element.end() :]
        )
    places = list(_places(document))
    if not places:
        return reply
    container, key = source.choice(places)
    if source.random() < 0.25:
        del container[key]
    else:
        container[key] = source.choice(_VALUES)
    return Reply(reply.status, reply.content_type, json.dumps(document).encode())


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)


def _other_document(reply: Reply, source: random.Random) -> Reply:
    body = source.choice(
        (b"[" * 100_000, b"[1]", b"{}", b"null", b"1e999", b'""', b"\xff\xfe", b"<a>" * 2_000, b"<a/>")
    )
    return Reply(source.choice((200, 400, 500)), reply.content_type, body)


_MUTATIONS: tuple[Mutation, ...] = (
    lambda reply, _: reply,
    lambda _reply, _: Reply(204, "", b""),
    _page,
    _truncate,
    _replace_number,
    _replace_number,
    _replace_value,
    _replace_value,
    _replace_value,
    _other_document,
)


class MutatingProxy(LoopbackServer):
    """In front of `upstream`, which is asked once for equal requests: `sound_replies`.

    `change` is applied to every reply; `replies` counts them, `changed` those that it did change.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.change: Callable[[Reply], Reply] = lambda reply: reply
        self.replies = self.changed = 0
        self.sound_replies: dict[tuple[str, str, str, bytes], Reply] = {}
        self._lock = threading.Lock()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        server.daemon_threads = True
        super().__init__(server)

    def apply(self, reply: Reply) -> Reply:
        """The reply to send."""
        changed = self.change(reply)
        with self._lock:
            self.replies += 1
            self.changed += changed != reply
        return changed


@contextmanager
def mutating_proxies(environment: Mapping[str, str]) -> Iterator[tuple[dict[str, str], tuple[MutatingProxy, ...]]]:
    """A proxy before each URL of `environment`; yields the changed variables, too."""
    with ExitStack() as stack:
        urls = {name: url for name, url in environment.items() if url.startswith("http://")}
        by_url = {url: stack.enter_context(MutatingProxy(url)) for url in dict.fromkeys(urls.values())}
        yield {**environment, **{name: by_url[url].url for name, url in urls.items()}}, tuple(by_url.values())


def _make_handler(proxy: MutatingProxy) -> type[BaseHTTPRequestHandler]:
    host = urlsplit(proxy.upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together

        def forward(self) -> None:
            request_body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = self.command, self.path, self.headers.get("X-Amz-Target", ""), request_body
            if request not in proxy.sound_replies:
                proxy.sound_replies[request] = self.ask_upstream(request_body)
            reply = proxy.apply(proxy.sound_replies[request])
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def ask_upstream(self, request_body: bytes) -> Reply:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection = HTTPConnection(host, timeout=10)
            try:
                connection.request(self.command, self.path, request_body, headers)
                response = connection.getresponse()
                return Reply(response.status, response.headers.get("Content-Type", ""), response.read())
            except HTTPException:  # the service cannot answer a request that has something of a damaged reply
                return Reply(502, "text/plain", b"")
            finally:
                connection.close()

        do_GET = do_POST = forward

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    return Handler
