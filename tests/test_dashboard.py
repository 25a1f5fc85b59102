"""The real server: compression, security headers, health check, access log, and plotly.js."""

import gzip
import json
import time
from collections.abc import Iterator
from http.client import HTTPMessage
from typing import Any
from urllib.request import Request, urlopen

import pytest

from charts.base.plotlyjs import plotly_js
from tests.factories.dashboard_server import DashboardServer, run_dashboard

PLOTLY = f"/assets/plotly-{plotly_js()[0]}.min.js"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    environment = {"MIGRATION_DEMO": "1", "LOG_FORMAT": "json"}
    with run_dashboard(tmp_path_factory.mktemp("dashboard"), environment) as server:
        yield server


def get(server: DashboardServer, path: str, **headers: str) -> tuple[int, HTTPMessage, bytes]:
    request = Request(f"{server.url}{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urlopen(request, timeout=20) as response:
        return response.status, response.headers, response.read()


@pytest.mark.parametrize("path", ["/", "/healthz", "/_stcore/health", PLOTLY])
def test_every_response_has_the_security_headers(server: DashboardServer, path: str) -> None:
    _status, headers, _body = get(server, path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'self'"
    assert policy["object-src"] == "'none'"
    # Nothing is loaded from, or sent to, another host.
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


def test_plotlyjs_is_compressed_once_and_cached_forever(server: DashboardServer) -> None:
    _version, script = plotly_js()
    status, headers, body = get(server, PLOTLY, Accept_Encoding="gzip")
    assert (status, headers["content-encoding"], headers["content-type"]) == (
        200,
        "gzip",
        "text/javascript; charset=utf-8",
    )
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(body) == gzip.decompress(script)
    assert b"plotly.js" in gzip.decompress(body)[:200]
