"""What is posted to an address that a secret holds: to public networks alone, once, without redirects, and with a small reply in time."""

import socket
from typing import Any

import pytest

from channels import http
from channels.base import Delivery
from channels.http import Reply, WebhookAddress, is_public, public_address
from domain.redaction import redact
from sources.base import Problem
from tests.fakes.webhooks import Answer, FakeReceiver


def address(url: str, *, allow_private: bool = True) -> WebhookAddress:
    return WebhookAddress("slack", "SLACK_URL", allow_private=allow_private, environment={"SLACK_URL": url})


def post(url: str, *, allow_private: bool = True, with_text: bool = True) -> Reply | Problem:
    return address(url, allow_private=allow_private).post(b"{}", {"X-A": "b"}, with_text=with_text)


def kind(result: object) -> str:
    assert isinstance(result, Problem), result
    return result.kind


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("52.94.236.248", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("2002:0a00:0001::1", False),
        ("2600:9000::1", True),
    ],
)
def test_public_addresses(ip: str, expected: bool) -> None:
    assert is_public(ip) is expected


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Each look-up has the next answer, the last one for ever. Returns the names that were looked up."""
    names: list[str] = []
    remaining = list(answers)

    def getaddrinfo(host: str, port: int, *_args: object, **_options: object) -> list[Any]:
        names.append(host)
        found = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if host[0].isdigit():
            found = [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def test_one_private_address_of_a_name_is_enough_to_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(http.PrivateAddressError, match=r"10\.0\.0\.1"):
        public_address("hooks.example.com", 443)
    assert kind(address("https://hooks.example.com/x", allow_private=False).check()) == "private_address"


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers with a public address first and with a private one later (DNS rebinding) reaches nothing private."""
    with FakeReceiver() as receiver:
        port = receiver.url.rpartition(":")[2]
        resolve_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
        result = post(f"https://hooks.example.com:{port}/x", allow_private=False)
    assert (kind(result), receiver.received) == ("private_address", [])


def test_the_checked_address_is_connected_to_and_the_name_is_kept_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = []

    def create_connection(where: tuple[str, int], *_args: object, **_options: object) -> None:
        connected.append(where)
        raise OSError("not in a test")

    monkeypatch.setattr("urllib3.util.connection.create_connection", create_connection)
    names = resolve_to(monkeypatch, ["8.8.4.4"])
    connection = http._PUBLIC_POOLS["https"]("hooks.example.com", 443)._new_conn()
    with pytest.raises(Exception, match="not in a test"):
        connection._new_conn()
    assert (connected, names, connection.host) == ([("8.8.4.4", 443)], ["hooks.example.com"], "hooks.example.com")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "a.localhost", "[::1]", "169.254.169.254", "10.0.0.1"])
def test_this_machine_and_private_networks_are_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")  # which would resolve a name
    assert kind(post(f"https://{host}/x", allow_private=False)) == "private_address"


def test_a_proxy_resolves_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    resolve_to(monkeypatch, ["10.0.0.1"])
    assert address("https://hooks.example.com/x", allow_private=False).check() is None


@pytest.mark.parametrize(
    "url", ["", "   ", "hooks.example.com", "ftp://a.example.com/", "https://", "https://a:99999/", "http://[::1/"]
)
def test_a_variable_without_an_address_is_a_missing_secret(url: str) -> None:
    problem = address(url).check()
    assert problem and (problem.kind, problem.about) == ("no_secret", "SLACK_URL")


def test_plain_http_is_for_private_networks_alone() -> None:
    assert kind(address("http://hooks.example.com/x", allow_private=False).check()) == "no_secret"
    assert address("http://hooks.example.com/x").check() is None


