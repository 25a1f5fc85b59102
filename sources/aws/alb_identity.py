"""Who is signed in at a load balancer: its header x-amzn-oidc-data, a JWT that it signs with ES256.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

import json
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Literal

import requests

from domain.config.sign_in import SignIn
from sources.transport import ReplyLimits, create_session, limits, read_body

HEADER = b"x-amzn-oidc-data"
CLOCK_SKEW_S = 60.0
MAX_TOKEN_CHARS = 32_768
MAX_KEYS = 100
RETRY_AFTER_S = 30.0  # for a key that could not be fetched: each forged key ID would cost a request
_KEY_LIMITS = ReplyLimits(deadline_s=5.0, max_bytes=8_192)
_TIMEOUT_S = (3.0, 3.0)
_KEY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")

TokenFault = Literal["missing", "malformed", "algorithm", "signer", "expired", "key", "signature"]


class InvalidTokenError(Exception):
    """A token that does not prove who sent the request. `fault`: why."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(fault)
        self.fault = fault


class PublicKeys:
    """The public keys of the load balancers of a region, in PEM, by their IDs: fetched once each. Thread-safe."""

    def __init__(self, base_url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._base_url, self._clock = base_url, clock
        self._keys: dict[str, bytes] = {}
        self._retry_at: dict[str, float] = {}
        self._fetches: dict[str, Future[bytes]] = {}  # those that run, by key ID; the result is b"" without a key
        self._lock = threading.Lock()
        self._session = create_session()

    def cached(self, key_id: str) -> bytes:
        """A key that was fetched before. Raises KeyError. Waits for nothing."""
        return self._keys[key_id]

    def get(self, key_id: str) -> bytes:
        """Raises InvalidTokenError if there is no such key, or it cannot be fetched now. Waits for a fetch of this key alone, also another thread's."""
        if not _KEY_ID.fullmatch(key_id):
            raise InvalidTokenError("key")
        with self._lock:
            if key_id in self._keys:
                return self._keys[key_id]
            if self._clock() < self._retry_at.get(key_id, 0):
                raise InvalidTokenError("key")
            running = self._fetches.get(key_id)
            fetch = self._fetches[key_id] = running or Future()
        if running is None:
            key = b""
            try:
                key = self._fetch(key_id)
            finally:
                self._store(key_id, key)
                fetch.set_result(key)
        if not (key := fetch.result()):
            raise InvalidTokenError("key")
        return key

    def _store(self, key_id: str, key: bytes) -> None:
        """Ends a fetch, with b"" as one without a key."""
        with self._lock:
            del self._fetches[key_id]
            if key:
                self._keys[key_id] = key
                self._retry_at.pop(key_id, None)
                if len(self._keys) > MAX_KEYS:
                    del self._keys[next(iter(self._keys))]
            else:
                if len(self._retry_at) >= MAX_KEYS:
                    self._retry_at.clear()
                self._retry_at[key_id] = self._clock() + RETRY_AFTER_S

    def _fetch(self, key_id: str) -> bytes:
        """The key, b"" if there is none, or it cannot be fetched."""
        try:
            with limits(_KEY_LIMITS):
                url = f"{self._base_url}/{key_id}"
                reply = self._session.get(url, timeout=_TIMEOUT_S, allow_redirects=False, stream=True)
                key = read_body(reply)
        except requests.RequestException:
            return b""
        is_key = reply.status_code == 200 and key.lstrip().startswith(b"-----BEGIN PUBLIC KEY-----")
        return key if is_key else b""


def public_keys_url(sign_in: SignIn) -> str:
    """Where the keys of the load balancer are: of its region and partition, unless configured."""
    if sign_in.public_keys_url:
        return sign_in.public_keys_url
    partition, region = sign_in.signer.partition, sign_in.signer.region
    if partition == "aws-us-gov":
        return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    if partition == "aws-cn":
        return f"https://s3.{region}.amazonaws.com.cn/aws-elb-public-keys-prod-{region}"
    return f"https://public-keys.auth.elb.{region}.amazonaws.com"


def verify_token(
    token: str, sign_in: SignIn, key_of: Callable[[str], bytes], *, clock: Callable[[], float] = time.time
) -> Mapping[str, Any]:
    """The claims of a token that the configured load balancer signed. Raises InvalidTokenError. Needs requirements-auth.txt.

    `key_of`: the key of an ID, as PublicKeys has it; what it raises is passed on.
    Its segments have base64 padding, which libraries for JWT refuse, and which the signature covers.
    """
    header_part, payload_part, signature_part = _parts(token)
    header, payload = _object(header_part), _object(payload_part)
    if header.get("alg") != "ES256":
        raise InvalidTokenError("algorithm")
    if header.get("signer") != sign_in.load_balancer:
        raise InvalidTokenError("signer")
    expiries = [claims["exp"] for claims in (header, payload) if "exp" in claims]
    if not expiries or not all(_is_later(expiry, clock() - CLOCK_SKEW_S) for expiry in expiries):
        raise InvalidTokenError("expired")
    key = key_of(str(header.get("kid", "")))
    if not _is_signed(f"{header_part}.{payload_part}".encode(), _decode(signature_part), key):
        raise InvalidTokenError("signature")
    return payload


def _is_signed(message: bytes, signature: bytes, pem: bytes) -> bool:
    """Whether `signature` is that of ES256, RFC 7518, section 3.4: two numbers of 32 bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except ValueError:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1" or len(signature) != 64:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _parts(token: str) -> list[str]:
    parts = token.split(".") if token.isascii() and len(token) <= MAX_TOKEN_CHARS else []
    if len(parts) != 3:
        raise InvalidTokenError("malformed")
    return parts


def _decode(part: str) -> bytes:
    """base64url, with or without padding."""
    stripped = part.rstrip("=")
    try:
        if not re.fullmatch(r"[\w-]*", stripped, re.ASCII):
            raise ValueError(part)
        return urlsafe_b64decode(stripped + "=" * (-len(stripped) % 4))
    except ValueError:
        raise InvalidTokenError("malformed") from None


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_decode(part))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidTokenError("malformed")
    return found


def _is_later(expiry: object, now: float) -> bool:
    return isinstance(expiry, int | float) and not isinstance(expiry, bool) and expiry > now
