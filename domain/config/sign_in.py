"""[sign_in]: who may open the pages, and as what. Secrets are in environment variables."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from domain.arn import Arn
from domain.config.base import ConfigTable, parse_arn
from domain.config.errors import config_error
from domain.hosts import is_loopback, normalize_host
from domain.identity import ROLES, AccessRole, Claims

SignInMethod = Literal["oidc", "alb"]
ANYONE = "*"
# The variables of the secrets: of the client at the provider, and of the cookies that this program signs.
CLIENT_SECRET = "SIGN_IN_CLIENT_SECRET"
COOKIE_SECRET = "SIGN_IN_COOKIE_SECRET"
MIN_COOKIE_SECRET_CHARS = 32
# The keys that only one method has, and which of them it needs.
_KEYS: dict[SignInMethod, dict[str, bool]] = {
    "oidc": {"issuer": True, "client_id": True, "dashboard_url": True, "scope": False},
    "alb": {"load_balancer": True, "public_keys_url": False, "sign_out_url": False},
}


def is_secure_url(url: str) -> bool:
    """Whether it is HTTPS, or HTTP on this machine."""
    try:
        parts = urlsplit(url)
        host = normalize_host(parts.hostname or "") or ""
        schemes = ("https", "http") if is_loopback(host) else ("https",)
        return bool(host) and parts.port != 0 and parts.scheme in schemes
    except ValueError:
        return False


def _secure_url(url: str) -> str:
    """Without query, as is the case for all URLs here."""
    if url and (not is_secure_url(url) or re.search(r"[\s<>|\"?#@\\]", url) or len(url) > 500):
        raise config_error("not_a_secure_url", given=url)
    return url.rstrip("/")


def _origin_url(url: str) -> str:
    if url and urlsplit(url).path:
        raise config_error("not_a_secure_url", given=url)
    return url


def _member(text: str) -> str:
    if not text or len(text) > 300 or not text.isprintable():
        raise config_error("not_a_member", given=text)
    return text


SecureUrl = Annotated[str, AfterValidator(_secure_url)]
Members = tuple[Annotated[str, AfterValidator(_member)], ...]


class SignIn(ConfigTable):
    """`method`: "oidc", the program's own sign-in at an OpenID provider; "alb", that of the load balancer in front of the dashboard.

    `viewers`, `editors`, `approvers`: e-mail addresses, "@example.com" for those of a domain, groups by their names, or "*" for every user.
    `groups_claim`: the claim with the groups. `session_hours`: after these a session ends.
    """

    method: SignInMethod
    viewers: Members = ()
    editors: Members = ()
    approvers: Members = ()
    groups_claim: Annotated[str, Field(min_length=1, max_length=100)] = "groups"
    session_hours: Annotated[int, Field(ge=1, le=720)] = 12
    issuer: SecureUrl = ""
    client_id: str = ""
    dashboard_url: Annotated[SecureUrl, AfterValidator(_origin_url)] = ""
    scope: str = "openid email profile"
    load_balancer: str = ""
    public_keys_url: SecureUrl = ""
    sign_out_url: SecureUrl = ""

    @field_validator("load_balancer")
    @classmethod
    def _check_load_balancer(cls, text: str) -> str:
        return parse_arn(text, "load balancer").text if text else ""

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        for method, keys in _KEYS.items():
            for key, is_required in keys.items():
                if method != self.method and key in self.model_fields_set:
                    raise config_error("key_of_another_method", at=f"sign_in.{key}", method=self.method, other=method)
                if method == self.method and is_required and not getattr(self, key):
                    raise config_error("key_of_method", at=f"sign_in.{key}", method=self.method)
        if not (self.viewers or self.editors or self.approvers):
            raise config_error("no_members")
        return self

    @property
    def redirect_uri(self) -> str:
        """To be registered at the provider. The path is Streamlit's."""
        return f"{self.dashboard_url}/oauth2callback"

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def signer(self) -> Arn:
        """The load balancer that signs."""
        return parse_arn(self.load_balancer, "load balancer")

    def role_of(self, claims: Claims) -> AccessRole | None:
        """The highest role of a user; None if no list has them."""
        members: dict[AccessRole, Members] = {
            "viewer": self.viewers,
            "editor": self.editors,
            "approver": self.approvers,
        }
        return next((role for role in reversed(ROLES) if any(_matches(entry, claims) for entry in members[role])), None)

    def read_claims(self, claims: Mapping[str, Any]) -> Claims:
        """What the roles depend on. An address that the provider calls unverified is left out: users may have entered any."""
        email = _text(claims.get("email")) if str(claims.get("email_verified", True)).lower() == "true" else ""
        name = next(filter(None, map(_text, (claims.get(key) for key in ("name", "preferred_username")))), "")
        return Claims(name or email or _text(claims.get("sub")), email, tuple(_groups(claims.get(self.groups_claim))))


def _matches(entry: str, claims: Claims) -> bool:
    if entry == ANYONE or entry in claims.groups:
        return True
    email, entry = claims.email.lower(), entry.lower()
    return bool(email) and (email == entry or (entry.startswith("@") and email.endswith(entry)))


def _text(value: object) -> str:
    """A claim in one line of at most 200 characters; "" if it is no text."""
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable()).strip()[:200]


def _groups(value: object) -> Iterator[str]:
    """A list of names, or names separated by commas."""
    values: Iterable[object] = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else ()
    yield from filter(None, (item.strip() for item in values if isinstance(item, str)))
