"""Which requests are refused, with which sentence, and that Streamlit never gets them."""

import asyncio
import logging
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.server import ServerSettings, StreamlitEndpoint
from ui.server import request_guard
from ui.server.asgi import Event, Receive, Scope, Send
from ui.server.request_guard import EXPOSABLE_ENDPOINTS, Refusal, RequestGuard, check_request

LOOPBACK_ONLY = ServerSettings()
TEAM = ServerSettings(allowed_hosts=("dashboard.example.com", "10.0.0.5"))
HOST_REFUSED = (
    "Host “{host}” is not allowed. Add it to allowed_hosts under [server] in migration.toml, or to "
    "MIGRATION_ALLOWED_HOSTS, then restart."
)
SITE_REFUSED = (
    "Cross-site request blocked. If this is the dashboard's own page, the proxy must forward the browser's Host "
    "header instead of “{host}”."
)
ENDPOINT_REFUSED = (
    'Endpoint disabled: no page uses it. To enable it, add "{name}" to expose under [server] in migration.toml, '
    "then restart."
)
NO_HOST = Refusal(400, "Missing or invalid Host header (required by HTTP/1.1).")


def make_scope(path: str = "/", *, kind: str = "http", scheme: str = "", **headers: str | list[str]) -> Scope:
    """An ASGI scope. A header with several values is sent several times; `host` is localhost:8501 by default, none if it is []."""
    values = {"host": "localhost:8501"} | headers
    return {
        "type": kind,
        "path": path,
        "scheme": scheme or ("ws" if kind == "websocket" else "http"),
        "headers": [
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, sent in values.items()
            for value in ([sent] if isinstance(sent, str) else sent)
        ],
    }


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_large_headers_are_refused(path: str) -> None:
    assert check_request(make_scope(path, cookie="a" * 65_000), LOOPBACK_ONLY) is None
    refusal = check_request(make_scope(path, cookie="a" * 65_536), LOOPBACK_ONLY)
    assert refusal and refusal.status == 431


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:8501", "localhost.:8501", "127.0.0.1:8501", "127.3.2.1", "[::1]:8501", "[0:0:0::1]"],
)
def test_loopback_is_served_under_all_its_names(kind: str, host: str) -> None:
    assert check_request(make_scope(kind=kind, host=host), LOOPBACK_ONLY) is None


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("evil.example", "evil.example"),
        ("evil.example:8501", "evil.example"),
        ("localhost.evil.example", "localhost.evil.example"),
        ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
        ("0.0.0.0:8501", "0.0.0.0"),
        ("192.168.1.5:8501", "192.168.1.5"),
        ("[2001:db8::5]:8501", "2001:db8::5"),
    ],
)
def test_another_host_is_refused_with_the_key_that_allows_it(kind: str, host: str, shown: str) -> None:
    assert check_request(make_scope(kind=kind, host=host), LOOPBACK_ONLY) == Refusal(
        403, HOST_REFUSED.format(host=shown)
    )


@pytest.mark.parametrize("host", ["dashboard.example.com", "Dashboard.Example.COM:443", "10.0.0.5:8501", "localhost"])
def test_a_configured_host_is_served_on_every_port(host: str) -> None:
    assert check_request(make_scope(host=host), TEAM) is None


def test_an_invalid_configuration_allows_loopback_only() -> None:
    assert check_request(make_scope(), None) is None
    refusal = check_request(make_scope(host="dashboard.example.com"), None)
    assert refusal == Refusal(
        403,
        "Invalid configuration: only local connections are served. Fix the errors in the log, then restart.",
    )


@pytest.mark.parametrize(
    "host",
    [[], ["localhost", "localhost"], ["localhost", "evil.example"], [""], ["localhost, evil.example"], ["a@localhost"]],
)
def test_no_host_several_hosts_or_an_invalid_one(host: list[str]) -> None:
    assert check_request(make_scope(host=host), LOOPBACK_ONLY) == NO_HOST


