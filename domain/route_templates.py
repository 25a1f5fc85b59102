"""Route templates: `/photos/:id/comments` for `/photos/8812/comments`. The rules are shared by all counting engines."""

import re
from collections.abc import Iterable

OTHER_ROUTE = "(other)"  # routes beyond `max_routes`
UNREADABLE_ROUTE = "(unreadable)"  # a request line without a path

# A variable path segment, or stem of a file name: a number; a hash of 16 or more digits; a word with three digits (UUIDs, dates, user48213); a long word
# with any digit (tokens). v1, mp3, web-2 and jquery-3.6.0.min.js are not variable. Only syntax with the same meaning in RE2 (DuckDB), Java (Athena, Spark)
# and Python: no look-around, and no capturing groups, which would dominate the time of a count.
ID_PLACEHOLDER = ":id"
VARIABLE_SEGMENT = (
    "/(?:[0-9]+|[0-9a-fA-F]{16,}|[^/]*[0-9][^/]*[0-9][^/]*[0-9][^/]*"
    "|[A-Za-z_-]{0,7}[0-9][0-9A-Za-z_-]{10,}|[A-Za-z_-]{8,19}[0-9][0-9A-Za-z_-]{4,})/"
)
# Slashes are doubled before matching: matches do not overlap, so with shared slashes only the first of two neighbours would match. A dot ends a segment,
# too; the marker records its position: `/img/0042.jpg` is matched as `//img//0042/<marker>.jpg/`.
DOT_MARKER = "\x1f"
# What follows a dot keeps it: `/app.1234.js` is `/app.:id.js`, not the route of `/app/1234.js`. Numbers of less than three digits are versions; eight
# hexadecimal digits are the hash of a build.
VARIABLE_AFTER_DOT = f"/{DOT_MARKER}[.](?:[0-9a-fA-F]{{8,}}|[^/]*[0-9][^/]*[0-9][^/]*[0-9][^/]*)/"
# `;jsessionid=…` and other parameters of a segment, which often are secrets.
PATH_PARAMETERS = ";[^/]*"


def route_template(path: str, patterns: Iterable[str] = ()) -> str:
    """The route of a path without query string: the first matching pattern, else the path with `:id` for each variable segment.

    Parameters of segments are cut off before.

    sources/access_logs/sql.py computes the same in SQL; the tests compare both.
    """
    path = re.sub(PATH_PARAMETERS, "", path)
    if not path.startswith("/"):
        return UNREADABLE_ROUTE
    for pattern in patterns:
        if re.search(pattern_regex(pattern), path):
            return pattern
    if not re.search("[0-9]", path):
        return path
    spread = path.replace("/", "//").replace(".", f"/{DOT_MARKER}.") + "/"
    spread = re.sub(VARIABLE_AFTER_DOT, f"/{DOT_MARKER}.{ID_PLACEHOLDER}/", spread)
    return (
        re.sub(VARIABLE_SEGMENT, f"/{ID_PLACEHOLDER}/", spread)
        .replace(f"/{DOT_MARKER}.", ".")
        .replace("//", "/")
        .rstrip("/")
    )


def pattern_regex(pattern: str) -> str:
    """A configured pattern as a regular expression: `*` is one segment, `**` the rest of the path."""
    wildcards = {"*": "[^/]+", "**": ".*"}
    parts = re.split(r"(\*\*|\*)", pattern)
    return "^" + "".join(wildcards.get(part, _escape(part)) for part in parts) + "$"


def _escape(text: str) -> str:
    # re.escape escapes more than RE2 accepts.
    return re.sub(r"([.\\+?^$()\[\]{}|])", r"\\\1", text)
