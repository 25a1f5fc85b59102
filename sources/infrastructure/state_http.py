"""Requests a Terraform state by HTTP. Credentials go to the server that they are for, and never along with a redirect to another one."""

from collections.abc import Generator
from urllib.parse import urljoin, urlsplit

import requests

from sources.base import Problem, ProblemKind
from sources.infrastructure.base import InfrastructureError
from sources.infrastructure.state_location import StateUrl, display_location
from sources.transport import LimitedAdapter

SOURCE, OPERATION = "tfstate", "GET"
TIMEOUT_S = (3.0, 30.0)  # to connect, between two bytes
MAX_REDIRECTS = 5
_CHUNK_BYTES = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_KINDS: dict[int, ProblemKind] = {401: "denied", 403: "denied", 404: "not_found", 429: "throttled"}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, so that requests neither follows a redirect nor reads its body."""


class StateSession:
    """GET requests to one server, with its `authorization` header; "" without."""

    def __init__(self, base_url: str, authorization: str = "") -> None:
        self._origin, self._authorization = _origin(base_url), authorization
        self._session = _Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, LimitedAdapter(max_retries=0))

    def close(self) -> None:
        self._session.close()

    def get(self, url: str) -> requests.Response:
        """The streamed response with status 200, after redirects. Raises InfrastructureError."""
        first = url
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._send(url)
            if reply.status_code == requests.codes.ok:
                return reply
            with reply:
                if reply.status_code not in _REDIRECTS or not reply.headers.get("Location"):
                    raise http_error(_kind(reply.status_code), first, f"HTTP {reply.status_code}")
                target = redirect_target(url, reply.headers["Location"])
            if target is None:
                raise http_error("bad_reply", first, "an invalid redirect")
            url = target
        raise http_error("bad_reply", first, f"more than {MAX_REDIRECTS} redirects")

    def _send(self, url: str) -> requests.Response:
        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            """Also keeps requests from sending what ~/.netrc has for this host."""
            if self._authorization and _origin(url) == self._origin:
                request.headers["Authorization"] = self._authorization
            return request

        try:
            return self._session.get(url, auth=authorize, stream=True, timeout=TIMEOUT_S)
        except (requests.RequestException, ValueError) as error:  # ValueError: of a URL that urllib3 rejects
            raise http_error(_kind_of_exception(error), url) from None


def redirect_target(url: str, location: str) -> str | None:
    """The URL of a Location header, None if it is no HTTP, or if it leaves TLS."""
    try:
        target = urljoin(url, location)
        schemes = urlsplit(url).scheme, urlsplit(target).scheme
    except ValueError:
        return None
    return target if schemes in (("https", "https"), ("http", "http"), ("http", "https")) else None


def read_chunks(reply: requests.Response, url: str) -> Generator[bytes, None, None]:
    """The decompressed body. Raises InfrastructureError."""
    with reply:
        try:
            yield from reply.iter_content(_CHUNK_BYTES)
        except requests.RequestException as error:
            raise http_error(_kind_of_exception(error), url) from None


def open_url(state: StateUrl) -> Generator[bytes, None, None]:
    user, password = state.credentials
    authorization = requests.auth._basic_auth_str(user, password) if user or password else ""
    session = StateSession(state.url, authorization)
    try:
        yield from read_chunks(session.get(state.url), state.url)
    finally:
        session.close()


def http_error(kind: ProblemKind, url: str, detail: str = "") -> InfrastructureError:
    """Without the query of the URL, which may be a signature, and without any text of the server."""
    return InfrastructureError(Problem(kind, SOURCE, OPERATION, display_location(url), detail))


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; another text has none, which is that of no server."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", "", None)
    return parts.scheme, parts.hostname or "", port


def _kind(status: int) -> ProblemKind:
    return _KINDS.get(status, "server_error" if status >= 500 else "bad_request")


def _kind_of_exception(error: Exception) -> ProblemKind:
    if isinstance(error, requests.exceptions.Timeout):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "bad_reply"
    return "unreachable" if isinstance(error, requests.exceptions.ConnectionError) else "bad_request"