@pytest.mark.parametrize("path", ["/healthz", "/_stcore/health", "/metrics"])
def test_a_health_check_or_a_scraper_may_use_an_ip_address(path: str) -> None:
    for host in ("10.1.2.3:8501", "[2001:db8::5]:8501", []):
        assert check_request(make_scope(path, host=host), LOOPBACK_ONLY) is None
    assert check_request(make_scope(path, host="evil.example"), LOOPBACK_ONLY) is not None
    assert check_request(make_scope(path, host=["10.1.2.3", "10.1.2.3"]), LOOPBACK_ONLY) == NO_HOST
    assert check_request(make_scope(path, host="10.1.2.3", origin="http://evil.example"), LOOPBACK_ONLY) is not None
    assert check_request(make_scope(f"{path}/x", host="10.1.2.3"), LOOPBACK_ONLY) is not None


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:8501",
        "https://localhost",
        "null",
        "",
        "file://",
        "http://localhost:8501/",
        ["http://localhost:8501", "http://localhost:8501"],
        ["http://localhost:8501", "http://evil.example"],
    ],
)
def test_a_page_of_another_site_is_refused(kind: str, origin: str | list[str]) -> None:
    refusal = check_request(make_scope(kind=kind, origin=origin), LOOPBACK_ONLY)
    assert refusal == Refusal(403, SITE_REFUSED.format(host="localhost:8501"))


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["http://localhost:8501", "HTTP://LOCALHOST:8501", []])
def test_the_dashboards_own_page_and_programs_are_served(kind: str, origin: str | list[str]) -> None:
    assert check_request(make_scope(kind=kind, origin=origin), LOOPBACK_ONLY) is None


def test_behind_tls_the_page_is_of_https_too() -> None:
    page = {"host": "dashboard.example.com", "origin": "https://dashboard.example.com"}
    assert check_request(make_scope(kind="websocket", **page), TEAM) is None  # a proxy ends TLS
    assert check_request(make_scope(kind="websocket", scheme="wss", **page), TEAM) is None
    page["origin"] = "http://dashboard.example.com"
    assert check_request(make_scope(kind="websocket", scheme="wss", **page), TEAM) is not None


def test_dns_rebinding_has_the_right_origin_and_the_wrong_host() -> None:
    page = {"host": "rebound.evil.example:8501", "origin": "http://rebound.evil.example:8501"}
    assert check_request(make_scope(kind="websocket", **page), LOOPBACK_ONLY) == Refusal(
        403, HOST_REFUSED.format(host="rebound.evil.example")
    )


def test_headers_of_a_proxy_do_not_name_the_host() -> None:
    scope = make_scope(host="evil.example", x_forwarded_host="localhost:8501", forwarded="host=localhost")
    assert check_request(scope, LOOPBACK_ONLY) is not None
    scope = make_scope(host="localhost:8501", x_forwarded_host="evil.example")
    assert check_request(scope, LOOPBACK_ONLY) is None


@pytest.mark.parametrize(
    ("site", "mode", "is_refused"),
    [
        ("cross-site", "no-cors", True),
        ("same-site", "no-cors", True),  # http://localhost:3000
        ("cross-site", "websocket", True),
        ("cross-site", "navigate", False),  # a link in a chat
        ("same-origin", "no-cors", False),
        ("none", "navigate", False),
        ([], [], False),
    ],
)
def test_images_and_scripts_of_another_page_are_refused_and_links_are_not(
    site: str | list[str], mode: str | list[str], is_refused: bool
) -> None:
    scope = make_scope("/healthz", sec_fetch_site=site, sec_fetch_mode=mode)
    assert (check_request(scope, LOOPBACK_ONLY) is not None) == is_refused


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/_stcore/metrics", "metrics"),
        ("/_stcore/upload_file/session/file", "upload"),
        ("/base/_stcore/metrics", "metrics"),
    ],
)
def test_endpoints_that_no_page_uses_are_refused_unless_exposed(path: str, name: StreamlitEndpoint) -> None:
    assert check_request(make_scope(path), LOOPBACK_ONLY) == Refusal(403, ENDPOINT_REFUSED.format(name=name))
    assert check_request(make_scope(path), None) is not None
    assert check_request(make_scope(path), ServerSettings(expose=(name,))) is None
    others = tuple(endpoint for endpoint in get_args(StreamlitEndpoint) if endpoint != name)
    assert check_request(make_scope(path), ServerSettings(expose=others)) is not None


