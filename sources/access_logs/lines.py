"""Cuts the bytes of a log file into lines that every reader splits alike."""

import re
from collections.abc import Iterator

import numpy as np

MAX_LINE_BYTES = 1 << 18  # the load balancer accepts 64 KB of headers; a longer line is counted, and not read
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = ord("\n")
# A carriage return ends a line only if the next one starts behind it, as in a file with the line ends of old Macs. Others are white space.
_CR_BEFORE_LINE = re.compile(rb"\r(?=(?:https?|h2|grpcs|wss?) \d{4}-)")
_TARGET_GROUP = b":targetgroup/"
_ESCAPED_QUOTE = b'\\"'


class LineSplitter:
    """Yields complete lines that end with a line feed only, and counts them. `target_groups`: occurrences of a target group's ARN in all lines."""

    def __init__(self) -> None:
        self.lines = self.target_groups = self.escaped_quotes = 0
        self._tail = b""
        self._is_start, self._is_skipping = True, False

    def feed(self, chunk: bytes) -> Iterator[bytes | memoryview]:
        """The complete lines that end in `chunk`, without those longer than MAX_LINE_BYTES, which are only counted."""
        if not self._is_plain(chunk):
            yield self._feed_any(chunk)
            return
        # Nothing is copied but the ends of the chunk.
        first, end = chunk.find(b"\n") + 1, chunk.rfind(b"\n") + 1
        yield self._normalized(self._tail + chunk[:first])
        self._tail = chunk[end:]
        lines = memoryview(chunk)[first:end]
        self.lines += _count_newlines(lines)
        self.target_groups += chunk.count(_TARGET_GROUP, first, end)
        self.escaped_quotes += chunk.count(_ESCAPED_QUOTE, first, end) if b"\\" in chunk else 0
        yield lines

    def _is_plain(self, chunk: bytes) -> bool:
        """Whether the lines in `chunk` need not be changed."""
        first, end = chunk.find(b"\n") + 1, chunk.rfind(b"\n") + 1
        is_short = first and max(len(self._tail) + first, len(chunk) - end) <= MAX_LINE_BYTES
        if self._is_start or self._is_skipping or not is_short:
            return False
        return b"\r" not in chunk and b"\r" not in self._tail and not _may_have_long_line(chunk)

    def _feed_any(self, chunk: bytes) -> bytes:
        pending = self._tail + chunk
        if self._is_start:
            pending, self._is_start = pending.removeprefix(_BYTE_ORDER_MARK), False
        if self._is_skipping:
            start = pending.find(b"\n") + 1
            if not start:
                self._tail = b""
                return b""
            pending, self._is_skipping = pending[start:], False
        end = pending.rfind(b"\n") + 1
        text, self._tail = pending[:end], pending[end:]
        if len(self._tail) > MAX_LINE_BYTES:
            return self._normalized(text) + self._shorten_tail()
        return self._normalized(text)

    def finish(self) -> bytes:
        """The last line, if it does not end with a line feed."""
        tail, self._tail = self._tail, b""
        return self._normalized(tail + b"\n") if tail else b""

    def _shorten_tail(self) -> bytes:
        """The lines of a long tail that end with a carriage return; without any, the rest of its line is skipped."""
        text, separator, tail = self._tail.rpartition(b"\r")
        if separator and len(tail) <= MAX_LINE_BYTES:
            self._tail = tail
            return self._normalized(text + b"\n")
        self._tail, self._is_skipping = b"", True
        self.lines += 1
        return b""

    def _normalized(self, text: bytes) -> bytes:
        if b"\r" in text:
            text = _CR_BEFORE_LINE.sub(b"\n", text.replace(b"\r\n", b"\n")).replace(b"\r", b" ")
        self.lines += _count_newlines(text)
        if _may_have_long_line(text):
            text = b"".join(line for line in text.splitlines(keepends=True) if len(line) <= MAX_LINE_BYTES)
        self.target_groups += text.count(_TARGET_GROUP)
        self.escaped_quotes += text.count(_ESCAPED_QUOTE)
        return text


def _count_newlines(text: bytes | memoryview) -> int:
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _NEWLINE))


def _may_have_long_line(text: bytes) -> bool:
    """A line of more than MAX_LINE_BYTES contains one of the ranges that are searched for its end."""
    step = MAX_LINE_BYTES // 2
    return any(text.find(b"\n", start, start + step) < 0 for start in range(0, len(text) - step, step))
