"""Where a Terraform state is: a local file, an object in S3, a workspace of Terraform Cloud or Enterprise, or a URL."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.redaction import redact_userinfo, register_url
from sources.infrastructure.base import InfrastructureError, InfrastructureIssue, InfrastructureIssueCode

_WORKSPACE_PATH = re.compile(r"/app/([^/]+)/workspaces/([^/]+)(?:/.*)?")  # of the page that a browser shows


@dataclass(frozen=True, slots=True)
class S3Object:
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """`base_url`: of the server, "https://app.terraform.io"."""

    base_url: str
    organization: str
    name: str


@dataclass(frozen=True, slots=True)
class StateUrl:
    """`credentials`: user and password for basic authentication, both "" without."""

    url: str
    credentials: tuple[str, str] = field(default=("", ""), repr=False)


StateLocation = Path | S3Object | Workspace | StateUrl


def parse_location(text: str) -> StateLocation:
    """`terraform.tfstate`, `s3://bucket/key`, `https://app.terraform.io/app/ORG/workspaces/NAME`, `remote://HOST/ORG/NAME` or another https:// URL.

    Raises InfrastructureError. http:// is accepted for this machine alone: a state has secrets.
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        return Path(text)
    if scheme == "file":
        return Path(unquote(rest))
    if scheme == "s3":
        bucket, _, key = rest.partition("/")
        if bucket and key:
            return S3Object(bucket, key)
    elif scheme == "remote":
        host, _, path = rest.partition("/")
        names = path.split("/")
        if host and "@" not in host and len(names) == 2 and all(names):
            return Workspace(f"https://{host}", *names)
    elif scheme in ("https", "http"):
        return _parse_url(text, scheme)
    raise _error("unsupported_location", text)


def _parse_url(text: str, scheme: str) -> StateLocation:
    register_url(text)
    try:
        url = urlsplit(text)
        host, user, password = url.hostname or "", url.username, url.password
        port = f":{url.port}" if url.port else ""
    except ValueError:
        raise _error("unsupported_location", text) from None
    if not host:
        raise _error("unsupported_location", text)
    if scheme == "http" and not _is_loopback(host):
        raise _error("insecure_location", text)
    origin = f"{scheme}://{f'[{host}]' if ':' in host else host}{port}"
    if match := _WORKSPACE_PATH.fullmatch(url.path):
        return Workspace(origin, unquote(match[1]), unquote(match[2]))
    query = f"?{url.query}" if url.query else ""
    return StateUrl(f"{origin}{url.path or '/'}{query}", (unquote(user or ""), unquote(password or "")))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _error(code: InfrastructureIssueCode, text: str) -> InfrastructureError:
    return InfrastructureError(InfrastructureIssue(code, display_location(text)))


def display_location(text: str) -> str:
    """A location without what may be a secret: user, password and query of a URL."""
    if not text.lower().startswith(("http://", "https://", "remote://")):
        return text
    return redact_userinfo(re.sub(r"[?#].*", "", text, flags=re.DOTALL))
