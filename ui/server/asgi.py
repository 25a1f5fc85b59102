"""Types of the ASGI protocol: https://asgi.readthedocs.io/en/latest/specs/main.html."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def header_values(scope: Scope, name: bytes) -> list[str]:
    """All values of a header, in their order. `name` in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def request_cookies(scope: Scope) -> dict[str, str]:
    """The cookies that the request has, as sent."""
    pairs = (item.partition("=") for value in header_values(scope, b"cookie") for item in value.split(";"))
    return {name.strip(): value.strip() for name, separator, value in pairs if separator}
