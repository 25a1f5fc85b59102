"""Compares responses with AWS's service model: boto3 returns values of other types than documented, as a proxy or an emulator may send them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.model import Shape
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

INVALID_ITEMS = "InvalidItems"  # of ResponseMetadata: descriptions of the items that were left out
_POINT_TYPES = frozenset(
    {"timestamp", "float", "double"}
)  # in a list these are data points, which their reader checks one by one
_MAX_INT = 2**63 - 1
_IS_OF_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "structure": lambda value: isinstance(value, dict),
    "map": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "timestamp": lambda value: isinstance(value, datetime),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INT,
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_INT,
}
_SAME_CHECK = {"long": "integer", "double": "float"}


def parse_time(value: Any) -> Any:
    """As botocore's parser, but for a value that is no time the value itself: botocore would give up the whole response."""
    try:
        return parse_timestamp(value)
    except (ValueError, TypeError, OverflowError, RuntimeError):
        return value


def drop_invalid_items(response: dict[str, Any], shape: Shape) -> None:
    """Leaves out the items of the response's lists that are not as documented, and adds their descriptions as `INVALID_ITEMS` to its metadata.

    Raises ResponseParserError if anything else is not as documented.
    """
    invalid_items: list[str] = []
    for name, value in response.items():
        member = shape.members.get(name)
        if member is None:
            continue
        if member.type_name == "list" and isinstance(value, list):
            found = [find_invalid(item, member.member, f"{name}[{number}]") for number, item in enumerate(value)]
            response[name] = [item for item, invalid in zip(value, found, strict=True) if not invalid]
            invalid_items += filter(None, found)
        elif invalid := find_invalid(value, member, name):
            raise ResponseParserError(invalid)
    if invalid_items:
        response.setdefault("ResponseMetadata", {})[INVALID_ITEMS] = invalid_items


def find_invalid(value: Any, shape: Shape, path: str) -> str:
    """The first value that is not of the documented type, "services[0].status: no string"; "" if all are."""
    check = _IS_OF_TYPE.get(_SAME_CHECK.get(shape.type_name, shape.type_name))
    if check and not check(value):
        return f"{path}: no {shape.type_name}"
    children: list[tuple[Any, Shape, str]] = []
    if shape.type_name == "structure":
        members = ((name, item) for name, item in value.items() if name in shape.members)
        children = [(item, shape.members[name], f"{path}.{name}") for name, item in members]
    elif shape.type_name == "map":
        children = [(item, shape.value, f"{path}.{name}") for name, item in value.items()]
    elif shape.type_name == "list" and shape.member.type_name not in _POINT_TYPES:
        children = [(item, shape.member, f"{path}[{number}]") for number, item in enumerate(value)]
    return next(filter(None, (find_invalid(*child) for child in children)), "")
