"""Conditions of listener rules, and whether the requests of one rule are a subset of those of another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network


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
