"""The features of a response that are compared: status, headers, redirect, size, and the body by its kind. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from domain.probe import Answer

MAX_VALUE_CHARS = 200
MAX_JSON_FEATURES = 2_000
MAX_JSON_DEPTH = 40
# Headers of the connection or of the moment, and those that are features of their own.
IGNORED_HEADERS = frozenset(
    (
        "age", "alt-svc", "connection", "content-length", "date", "expires", "keep-alive", "last-modified", "location", "set-cookie",
        "transfer-encoding", "via", "x-amzn-trace-id",
    )
)  # fmt: skip
# What differs by nature, the longest first: in text, each becomes the name of its kind.
_MASKS = (
    ("uuid", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    ("time", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("time", r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? \w{3} \d{4} \d\d:\d\d:\d\d GMT\b"),
    ("trace", r"\bRoot=1-[0-9a-f]{8}-[0-9a-f]{24}\b"),
    ("clock", r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b"),
    ("token", r"(?<![\w/+-])(?=[\w/+-]*\d)(?=[\w/+-]*[A-Za-z])[\w/+-]{20,}={0,2}"),
    ("epoch", r"\b1[5-9]\d{8}(?:\d{3})?\b"),
)
_MASK = re.compile("|".join(f"(?P<{name}{index}>{pattern})" for index, (name, pattern) in enumerate(_MASKS)))
_HIDDEN_ATTRIBUTES = ("href", "src", "action", "content", "value", "name", "id")


def features(answer: Answer, host: str) -> dict[str, str]:
    """By name: "status", "error", "header cache-control", "cookie session", "redirect", "kind", and those of the body."""
    if answer.error:
        return {"status": str(answer.status), "error": answer.error}
    result = {"status": str(answer.status)}
    for name, value in answer.headers:
        if name == "set-cookie":
            cookie, _, attributes = value.partition(";")
            result[f"cookie {cookie.partition('=')[0].strip()}"] = _cookie_attributes(attributes)
        elif name not in IGNORED_HEADERS:
            result[f"header {name}"] = value.strip()
    if location := answer.header("location"):
        result["redirect"] = redirect_target(location, host)
    kind = kind_of(answer)
    result["kind"] = kind
    return result | _body_features(kind, answer)


def masked(text: str) -> str:
    """The text with ids, tokens and times as the name of their kind."""
    return _MASK.sub(lambda match: f"‹{str(match.lastgroup).rstrip('0123456789')}›", text)


def redirect_target(location: str, host: str) -> str:
    """Where it leads; without scheme and host if it stays. It is never followed."""
    try:
        parts = urlsplit(location.strip())
        stays = not parts.netloc or parts.hostname == host
    except ValueError:
        return location[:MAX_VALUE_CHARS]
    target = parts._replace(scheme="", netloc="") if stays else parts
    return masked(target.geturl())[:MAX_VALUE_CHARS]


def kind_of(answer: Answer) -> str:
    """ "none", "json", "html", "text", "image", "binary", by the content type, else by the first bytes."""
    media_type = answer.header("content-type").partition(";")[0].strip().lower()
    start = answer.body[:64].lstrip()
    if not answer.body:
        return "none"
    if media_type.endswith(("/json", "+json")) or (not media_type and start[:1] in (b"{", b"[")):
        return "json"
    if media_type in ("text/html", "application/xhtml+xml") or start[:9].lower() in (b"<!doctype", b"<html"):
        return "html"
    if media_type.startswith("image/"):
        return "image"
    is_text = media_type.startswith("text/") or media_type.endswith(("/xml", "+xml", "javascript"))
    return "text" if is_text else "binary"


def _body_features(kind: str, answer: Answer) -> dict[str, str]:
    if kind == "none":
        return {}
    if kind == "json":
        try:
            return dict(_json_features(json.loads(answer.body)))
        except (ValueError, RecursionError):
            return {"json": "not JSON", "text": _digest(_decoded(answer).encode())}
    if kind == "html":
        return _text_features(_html_text(_decoded(answer)))
    if kind == "text":
        return _text_features(_decoded(answer))
    return {"size": str(len(answer.body)), "hash": _digest(answer.body)}


def _decoded(answer: Answer) -> str:
    """By the charset of the content type, else UTF-8; bytes that are none are replaced, an unknown charset is UTF-8."""
    match = re.search(r"charset=[\"']?([\w.:-]{1,40})", answer.header("content-type"), re.IGNORECASE)
    try:
        return answer.body.decode(match[1] if match else "utf-8", "replace")
    except (LookupError, ValueError, TypeError):
        return answer.body.decode("utf-8", "replace")


def _text_features(text: str) -> dict[str, str]:
    """The lines, masked, by their number: one that varies is ignored alone."""
    lines = [" ".join(line.split()) for line in masked(text).splitlines()]
    lines = [line for line in lines if line]
    if len(lines) > MAX_JSON_FEATURES:
        return {"lines": str(len(lines)), "text": _digest("\n".join(lines).encode())}
    return {"lines": str(len(lines))} | {f"line {number}": _short(line) for number, line in enumerate(lines, 1)}


class _TextParser(HTMLParser):
    """Collects texts and the attributes that matter, one per line, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in ("script", "style")
        shown = [f"{name}={value}" for name, value in attrs if name in _HIDDEN_ATTRIBUTES]
        self.lines.append(f"<{tag} {' '.join(shown)}" if shown else f"<{tag}")

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in ("script", "style") and self._skipped > 0

    def handle_data(self, data: str) -> None:
        if not self._skipped and data.strip():
            self.lines.append(" ".join(data.split()))


def _html_text(markup: str) -> str:
    parser = _TextParser()
    try:
        parser.feed(markup)
        parser.close()
    except (ValueError, AssertionError, RecursionError):
        return markup
    return "\n".join(parser.lines)


def _json_features(value: Any) -> Iterator[tuple[str, str]]:
    """Each path with its values; items of lists share a path, so that a longer list is one difference."""
    values: dict[str, list[str]] = {}
    pending: list[tuple[str, Any, int]] = [("$", value, 0)]
    while pending and len(values) < MAX_JSON_FEATURES:
        path, item, depth = pending.pop()
        if isinstance(item, dict) and depth < MAX_JSON_DEPTH:
            pending += [(f"{path}.{str(name)[:80]}", child, depth + 1) for name, child in item.items()]
        elif isinstance(item, list) and depth < MAX_JSON_DEPTH:
            values.setdefault(f"{path} length", []).append(str(len(item)))
            pending += [(f"{path}[]", child, depth + 1) for child in reversed(item)]
        else:
            shown = masked(item) if isinstance(item, str) else json.dumps(item, default=str)
            values.setdefault(path, []).append(f"{type(item).__name__} {shown}")
    for path, texts in values.items():
        yield f"json {path}", _short(", ".join(texts))


def _cookie_attributes(attributes: str) -> str:
    """In order of their names, without the time of expiry."""
    parts = (part.strip() for part in attributes.split(";"))
    return "; ".join(sorted(part for part in parts if part and not part.lower().startswith(("expires", "max-age"))))


def _short(text: str) -> str:
    if len(text) <= MAX_VALUE_CHARS:
        return text
    return f"{text[: MAX_VALUE_CHARS - 20]}… {_digest(text.encode('utf-8', 'replace'))}"


def _digest(data: bytes) -> str:
    return f"sha256 {sha256(data).hexdigest()[:12]}"


def feature_table(answers: list[Answer], host: str) -> dict[str, list[str | None]]:
    """The values of each feature in every answer; None where an answer does not have it."""
    rows: list[Mapping[str, str]] = [features(answer, host) for answer in answers]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
