"""Routes: what many paths have in common, `/photos/:id/comments` for `/photos/8812/comments`. One list of rules for every engine that counts."""

import re
from collections.abc import Iterable

OTHER_ROUTE = "(other)"  # routes beyond the cap
UNREADABLE_ROUTE = "(unreadable)"  # a request line without a path

# What a segment (or a file's name before its ending) looks like that is one of many: a number; a long hash; a word with three digits, as UUIDs, dates
# and user48213 have; a long one with any digit, as tokens have. v1, mp3, web-2 and jquery-3.6.0.min.js stay. It keeps to what RE2 (DuckDB), Java
# (Athena, Spark) and Python read alike, without look-around and without groups that are kept: those would take most of the time of a whole count.
ID_PLACEHOLDER = ":id"
VARIABLE_SEGMENT = "/(?:[0-9]+|[0-9a-fA-F]{16,}|[^/]*[0-9][^/]*[0-9][^/]*[0-9][^/]*|[A-Za-z_-]{0,7}[0-9][0-9A-Za-z_-]{10,}|[A-Za-z_-]{8,19}[0-9][0-9A-Za-z_-]{4,})/"
# Slashes are doubled, so that every segment stands between two of its own; with shared ones, of two neighbours only the first would be found. A dot
# ends a segment too, and the mark remembers where: `/img/0042.jpg` is looked at as `//img//0042/<mark>.jpg/`.
DOT_MARKER = "\x1f"


def route_template(path: str, patterns: Iterable[str] = ()) -> str:
    """The route of a path without its query string: the first of `patterns` that fits, else the path with placeholders for what varies.

    What Python says here, every engine says in its own SQL (sources/access_logs/sql.py); the tests hold them together.
    """
    if not path.startswith("/"):
        return UNREADABLE_ROUTE
    for pattern in patterns:
        if re.search(pattern_regex(pattern), path):
            return pattern
    if not re.search("[0-9]", path):
        return path
    apart = path.replace("/", "//").replace(".", f"/{DOT_MARKER}.") + "/"
    return (
        re.sub(VARIABLE_SEGMENT, f"/{ID_PLACEHOLDER}/", apart)
        .replace(f"/{DOT_MARKER}.", ".")
        .replace("//", "/")
        .rstrip("/")
    )


def pattern_regex(pattern: str) -> str:
    """A configured pattern as a regular expression: `*` is one segment, `**` the rest of the path, everything else is itself."""
    pieces = re.split(r"(\*\*|\*)", pattern)
    found = {"*": "[^/]+", "**": ".*"}
    return "^" + "".join(found.get(piece, _escape(piece)) for piece in pieces) + "$"


def _escape(text: str) -> str:
    # re.escape escapes more than RE2 allows, and a quote must not end the SQL text around it.
    return re.sub(r"([.\\+?^$()\[\]{}|])", r"\\\1", text)
