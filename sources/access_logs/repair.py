"""Parses single access-log lines that a CSV reader drops: unclosed or unescaped quotes, missing fields."""

import re
from collections.abc import Iterable, Iterator

from sources.access_logs.sql import FIELDS, REQUEST_TYPES

MIN_FIELDS = 12  # through sent_bytes; lines of 2016 have 18, and AWS keeps appending fields
_QUOTED_FIELDS = (12, 13)  # request and user agent, which may contain quotes of the client

# A field is quoted with backslash escapes, or bare. An unclosed quote ends with its line.
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)|(\S+)')
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def split_fields(line: str) -> list[str]:
    """The fields without their quotes. The space between two fields may be missing, as in one of AWS's own examples (wss)."""
    return [(match[1] or "") if match[2] is None else match[2] for match in _FIELD.finditer(line)]


def repair_line(line: str) -> str | None:
    """The line reduced to FIELDS, quoted so that every CSV reader parses it; None if it is not an access-log line."""
    fields = split_fields(line)
    if len(fields) < MIN_FIELDS or fields[0] not in REQUEST_TYPES or not _TIME.match(fields[1]):
        return None
    fields = (fields + ["-"] * len(FIELDS))[: len(FIELDS)]
    for index, text in enumerate(fields):
        if index in _QUOTED_FIELDS:
            fields[index] = '"' + text.replace('\\"', "\\x22").replace('"', "\\x22") + '"'
        else:
            fields[index] = re.sub(r'[\s"]', "_", text) or "-"
    return " ".join(fields)


def repair_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The repaired lines, without those that are not access-log lines."""
    for line in lines:
        repaired = repair_line(line.decode("utf-8", "replace").rstrip("\r\n"))
        if repaired is not None:
            yield repaired.encode() + b"\n"
