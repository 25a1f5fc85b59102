"""A snapshot of a load balancer: listener rules with weights, target groups and their health, and the rule that splits the traffic."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from domain.conditions import Condition, all_match, shadows
from domain.series import FLEETS, FleetName
from domain.weight_changes import WeightChange


@dataclass(frozen=True, slots=True)
class Share:
    """A target group of a forward action with its weight (0–999). `fleet`: None for a target group of neither fleet."""

    arn: str
    target_group: str
    fleet: FleetName | None
    weight: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A listener rule. `priority`: a number as text, or "default". `shares`: empty if the rule does not forward.

    `stickiness_s`: duration of target group stickiness, None if off. `preceding_actions`: actions before the final one (`authenticate-oidc`, …).
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
        """The shares with a weight above 0."""
        return tuple(share for share in self.shares if share.weight > 0)

    @property
    def configured_shares(self) -> dict[FleetName, Fraction]:
        """Each fleet's exact share of the weights, w / Σw; empty if all weights are 0."""
        total = sum(share.weight for share in self.shares)
        if not total:
            return {}
        return {
            fleet: Fraction(sum(share.weight for share in self.shares if share.fleet == fleet), total)
            for fleet in FLEETS
        }

    @property
    def fleets(self) -> frozenset[FleetName]:
        """The fleets with a weight above 0."""
        return frozenset(share.fleet for share in self.weighted_shares if share.fleet)

    @property
    def is_conditional(self) -> bool:
        """Whether it is limited by header, query string or source IP: conditions on host, path and method apply to all visitors alike."""
        return any(
            condition.field in ("http-header", "query-string", "source-ip") and not condition.matches_all
            for condition in self.conditions
        )

    @property
    def matches_all(self) -> bool:
        """Whether every request that reaches it matches: a default action, or a rule such as path-pattern /*."""
        return all_match(self.conditions)

    @property
    def evaluation_order(self) -> tuple[bool, int, str]:
        """The sort key within a listener: by priority, the default action last."""
        return self.priority == "default", int(self.priority) if self.priority.isdecimal() else 0, self.arn


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target. `state` and `reason` are ELBv2's: healthy, unhealthy, draining, Target.Timeout, …"""

    id: str
    port: int | None
    zone: str
    state: str
    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class Group:
    """A target group and its targets; `targets` is None if its health could not be read."""

    arn: str
    target_group: str
    fleet: FleetName
    targets: tuple[Target, ...] | None

    @property
    def healthy(self) -> int:
        return sum(target.state == "healthy" for target in self.targets or ())


@dataclass(frozen=True, slots=True)
class Traffic:
    """The load balancer's state at `asked_at` (epoch seconds). `split_arn`: the rule that splits the traffic, or ""."""

    asked_at: int
    rules: tuple[Rule, ...]
    groups: tuple[Group, ...]
    split_arn: str

    @property
    def split(self) -> Rule | None:
        """The rule that splits the traffic between the fleets, or sends all of it to one of them before and after the migration."""
        return next((rule for rule in self.rules if rule.arn == self.split_arn), None)

    @property
    def unreachable(self) -> frozenset[str]:
        """The ARNs of the rules that no request reaches."""
        return unreachable_rules(self.rules)

    @property
    def reachable_rules(self) -> tuple[Rule, ...]:
        unreachable = self.unreachable
        return tuple(rule for rule in self.rules if rule.arn not in unreachable)

    @property
    def unreachable_splits(self) -> tuple[Rule, ...]:
        """The rules with weight on both fleets, or configured as the split, and that no request reaches."""
        unreachable = self.unreachable
        return tuple(
            rule
            for rule in self.rules
            if rule.arn in unreachable and (len(rule.fleets) == 2 or rule.arn == self.split_arn)
        )

    @property
    def header_rules(self) -> tuple[Rule, ...]:
        """The other conditional rules that send to one fleet only, used for tests with a header, query string or source IP."""
        return tuple(
            rule
            for rule in self.reachable_rules
            if rule.is_conditional and len(rule.fleets) == 1 and rule.arn != self.split_arn
        )

    @property
    def splits(self) -> tuple[Rule, ...]:
        """All reachable rules with weights above 0 on both fleets."""
        return tuple(rule for rule in self.reachable_rules if len(rule.fleets) == 2)

    @property
    def other_splits(self) -> tuple[Rule, ...]:
        """The splits beside the chosen one: their weights hold for their requests."""
        return tuple(rule for rule in self.splits if rule.arn != self.split_arn)

    @property
    def deviating_rules(self) -> tuple[Rule, ...]:
        """The reachable rules beside the split that send requests to a fleet, in other shares: the observed share is of all of them."""
        shares = self.configured_shares
        return tuple(
            rule
            for rule in self.reachable_rules
            if rule.fleets and rule.arn != self.split_arn and rule.configured_shares != shares
        )

    @property
    def configured_shares(self) -> dict[FleetName, Fraction]:
        return self.split.configured_shares if self.split else {}


