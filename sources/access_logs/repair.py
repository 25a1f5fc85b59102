"""One access-log line at a time, for the few that a CSV reader stumbles over: an unclosed quote, a quote inside, a field too few."""

import re
from collections.abc import Iterable, Iterator

from sources.access_logs.sql import FIELDS, REQUEST_TYPES

MIN_FIELDS = 12  # through sent_bytes; lines of 2016 have 18, AWS keeps adding to the end
_QUOTED_FIELDS = (12, 13)  # request and user agent, where quotes of a client can stand

# Fields as they are written: quoted with backslash escapes, or bare. A quote that never closes ends with its line.
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)|(\S+)')
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def split_fields(line: str) -> list[str]:
    """A line's fields, without their quotes. A blank before the next field may be missing: AWS's own example of wss once lacked it."""
    return [quoted if bare is None else bare for quoted, bare in _field_matches(line)]


def _field_matches(line: str) -> Iterator[tuple[str, str | None]]:
    for found in _FIELD.finditer(line):
        yield found[1] or "", found[2]


def repair_line(line: str) -> str | None:
    """The line with the fields FIELDS alone, so quoted that any reader gets them right; None where it is no line of this log."""
    found = split_fields(line)
    if len(found) < MIN_FIELDS or found[0] not in REQUEST_TYPES or not _TIME.match(found[1]):
        return None
    found = (found + ["-"] * len(FIELDS))[: len(FIELDS)]
    for place, text in enumerate(found):
        if place in _QUOTED_FIELDS:
            found[place] = '"' + text.replace('\\"', "\\x22").replace('"', "\\x22") + '"'
        elif not text or re.search(r'[\s"]', text):
            found[place] = re.sub(r'[\s"]', "_", text) or "-"
    return " ".join(found)


def repair_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Those of `lines` that are lines of this log, mended."""
    for line in lines:
        sound = repair_line(line.decode("utf-8", "replace").rstrip("\r\n"))
        if sound is not None:
            yield sound.encode() + b"\n"
