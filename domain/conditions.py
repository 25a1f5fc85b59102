"""Conditions of listener rules: whether a request may match them, and whether the requests of one rule are a subset of those of another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule condition: ELBv2's `field` (`http-header`, `path-pattern`, …), and the `name` of the header or query key.

    A request matches if it matches any of `patterns` (wildcards * and ?; with a leading ~ a regular expression).
    """

    field: str
    name: str
    patterns: tuple[str, ...]

    @property
    def matches_all(self) -> bool:
        """Whether every request matches. A header or query condition never does: the request may lack it.

        0.0.0.0/0 counts as every source: only a dual-stack load balancer has others.
        """
        match self.field:
            case "path-pattern":
                return any(_ANY_PATH.fullmatch(pattern) for pattern in self.patterns)
            case "host-header":
                return any(_ANY_HOST.fullmatch(pattern) for pattern in self.patterns)
            case "source-ip":
                return any((network := _network(text)) and network.prefixlen == 0 for text in self.patterns)
        return False


# A path begins with "/". Wildcards, or a regular expression that any text or path matches.
_ANY_PATH = re.compile(r"\**[/?]?\*+|\*+\?|~\^?/?\.\*\$?")
_ANY_HOST = re.compile(r"\**\??\*+|\*+\?|~\^?\.[*+]\$?")


def all_match(conditions: Sequence[Condition]) -> bool:
    """Whether every request fulfils all conditions."""
    return all(condition.matches_all for condition in conditions)


def shadows(earlier: Sequence[Condition], later: Sequence[Condition]) -> bool:
    """Whether each request that fulfils all of `later` also fulfils all of `earlier`. False if that is not certain."""
    return all(
        condition.matches_all or any(_covers(condition, narrower) for narrower in later) for condition in earlier
    )


def _covers(wider: Condition, narrower: Condition) -> bool:
    """Whether each request that matches `narrower` matches `wider`."""
    if (wider.field, wider.name.lower()) != (narrower.field, narrower.name.lower()):
        return False
    return bool(narrower.patterns) and all(
        any(_pattern_covers(wider, general, special) for general in wider.patterns) for special in narrower.patterns
    )


def _pattern_covers(condition: Condition, general: str, special: str) -> bool:
    if condition.field == "source-ip":
        return _contains(_network(general), _network(special))
    if condition.field != "path-pattern":  # paths are case-sensitive
        general, special = general.lower(), special.lower()
    # Not compared any further: regular expressions, escaped wildcards, and query strings in which the key is part of the pattern.
    is_opaque = condition.field == "query-string" and not condition.name
    if general == special or is_opaque or general.startswith("~") or special.startswith("~") or "\\" in general:
        return general == special
    return _expression(general).fullmatch(special) is not None


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    """Matches the patterns that `pattern` covers, read as text: only its * may stand for a *."""
    wildcards = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(wildcards.get(character) or re.escape(character) for character in pattern), re.DOTALL)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _contains(wider: IPv4Network | IPv6Network | None, narrower: IPv4Network | IPv6Network | None) -> bool:
    if isinstance(wider, IPv4Network):
        return isinstance(narrower, IPv4Network) and narrower.subnet_of(wider)
    return isinstance(wider, IPv6Network) and isinstance(narrower, IPv6Network) and narrower.subnet_of(wider)


MAX_REGEX_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What the conditions of a rule see of a request. `path`: with its query string; `headers`: all that are sent."""

    method: str
    host: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


def may_match(conditions: Sequence[Condition], request: RequestLine) -> bool:
    """False if the request certainly fails a condition. Conditions on its source, on headers that the load balancer adds, and on fields of later
    years may be met.
    """
    return all(condition.matches_all or _may_match(condition, request) for condition in conditions)


def _may_match(condition: Condition, request: RequestLine) -> bool:
    path, _, query = request.path.partition("?")
    match condition.field:
        case "path-pattern":
            texts = [path]
        case "host-header":
            texts = [request.host]
        case "http-request-method":
            return request.method in condition.patterns
        case "http-header" if not condition.name.lower().startswith(_ADDED_HEADERS):
            texts = [value for name, value in request.headers if name.lower() == condition.name.lower()]
        case "query-string":
            pairs = [(key, value, pair) for pair in query.split("&") if pair for key, _, value in [pair.partition("=")]]
            is_key = condition.name.lower()
            texts = [value for key, value, _ in pairs if not is_key or unquote(key).lower() == is_key]
            texts += [pair for *_, pair in pairs if not is_key]  # the key may be part of the pattern
        case _:
            return True
    is_folded = condition.field != "path-pattern"
    both = {*texts, *map(unquote, texts)}
    return any(
        pattern_matches(pattern, text, fold=is_folded, unsure=True) for pattern in condition.patterns for text in both
    )


_ADDED_HEADERS = ("x-forwarded-", "x-amzn-")


def pattern_matches(pattern: str, text: str, *, fold: bool, unsure: bool = False) -> bool:
    """Whether a text matches a pattern as the load balancer reads it; `fold`: in any case. `unsure`: the answer for an invalid regular expression,
    or for one and a longer text than is searched.
    """
    flags = re.DOTALL | (re.IGNORECASE if fold else 0)
    if not pattern.startswith("~"):
        return re.fullmatch(_WILDCARD.sub(_as_expression, pattern), text, flags) is not None
    if len(text) > MAX_REGEX_TEXT_CHARS:
        return unsure
    try:
        return re.search(pattern[1:], text, flags) is not None
    except re.error:
        return unsure


_WILDCARD = re.compile(r"\\[*?\\]|.", re.DOTALL)


def _as_expression(token: re.Match[str]) -> str:
    """A wildcard as a regular expression; any other character, or a wildcard after a backslash, as itself."""
    return {"*": ".*", "?": "."}.get(token[0]) or re.escape(token[0][-1])
