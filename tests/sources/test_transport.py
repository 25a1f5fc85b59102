"""The limits of replies: a deadline and a size, for boto3 and requests; no credentials to another host."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from domain import Aws
from sources import transport
from sources.aws.client import AWS_ERRORS, call_api, create_client, problem_from_error
from sources.base import Problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.protocol import MackerelError
from sources.transport import ReplyLimits, reply_limits
from tests.factories.config import ALB
from tests.fakes.http import LoopbackServer

AWS = Aws(region="ap-northeast-1", load_balancer=ALB)
Write = Callable[[BaseHTTPRequestHandler], None]


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def endless(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"")
    while True:
        handler.wfile.write(b" " * 65536)


def endless_headers(handler: BaseHTTPRequestHandler, stopped: threading.Event) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not stopped.wait(0.05):
        handler.wfile.write(b"a")
        handler.wfile.flush()


def one_byte_at_a_time(handler: BaseHTTPRequestHandler, stopped: threading.Event) -> None:
    send(handler, b"", Content_Length="1000000")
    while not stopped.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


@contextmanager
def serve(write: Write) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                write(self)
            except OSError:
                self.close_connection = True  # the client has closed it

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with LoopbackServer(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield server.url


def mackerel_error(url: str) -> MackerelError:
    with pytest.raises(MackerelError) as caught:
        MackerelApi("key", url, backoff_s=0).organization()
    return caught.value


def aws_problem(url: str, monkeypatch: pytest.MonkeyPatch) -> Problem:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "an-example-secret")
    client = create_client("elbv2", AWS, max_attempts=1)
    with pytest.raises(AWS_ERRORS) as caught:
        call_api(client.describe_rules)
    return problem_from_error(caught.value, source="load_balancer", operation="")


def test_endless_reply_is_a_bad_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION_MAX_REPLY_MIB", "1")
    with serve(endless) as url:
        error, problem = mackerel_error(url), aws_problem(url, monkeypatch)
    assert (error.kind, error.detail) == ("bad_reply", "a reply of more than 1 MiB")
    assert (problem.kind, problem.detail) == ("bad_reply", "a reply of more than 1 MiB")


def test_size_is_that_after_decompression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION_MAX_REPLY_MIB", "1")
    body = gzip.compress(b" " * (2 << 20))
    with serve(lambda handler: send(handler, body, Content_Encoding="gzip")) as url:
        error = mackerel_error(url)
    assert (error.kind, error.detail) == ("bad_reply", "a reply of more than 1 MiB")


@pytest.mark.parametrize("slow", [endless_headers, one_byte_at_a_time])
def test_slow_reply_ends_at_the_deadline(
    slow: Callable[[BaseHTTPRequestHandler, threading.Event], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "reply_limits", lambda: ReplyLimits(deadline_s=0.3))
    stopped = threading.Event()
    with serve(lambda handler: slow(handler, stopped)) as url:
        try:
            error, problem = mackerel_error(url), aws_problem(url, monkeypatch)
        finally:
            stopped.set()
    assert (error.kind, problem.kind) == ("timeout", "timeout")


def test_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[str] = []
    with (
        serve(lambda handler: requests.append(handler.path)) as other,
        serve(lambda handler: send(handler, b"", 302, Location=f"{other}/", Content_Length="0")) as url,
    ):
        assert mackerel_error(url).kind == "bad_reply"
        aws_problem(url, monkeypatch)
    assert requests == []


@pytest.mark.parametrize(("text", "mebibytes"), [("", 32), ("64", 64), ("0", 32), ("x", 32), ("-1", 32), ("²", 32)])
def test_limit_is_configurable(text: str, mebibytes: int) -> None:
    assert reply_limits({"MIGRATION_MAX_REPLY_MIB": text}).max_bytes == mebibytes * 1024 * 1024
