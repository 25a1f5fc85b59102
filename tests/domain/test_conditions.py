"""Conditions that match every request, and conditions whose requests are a subset of another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Condition
from domain.conditions import shadows


def path(*patterns: str) -> Condition:
    return Condition("path-pattern", "", patterns)


def host(*patterns: str) -> Condition:
    return Condition("host-header", "", patterns)


def header(name: str, *patterns: str) -> Condition:
    return Condition("http-header", name, patterns)


def source(*patterns: str) -> Condition:
    return Condition("source-ip", "", patterns)


@pytest.mark.parametrize(
    "condition",
    [
        *(path(pattern) for pattern in ("*", "/*", "**", "*/*", "?*", "*?", "~.*", "~^/.*$")),
        path("/api/*", "/*"),
        *(host(pattern) for pattern in ("*", "**", "?*", "~.*", "~^.+$")),
        source("0.0.0.0/0"),
        source("10.0.0.0/8", "::/0"),
    ],
)
def test_matches_every_request(condition: Condition) -> None:
    assert condition.matches_all


@pytest.mark.parametrize(
    "condition",
    [
        *(path(pattern) for pattern in ("/", "", "/api/*", "/?", "*/", "*.*", "~^/api", "~")),
        path(),
        *(host(pattern) for pattern in ("*.example.com", "photo.example.com", "?")),
        header("User-Agent", "*"),
        Condition("query-string", "", ("*",)),
        source("10.0.0.0/8"),
        source("everywhere"),
        Condition("http-request-method", "", ("GET",)),
        Condition("of-a-later-year", "", ("*",)),
    ],
)
def test_does_not_match_every_request(condition: Condition) -> None:
    assert not condition.matches_all


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ([], [path("/api/*")]),
        ([path("/*")], []),
        ([path("/api/*")], [path("/api/v1/*")]),
        ([path("/api/*")], [path("/api/a?c")]),
        ([path("/a?c")], [path("/abc")]),
        ([path("/api/*", "/v2/*")], [path("/v2/photos")]),
        ([path("/api/*")], [host("photo.example.com"), path("/api/*")]),  # the later one is narrower
        ([host("*.example.com")], [host("PHOTO.example.com")]),
        ([host("*.example.com"), path("/*")], [host("photo.example.com"), path("/api/*")]),
        ([header("X-Canary", "*")], [header("x-canary", "ecs")]),
        ([source("10.0.0.0/8")], [source("10.1.0.0/16", "10.2.3.4/32")]),
        ([source("2001:db8::/32")], [source("2001:db8:1::/48")]),
        ([Condition("query-string", "", ("a=1", "b=2"))], [Condition("query-string", "", ("b=2",))]),
        ([Condition("http-request-method", "", ("GET", "HEAD"))], [Condition("http-request-method", "", ("GET",))]),
        ([path("~^/api")], [path("~^/api")]),
    ],
)
def test_a_later_rule_is_not_reached(earlier: list[Condition], later: list[Condition]) -> None:
    assert shadows(earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ([path("/api/*")], []),
        ([path("/api/v1/*")], [path("/api/*")]),
        ([path("/api/*")], [path("/api/*", "/v2/*")]),
        ([path("/api/?")], [path("/api/*")]),
        ([path("/API/*")], [path("/api/v1")]),
        ([path("/a.c")], [path("/abc")]),
        ([host("photo.example.com"), path("/api/*")], [path("/api/*")]),
        ([host("photo.example.com")], [header("Host", "photo.example.com")]),
        ([header("X-Canary", "ecs")], [header("X-Beta", "ecs")]),
        ([source("10.0.0.0/8")], [source("2001:db8::/32")]),
        ([source("10.0.0.0/8")], [source("0.0.0.0/0")]),
        ([Condition("query-string", "", ("a*=1", "b=2"))], [Condition("query-string", "", ("ab=1",))]),
        ([path(r"/a\*")], [path("/abc")]),  # an escaped wildcard is not one
        ([path("~^/api")], [path("/api/v1")]),
        ([path("/api/*")], [path()]),
    ],
)
def test_a_later_rule_is_reached_or_may_be(earlier: list[Condition], later: list[Condition]) -> None:
    assert not shadows(earlier, later)


PATTERNS = st.text("ab*?", max_size=5)


def matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return matches(pattern[1:], text) or (bool(text) and matches(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and matches(pattern[1:], text[1:])


@given(PATTERNS, PATTERNS, st.text("abc", max_size=6))
def test_a_covered_pattern_matches_nothing_else(general: str, special: str, text: str) -> None:
    if shadows([host(f"x{general}")], [host(f"x{special}")]) and matches(special, text):
        assert matches(general, text)
