"""Routes: what many paths have in common, `/photos/:n/comments` for `/photos/8812/comments`. One list of rules for every engine that counts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

OTHER = "(other)"  # routes beyond the cap
UNREADABLE = "(unreadable)"  # a request line without a path

_HEX = "[0-9a-fA-F]"
_TOKEN = "[0-9A-Za-z_-]"


@dataclass(frozen=True, slots=True)
class Rule:
    """One replacement in a path whose slashes are doubled, so that every segment stands between two of its own: `//photos//8812//`.

    Without that, neighbouring segments would share a slash, and of two in a row only the first would be found. `pattern` keeps to what RE2 (DuckDB),
    Java (Athena, Spark) and Python understand alike: no look-around, no possessive or lazy repeats. `keeps`: its first group stays, behind `placeholder`.
    """

    placeholder: str
    pattern: str
    keeps: bool = False


# In this order: a UUID whose first digits are all decimal is a UUID, not a number.
RULES = (
    Rule(":uuid", f"/{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}/"),
    Rule(":date", "/[0-9]{4}-[0-9]{2}-[0-9]{2}/"),
    Rule(":n", "/[0-9]+/"),
    Rule(":hex", f"/{_HEX}{{16,}}/"),
    Rule(":file", r"/[^/]*[0-9][^/]*(\.[A-Za-z0-9]{1,5})/", keeps=True),
    # A word with three digits, or a long one with any: user48213, dQw4w9WgXcQ-1, a base64url token. v1, mp3 and web-2 stay.
    Rule(
        ":id",
        f"/(?:[^/]*[0-9][^/]*[0-9][^/]*[0-9][^/]*|[A-Za-z_-]{{0,7}}[0-9]{_TOKEN}{{10,}}|[A-Za-z_-]{{8,19}}[0-9]{_TOKEN}{{4,}})/",
    ),
)


def template(path: str, patterns: Iterable[str] = ()) -> str:
    """The route of a path without its query string: the first of `patterns` that fits, else the path with placeholders for what varies.

    What Python says here, every engine says in its own SQL (sources/access_log_query.py); the tests hold them together.
    """
    if not path.startswith("/"):
        return UNREADABLE
    for pattern in patterns:
        if re.search(expression(pattern), path):
            return pattern
    if not re.search("[0-9]", path):
        return path
    doubled = path.replace("/", "//") + "/"
    for rule in RULES:
        doubled = re.sub(rule.pattern, rf"/{rule.placeholder}\1/" if rule.keeps else f"/{rule.placeholder}/", doubled)
    return doubled[:-1].replace("//", "/")


def expression(pattern: str) -> str:
    """A configured pattern as a regular expression: `*` is one segment, `**` the rest of the path, everything else is itself."""
    pieces = re.split(r"(\*\*|\*)", pattern)
    found = {"*": "[^/]+", "**": ".*"}
    return "^" + "".join(found.get(piece, _literal(piece)) for piece in pieces) + "$"


def _literal(text: str) -> str:
    # re.escape escapes more than RE2 allows, and a quote must not end the SQL text around it.
    return re.sub(r"([.\\+?^$()\[\]{}|])", r"\\\1", text)
