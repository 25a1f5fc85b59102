"""Who may ask what is not a page: programs with the token, or without one, this machine alone."""

from domain.bearer import has_token
from domain.hosts import is_loopback, normalize_host
from messages import gate as text
from ui.server.asgi import ASGIApp, Receive, Scope, Send, header_values
from ui.server.request_guard import AGENT_ENDPOINT, METRICS_PATH, STREAMLIT_PREFIX, Refusal, send_refusal

AGENT_API = f"{STREAMLIT_PREFIX}{AGENT_ENDPOINT}"
FORWARDING_HEADERS = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
CHALLENGE = (b"www-authenticate", b'Bearer realm="dashboard"')


def check_token(scope: Scope, token: str) -> Refusal | None:
    """None if the request has the token, or if there is none (""), comes from this machine and through no proxy."""
    if token:
        return None if has_token(header_values(scope, b"authorization"), token) else Refusal(401, str(text.WRONG_TOKEN))
    peer = normalize_host(scope["client"][0]) if scope.get("client") else None
    is_forwarded = any(name in FORWARDING_HEADERS for name, _value in scope["headers"])
    return None if peer and is_loopback(peer) and not is_forwarded else Refusal(403, str(text.LOOPBACK_ONLY))


def is_token_path(path: str) -> bool:
    """Whether TokenGuard guards the path, for HTTP."""
    return path == METRICS_PATH or AGENT_API in path  # also below server.baseUrlPath


class TokenGuard:
    """The middleware in front of /metrics and of Streamlit's agent API. The gate, whose refusals are decisions, asks `check_token` itself."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if is_token_path(path) and (refusal := check_token(scope, self._token)):
            await send_refusal(refusal, scope, send, *([CHALLENGE] if refusal.status == 401 else []))
        else:
            await self.app(scope, receive, send)
