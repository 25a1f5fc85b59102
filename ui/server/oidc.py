"""The program's own sign-in, by Streamlit's st.login: its routes /auth/login, /auth/logout and /oauth2callback, and the cookie that it signs.

Streamlit shows a page before it asks who its reader is. Here a page without a session is a redirect to its login, and what was asked for is kept in a
cookie until the provider has answered.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from streamlit import config
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.runtime.secrets import secrets_singleton
from streamlit.user_info import generate_login_redirect_url
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from domain.config.sign_in import CLIENT_SECRET, COOKIE_SECRET, SignIn
from domain.redaction import register_secret
from domain.window import HOUR_S
from messages import sign_in as text
from ui.server.asgi import ASGIApp, Event, Receive, Scope, Send, request_cookies
from ui.server.request_guard import Refusal
from ui.server.sign_in import SIGN_OUT_PATH, Session, session_of
from ui.server.sign_in_pages import send_page

LOGIN_PATH, CALLBACK_PATH = "/auth/login", "/oauth2callback"
NEXT_COOKIE = "dashboard_next"
NEXT_MAX_AGE_S = 600
MAX_NEXT_CHARS = 2_000
CLOCK_SKEW_S = 60.0


def use_cookie_secret(environment: Mapping[str, str]) -> None:
    """Signs Streamlit's cookies with the secret of the environment. Without one it takes a random one, and sessions end with the process."""
    if secret := environment.get(COOKIE_SECRET, "").strip():
        register_secret(secret)
        config.set_option("server.cookieSecret", secret, COOKIE_SECRET)