def find_split(rules: Iterable[Rule], configured_arn: str = "") -> Rule | None:
    """The rule that splits the traffic between the fleets: the configured one, else the best reachable candidate by `_split_rank`, or None.

    Ties: HTTPS:443 before HTTP:80 before other listeners, then a rule that matches every request (a default action), then the lowest priority.
    """
    rules = tuple(rules)
    if configured_arn:
        return next((rule for rule in rules if rule.arn == configured_arn), None)

    def order(rule: Rule) -> tuple[int, int, bool, tuple[bool, int, str]]:
        listener = LISTENER_ORDER.get(rule.listener, len(LISTENER_ORDER))
        return _split_rank(rule), listener, not rule.matches_all, rule.evaluation_order

    unreachable = unreachable_rules(rules)
    candidates = (rule for rule in rules if _split_rank(rule) < _NOT_A_SPLIT and rule.arn not in unreachable)
    return min(candidates, key=order, default=None)


@lru_cache(maxsize=16)
def unreachable_rules(rules: tuple[Rule, ...]) -> frozenset[str]:
    """The ARNs of the rules that no request reaches, because an earlier rule of their listener matches all of their requests."""
    by_listener: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_listener[rule.listener_arn].append(rule)
    unreachable = set()
    for listener_rules in by_listener.values():
        listener_rules.sort(key=lambda rule: rule.evaluation_order)
        for position, rule in enumerate(listener_rules):
            if any(shadows(earlier.conditions, rule.conditions) for earlier in listener_rules[:position]):
                unreachable.add(rule.arn)
    return frozenset(unreachable)


LISTENER_ORDER = {"HTTPS:443": 0, "HTTP:80": 1}
_NOT_A_SPLIT = 5


def _split_rank(rule: Rule) -> int:
    """How well a rule qualifies as the split; 0 is best.

    0: unconditional with weight on both fleets; 1: unconditional, both fleets at any weight; 2: conditional with weight on both (behind a header
    that a CDN adds); 3: unconditional, one fleet; 4: conditional, both fleets at any weight. A conditional rule with one fleet is not a split.
    """
    is_split, n_fleets = len(rule.fleets) == 2, len({share.fleet for share in rule.shares if share.fleet})
    if rule.is_conditional:
        return 2 if is_split else 4 if n_fleets == 2 else _NOT_A_SPLIT
    return 0 if is_split else (_NOT_A_SPLIT, 3, 1)[n_fleets]


def detect_weight_change(before: Traffic, after: Traffic, source: str = "load_balancer") -> WeightChange | None:
    """The change of the split between two snapshots, or None. It happened after `before` and not later than `after`."""
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
    """The ARN in a change of the rule: the listener's for its default action."""
    return rule.listener_arn if rule.priority == "default" else rule.arn


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """Whether a blue/green deployment would fail. `groups`: those with weight in the production rule, of any fleet or none."""

    blocked: bool
    groups: tuple[Share, ...]


def blue_green_blocked(traffic: Traffic) -> BlueGreen:
    """Blue/green deployments of ECS and CodeDeploy need exactly one target group with a weight above 0 in the production rule.

    ECS's error otherwise: "should have exactly one target group serving traffic but found 2 target groups which are serving traffic".
    """
    groups = traffic.split.weighted_shares if traffic.split else ()
    return BlueGreen(len(groups) > 1, groups)
