"""The middleware that serves signed-in users alone, if [sign_in] is configured: pages, downloads, the WebSocket and all else that has no guard of its own."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from domain.config.sign_in import SignIn
from domain.identity import Identity
from domain.window import HOUR_S
from messages import sign_in as text
from messages.i18n import in_language
from sources.aws.alb_identity import HEADER, InvalidTokenError, PublicKeys, public_keys_url, verify_token
from ui.assets import ASSETS
from ui.server.asgi import ASGIApp, Event, Receive, Scope, Send, header_values
from ui.server.paths import DECISION_PATH, ROLLBACK_PATH
from ui.server.request_guard import HEALTH_CHECKS, Refusal, send_refusal
from ui.server.sign_in_pages import accepts_page, language_of, send_page
from ui.server.token_guard import check_token, is_token_path

# Who is signed in, for the script of the page. What clients send by this name is removed.
IDENTITY_HEADER = "x-dashboard-identity"
SIGN_OUT_PATH = "/auth/logout"
STATIC_PREFIX = "/static/"  # the program's own scripts and fonts
ALB_COOKIES = tuple(f"AWSELBAuthSessionCookie-{number}" for number in range(4))


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, until `ends_at`, in epoch seconds."""

    identity: Identity
    ends_at: float


class SignInHandler(Protocol):
    """A way to sign in."""

    async def identify(self, scope: Scope) -> Session | Refusal:
        """Who sent the request."""

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the request was one of the sign-in itself, and has been answered."""

    async def ask(self, scope: Scope, send: Send) -> bool:
        """Whether a page without a session was answered with the way to sign in."""


class SignInGuard:
    """`settings`: those of the configuration that was loaded last. `token`: with which programs may ask what has no guard of its own."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Callable[[], SignIn | None],
        oidc: Callable[[SignIn, ASGIApp], SignInHandler],
        *,
        token: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app, self._settings, self._oidc, self._token, self._clock = app, settings, oidc, token, clock
        self._method: tuple[SignIn, SignInHandler] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sign_in = self._settings() if scope["type"] in ("http", "websocket") else None
        if sign_in is None or _is_open(scope) or self._has_token(scope):
            await self.app(_with_identity(scope, None), receive, send)
            return
        method = self._method_of(sign_in)
        if scope["type"] == "http" and await method.respond(scope, receive, send):
            return
        with in_language(language_of(scope)):
            found = await method.identify(scope)
        if isinstance(found, Session):
            receive = _until(found.ends_at - self._clock(), receive) if scope["type"] == "websocket" else receive
            await self.app(_with_identity(scope, found.identity), receive, send)
        elif not accepts_page(scope):
            await send_refusal(found, scope, send)
        elif found.status != 401 or not await method.ask(scope, send):
            await send_page(scope, send, found.status, found.text, sign_out=found.status == 403)

    def _has_token(self, scope: Scope) -> bool:
        """Whether a program sent the token of the gate."""
        return scope["type"] == "http" and bool(self._token) and check_token(scope, self._token) is None

    def _method_of(self, sign_in: SignIn) -> SignInHandler:
        if self._method is None or self._method[0] != sign_in:
            method = AlbSignIn(sign_in) if sign_in.method == "alb" else self._oidc(sign_in, self.app)
            self._method = (sign_in, method)
        return self._method[1]


def _is_open(scope: Scope) -> bool:
    """Whether everybody may have it, or another guard decides, which none does about a WebSocket."""
    path = scope["path"]
    if scope["type"] == "websocket":
        return False
    if path in HEALTH_CHECKS or path in ASSETS or path.startswith(STATIC_PREFIX) or is_token_path(path):
        return True
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in (DECISION_PATH, ROLLBACK_PATH))


def _with_identity(scope: Scope, identity: Identity | None) -> Scope:
    if scope["type"] not in ("http", "websocket"):
        return scope
    name = IDENTITY_HEADER.encode()
    headers = [header for header in scope["headers"] if header[0] != name]
    if identity:
        headers.append((name, json.dumps(asdict(identity)).encode()))
    return {**scope, "headers": headers}


def _until(seconds: float, receive: Receive) -> Receive:
    """`receive` of a WebSocket, which ends after `seconds`. The browser connects again, and is refused."""
    deadline = asyncio.get_running_loop().time() + seconds

    async def receive_in_time() -> Event:
        try:
            async with asyncio.timeout_at(deadline):
                return await receive()
        except TimeoutError:
            return {"type": "websocket.disconnect", "code": 1008}

    return receive_in_time


def session_of(claims: Mapping[str, Any], sign_in: SignIn, ends_at: float) -> Session | Refusal:
    """The session of a user whose claims are verified."""
    found = sign_in.read_claims(claims)
    role = sign_in.role_of(found)
    if role is None or not found.name:
        return Refusal(403, text.no_role(str(found)))
    return Session(Identity(found.name, found.email, role), ends_at)


class AlbSignIn:
    """The sign-in of the load balancer in front. Each request has its token, also that of the WebSocket."""

    def __init__(self, sign_in: SignIn, *, clock: Callable[[], float] = time.time) -> None:
        self._sign_in, self._clock = sign_in, clock
        self._keys = PublicKeys(public_keys_url(sign_in))

    async def identify(self, scope: Scope) -> Session | Refusal:
        values = header_values(scope, HEADER)
        try:
            if len(values) != 1:
                raise InvalidTokenError("malformed" if values else "missing")
            claims = await self._claims(values[0])
        except InvalidTokenError as error:
            return Refusal(401, str(text.FAULTS[error.fault]))
        return session_of(claims, self._sign_in, self._clock() + self._sign_in.session_hours * HOUR_S)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """Those of a valid token. A thread is used only if the key is yet to be fetched: a slow key server must not delay anyone else."""
        try:
            return verify_token(token, self._sign_in, self._keys.cached, clock=self._clock)
        except KeyError:
            return await asyncio.to_thread(verify_token, token, self._sign_in, self._keys.get, clock=self._clock)

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Signs out: ends the load balancer's session, then the provider's."""
        if scope["path"] != SIGN_OUT_PATH or not self._sign_in.sign_out_url:
            return False
        headers = [(b"location", self._sign_in.sign_out_url.encode()), (b"cache-control", b"no-store")]
        headers += [
            (b"set-cookie", f"{name}=; Max-Age=0; Path=/; Secure; HttpOnly".encode("ascii")) for name in ALB_COOKIES
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True

    async def ask(self, scope: Scope, send: Send) -> bool:
        return False
