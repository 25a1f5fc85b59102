"""What surrounds the pages, asked of the real server: compression, security headers, the health check, and the plotly.js of the charts."""

import gzip
import json
from collections.abc import Iterator
from http.client import HTTPMessage
from urllib.request import Request, urlopen

import pytest

from charts.base.plotlyjs import plotly_js
from tests.factories.dashboard_server import DashboardServer, run_dashboard


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    with run_dashboard(tmp_path_factory.mktemp("dashboard"), {"MIGRATION_DEMO": "1"}) as server:
        yield server


def get(server: DashboardServer, path: str, **headers: str) -> tuple[int, HTTPMessage, bytes]:
    asked = Request(f"{server.url}{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urlopen(asked, timeout=20) as reply:
        return reply.status, reply.headers, reply.read()


PLOTLY = f"/assets/plotly-{plotly_js()[0]}.min.js"


@pytest.mark.parametrize("path", ["/", "/healthz", "/_stcore/health", PLOTLY])
def test_every_answer_wears_the_security_headers(server: DashboardServer, path: str) -> None:
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


def test_the_health_check_asks_nobody(server: DashboardServer) -> None:
    status, headers, body = get(server, "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers["content-type"] == "application/json"


def test_the_page_is_compressed_for_whoever_can_read_that(server: DashboardServer) -> None:
    _status, headers, small = get(server, "/", Accept_Encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in headers["vary"]
    _status, headers, plain = get(server, "/", Accept_Encoding="identity")
    assert headers["content-encoding"] is None
    assert gzip.decompress(small) == plain
    assert b"<title>" in plain


def test_plotly_js_comes_compressed_once_and_is_kept_for_ever(server: DashboardServer) -> None:
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
