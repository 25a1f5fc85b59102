"""The real server: protection, compression, health check, access log, and the scripts and fonts of the pages."""

import gzip
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import brotli
import pytest

from charts.base.plotlyjs import SCRIPT
from tests.factories.dashboard_server import ROOT, DashboardServer, run_dashboard
from tests.fakes.services import fake_services
from tests.fakes.traffic_model import SteadyTraffic
from ui.assets import PLOTLY_JS

PLOTLY = PLOTLY_JS.url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    environment = {"MIGRATION_DEMO": "1", "LOG_FORMAT": "json"}
    with run_dashboard(tmp_path_factory.mktemp("dashboard"), environment) as server:
        yield server


def get(server: DashboardServer, path: str, **headers: str) -> tuple[int, HTTPMessage, bytes]:
    request = Request(f"{server.url}{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urlopen(request, timeout=20) as response:
        return response.status, response.headers, response.read()


def test_a_script_has_the_security_headers_of_scripts(server: DashboardServer) -> None:
    _status, headers, _body = get(server, PLOTLY)
    assert headers["x-content-type-options"] == "nosniff"
    assert not {"content-security-policy", "x-frame-options", "referrer-policy"} & {*headers}


@pytest.mark.parametrize("path", ["/", "/healthz", "/_stcore/health"])
def test_every_document_has_the_security_headers(server: DashboardServer, path: str) -> None:
    _status, headers, _body = get(server, path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'self'"
    assert policy["object-src"] == "'none'"
    # Nothing is loaded from, or sent to, another host.
    assert policy["connect-src"] == "'self'"
    assert "http" not in headers["content-security-policy"]
    assert "*" not in headers["content-security-policy"]


def health(server: DashboardServer) -> dict[str, Any]:
    status, headers, body = get(server, "/healthz")
    assert (status, headers["content-type"]) == (200, "application/json")
    content: dict[str, Any] = json.loads(body)
    return content


def test_health_check_has_the_state_of_each_source(server: DashboardServer) -> None:
    deadline = time.monotonic() + 20
    while "demo" not in (content := health(server))["sources"] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert content["status"] == "ok"
    assert content["sources"]["demo"] == "up"
    assert content["internal_error"] == []


def test_dashboard_is_ready_while_every_poll_ends(server: DashboardServer) -> None:
    status, _, body = get(server, "/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "silent": []})


@pytest.mark.slow
def test_dashboard_is_not_ready_while_a_poll_does_not_end(tmp_path: Path) -> None:
    """With a limit of 4 seconds for a silent poll, in the server's process."""
    limit = "from collector import polling\npolling.SILENT_AFTER_S, polling.SILENT_AFTER_INTERVALS = 4, 0\n"
    (tmp_path / "sitecustomize.py").write_text(limit, encoding="utf-8")
    config = tmp_path / "migration.toml"
    with fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as services:
        services.cloudwatch.hang = threading.Event()
        config.write_text(services.config(str(tmp_path / "archive.db"), backfill=False), encoding="utf-8")
        environment = {"MIGRATION_CONFIG": str(config), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        with run_dashboard(tmp_path, services.environment | environment) as server:
            assert wait_for_readiness(server, 503)["status"] == "unavailable"
            assert "cloudwatch" in wait_for_readiness(server, 503)["silent"]
            services.cloudwatch.release()
            assert wait_for_readiness(server, 200) == {"status": "ok", "silent": []}


def test_dashboard_serves_before_its_archive_is_open(tmp_path: Path) -> None:
    """A PostgreSQL server that accepts the connection and does not answer: pages can be loaded, but the dashboard is not ready."""
    limit = "from archive.db import postgres\npostgres.CONNECT_TIMEOUT_S = 600\n"
    (tmp_path / "sitecustomize.py").write_text(limit, encoding="utf-8")
    config = tmp_path / "migration.toml"
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(60)
        url = f"postgresql+psycopg://archive@127.0.0.1:{database.getsockname()[1]}/archive"
        text = (ROOT / "migration.example.toml").read_text(encoding="utf-8")
        config.write_text(re.sub(r'(?m)^#? ?archive = ".*"', f'archive = "{url}"', text, count=1), encoding="utf-8")
        environment = {"MIGRATION_CONFIG": str(config), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        with run_dashboard(tmp_path, environment, until_logged="") as server:
            connection, _address = database.accept()
            assert health(server) == {"status": "ok", "sources": {}, "internal_error": []}
            assert wait_for_readiness(server, 503) == {"status": "unavailable", "silent": []}
            assert get(server, "/", Accept="text/html")[0] == 200
            assert "pages are ready" not in server.log
            connection.close()


def wait_for_readiness(server: DashboardServer, status: int) -> dict[str, Any]:
    """The content of /readyz as soon as it has this status."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            found, _, body = get(server, "/readyz")
        except HTTPError as error:
            found, body = error.code, error.read()
        if found == status:
            content: dict[str, Any] = json.loads(body)
            return content
        time.sleep(0.1)
    raise AssertionError(f"/readyz is {found}: {body.decode()}\n{server.log}")


def test_access_log_has_one_line_per_request_and_no_health_checks(server: DashboardServer) -> None:
    get(server, "/assets/none.js?token=secret")
    get(server, "/healthz")
    get(server, f"{PLOTLY}?a=1")
    deadline = time.monotonic() + 5
    while PLOTLY not in server.log and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["logger"] == "dashboard.access"]
    assert any((line["method"], line["path"], line["status"]) == ("GET", PLOTLY, 200) for line in requests)
    assert [line["path"] for line in requests].count("/assets/none.js") == 1
    assert not {"/healthz", "/_stcore/health"} & {line["path"] for line in requests}
    assert "secret" not in server.log
    assert all(line["duration_s"] >= 0 for line in requests)


def test_page_is_compressed_if_the_client_accepts_it(server: DashboardServer) -> None:
    _status, headers, small = get(server, "/", Accept_Encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in headers["vary"]
    _status, headers, plain = get(server, "/", Accept_Encoding="identity")
    assert headers["content-encoding"] is None
    assert gzip.decompress(small) == plain
    assert b"<title>" in plain


def test_plotlyjs_is_cached_forever_and_compressed(server: DashboardServer) -> None:
    plain = SCRIPT.read_bytes()
    status, headers, body = get(server, PLOTLY, Accept_Encoding="gzip")
    assert (status, headers["content-encoding"], gzip.decompress(body) == plain) == (200, "gzip", True)
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    _status, headers, body = get(server, PLOTLY, Accept_Encoding="gzip, br")
    assert brotli.decompress(body) == plain
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers.get_all("content-encoding") == ["br"] and headers.get_all("content-length") == [str(len(body))]


def test_the_document_preloads_what_it_needs_late_and_a_small_font(server: DashboardServer) -> None:
    _status, _headers, body = get(server, "/", Accept="text/html")
    links = re.findall(r'<link[^>]+href="([^"]+)"', body.decode())
    assert PLOTLY in links
    [font] = [link.removeprefix(".") for link in links if link.endswith(".woff2")]
    _status, headers, content = get(server, font)
    assert (headers["content-type"], len(content) < 50_000) == ("font/woff2", True)
    for script in links:
        if script.endswith(".js"):
            assert get(server, f"/{script.lstrip('./')}")[0] == 200


def send_raw(server: DashboardServer, *lines: str) -> tuple[str, str]:
    """Sends a header as it is. Returns the status line and the body of the response."""
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        reply = connection.makefile("rb")
        status = reply.readline().decode().strip()
        length = 0
        while line := reply.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return status, reply.read(length).decode()


HANDSHAKE = (
    "GET /_stcore/stream HTTP/1.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def test_a_websocket_of_the_dashboards_own_page_is_accepted(server: DashboardServer) -> None:
    host = server.url.removeprefix("http://")
    assert send_raw(server, *HANDSHAKE, f"Host: {host}", f"Origin: {server.url}")[0].startswith("HTTP/1.1 101 ")
    assert send_raw(server, *HANDSHAKE, f"Host: {host}")[0].startswith("HTTP/1.1 101 ")


def test_it_stops_although_a_source_hangs_and_a_client_does_not_read(tmp_path: Path) -> None:
    config = tmp_path / "migration.toml"
    with fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as services:
        services.cloudwatch.hang = threading.Event()
        config.write_text(services.config(str(tmp_path / "archive.db"), backfill=False), encoding="utf-8")
        with run_dashboard(tmp_path, services.environment | {"MIGRATION_CONFIG": str(config)}) as server:
            host, port = server.url.removeprefix("http://").split(":")
            client = socket.create_connection((host, int(port)), timeout=20)
            request = f"GET {PLOTLY} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
            client.sendall(request.encode() * 30)  # more than the buffers of both sides
            assert client.recv(12) == b"HTTP/1.1 200"
        client.close()
    assert "INFO dashboard: stopped" in server.log


@pytest.mark.parametrize(
    ("host", "origin", "sentence"),
    [
        (
            "evil.example:{port}",
            "http://evil.example:{port}",
            "Host “evil.example” is not allowed. ",
        ),
        ("127.0.0.1:{port}", "http://evil.example", "Cross-site request blocked. "),
        ("127.0.0.1:{port}", "null", "Cross-site request blocked. "),
        ("127.0.0.1:{port}", "http://localhost:{port}", "Cross-site request blocked. "),
    ],
)
def test_requests_and_websockets_of_another_page_are_refused(
    server: DashboardServer, host: str, origin: str, sentence: str
) -> None:
    port = server.url.rpartition(":")[2]
    headers = (f"Host: {host.format(port=port)}", f"Origin: {origin.format(port=port)}")
    status, body = send_raw(server, "GET / HTTP/1.1", *headers)
    assert status == "HTTP/1.1 403 Forbidden"
    assert body.startswith(sentence) and body.endswith(".\n")
    assert send_raw(server, *HANDSHAKE, *headers) == ("HTTP/1.1 403 Forbidden", "")


def test_a_refused_upload_is_not_read(server: DashboardServer) -> None:
    status, body = send_raw(
        server,
        "PUT /_stcore/upload_file/a/b HTTP/1.1",
        "Host: localhost",
        "Content-Length: 100000000",
        "Connection: keep-alive",
    )
    assert status == "HTTP/1.1 403 Forbidden"
    assert 'add "upload" to expose under [server] in migration.toml' in body


def test_a_load_balancers_health_check_needs_no_allowed_host(server: DashboardServer) -> None:
    assert send_raw(server, "GET /healthz HTTP/1.1", "Host: 10.1.2.3:8501")[0] == "HTTP/1.1 200 OK"
    assert send_raw(server, "GET /healthz HTTP/1.0")[0].endswith(" 200 OK")
    assert send_raw(server, "GET / HTTP/1.1", "Host: 10.1.2.3:8501")[0] == "HTTP/1.1 403 Forbidden"


def test_strict_transport_security_behind_tls_only(server: DashboardServer) -> None:
    for path in ("/", "/healthz"):
        assert get(server, path)[1]["strict-transport-security"] is None
        _status, headers, _body = get(server, path, X_Forwarded_Proto="https")
        assert headers["strict-transport-security"] == "max-age=31536000"


def test_a_server_on_all_addresses_warns_and_serves_the_allowed_hosts(tmp_path: Path) -> None:
    environment = {"MIGRATION_DEMO": "1", "INSECURE": "1", "MIGRATION_ALLOWED_HOSTS": "dashboard.example.com"}
    with run_dashboard(tmp_path, environment, address="0.0.0.0") as server:
        host = ("Host: dashboard.example.com", "Origin: https://dashboard.example.com")
        assert send_raw(server, *HANDSHAKE, *host)[0].startswith("HTTP/1.1 101 ")
        assert send_raw(server, "GET / HTTP/1.1", "Host: other.example.com")[0] == "HTTP/1.1 403 Forbidden"
        assert server.log.count("This dashboard is reachable from other machines without sign-in") == 1


def test_the_document_has_the_style_of_the_pages(server: DashboardServer) -> None:
    plain = get(server, "/parity")[2]
    # As a browser asks again for a document that it had before an update.
    known = {"If_Modified_Since": "Fri, 01 Jan 2027 00:00:00 GMT", "Accept_Encoding": "gzip, br"}
    _status, headers, body = get(server, "/parity", Accept="text/html,*/*;q=0.8", **known)
    assert headers["cache-control"] == "no-cache" and headers["etag"] is None
    assert headers["content-encoding"] == "gzip"
    document = gzip.decompress(body)
    assert b"<style>" not in plain and len(document) > len(plain)
    assert b"<body><style>" in document and b".hero {" in document
    assert document.index(b"<body><style>") < document.index(b'<div id="root">')
