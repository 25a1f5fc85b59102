"""Trace ids of the header X-Amzn-Trace-Id: new ones, and those that a person typed or pasted."""

import re
import secrets
from dataclasses import dataclass

HEADER = "X-Amzn-Trace-Id"
MAX_HEADER_CHARS = 1000
_ID = re.compile(r"1-([0-9a-f]{8})-[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class TraceId:
    """`text`: "1-6a13f2b0-4bf92f3577b34da6a3ce929d", in lower case. Raises ValueError for any other shape."""

    text: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.text):
            raise ValueError("not a trace id")

    @property
    def ts(self) -> int:
        """When the request was sent (epoch seconds), by the clock of what made the id: the client's, or the load balancer's."""
        return int(self.text[2:10], 16)

    @property
    def header(self) -> str:
        """The request header."""
        return f"{HEADER}: Root={self.text}"


def new_trace_id(now_s: int) -> TraceId:
    return TraceId(f"1-{now_s:08x}-{secrets.token_hex(12)}")


def parse_trace_id(text: str) -> TraceId | None:
    """The id of a bare id or of a header's value or line, of which `Root` comes before `Self`; None if there is none."""
    if len(text) > MAX_HEADER_CHARS:
        return None
    value = re.sub(rf"(?i)^\s*{HEADER}\s*:", "", text)
    by_field = fields_of_header(value)
    found = by_field.get("root") or by_field.get("self") or value.strip().lower()
    return TraceId(found) if _ID.fullmatch(found) else None


def fields_of_header(value: str) -> dict[str, str]:
    """The fields of a header's value, in lower case: {"root": "1-…", "self": "1-…"}."""
    pairs = (part.partition("=") for part in value.lower().split(";"))
    return {name.strip(): content.strip() for name, separator, content in pairs if separator}
