"""Reads one large JSON object member by member, in memory for its largest member alone."""

import codecs
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal

MAX_VALUE_CHARS = 16 << 20  # of one member, or of one element of an array that is read element by element
_MIN_READ_CHARS = 1 << 16
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")

JsonStreamErrorCode = Literal["not_json", "not_utf8", "value_too_large"]


class JsonStreamError(Exception):
    """Without any text of the object. `key`: the member that was being read."""

    def __init__(self, code: JsonStreamErrorCode, key: str = "") -> None:
        super().__init__(code)
        self.code, self.key = code, key


def read_members(chunks: Iterable[bytes], *, arrays: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
    """The members of a JSON object in UTF-8, in their order. Of an array whose key is in `arrays` each element is a member of its own.

    Raises JsonStreamError, also for an object in objects deeper than Python's recursion limit, and what `chunks` raises.
    """
    reader = _JsonReader(chunks)
    reader.take("{")
    if reader.peek() == "}":
        reader.take("}")
    else:
        yield from _members(reader, arrays)
    if reader.peek():
        raise JsonStreamError("not_json")


def _members(reader: "_JsonReader", arrays: Collection[str]) -> Iterator[tuple[str, Any]]:
    separator = ","
    while separator == ",":
        reader.key = ""
        key = reader.value()
        if not isinstance(key, str):
            raise JsonStreamError("not_json")
        reader.key = key
        reader.take(":")
        if key in arrays and reader.peek() == "[":
            yield from ((key, element) for element in _elements(reader))
        else:
            yield key, reader.value()
        separator = reader.take(",", "}")


def _elements(reader: "_JsonReader") -> Iterator[Any]:
    reader.take("[")
    if reader.peek() == "]":
        reader.take("]")
        return
    separator = ","
    while separator == ",":
        yield reader.value()
        separator = reader.take(",", "]")


class _JsonReader:
    """The text of `chunks` from the current position on, of which as little as possible is held."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._ended = "", 0, False
        self.key = ""

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def take(self, *expected: str) -> str:
        char = self.peek()
        if char not in expected:
            raise JsonStreamError("not_json", self.key)
        self._at += 1
        return char

    def value(self) -> Any:
        """The value at the current position. What is held of the text is doubled until it has all of it."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:  # wrong, or not complete yet
                end = -1
            except RecursionError:
                raise JsonStreamError("not_json", self.key) from None
            if 0 <= end < len(self._text) or (end >= 0 and not self._read_more()):  # a number at the end may go on
                self._at = end
                return value
            if end < 0 and not self._read_more():
                break
        raise JsonStreamError("not_json", self.key)

    def _read_more(self) -> bool:
        if self._ended:
            return False
        pending = self._text[self._at :]
        if len(pending) > MAX_VALUE_CHARS:
            raise JsonStreamError("value_too_large", self.key)
        parts, n_missing = [pending], max(_MIN_READ_CHARS, len(pending))
        while n_missing > 0 and not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            try:
                part = self._decoder.decode(chunk or b"", final=chunk is None)
            except UnicodeDecodeError:
                raise JsonStreamError("not_utf8", self.key) from None
            parts.append(part)
            n_missing -= len(part)
        self._text, self._at = "".join(parts), 0
        return True
