"""Hosts and origins: one spelling for each, and nothing else is one."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.hosts import HostPort, is_ip_address, is_loopback, normalize_host, parse_host_port, parse_origin

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,10}[a-z0-9])?){0,3}", fullmatch=True)
PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("dashboard.example.com", "dashboard.example.com"),
        ("Dashboard.EXAMPLE.com.", "dashboard.example.com"),
        ("photo_dashboard", "photo_dashboard"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("10.0.0.5", "10.0.0.5"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    assert normalize_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "*",
        "*.example.com",
        "https://dashboard.example.com",
        "dashboard.example.com:443",
        "dashboard.example.com/live",
        "user@dashboard.example.com",
        "a..b",
        "-a.example",
        "a b",
        "127.1",
        "0x7f.1",
        "2130706433",
        "1.2.3.4.",
        "fe80::1%eth0",
        "[::1",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "..",
        "\u3002",
    ],
)
def test_what_is_no_host(text: str) -> None:
    assert normalize_host(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", HostPort("localhost")),
        ("LOCALHOST:8501", HostPort("localhost", 8501)),
        ("127.0.0.1:8501", HostPort("127.0.0.1", 8501)),
        ("[::1]:8501", HostPort("::1", 8501)),
        ("[::1]", HostPort("::1")),
    ],
)
def test_host_headers(text: str, expected: HostPort) -> None:
    assert parse_host_port(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " localhost",
        "localhost ",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:８５０１",
        "localhost:-1",
        "localhost:8501:8501",
        "::1",
        "::1:8501",
        "[::1]8501",
        "[127.0.0.1.5]",
        "a@localhost",
        "localhost/",
        "localhost\t",
        "localhost\x00",
        "localhost,evil.example",
        "münchen.example",
    ],
)
def test_what_is_no_host_header(text: str) -> None:
    assert parse_host_port(text) is None


@given(name=NAMES, port=st.none() | PORTS)
def test_a_host_header_is_read_back(name: str, port: int | None) -> None:
    host = HostPort(name, port)
    assert parse_host_port(str(host)) == host
    assert parse_host_port(str(host).upper()) == host


@given(address=st.ip_addresses(), port=st.none() | PORTS)
def test_an_address_is_read_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None) -> None:
    text = str(address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else str(address)
    host = HostPort(text, port)
    assert parse_host_port(str(host)) == host
    assert is_ip_address(host.host)


@given(text=st.text(max_size=80))
def test_any_text_is_a_host_in_its_one_spelling_or_none(text: str) -> None:
    host = parse_host_port(text)
    if host is not None:
        assert parse_host_port(str(host)) == host
        assert normalize_host(host.host) == host.host


@given(text=st.text(max_size=80))
def test_any_text_can_be_asked_for_its_origin(text: str) -> None:
    assert parse_origin(f"http://{text}") is None or parse_host_port(text) is not None
    assert parse_origin(text) is None or text.lower().startswith("http")


@given(name=NAMES, port=PORTS, scheme=st.sampled_from(["http", "https"]))
def test_a_page_is_of_the_host_that_it_was_loaded_from(name: str, port: int, scheme: str) -> None:
    origin = parse_origin(f"{scheme}://{name}:{port}")
    assert origin and origin.is_of(HostPort(name, port))
    assert not origin.is_of(HostPort(name, port % 65535 + 1))
    assert not origin.is_of(HostPort(f"{name}x", port))


@pytest.mark.parametrize(
    ("origin", "host", "is_same"),
    [
        ("https://dashboard.example.com", "dashboard.example.com", True),
        ("http://dashboard.example.com", "dashboard.example.com:80", True),
        ("https://dashboard.example.com", "dashboard.example.com:443", True),
        ("https://dashboard.example.com", "dashboard.example.com:80", False),
        ("https://dashboard.example.com:8443", "dashboard.example.com", False),
        ("HTTP://LOCALHOST:8501", "localhost:8501", True),
        ("http://localhost:8501", "127.0.0.1:8501", False),
        ("http://[::1]:8501", "[0:0::1]:8501", True),
    ],
)
def test_default_ports_of_an_origin(origin: str, host: str, is_same: bool) -> None:
    page, server = parse_origin(origin), parse_host_port(host)
    assert page and server and page.is_of(server) == is_same


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "",
        "file://",
        "chrome-extension://abc",
        "http://",
        "http://a/",
        "http://a/b",
        "http://u@a",
        "//a",
        "http://a http://b",
    ],
)
def test_opaque_and_invalid_origins(text: str) -> None:
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.5", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