def test_a_post_has_its_body_and_headers() -> None:
    with FakeReceiver(Answer(body=b"fine")) as receiver:
        reply = post(f"{receiver.url}/services/T0/B0")
    (request,) = receiver.received
    assert isinstance(reply, Reply) and (reply.status, reply.text) == (200, "fine")
    assert (request.method, request.path, request.body, request.headers["X-A"]) == (
        "POST",
        "/services/T0/B0",
        b"{}",
        "b",
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with FakeReceiver() as other, FakeReceiver(Answer(status, headers={"Location": other.url})) as receiver:
        sender = address(receiver.url)
        delivery = sender.delivery(sender.post(b"{}", {}, with_text=True))
    assert (kind(delivery.problem), delivery.is_final, delivery.may_have_arrived) == ("bad_reply", False, False)
    assert other.received == []


def test_a_huge_reply_is_not_read() -> None:
    with FakeReceiver(Answer(body=b"x" * 10_000_000)) as receiver:
        sender = address(receiver.url)
        delivery = sender.delivery(sender.post(b"{}", {}, with_text=True))
        assert isinstance(post(receiver.url, with_text=False), Reply)
    assert delivery.problem and delivery.may_have_arrived
    assert (delivery.problem.kind, delivery.problem.detail) == ("bad_reply", "a reply of more than 64 KiB")


def test_a_reply_that_never_comes_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", (0.2, 0.2))
    with FakeReceiver(Answer(hang=True)) as receiver:
        sender = address(receiver.url)
        delivery = sender.delivery(sender.post(b"{}", {}, with_text=True))
    assert (kind(delivery.problem), delivery.may_have_arrived) == ("timeout", True)


def test_nothing_listens() -> None:
    with FakeReceiver() as receiver:
        url = receiver.url
    delivery = address(url).delivery(post(url))
    assert (kind(delivery.problem), delivery.may_have_arrived) == ("unreachable", True)
    refused = address("").delivery(post(""))
    assert (kind(refused.problem), refused.may_have_arrived) == ("no_secret", False)


@pytest.mark.parametrize(
    ("status", "expected", "is_final"),
    [
        (400, "bad_request", True),
        (413, "bad_request", True),
        (422, "bad_request", True),
        (401, "denied", False),
        (403, "denied", False),
        (404, "not_found", False),
        (410, "not_found", False),
        (405, "bad_request", False),
        (408, "timeout", False),
        (429, "throttled", False),
        (500, "server_error", False),
        (503, "server_error", False),
    ],
)
def test_what_a_status_means(status: int, expected: str, is_final: bool) -> None:
    with FakeReceiver(Answer(status, b"no_service")) as receiver:
        sender = address(receiver.url)
        delivery = sender.delivery(sender.post(b"{}", {}, with_text=False))
    assert delivery.problem
    assert (delivery.problem.about, delivery.problem.detail) == ("SLACK_URL", f"{status} no_service")
    assert (delivery.problem.kind, delivery.is_final, delivery.retry_after_s) == (expected, is_final, None)
    assert delivery.may_have_arrived == (status >= 500)


def test_the_time_that_a_channel_asks_for_is_kept() -> None:
    with FakeReceiver(Answer(429, headers={"Retry-After": "30"})) as receiver:
        sender = address(receiver.url)
        assert sender.delivery(sender.post(b"{}", {}, with_text=True)).retry_after_s == 30


def test_success_is_any_2xx() -> None:
    sender = address("https://a.example.com/")
    assert [sender.delivery(Reply(status, "", {})) for status in (200, 204, 299)] == [Delivery()] * 3


def test_the_address_is_in_no_text() -> None:
    url = "https://hooks.example.com/services/T00000000/B00000000/abcdefghijklmnop"
    sender = address(url)
    assert "abcdefghijklmnop" not in redact(
        f"Max retries exceeded with url: {url.removeprefix('https://hooks.example.com')}"
    )
    assert "abcdefghijklmnop" not in repr(sender.bad_reply(Reply(200, f"no {url}", {})))


def test_a_short_path_is_no_secret() -> None:
    address("https://hooks.example.com/hook")
    assert redact("a hook") == "a hook"