class OidcSignIn:
    """`app`: what serves Streamlit's routes. Needs requirements-auth.txt."""

    def __init__(
        self,
        sign_in: SignIn,
        app: ASGIApp,
        environment: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sign_in, self._app, self._clock = sign_in, app, clock
        _configure_login(sign_in, environment)

    async def identify(self, scope: Scope) -> Session | Refusal:
        claims = self._claims(request_cookies(scope))
        if claims is None:
            return Refusal(401, str(text.REQUIRED_FOR_PROGRAMS))
        return session_of(claims, self._sign_in, self._ends_at(claims))

    def _claims(self, cookies: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Those in the cookie, if this program signed it for a token that the provider issued for this client, not too long ago."""
        try:
            claims = json.loads(_signed_cookie(cookies, USER_COOKIE_NAME) or b"null")
        except ValueError:
            return None
        if not isinstance(claims, dict) or not claims.get("is_logged_in"):
            return None
        audience = claims.get("aud")
        is_ours = self._sign_in.client_id in (audience if isinstance(audience, list) else [audience])
        is_current = self._clock() < self._ends_at(claims)
        is_issuer = str(claims.get("iss", "")).rstrip("/") == self._sign_in.issuer
        return claims if is_ours and is_current and is_issuer else None

    def _ends_at(self, claims: Mapping[str, Any]) -> float:
        issued_at = claims.get("iat")
        if not isinstance(issued_at, int | float) or issued_at > self._clock() + CLOCK_SKEW_S:
            return 0.0
        return issued_at + self._sign_in.session_hours * HOUR_S

    async def ask(self, scope: Scope, send: Send) -> bool:
        """Redirects to the login, and keeps what was asked for."""
        path = _next_path(scope["path"], scope.get("query_string", b""))
        headers = [
            (b"location", generate_login_redirect_url("default").encode()),
            (b"set-cookie", _next_cookie(path, NEXT_MAX_AGE_S)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> bool:
        if scope["path"] not in (LOGIN_PATH, CALLBACK_PATH, SIGN_OUT_PATH):
            return False
        if scope["path"] == CALLBACK_PATH and not _has_answer(scope):  # the provider returns from signing out
            await send_page(scope, send, 200, text.SIGNED_OUT, sign_in="/")
            return True
        status, headers = await _response_of(self._app, scope, receive)
        if scope["path"] == LOGIN_PATH:
            await self._after_login(scope, send, status, headers)
        elif scope["path"] == CALLBACK_PATH:
            await self._after_callback(scope, send, status, headers)
        else:
            await self._after_sign_out(scope, send, headers)
        return True

    async def _after_login(self, scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if status == 302:
            await _redirect(send, headers)
        else:
            await send_page(scope, send, 502, text.PROVIDER_DOWN, sign_in=_asked_for(scope))

    async def _after_callback(self, scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Streamlit redirects to / whether the sign-in succeeded or not. Sent there without a session, the browser would start again, for ever."""
        path = _asked_for(scope)
        if self._claims(_cookies_set(headers)):
            kept = [header for header in headers if header[0] != b"location"]
            location = (b"location", quote(path, safe="/?&=%+:,;@!$'()*~-._").encode())
            await _redirect(send, [*kept, location, (b"set-cookie", _next_cookie("", 0))])
        else:
            cookies = [header for header in headers if header[0] == b"set-cookie"]
            await send_page(scope, send, 401, text.FAILED, *cookies, sign_in=path)

    async def _after_sign_out(self, scope: Scope, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        """To the provider, if it can sign out; else it would sign in again at once."""
        location = dict(headers).get(b"location", b"/")
        if location.startswith(b"http"):
            await _redirect(send, headers)
        else:
            cookies = [header for header in headers if header[0] == b"set-cookie"]
            await send_page(scope, send, 200, text.SIGNED_OUT, *cookies, sign_in="/")


def _configure_login(sign_in: SignIn, environment: Mapping[str, str]) -> None:
    """Hands Streamlit's [auth] over, which it otherwise reads from .streamlit/secrets.toml."""
    from joserfc.jws import JWSRegistry

    # A provider may list "none" among its algorithms, and the library then accepts tokens without a signature.
    JWSRegistry.algorithms.pop("none", None)
    secret = environment.get(CLIENT_SECRET, "").strip()
    register_secret(secret)
    auth = {
        "redirect_uri": sign_in.redirect_uri,
        "cookie_secret": config.get_option("server.cookieSecret"),
        "client_id": sign_in.client_id,
        "client_secret": secret,
        "server_metadata_url": sign_in.metadata_url,
        "client_kwargs": {"scope": sign_in.scope},
    }
    secrets_singleton.merge_programmatic_secrets({"auth": auth})


def _signed_cookie(cookies: Mapping[str, str], name: str) -> bytes | None:
    secret = get_cookie_secret()

    def read(part: str) -> bytes | None:
        value = cookies.get(part)
        return decode_signed_value(secret, part, value.encode("latin-1")) if value else None

    return get_cookie_with_chunks(read, name)


def _has_answer(scope: Scope) -> bool:
    return bool(
        {"code", "error"} & set(parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
    )


async def _response_of(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status and headers of a response whose body is not used."""
    status, headers = 500, list[tuple[bytes, bytes]]()

    async def keep(event: Event) -> None:
        nonlocal status, headers
        if event["type"] == "http.response.start":
            status, headers = event["status"], [(name.lower(), value) for name, value in event["headers"]]

    await app(scope, receive, keep)
    return status, headers


async def _redirect(send: Send, headers: Iterable[tuple[bytes, bytes]]) -> None:
    kept = [header for header in headers if header[0] in (b"location", b"set-cookie")]
    await send({"type": "http.response.start", "status": 303, "headers": [*kept, (b"cache-control", b"no-store")]})
    await send({"type": "http.response.body", "body": b""})


def _cookies_set(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    pairs = (
        value.decode("latin-1").partition(";")[0].partition("=") for name, value in headers if name == b"set-cookie"
    )
    return {name: value for name, _, value in pairs}


def _next_path(path: str, query: bytes) -> str:
    return f"{quote(path)}?{query.decode('latin-1')}" if query else quote(path)


def _next_cookie(path: str, max_age_s: int) -> bytes:
    value = quote(path, safe="") if len(path) <= MAX_NEXT_CHARS else ""
    return f"{NEXT_COOKIE}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax".encode()


def _asked_for(scope: Scope) -> str:
    """The path and query that was asked for before the sign-in: of this server, whatever the cookie has."""
    path = unquote(request_cookies(scope).get(NEXT_COOKIE, ""))
    return path if re.fullmatch(r"/(?![/\\])[\x21-\x7e]{0,2000}", path) else "/"
