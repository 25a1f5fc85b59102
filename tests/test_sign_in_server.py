"""The real server behind each sign-in: that of an OpenID provider and that of a load balancer; and where it does not start at all."""

import http.cookiejar
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, Request, build_opener

import pytest
from itsdangerous import URLSafeTimedSerializer

from tests.factories.dashboard_server import ROOT, DashboardServer, free_port, run_dashboard
from tests.factories.sign_in_server import COOKIE_SECRET, GATE_TOKEN, oidc_table, write_config
from tests.fakes.alb_signer import SIGNER, FakeAlbSigner
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, USER, FakeOpenIdProvider, Fault

DEEP_LINK = "/parity?from=2026-11-27T00%3A00&to=2026-11-27T03%3A00"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: HTTPMessage
    body: str
    url: str


class NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


class Browser:
    """Keeps cookies and follows redirects, as a browser does that asks for pages."""

    def __init__(self, server: DashboardServer, *, follow: bool = True) -> None:
        self.server, self.cookies = server, http.cookiejar.CookieJar()
        handlers = [HTTPCookieProcessor(self.cookies), *([] if follow else [NoRedirect()])]
        self._opener: OpenerDirector = build_opener(*handlers)

    def get(self, path: str, **headers: str) -> Reply:
        names = {"Accept": "text/html,*/*;q=0.8"} | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with self._opener.open(Request(f"{self.server.url}{path}", headers=names), timeout=20) as reply:
                return Reply(reply.status, reply.headers, reply.read().decode(), reply.url)
        except HTTPError as error:
            return Reply(error.code, error.headers, error.read().decode(), error.url)


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeOpenIdProvider]:
    with FakeOpenIdProvider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def faultless(provider: FakeOpenIdProvider) -> None:
    provider.fault, provider.user, provider.has_sign_out = "", dict(USER), True


@pytest.fixture(scope="module")
def server(provider: FakeOpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    folder, port = tmp_path_factory.mktemp("oidc"), free_port()
    environment = write_config(folder, oidc_table(provider, port))
    with run_dashboard(folder, environment, port=port) as server:
        yield server


def test_a_cold_deep_link_leads_through_the_sign_in_back_to_itself(server: DashboardServer) -> None:
    browser = Browser(server)
    reply = browser.get(DEEP_LINK)
    assert (reply.status, reply.url) == (200, server.url + DEEP_LINK)
    assert '<div id="root">' in reply.body
    assert browser.get("/_stcore/host-config", Accept="application/json").status == 200
    assert "dashboard_next" not in {cookie.name for cookie in browser.cookies}


@pytest.mark.parametrize(
    "path", ["/media/0123.csv", "/_stcore/host-config", "/_stcore/bidi-components/x", "/api/openapi.json"]
)
def test_what_is_not_a_page_is_refused(path: str, server: DashboardServer) -> None:
    for accept in ("text/html", "*/*"):
        reply = Browser(server, follow=False).get(path, Accept=accept)
        assert reply.status == 401 and reply.body.startswith("Sign-in required.")


def test_the_gate_needs_its_token_with_or_without_a_session(server: DashboardServer) -> None:
    signed_in = Browser(server)
    signed_in.get("/")
    for browser in (Browser(server), signed_in):
        refused = browser.get("/api/v1/decision")
        assert (refused.status, json.loads(refused.body)["decision"]) == (401, "no_data")
        assert browser.get("/api/v1/decision", Authorization=f"Bearer {GATE_TOKEN}").status in (200, 503)
        assert browser.get("/metrics").status == 401
    assert Browser(server).get("/healthz").status == 200


def sign_cookie(**claims: object) -> str:
    return str(URLSafeTimedSerializer(COOKIE_SECRET, salt="_streamlit_user").dumps(json.dumps(claims)))


def session_claims(provider: FakeOpenIdProvider, **changes: object) -> dict[str, object]:
    times = {"iat": int(time.time()), "exp": int(time.time()) + 300}
    return {**USER, "iss": provider.url, "aud": CLIENT_ID, "is_logged_in": True, **times, **changes}


def test_a_session_is_what_this_server_signed_for_this_client_not_long_ago(
    server: DashboardServer, provider: FakeOpenIdProvider
) -> None:
    def status(cookie: str) -> int:
        path = "/_stcore/host-config"
        return Browser(server, follow=False).get(path, Accept="*/*", Cookie=f"a=b; _streamlit_user={cookie}").status

    assert status(sign_cookie(**session_claims(provider))) == 200
    assert status(sign_cookie(**session_claims(provider, aud=["other", CLIENT_ID]))) == 200
    for changes in (
        {"aud": "other"},
        {"aud": ["other"]},
        {"iss": "https://id.example.com"},
        {"is_logged_in": False},
        {"iat": int(time.time()) - 13 * 3600},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
    ):
        assert status(sign_cookie(**session_claims(provider, **changes))) == 401, changes
    valid = sign_cookie(**session_claims(provider))
    other = URLSafeTimedSerializer("another secret", salt="_streamlit_user").dumps(json.dumps(session_claims(provider)))
    for cookie in ("", "x", valid[:-2], f"{valid}x", other, sign_cookie(a=1), '"', "é"):
        assert status(cookie) == 401, cookie
    assert status(sign_cookie(**session_claims(provider, email="a@other.example", groups=[]))) == 403


TOKEN_FAULTS: list[Fault] = [
    "down_later",
    "denied",
    "expired",
    "audience",
    "party",
    "issuer",
    "nonce",
    "forged",
    "none",
    "no_token",
]


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
def test_an_invalid_answer_of_the_provider_is_no_sign_in_and_no_loop(
    fault: Fault, server: DashboardServer, provider: FakeOpenIdProvider
) -> None:
    provider.fault = fault
    browser = Browser(server)
    reply = browser.get(DEEP_LINK)
    assert reply.status == 401 and "The sign-in failed" in reply.body
    assert f"<a href='{DEEP_LINK.replace('&', '&amp;')}'>" in reply.body
    assert browser.get("/_stcore/host-config", Accept="*/*").status == 401
    assert "Traceback" not in reply.body


def test_a_provider_that_is_down_is_a_sentence(server: DashboardServer, provider: FakeOpenIdProvider) -> None:
    provider.fault = "down"
    browser = Browser(server)
    reply = browser.get(DEEP_LINK)
    assert reply.status == 502 and "The sign-in provider cannot be reached." in reply.body
    provider.fault = ""
    (again,) = re.findall(r"<a href='([^']*)'>", reply.body)
    assert browser.get(again.replace("&amp;", "&")).url == server.url + DEEP_LINK


def test_a_user_in_no_list_is_refused_and_can_sign_out(server: DashboardServer, provider: FakeOpenIdProvider) -> None:
    provider.user = USER | {"email": "kenji@other.example", "groups": []}
    browser = Browser(server)
    reply = browser.get("/parity")
    assert reply.status == 403
    assert "kenji@other.example is signed in, but in none of the lists" in reply.body
    signed_out = browser.get("/auth/logout")
    assert signed_out.status == 200 and "You are signed out." in signed_out.body
    assert "/sign-out" in provider.requested
    assert not [cookie for cookie in browser.cookies if cookie.name.startswith("_streamlit_user")]


def test_signing_out_where_the_provider_has_no_sign_out_does_not_sign_in_again(
    server: DashboardServer, provider: FakeOpenIdProvider
) -> None:
    provider.has_sign_out = False
    browser = Browser(server)
    browser.get("/")
    assert "You are signed out." in browser.get("/auth/logout").body
    assert browser.get("/_stcore/host-config", Accept="*/*").status == 401


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/a b", "javascript:1"]
)
def test_the_sign_in_leads_to_this_server_alone(target: str, server: DashboardServer) -> None:
    browser = Browser(server, follow=False)
    reply = browser.get("/oauth2callback?error=x&state=y", Cookie=f"dashboard_next={target.replace(' ', '%20')}")
    assert re.findall(r"<a href='([^']*)'>", reply.body) == ["/"]