@pytest.mark.parametrize("path", ["/_stcore/agent/interact", "/_stcore/agent/openapi.json", "/_stcore/agent"])
def test_the_agent_api_is_refused_unless_it_is_on(path: str) -> None:
    refusal = Refusal(
        403, "The agent API is off. To turn it on, start the dashboard with AGENT_API=1 (docs/agents.md)."
    )
    assert check_request(make_scope(path), LOOPBACK_ONLY) == check_request(make_scope(path), None) == refusal
    assert check_request(make_scope(path), LOOPBACK_ONLY, agent_api=True) is None
    assert check_request(make_scope(path, host="evil.example"), LOOPBACK_ONLY, agent_api=True) is not None


@pytest.mark.parametrize("path", ["/_stcore/script-health-check", "/_stcore/", "/_stcore/Metrics", "/_stcore/healthy"])
def test_an_endpoint_of_a_later_streamlit_is_refused(path: str) -> None:
    refusal = check_request(make_scope(path), LOOPBACK_ONLY)
    assert refusal == Refusal(403, "Endpoint disabled: no page uses it.")


@pytest.mark.parametrize(
    "path", ["/", "/parity", "/_stcore/host-config", "/_stcore/stream", "/static/js/index.js", "/media/a.zip"]
)
def test_the_paths_of_the_pages_are_served(path: str) -> None:
    assert check_request(make_scope(path), LOOPBACK_ONLY) is None


def test_each_value_of_expose_has_an_endpoint() -> None:
    assert set(EXPOSABLE_ENDPOINTS.values()) == set(get_args(StreamlitEndpoint))


HEADER_TEXT = st.text(st.characters(max_codepoint=255), max_size=40)


@given(host=st.lists(HEADER_TEXT, max_size=2), origin=st.lists(HEADER_TEXT, max_size=2), path=st.text(max_size=40))
def test_no_header_raises_and_only_loopback_is_served(host: list[str], origin: list[str], path: str) -> None:
    refusal = check_request(make_scope(f"/{path}", host=host, origin=origin), LOOPBACK_ONLY)
    if refusal is None:
        assert f"/{path}" in request_guard.HEALTH_CHECKS or host[0].lower().startswith(("localhost", "127.", "[", "::"))
    else:
        assert refusal.text.isprintable()


class Recorder:
    """An ASGI application that records the scopes it gets, and the events that are sent."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.sent: list[Event] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)

    async def send(self, event: Event) -> None:
        self.sent.append(event)

    async def receive(self) -> Event:
        raise AssertionError("The body of a refused request is not read.")


def run_guard(scope: Scope) -> Recorder:
    app = Recorder()
    guard = RequestGuard(app, lambda: LOOPBACK_ONLY)
    asyncio.run(guard(scope, app.receive, app.send))
    return app


@pytest.mark.parametrize("scope", [make_scope(), make_scope(kind="websocket"), {"type": "lifespan"}])
def test_other_requests_are_passed_on(scope: Scope) -> None:
    app = run_guard(scope)
    assert app.scopes == [scope] and not app.sent


def test_a_refused_request_is_answered_in_a_sentence_and_closed() -> None:
    app = run_guard(make_scope(host="evil.example"))
    assert not app.scopes
    start, body = app.sent
    text = HOST_REFUSED.format(host="evil.example") + "\n"
    assert start == {
        "type": "http.response.start",
        "status": 403,
        "headers": [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text.encode())).encode()),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ],
    }
    assert body == {"type": "http.response.body", "body": text.encode()}


def test_a_refused_websocket_is_closed_before_its_handshake() -> None:
    app = run_guard(make_scope(kind="websocket", host="evil.example"))
    assert not app.scopes
    assert app.sent == [{"type": "websocket.close", "code": 1008}]


def test_refusals_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([100.0, 100.1, 159.9, 160.0])
    app = Recorder()
    guard = RequestGuard(app, lambda: LOOPBACK_ONLY, clock=lambda: next(times))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            asyncio.run(guard(make_scope(origin="http://evil.example"), app.receive, app.send))
    assert [vars(record)["requests"] for record in caplog.records] == [1, 3]
    assert caplog.records[0].getMessage() == f"request refused: {SITE_REFUSED.format(host='localhost:8501')}"
