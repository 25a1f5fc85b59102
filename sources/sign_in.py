"""What the sign-in needs from other servers, for `doctor`: an OpenID provider's metadata and keys, or the host of the load balancers' public keys.

https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import json
import os
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from domain.config.sign_in import SignIn, is_secure_url
from sources.aws.alb_identity import public_keys_url
from sources.base import Health, Problem, ProblemKind, check_result
from sources.transport import ReplyLimits, create_session, failure_kind, limits, read_body

SOURCE = "sign_in"
# What is checked: requests, and what the metadata must have.
GET_METADATA, GET_KEYS, GET_PUBLIC_KEY = "GET /.well-known/openid-configuration", "GET jwks_uri", "GET public key"
ISSUER, KEYS_URL = "issuer", "jwks_uri"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", KEYS_URL)
# Details that are no text to quote (messages.errors.sign_in).
NO_KEY, REDIRECT = "no key", "redirect to "
# A key ID that no load balancer uses: without a token, none is known that exists.
_UNUSED_KEY_ID = "00000000-0000-0000-0000-000000000000"
_LIMITS = ReplyLimits(deadline_s=10.0, max_bytes=1 << 20)
_TIMEOUT_S = (3.0, 5.0)  # to connect, between two bytes
_KINDS: dict[int, ProblemKind] = {
    401: "denied",
    403: "denied",
    404: "not_found",
    408: "timeout",
    410: "not_found",
    429: "throttled",
}


class _RequestError(Exception):
    """A request without the expected response."""

    def __init__(self, kind: ProblemKind, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


class _Client:
    """`certificates`: a file or folder with the CAs to trust; those of requests without."""

    def __init__(self, certificates: str = "") -> None:
        self._session = create_session()
        self._session.auth = _unchanged
        self._certificates = certificates

    def reach(self, url: str) -> None:
        """Raises _RequestError without a response, for a redirect and from status 500 on. Reads no body."""
        with limits(_LIMITS), self._send(url) as reply:
            if 300 <= reply.status_code < 400 or reply.status_code >= 500:
                raise _error_of(reply)

    def get_object(self, url: str) -> dict[str, Any]:
        """A JSON object. Raises _RequestError."""
        with limits(_LIMITS), self._send(url) as reply:
            if reply.status_code != 200:
                raise _error_of(reply)
            try:
                found = json.loads(read_body(reply))
            except requests.RequestException as error:
                raise _RequestError(_kind_of(error), _detail_of(error)) from error
            except (ValueError, RecursionError):
                found = None
        if not isinstance(found, dict):
            raise _RequestError("bad_reply", f"HTTP 200, {reply.headers.get('Content-Type') or 'no Content-Type'}")
        return found

    def _send(self, url: str) -> requests.Response:
        verify = self._certificates or None
        try:
            return self._session.get(url, timeout=_TIMEOUT_S, verify=verify, allow_redirects=False, stream=True)
        # Errors of requests are OSErrors, as is one of certificates that are not there; ValueError: of a URL without a host.
        except (OSError, ValueError) as error:
            raise _RequestError(_kind_of(error), _detail_of(error)) from error


def check_provider(sign_in: SignIn, environment: Mapping[str, str] = os.environ) -> tuple[Health, ...]:
    """The metadata of the provider, what the sign-in needs of it, and its keys."""
    # The sign-in's own client, httpx, ignores what requests reads from REQUESTS_CA_BUNDLE.
    trusted = environment.get("SSL_CERT_FILE") or environment.get("SSL_CERT_DIR") or DEFAULT_CA_BUNDLE_PATH
    client = _Client(trusted)
    metadata, result = _read(client, GET_METADATA, sign_in.metadata_url)
    if problem := result.problem:
        subjects = (ISSUER, *ENDPOINTS)
        not_checked = (_not_checked(GET_METADATA, problem, subject=subject) for subject in subjects)
        return result, *not_checked, _not_checked(GET_KEYS, problem)
    endpoints = [_check_endpoint(metadata, name) for name in ENDPOINTS]
    problem = endpoints[-1].problem
    keys = _not_checked(GET_KEYS, problem) if problem else _check_keys(client, metadata[KEYS_URL])
    return result, _check_issuer(metadata, sign_in), *endpoints, keys


def check_public_keys(sign_in: SignIn) -> Health:
    """Whether the host of the public keys responds. A key that does not exist is as good an answer as a key."""
    url, started_s = f"{public_keys_url(sign_in)}/{_UNUSED_KEY_ID}", time.monotonic()
    problems = list[Problem]()
    try:
        _Client().reach(url)
    except _RequestError as error:
        problems = [Problem(error.kind, SOURCE, GET_PUBLIC_KEY, url, error.detail)]
    return check_result(SOURCE, GET_PUBLIC_KEY, time.monotonic() - started_s, problems)


def _read(client: _Client, operation: str, url: str) -> tuple[dict[str, Any], Health]:
    """The JSON object at `url`, {} if it cannot be read."""
    started_s, problems, found = time.monotonic(), list[Problem](), dict[str, Any]()
    try:
        found = client.get_object(url)
    except _RequestError as error:
        problems = [Problem(error.kind, SOURCE, operation, url, error.detail)]
    return found, check_result(SOURCE, operation, time.monotonic() - started_s, problems)


def _check_issuer(metadata: Mapping[str, Any], sign_in: SignIn) -> Health:
    issuer = metadata.get(ISSUER)
    issuer = issuer if isinstance(issuer, str) else ""
    is_same = issuer.rstrip("/") == sign_in.issuer  # as the sign-in compares it
    problem = Problem("bad_reply", SOURCE, ISSUER, sign_in.issuer, issuer)
    return check_result(SOURCE, GET_METADATA, 0.0, () if is_same else (problem,), subject=ISSUER)


def _check_endpoint(metadata: Mapping[str, Any], name: str) -> Health:
    url = metadata.get(name)
    problems = list[Problem]()
    if not isinstance(url, str) or not is_secure_url(url):
        problems = [Problem("incomplete", SOURCE, name, name, "" if url is None else str(url))]
    return check_result(SOURCE, GET_METADATA, 0.0, problems, subject=name)


def _check_keys(client: _Client, url: str) -> Health:
    found, result = _read(client, GET_KEYS, url)
    if result.problem or any(_signing_keys(found)):
        return result
    return check_result(SOURCE, GET_KEYS, result.took_s, (Problem("not_found", SOURCE, GET_KEYS, url, NO_KEY),))


def _signing_keys(key_set: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Public keys that may verify signatures: RFC 7517, sections 4.1 and 4.2."""
    keys = key_set.get("keys")
    found: Iterable[Any] = keys if isinstance(keys, list) else ()
    for key in found:
        if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig":
            yield key


def _not_checked(permission: str, problem: Problem, *, subject: str = "") -> Health:
    return Health(SOURCE, permission, "not_checked", 0.0, problem, subject)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from sending what ~/.netrc has for the host."""
    return request


def _error_of(reply: requests.Response) -> _RequestError:
    status = reply.status_code
    if 300 <= status < 400:
        return _RequestError("bad_reply", REDIRECT + reply.headers.get("Location", "?"))
    kind: ProblemKind = "server_error" if status >= 500 else _KINDS.get(status, "bad_reply")
    return _RequestError(kind, f"HTTP {status}")


def _kind_of(error: OSError | ValueError) -> ProblemKind:
    if isinstance(_root_cause(error), ssl.SSLCertVerificationError):
        return "bad_certificate"
    return failure_kind(error) if isinstance(error, requests.RequestException) else "unreachable"


def _detail_of(error: BaseException) -> str:
    cause = _root_cause(error)
    return getattr(cause, "verify_message", "") or str(cause)


def _root_cause(error: BaseException) -> BaseException:
    """The error that requests and urllib3 have wrapped."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return _root_cause(inner) if isinstance(inner, BaseException) else error
