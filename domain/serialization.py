"""JSON texts of domain values, as stored in the archive. Equal values have equal texts."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def to_json(value: object) -> str:
    return _adapter(type(value)).dump_json(value).decode()


def from_json(kind: type[T], text: str) -> T:
    """The value of type `kind` that `to_json` wrote. Raises ValueError."""
    value: T = _adapter(kind).validate_json(text)
    return value
