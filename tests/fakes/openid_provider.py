"""An OpenID provider on loopback: discovery, authorization with PKCE, tokens signed with RS256 or ES256, keys and sign-out. Its user agrees at once.

https://openid.net/specs/openid-connect-core-1_0.html
"""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from tests.fakes.http import LoopbackServer

CLIENT_ID, CLIENT_SECRET = "dashboard", "secret-of-the-client"
USER = {
    "sub": "user-1",
    "name": "佐藤 あゆみ",
    "email": "ayumi@example.com",
    "email_verified": True,
    "groups": ["web-team"],
}

# What is wrong with its answers: "down" answers nothing but 503, "hanging" nothing at all; "denied": the user refuses; the others are about the
# ID token.
Fault = Literal[
    "",
    "down",
    "down_later",
    "hanging",
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


class FakeOpenIdProvider(LoopbackServer):
    """`user`: the claims of who is signed in there. `fault`: what is wrong. `requested`: the paths that were asked.

    `metadata`: fields in place of the usual ones, None removes one. `replies`: status, headers and body in place of the usual ones, by path.
    `authorizations`: the headers of GET requests. `certificate`: a PEM file with which it serves HTTPS.
    """

    def __init__(self, *, algorithm: Literal["RS256", "ES256"] = "RS256", certificate: Path | None = None) -> None:
        self.user: dict[str, Any] = dict(USER)
        self.fault: Fault = ""
        self.metadata: dict[str, Any] = {}
        self.replies: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requested: list[str] = []
        self.authorizations: set[str] = set()
        self._scheme, self._released = "https" if certificate else "http", threading.Event()
        self.has_sign_out = True
        self._algorithm = algorithm
        self.key = self._new_key()
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                provider._post(self, _flat(body), self.headers.get("Authorization", ""))

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        super().__init__(server)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    @property
    def url(self) -> str:
        return super().url.replace("http:", f"{self._scheme}:")

    def release(self) -> None:
        self._released.set()

    def _new_key(self) -> RSAKey | ECKey:
        parameters = {"kid": "key-1", "use": "sig"}
        if self._algorithm == "ES256":
            return ECKey.generate_key("P-256", parameters, private=True)
        return RSAKey.generate_key(2048, parameters, private=True)

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.requested.append(parts.path)
        self.authorizations.add(handler.headers.get("Authorization", ""))
        query = _flat(parts.query)
        if self.fault == "hanging":
            self._released.wait()
        elif self.fault == "down":
            _send(handler, 503, {"error": "temporarily_unavailable"})
        elif parts.path in self.replies:
            _reply(handler, *self.replies[parts.path])
        elif parts.path == "/.well-known/openid-configuration":
            fields = self._metadata() | self.metadata
            _send(handler, 200, {name: value for name, value in fields.items() if value is not None})
        elif parts.path == "/jwks":
            _send(handler, 200, KeySet([self.key]).as_dict(private=False))
        elif parts.path == "/authorize":
            self._authorize(handler, query)
        elif parts.path == "/sign-out":
            _redirect(handler, query["post_logout_redirect_uri"])
        else:
            _send(handler, 404, {})

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            # Some list it, and a library then accepts it.
            "id_token_signing_alg_values_supported": [self._algorithm, "none"],
        }
        return metadata | ({"end_session_endpoint": f"{self.url}/sign-out"} if self.has_sign_out else {})

    def _authorize(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        if query["client_id"] != CLIENT_ID or query["response_type"] != "code" or "openid" not in query["scope"]:
            _send(handler, 400, {"error": "invalid_request"})
            return
        answer = {"error": "access_denied"} if self.fault == "denied" else {"code": secrets.token_urlsafe(16)}
        self._codes[answer.get("code", "")] = query
        _redirect(handler, f"{query['redirect_uri']}?{urlencode(answer | {'state': query['state']})}")

    def _post(self, handler: BaseHTTPRequestHandler, form: dict[str, str], authorization: str) -> None:
        self.requested.append(handler.path)
        expected = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self._codes.pop(form.get("code", ""), None)
        if self.fault in ("down", "down_later"):
            _send(handler, 503, {"error": "temporarily_unavailable"})
        elif authorization != expected or asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            _send(handler, 401, {"error": "invalid_client"})
        elif _challenge(form["code_verifier"]) != asked["code_challenge"]:
            _send(handler, 400, {"error": "invalid_grant"})
        else:
            token = {} if self.fault == "no_token" else {"id_token": self._id_token(asked["nonce"])}
            _send(handler, 200, {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, **token})

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.user}
        changes: Mapping[str, dict[str, Any]] = {
            "expired": {"iat": now - 7200, "exp": now - 3600},
            "audience": {"aud": "another-client"},
            "party": {"aud": "another-client", "azp": CLIENT_ID},
            "issuer": {"iss": "https://id.example.com"},
            "nonce": {"nonce": "another"},
        }
        claims |= changes.get(self.fault, {})
        if self.fault == "none":
            return ".".join((_encode({"alg": "none"}), _encode(claims), ""))
        key = self._new_key() if self.fault == "forged" else self.key
        return jwt.encode({"alg": self._algorithm, "kid": "key-1"}, claims, key)


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _encode(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _send(handler: BaseHTTPRequestHandler, status: int, content: Mapping[str, Any]) -> None:
    _reply(handler, status, {"Content-Type": "application/json"}, json.dumps(content).encode())


def _reply(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _redirect(handler: BaseHTTPRequestHandler, url: str) -> None:
    _reply(handler, 302, {"Location": url}, b"")
