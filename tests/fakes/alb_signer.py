"""A load balancer that signs who is signed in, as x-amzn-oidc-data has it, and the server of its public keys."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.factories.config import ELB_ARN_PREFIX
from tests.fakes.http import LoopbackServer

SIGNER = f"{ELB_ARN_PREFIX}:loadbalancer/app/front/0123456789abcdef"
KEY_ID = "0c1f7c4e-58f1-4d1f-a7c5-3b0d1c7f6a10"
USER = {"sub": "user-1", "email": "ayumi@example.com", "email_verified": "true", "name": "佐藤 あゆみ"}


def encode(part: bytes) -> str:
    """base64url with padding, as a load balancer writes it."""
    return urlsafe_b64encode(part).decode()


class FakeAlbSigner(LoopbackServer):
    """`sign`: a token. `requested`: the paths that were asked of the key server. Those in `hanging` set `arrived` and wait for `release()`."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.keys: dict[str, bytes] = {KEY_ID: self.pem(self.key)}
        self.requested: list[str] = []
        self.hanging: set[str] = set()
        self.arrived, self._released = threading.Event(), threading.Event()
        signer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                signer.requested.append(self.path)
                if self.path in signer.hanging:
                    signer.arrived.set()
                    signer._released.wait()
                body = signer.keys.get(self.path.removeprefix("/"))
                self.send_response(200 if body else 404)
                self.end_headers()
                self.wfile.write(body or b"<Error><Code>AccessDenied</Code></Error>")

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def release(self) -> None:
        self._released.set()

    @staticmethod
    def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(
        self, claims: Mapping[str, Any] = USER, *, key: ec.EllipticCurvePrivateKey | None = None, **header: Any
    ) -> str:
        """A token with `claims`; `header`: fields in place of the usual ones, None removes one."""
        expiry = int(time.time()) + 120
        fields = {"typ": "JWT", "kid": KEY_ID, "alg": "ES256", "iss": "https://id.example.com", "client": "dashboard"}
        fields |= {"signer": SIGNER, "exp": expiry} | header
        fields = {name: value for name, value in fields.items() if value is not None}
        parts = [encode(json.dumps(part).encode()) for part in (fields, {"exp": expiry, **claims})]
        signature = (key or self.key).sign(".".join(parts).encode(), ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(signature)
        return ".".join((*parts, encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))))
