"""How a load balancer was told to split its traffic, and how healthy what it sends to is, at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pydantic import TypeAdapter

from domain.series import FLEETS, FleetName
from domain.weight_changes import WeightChange


@dataclass(frozen=True, slots=True)
class Share:
    """One target group of a forward action. `weight` is what the rule was told (0–999); `fleet` is None for a group of neither side."""

    arn: str
    target_group: str
    fleet: FleetName | None
    weight: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule: `field` as ELBv2 names it (`http-header`, `path-pattern`, …), `name` a header's or a query key's name.

    A request meets it by any of `patterns`, in which * and ? stand for anything; one that begins with ~ is a regular expression.
    """

    field: str
    name: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one listener. `priority` is a number as text, or "default". `shares` is empty where the rule does not forward.

    `stickiness_s` is how long the target-group cookie holds a visitor on its side; None: not sticky. `also` are the actions before the one that
    ends the request (`authenticate-oidc`, …).
    """

    arn: str
    listener_arn: str
    listener: str  # "HTTPS:443"
    priority: str
    action: str  # "forward", "redirect", "fixed-response", …
    conditions: tuple[Condition, ...]
    shares: tuple[Share, ...]
    stickiness_s: int | None
    preceding_actions: tuple[str, ...] = ()

    @property
    def weighted_shares(self) -> tuple[Share, ...]:
        """The groups that carry weight. (100, 0) has one: a group left behind at weight 0 gets nothing."""
        return tuple(share for share in self.shares if share.weight > 0)

    @property
    def configured_shares(self) -> dict[FleetName, Fraction]:
        """The share of this rule's traffic that each fleet is told, exactly: w / Σw. Empty where no group carries weight."""
        total = sum(share.weight for share in self.shares)
        if not total:
            return {}
        return {
            fleet: Fraction(sum(share.weight for share in self.shares if share.fleet == fleet), total)
            for fleet in FLEETS
        }

    @property
    def fleets(self) -> frozenset[FleetName]:
        """The fleets that carry weight under this rule."""
        return frozenset(share.fleet for share in self.weighted_shares if share.fleet)

    @property
    def headers(self) -> tuple[Condition, ...]:
        """The conditions on a request header or a cookie."""
        return tuple(condition for condition in self.conditions if condition.field == "http-header")

    @property
    def is_conditional(self) -> bool:
        """Whether only requests that somebody marked, or that come from certain places, meet this rule; by host, path and method all visitors do."""
        return any(condition.field in ("http-header", "query-string", "source-ip") for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Target:
    """One registered target. `state` and `reason` are ELBv2's own words: healthy, unhealthy, draining, Target.Timeout, …"""

    id: str
    port: int | None
    zone: str
    state: str
    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class Group:
    """One target group and its targets. `targets` is None where its health could not be read."""

    arn: str
    target_group: str
    fleet: FleetName
    targets: tuple[Target, ...] | None

    @property
    def healthy(self) -> int:
        return sum(target.state == "healthy" for target in self.targets or ())


@dataclass(frozen=True, slots=True)
class Traffic:
    """Everything the load balancer said at `asked_at` (epoch seconds). `split_arn` is the rule that splits the traffic, "" where none does."""

    asked_at: int
    rules: tuple[Rule, ...]
    groups: tuple[Group, ...]
    split_arn: str

    @property
    def split(self) -> Rule | None:
        """The rule whose forward action splits the traffic between the fleets, or carries all of it on one side before and after."""
        return next((rule for rule in self.rules if rule.arn == self.split_arn), None)

    @property
    def header_rules(self) -> tuple[Rule, ...]:
        """The rules that send what bears a header, a query or a source address to one side alone, whatever the weights: the team's way to test."""
        return tuple(
            rule for rule in self.rules if rule.is_conditional and len(rule.fleets) == 1 and rule.arn != self.split_arn
        )

    @property
    def splits(self) -> tuple[Rule, ...]:
        """Every rule with weight on both fleets. `split` is one of them, if there are any and none is configured; each has weights of its own."""
        return tuple(rule for rule in self.rules if len(rule.fleets) == 2)

    @property
    def configured_shares(self) -> dict[FleetName, Fraction]:
        return self.split.configured_shares if self.split else {}


def find_split(rules: Iterable[Rule], configured_arn: str = "") -> Rule | None:
    """The rule that splits the traffic, or carries all of it on one side before the first step and after the last: the configured one, if there is one.

    Otherwise a rule that all visitors meet, with weight on both fleets, else with both fleets named; else a rule for some that has weight on both
    (the weighted rule behind a header that a CDN adds); else whatever forwards to a fleet. A rule for some that names one fleet is a door, never
    the split. Of equals the one that most requests meet: HTTPS:443, then HTTP:80, then other listeners; the default action, then the lowest priority.
    """
    rules = tuple(rules)
    if configured_arn:
        return next((rule for rule in rules if rule.arn == configured_arn), None)

    def order(rule: Rule) -> tuple[int, int, int, str]:
        listener = (
            _PREFERRED_LISTENERS.index(rule.listener)
            if rule.listener in _PREFERRED_LISTENERS
            else len(_PREFERRED_LISTENERS)
        )
        return _split_rank(rule), listener, int(rule.priority) if rule.priority.isdecimal() else 0, rule.arn

    return min((rule for rule in rules if _split_rank(rule) < _NOT_A_SPLIT), key=order, default=None)


_PREFERRED_LISTENERS = ("HTTPS:443", "HTTP:80")
_NOT_A_SPLIT = 5


def _split_rank(rule: Rule) -> int:
    """How well a rule fits as the split: 0 is best; from _UNFIT on it is none."""
    splits, named = len(rule.fleets) == 2, len({share.fleet for share in rule.shares if share.fleet})
    if rule.is_conditional:
        return 2 if splits else 4 if named == 2 else _NOT_A_SPLIT
    return 0 if splits else (_NOT_A_SPLIT, 3, 1)[named]


def detect_weight_change(before: Traffic, after: Traffic, source: str = "load_balancer") -> WeightChange | None:
    """The change of the split between two looks, or None: it was first seen at the second, and may have held since the first."""
    if not after.split or before.configured_shares == after.configured_shares or not after.configured_shares:
        return None
    return WeightChange(
        ts=after.asked_at,
        since=before.asked_at,
        before=float(before.configured_shares["canary"]) if before.configured_shares else None,
        after=float(after.configured_shares["canary"]),
        rule=rule_or_listener_arn(after.split),
        sources=(source,),
        key=f"{after.asked_at}:{after.split_arn}",
    )


def rule_or_listener_arn(rule: Rule) -> str:
    """The ARN that a change of the rule names: a listener's default action has no rule's."""
    return rule.listener_arn if rule.priority == "default" else rule.arn


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """Whether a blue/green deployment would fail now. `groups` are those that carry weight in the production rule, of either side or neither."""

    blocked: bool
    groups: tuple[Share, ...]


def blue_green_blocked(traffic: Traffic) -> BlueGreen:
    """A blue/green deployment of ECS or CodeDeploy needs a production rule in which exactly one target group carries weight.

    ECS says of more: "should have exactly one target group serving traffic but found 2 target groups which are serving traffic".
    A group at weight 0 does not count: every deployment leaves one behind.
    """
    groups = traffic.split.weighted_shares if traffic.split else ()
    return BlueGreen(len(groups) > 1, groups)


_TRAFFIC = TypeAdapter(Traffic)


def traffic_to_json(traffic: Traffic) -> str:
    """As the archive keeps it: equal values give equal texts."""
    return _TRAFFIC.dump_json(traffic).decode()


def traffic_from_json(text: str) -> Traffic:
    """What `traffic_to_json` wrote. Raises ValueError where it did not."""
    return _TRAFFIC.validate_json(text)