def test_the_secrets_are_in_no_log(server: DashboardServer) -> None:
    Browser(server).get("/")
    assert CLIENT_SECRET not in server.log and COOKIE_SECRET not in server.log


@pytest.fixture(scope="module")
def signer() -> Iterator[FakeAlbSigner]:
    with FakeAlbSigner() as signer:
        yield signer


def alb_table(signer: FakeAlbSigner) -> str:
    return f'method = "alb"\nload_balancer = "{SIGNER}"\npublic_keys_url = "{signer.url}"\nviewers = ["@example.com"]\n'


def test_behind_a_load_balancer_every_request_needs_its_token(signer: FakeAlbSigner, tmp_path: Path) -> None:
    """On all addresses, which a sign-in permits."""
    with run_dashboard(tmp_path, write_config(tmp_path, alb_table(signer)), address="0.0.0.0") as server:
        browser = Browser(server, follow=False)
        for path in ("/", DEEP_LINK, "/media/0.csv", "/_stcore/host-config"):
            assert browser.get(path).status == 401
            assert browser.get(path, X_Amzn_Oidc_Data=signer.sign(alg="none")).status == 401
        assert browser.get("/", X_Amzn_Oidc_Data=signer.sign()).status == 200
        assert browser.get("/_stcore/host-config", X_Amzn_Oidc_Data=signer.sign()).status == 200
        assert browser.get("/", X_Amzn_Oidc_Data=signer.sign({"sub": "1"})).status == 403
        assert browser.get("/healthz").status == browser.get("/readyz").status == 200


def start(environment: dict[str, str], *arguments: str, address: str = "0.0.0.0") -> subprocess.CompletedProcess[str]:
    """What a server prints that ends by itself."""
    options = ("--server.headless=true", f"--server.address={address}", f"--server.port={free_port()}")
    return subprocess.run(
        [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard.py"), *options, *arguments],
        cwd=ROOT,
        env={"PATH": "", "HOME": environment.get("HOME", ""), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_open_to_other_machines_without_sign_in_it_does_not_start(tmp_path: Path) -> None:
    result = start({"MIGRATION_DEMO": "1", "HOME": str(tmp_path)})
    assert result.returncode != 0
    assert "Not started: other machines could connect without sign-in and see everything." in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("*.db")), "nothing was opened"


def test_with_insecure_it_starts_and_warns(tmp_path: Path) -> None:
    environment = {"MIGRATION_DEMO": "1"}
    with run_dashboard(tmp_path, environment, address="0.0.0.0", arguments=("--", "--insecure")) as server:
        assert Browser(server).get("/").status == 200
        assert "This dashboard is reachable from other machines without sign-in" in server.log


def test_an_invalid_configuration_is_not_served_to_other_machines(tmp_path: Path) -> None:
    environment = write_config(tmp_path, 'method = "oidc"\n')
    result = start(environment)
    assert result.returncode != 0
    assert "the configuration is invalid" in result.stderr and "sign_in.issuer: key_of_method" in result.stderr
