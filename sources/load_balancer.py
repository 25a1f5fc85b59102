"""Elastic Load Balancing as a source: what every rule was told, which one splits the traffic, and how healthy the targets are, now."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from botocore.parsers import ResponseParserError

from migration import FLEETS, Arn, Clock, Condition, FleetName, Group, Migration, Rule, Share, Target, Traffic, utc_now
from migration.traffic import find_split
from sources import Health, Look, Problem, ProblemKind, aws, state_of

SOURCE = "load_balancer"
Action = Literal["DescribeListeners", "DescribeRules", "DescribeTargetGroups", "DescribeTargetHealth"]

# Action → the client's method, and the list in its reply.
_CALLS: Mapping[Action, tuple[str, str]] = {
    "DescribeListeners": ("describe_listeners", "Listeners"),
    "DescribeRules": ("describe_rules", "Rules"),
    "DescribeTargetGroups": ("describe_target_groups", "TargetGroups"),
    "DescribeTargetHealth": ("describe_target_health", "TargetHealthDescriptions"),
}
_MOST_PAGES = 100  # of one question

# After one of these every other call would end, or wait, the same way; after two of the others it probably would.
_HOPELESS: frozenset[ProblemKind] = frozenset(
    {"no_credentials", "expired_token", "wrong_key", "wrong_region", "clock_skew", "timeout", "unreachable"}
)
_WEARY: frozenset[ProblemKind] = frozenset({"throttled", "server_error"})
_PATIENCE = 2
# What a fresh look at the credentials may cure: a person has signed in again, a role was assumed.
_SIGN_AGAIN: frozenset[ProblemKind] = frozenset({"no_credentials", "expired_token", "wrong_key"})


class LoadBalancer:
    """A sources.TrafficSource. One may serve many threads.

    `client` is a boto3 client; left out, one is made when first needed, by the credentials found then, and made anew after those were refused.
    Raises ValueError where the migration has no [aws].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None:
            raise ValueError("The load balancer needs the [aws] table.")
        self._aws = migration.aws
        self._fleet_of: dict[str, FleetName] = {
            arn.text: fleet for fleet in FLEETS for arn in migration.fleets[fleet].arns
        }
        self._clock = clock
        self._given = client is not None
        self._client = client
        self._lock = threading.Lock()

    def look(self) -> Look:
        """Every listener's rules and every configured group's targets, as they are now.

        What one refused call keeps back leaves the rest as it is. `traffic` is None where it is not certain which rule splits: a guess
        would be taken for a weight change. Never raises for the outside's faults.
        """
        began = time.monotonic()
        asked_at = int(self._clock().timestamp())
        traffic, talk = self._read(asked_at)
        return Look(asked_at, traffic, talk.problems, time.monotonic() - began)

    def check(self) -> tuple[Health, ...]:
        """Each permission, by what a look has to say of it."""
        _, talk = self._read(int(self._clock().timestamp()))
        return tuple(talk.health(action) for action in _CALLS)

    def _read(self, asked_at: int) -> tuple[Traffic | None, "_Talk"]:
        talk = _Talk(self._talker)
        rules = self._rules(talk)
        groups = tuple(self._group(talk, arn, fleet) for arn, fleet in self._fleet_of.items())
        traffic = None if rules is None else self._traffic(talk, asked_at, rules, groups)
        if not self._given and any(problem.kind in _SIGN_AGAIN for problem in talk.problems):
            with self._lock:
                self._client = None
        return traffic, talk

    def _rules(self, talk: "_Talk") -> tuple[Rule, ...] | None:
        """All rules by listener and priority, the default last; None where some were not read and the split may be among them."""
        home, configured = self._aws.load_balancer, self._aws.rule
        listeners = talk.ask("DescribeListeners", about=home, LoadBalancerArn=home)
        if isinstance(listeners, Problem):
            if not configured:
                return None
            listeners = [{"ListenerArn": _listener_of(configured)}]
        rules: list[Rule] = []
        unread = False
        for listener in sorted(listeners, key=lambda one: (one.get("Port", 0), one.get("ListenerArn", ""))):
            arn = listener.get("ListenerArn", "")
            told = talk.ask("DescribeRules", about=arn, ListenerArn=arn)
            if isinstance(told, Problem):
                unread = True
                told = [{"IsDefault": True, "Actions": listener.get("DefaultActions", ())}]
            rules += sorted((rule_of(one, listener, self._fleet_of) for one in told), key=_by_priority)
        if unread:
            # A default action with weight on both sides comes before any rule that was not read; anything less may not.
            split = find_split(rules, configured)
            if split is None or (not configured and len(split.sides) < 2):
                return None
        return tuple(rules)

    def _group(self, talk: "_Talk", arn: str, fleet: FleetName) -> Group:
        """One configured target group. Each is asked for alone, since an ARN that AWS does not know spoils a common answer."""
        told = talk.ask("DescribeTargetGroups", about=arn, TargetGroupArns=[arn])
        if isinstance(told, Problem):
            if told.kind == "not_found":
                return Group(arn, _name(arn), fleet, None)
            told = []
        homes = [home for group in told for home in group.get("LoadBalancerArns", ())]
        if homes and self._aws.load_balancer not in homes:
            talk.remark("elsewhere", "DescribeTargetGroups", arn, ", ".join(homes))
        health = talk.ask("DescribeTargetHealth", about=arn, TargetGroupArn=arn)
        targets = None if isinstance(health, Problem) else tuple(sorted(map(target_of, health), key=_by_address))
        return Group(arn, _name(arn), fleet, targets)

    def _traffic(self, talk: "_Talk", asked_at: int, rules: tuple[Rule, ...], groups: tuple[Group, ...]) -> Traffic:
        split = find_split(rules, self._aws.rule)
        traffic = Traffic(asked_at, rules, groups, split.arn if split else "")
        if self._aws.rule and split is None:
            talk.remark("not_found", "DescribeRules", self._aws.rule)
        elif not traffic.splits and not talk.failed("DescribeRules"):
            whole = split and split.sides and all(share.fleet for share in split.live)
            found = f"one_side:{next(iter(split.sides))}" if split and whole else "none"
            talk.remark("no_split", "DescribeRules", self._aws.load_balancer, found)
        return traffic

    def _talker(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = aws.client("elbv2", self._aws)
            return self._client


class _Talk:
    """One look's conversation: what went wrong, how long each action took, and when to stop asking."""

    def __init__(self, talker: Callable[[], Any]) -> None:
        self._talker = talker
        self._problems: list[Problem] = []
        self._refused: dict[Action, Problem] = {}  # the first refusal of each
        self._took_s: dict[Action, float] = {}
        self._over: Problem | None = None  # every further question would end like this
        self._weary = 0
        self._skew: Problem | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Each once; the clocks' difference last."""
        return tuple(dict.fromkeys([*self._problems, *([self._skew] if self._skew else [])]))

    def failed(self, action: Action) -> bool:
        return action in self._refused

    def remark(self, kind: ProblemKind, action: Action, about: str, detail: str = "") -> None:
        self._problems.append(Problem(kind, SOURCE, _permission(action), about, detail))

    def ask(self, action: Action, *, about: str, **parameters: Any) -> list[dict[str, Any]] | Problem:
        """The list that an action answers with, from all its pages, or why there is none. Not asked where it would end as before."""
        before = self._refused.get(action)
        if self._over or (before and before.kind == "denied"):  # permissions to describe know no single resources
            return self._over or self._refused[action]
        began = time.monotonic()
        try:
            return self._turn_pages(action, parameters)
        except aws.FAULTS as error:
            problem = aws.problem_of(error, source=SOURCE, operation=_permission(action), about=about)
        finally:
            self._took_s[action] = self._took_s.get(action, 0.0) + time.monotonic() - began
        self._problems.append(problem)
        self._refused.setdefault(action, problem)
        self._weary += problem.kind in _WEARY
        if problem.kind in _HOPELESS or self._weary >= _PATIENCE:
            self._over = problem
        return problem

    def _turn_pages(self, action: Action, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        method, key = _CALLS[action]
        found: list[dict[str, Any]] = []
        marker: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            reply = aws.call(getattr(self._talker(), method), **parameters, **marker)
            self._skew = self._skew or aws.skew_of(reply, source=SOURCE, operation=_permission(action))
            if key not in reply:
                raise ResponseParserError(f"no {key}")
            found += reply[key]
            if not reply.get("NextMarker"):
                return found
            marker = {"Marker": reply["NextMarker"]}
        raise ResponseParserError(f"more than {_MOST_PAGES} pages")

    def health(self, action: Action) -> Health:
        """How an action fared: its own worst problem; where it was never asked, what kept it from being asked."""
        problems = [problem for problem in self.problems if problem.operation == _permission(action)]
        took_s = self._took_s.get(action, 0.0)
        if action not in self._took_s:
            problems = [self._over] if self._over else list(self._refused.values())[:1]
        state = state_of(problems, took_s)
        told = next((problem for problem in problems if state_of((problem,), took_s) == state), None)
        refused = self._over or action in self._refused
        if refused and state in ("up", "slow"):  # for its clock, which elsewhere is only a remark
            state = "down"
        return Health(SOURCE, _permission(action), state, took_s, told)


def rule_of(told: Mapping[str, Any], listener: Mapping[str, Any], fleet_of: Mapping[str, FleetName]) -> Rule:
    """A rule as DescribeRules tells it, or a listener's default action. Groups in the configuration's order, then those of neither fleet.

    Signing in (authenticate-…, jwt-validation) comes before the action that ends the request, and does not touch the split.
    """
    actions = sorted(told.get("Actions", ()), key=lambda action: action.get("Order", 0))
    last: Mapping[str, Any] = next(
        (one for one in reversed(actions) if not one.get("Type", "").startswith(("authenticate", "jwt"))), {}
    )
    forward = last.get("ForwardConfig", {})
    groups = forward.get("TargetGroups") or ([{"TargetGroupArn": arn}] if (arn := last.get("TargetGroupArn")) else [])
    order = list(fleet_of)
    shares = sorted(
        (
            Share(arn, _name(arn), fleet_of.get(arn), group.get("Weight", 1))
            for group in groups
            for arn in (group.get("TargetGroupArn", ""),)
        ),
        key=lambda share: (order.index(share.arn) if share.fleet else len(order), share.arn),
    )
    sticky = forward.get("TargetGroupStickinessConfig", {})
    listener_arn = listener.get("ListenerArn", "")
    return Rule(
        arn=told.get("RuleArn", listener_arn),
        listener_arn=listener_arn,
        listener=f"{listener['Protocol']}:{listener['Port']}" if listener.keys() >= {"Protocol", "Port"} else "",
        priority="default" if told.get("IsDefault") else told.get("Priority", ""),
        action=last.get("Type", ""),
        conditions=tuple(condition_of(condition) for condition in told.get("Conditions", ())),
        shares=tuple(shares),
        stickiness_s=sticky.get("DurationSeconds") if sticky.get("Enabled") else None,
    )


def condition_of(told: Mapping[str, Any]) -> Condition:
    """A condition in its new form (`PathPatternConfig`) or its old one (`Values`); AWS may tell both, which then agree."""
    config: Mapping[str, Any] = next((told[key] for key in told if key.endswith("Config")), {})
    name, given = config.get("HttpHeaderName", ""), [*config.get("Values", ()), *told.get("Values", ())]
    if told.get("Field") == "query-string":  # [{"Key": "canary", "Value": "1"}]; the key may be left out
        pairs = [(pair.get("Key", ""), pair.get("Value", "")) for pair in config.get("Values", ())]
        keys = {key for key, _ in pairs}
        name = keys.pop() if len(keys) == 1 else ""
        given = [value if name or not key else f"{key}={value}" for key, value in pairs]
    expressions = [f"~{text}" for text in (*config.get("RegexValues", ()), *told.get("RegexValues", ()))]
    return Condition(told.get("Field", ""), name, tuple(dict.fromkeys([*given, *expressions])))


def target_of(told: Mapping[str, Any]) -> Target:
    target, health = told.get("Target", {}), told.get("TargetHealth", {})
    return Target(
        id=target.get("Id", ""),
        port=target.get("Port"),
        zone=target.get("AvailabilityZone", ""),
        state=health.get("State", ""),
        reason=health.get("Reason", ""),
        description=health.get("Description", ""),
    )


def _permission(action: Action) -> str:
    return f"elasticloadbalancing:{action}"


def _name(arn: str) -> str:
    """A target group's name; its whole ARN where that is none we know the form of."""
    parsed = Arn.parse(arn)
    return parsed.name if parsed else arn


def _listener_of(rule_arn: str) -> str:
    """arn:…:listener-rule/app/photo/50dc…/f2f7…/9683… → arn:…:listener/app/photo/50dc…/f2f7…"""
    return rule_arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def _by_priority(rule: Rule) -> tuple[bool, int, str]:
    number = int(rule.priority) if rule.priority.isdecimal() else 0
    return rule.priority == "default", number, rule.arn


def _by_address(target: Target) -> tuple[str, int]:
    # AWS answers in any order; the archive keeps a new snapshot for every difference.
    return target.id, target.port or 0
