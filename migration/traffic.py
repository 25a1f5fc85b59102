"""How a load balancer was told to split its traffic, and how healthy what it sends to is, at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pydantic import TypeAdapter

from migration.events import Event
from migration.series import FLEETS, FleetName


@dataclass(frozen=True, slots=True)
class Share:
    """One target group of a forward action. `weight` is what the rule was told (0–999); `fleet` is None for a group of neither side."""

    arn: str
    target_group: str
    fleet: FleetName | None
    weight: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule: `field` as ELBv2 names it (`http-header`, `path-pattern`, …), `name` a header's or a query key's name."""

    field: str
    name: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one listener. `priority` is a number as text, or "default". `shares` is empty where the rule does not forward.

    `stickiness_s` is how long the target-group cookie holds a visitor on its side; None: not sticky.
    """

    arn: str
    listener_arn: str
    listener: str  # "HTTPS:443"
    priority: str
    action: str  # "forward", "redirect", "fixed-response", …
    conditions: tuple[Condition, ...]
    shares: tuple[Share, ...]
    stickiness_s: int | None

    @property
    def live(self) -> tuple[Share, ...]:
        """The groups that carry weight. (100, 0) has one: a group left behind at weight 0 gets nothing."""
        return tuple(share for share in self.shares if share.weight > 0)

    @property
    def told(self) -> dict[FleetName, Fraction]:
        """The share of this rule's traffic that each fleet is told, exactly: w / Σw. Empty where no group carries weight."""
        total = sum(share.weight for share in self.shares)
        if not total:
            return {}
        return {
            fleet: Fraction(sum(share.weight for share in self.shares if share.fleet == fleet), total)
            for fleet in FLEETS
        }

    @property
    def sides(self) -> frozenset[FleetName]:
        """The fleets that carry weight under this rule."""
        return frozenset(share.fleet for share in self.live if share.fleet)

    @property
    def headers(self) -> tuple[Condition, ...]:
        """The conditions on a request header or a cookie: the team's door to one side whatever the weights."""
        return tuple(condition for condition in self.conditions if condition.field == "http-header")


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
    def doors(self) -> tuple[Rule, ...]:
        """The rules that send a header's traffic to one side alone, whatever the weights."""
        return tuple(
            rule for rule in self.rules if rule.headers and len(rule.sides) == 1 and rule.arn != self.split_arn
        )

    @property
    def told(self) -> dict[FleetName, Fraction]:
        return self.split.told if self.split else {}


def find_split(rules: Iterable[Rule], configured_arn: str = "") -> Rule | None:
    """The rule that splits the traffic: the configured one; else one with weight on both fleets; else one that names both, or at least one, fleet.

    A rule that only answers to a header is a door, not the split, unless it is the configured one. Of equals, the one that most requests meet:
    the default action first, then the lowest priority number.
    """
    rules = tuple(rules)
    if configured_arn:
        return next((rule for rule in rules if rule.arn == configured_arn), None)

    def order(rule: Rule) -> tuple[bool, int, bool, int]:
        named = {share.fleet for share in rule.shares if share.fleet}
        is_default = rule.priority == "default"
        return (len(rule.sides) < 2, -len(named), not is_default, 0 if is_default else int(rule.priority or 0))

    able = [rule for rule in rules if not rule.headers and any(share.fleet for share in rule.shares)]
    return min(able, key=order, default=None)


def weight_change(before: Traffic, after: Traffic) -> Event | None:
    """The event "the split changed" between two looks, or None. It is stamped when it was first seen; `detail` says since when it may have held."""
    if not after.split or before.told == after.told or not after.told:
        return None
    canary = float(after.told["canary"])
    was = f"{float(before.told['canary']):.1%}" if before.told else "?"
    return Event(
        ts=after.asked_at,
        until=None,
        kind="weight",
        title=f"{was} → {canary:.1%}",
        detail=f"{before.asked_at}..{after.asked_at}",
        fleet="canary",
        link="",
        source="load_balancer",
        key=f"{after.asked_at}:{after.split_arn}",
    )


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
    groups = traffic.split.live if traffic.split else ()
    return BlueGreen(len(groups) > 1, groups)


_TRAFFIC = TypeAdapter(Traffic)


def traffic_to_json(traffic: Traffic) -> str:
    """As the archive keeps it: equal values give equal texts."""
    return _TRAFFIC.dump_json(traffic).decode()


def traffic_from_json(text: str) -> Traffic:
    """What `traffic_to_json` wrote. Raises ValueError where it did not."""
    return _TRAFFIC.validate_json(text)
