"""Parses single access-log lines that a CSV reader drops: unclosed or unescaped quotes, missing fields."""

import re
from collections.abc import Iterable, Iterator

from sources.access_logs.sql import (
    FIELDS,
    REQUEST_TYPES,
    SECONDS_REGEX,
    STATUS_REGEX,
    TARGET_GROUP_REGEX,
    TIME_REGEX,
)

MIN_FIELDS = 12  # through sent_bytes; lines of 2016 have 18, and AWS keeps appending fields
# A field is quoted with backslash escapes, or bare. An unclosed quote ends with its line.
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)|(\S+)')
_ARN = TARGET_GROUP_REGEX.strip("^$")
_FIELD_REGEXES = (
    (0, re.compile("|".join(REQUEST_TYPES))),
    (1, re.compile(TIME_REGEX)),
    *((index, re.compile(SECONDS_REGEX)) for index in (5, 6, 7)),
    *((index, re.compile(STATUS_REGEX)) for index in (8, 9)),
    *((index, re.compile("-|-?[0-9]+")) for index in (10, 11)),
    (14, re.compile("[A-Za-z0-9_-]+")),
    (15, re.compile(r"-|(?:TLS|SSL)v[0-9.]+")),
    (16, re.compile(TARGET_GROUP_REGEX)),
)
# The fields behind an agent whose quotes are not escaped: ssl_cipher, ssl_protocol, target_group_arn.
_AFTER_AGENT = re.compile(rf'"? [A-Za-z0-9_-]+ (?:-|(?:TLS|SSL)v[0-9.]+) {_ARN}(?= |$)')
_ARN_PART = "targetgroup/"


def split_fields(line: str) -> list[str]:
    """The fields without their quotes. The space between two fields may be missing, as in one of AWS's own examples (wss)."""
    return [(match[1] or "") if match[2] is None else match[2] for match in _FIELD.finditer(line)]


def repair_line(line: str) -> str | None:
    """The line reduced to FIELDS, quoted so that every CSV reader parses it; None if it is not an access-log line, or damaged.

    The fields decide, not their number: a line is damaged if its fields do not look like what they are, or if it is unclear which of two
    target groups is its own.
    """
    fields = valid_fields(split_fields(line)) or valid_fields(_split_unescaped(line))
    if fields is None:
        return None
    request = fields[12].replace('\\"', "\\x22").replace('"', "\\x22")
    request = request[:-1] + "\\x5c" if request.endswith("\\") else request
    agent = re.sub(r'[\s"\\]', " ", fields[13])
    bare = [re.sub(r'[\s"]', "_", text) or "-" for text in fields]
    return " ".join((*bare[:12], f'"{request}"', f'"{agent}"', *bare[14:]))


def valid_fields(fields: list[str]) -> list[str] | None:
    """The first FIELDS, "-" for missing ones; None if they are not those of an access-log line."""
    known, later = fields[: len(FIELDS)], fields[len(FIELDS) :]
    if len(known) < MIN_FIELDS or any(_ARN_PART in text for text in later):
        return None
    if len(known) < len(FIELDS):
        if any(_ARN_PART in text for text in known):
            return None  # an unclosed quote has swallowed the target group
        known += ["-"] * (len(FIELDS) - len(known))
    return known if all(regex.fullmatch(known[index]) for index, regex in _FIELD_REGEXES) else None


def _split_unescaped(line: str) -> list[str]:
    """The fields of a line with unescaped quotes in its request or user agent, if only one place can be where the target group is; else none."""
    parts = line.split(" ", MIN_FIELDS)
    places = list(_AFTER_AGENT.finditer(parts[-1]))
    if len(parts) <= MIN_FIELDS or len(places) != 1 or parts[-1].count(_ARN_PART) > 1:
        return []
    request, _, agent = parts[-1][: places[0].start()].removeprefix('"').partition('"')
    return [*parts[:MIN_FIELDS], request.strip(), agent, *places[0][0].split()[-3:]]


def repair_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The repaired lines, without those that are not access-log lines."""
    for line in lines:
        repaired = repair_line(line.decode("utf-8", "replace").rstrip("\r\n"))
        if repaired is not None:
            yield repaired.encode() + b"\n"
