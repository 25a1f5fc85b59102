"""Whether the old fleet is empty and may be removed: what still stands against it, and the commands. Nothing unknown counts as empty. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.batches.jobs import JobReport
from analysis.deployments.aws_commands import aws_command, set_weights_command
from analysis.series.grid import FloatArray, IntArray
from domain import Group, Rule, Share, Traffic, WeightChange, Window
from domain.window import DAY_S, HOUR_S

WEEK_S = 7 * DAY_S
DrainVerdict = Literal["safe", "not_safe", "unknown"]
ObstacleKind = Literal[
    "forwards",  # a rule that requests reach sends some to the group; `value`: its share of the rule's requests
    "requests",  # in the required time; `value`: how many, `ts`: the end of the last minute with one
    "no_peak",  # the time without requests does not have the busiest hour of the week; `ts`: when that hour ends next
    "draining",  # targets that are deregistered and still have connections; `value`: how many
    "batch_on_cron",  # the newest runs of a job are those of cron
    "batch_twice",  # a job runs under cron and under EventBridge
    "rules_unread",  # the listeners' rules were not read just now
    "requests_unread",  # the requests of some of the required time are not known; `ts`: since when all are
    "never_reported",  # the source never had a request of this group: it may have another name
    "targets_unread",
    "peak_unread",  # requests of some hours of the last week are not known, so the busiest is not
    "batches_unread",
]
UNKNOWN_KINDS: frozenset[ObstacleKind] = frozenset(
    ("rules_unread", "requests_unread", "never_reported", "targets_unread", "peak_unread", "batches_unread")
)
CommandPurpose = Literal["remove_from_rule", "delete_rule", "deregister", "delete_group"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands against the removal. `subject`: a target group or a job; `rule`: of "forwards". `value`, `ts` (epoch seconds): see ObstacleKind."""

    kind: ObstacleKind
    subject: str = ""
    value: float = 0.0
    ts: int | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class RequestsAfterChange:
    """The requests of a group between a weight change and the next one. `last_request`: the end of the last minute with one; None without any."""

    change: WeightChange
    requests: int
    last_request: int | None


@dataclass(frozen=True, slots=True)
class OldGroup:
    """The requests of one target group of the old fleet up to a final minute (epoch seconds).

    `last_request`: the end of the last minute with one, None without any in the known time. `quiet_since`: from then on it is known that there was none.
    `recent`: requests in the required time. `has_reported`: the source has had a request of it at any time.
    """

    target_group: str
    last_request: int | None
    quiet_since: int
    recent: int
    has_reported: bool
    after_changes: tuple[RequestsAfterChange, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleUse:
    """A rule that names a target group of the old fleet. `share`: of the rule's requests, None if all its weights are 0."""

    rule: Rule
    target_group: str
    weight: int
    share: float | None
    is_reachable: bool


@dataclass(frozen=True, slots=True)
class RemovalCommand:
    """`command`: "" if it cannot be given (an action with authentication, say). `subject`: the rule's priority, or the target group."""

    purpose: CommandPurpose
    subject: str
    command: str


@dataclass(frozen=True, slots=True)
class Drain:
    """The answer at `until`. `commands`: in their order, only if it is safe. `batches_checked`: False without [batches]."""

    verdict: DrainVerdict
    until: int
    required_s: int
    groups: tuple[OldGroup, ...]
    uses: tuple[RuleUse, ...]
    obstacles: tuple[Obstacle, ...]
    commands: tuple[RemovalCommand, ...] = ()
    batches_checked: bool = True

    @property
    def quiet_s(self) -> int:
        """For how long it is known that no group of the old fleet had a request."""
        return max(self.until - max((group.quiet_since for group in self.groups), default=self.until), 0)


@dataclass(frozen=True, slots=True)
class DrainEvidence:
    """`traffic`: None if it was not read just now. `busiest_hour`: its start, None if unknown. `jobs`: None without [batches].

    `jobs_complete`: the runs of all of the time of `jobs` are known.
    """

    groups: tuple[OldGroup, ...]
    traffic: Traffic | None
    busiest_hour: int | None
    jobs: Sequence[JobReport] | None
    until: int
    required_s: int
    jobs_complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class KnownRequests:
    """Requests by periods that start at `ts` (epoch seconds, ascending), and the time that is not known."""

    ts: IntArray
    period_s: IntArray
    requests: FloatArray
    unanswered: tuple[Window, ...] = ()


def old_group(
    target_group: str,
    known: KnownRequests,
    window: Window,
    changes: Sequence[WeightChange],
    *,
    required_s: int,
    has_reported: bool,
) -> OldGroup:
    """The requests of a group in a final `window`. `changes`: all recorded ones, ascending."""
    inside = (known.requests > 0) & (known.ts < window.end) & (known.ts + known.period_s > window.start)
    starts, ends, counts = known.ts[inside], (known.ts + known.period_s)[inside], known.requests[inside]
    last_request = min(int(ends.max()), window.end) if len(ends) else None
    gaps = [min(gap.end, window.end) for gap in known.unanswered if gap.start < window.end]

    def after(change: WeightChange, until: int) -> RequestsAfterChange:
        part = (starts >= change.ts) & (starts < until)
        last = int(ends[part].max()) if part.any() else None
        return RequestsAfterChange(change, round(float(counts[part].sum())), last)

    pairs = zip(changes, [*(change.ts for change in changes[1:]), window.end], strict=False)
    return OldGroup(
        target_group,
        last_request,
        max([last_request or window.start, *gaps]),
        round(float(counts[ends > window.end - required_s].sum())),
        has_reported,
        tuple(after(change, until) for change, until in pairs if window.start <= change.ts < window.end),
    )


def busiest_hour(known: KnownRequests, until: int) -> int | None:
    """The start of the hour with most requests of the last week before `until`; None if those of any hour are not known, or there are none."""
    end = until // HOUR_S * HOUR_S
    week = Window(end - WEEK_S, end)
    if any(gap.overlap(week) for gap in known.unanswered):
        return None
    inside = (known.ts >= week.start) & (known.ts + known.period_s <= week.end)
    hour = (known.ts[inside] - week.start) // HOUR_S
    per_hour = np.bincount(hour, known.requests[inside], minlength=WEEK_S // HOUR_S)
    return week.start + int(per_hour.argmax()) * HOUR_S if per_hour.max() > 0 else None


def judge_drain(evidence: DrainEvidence) -> Drain:
    """Whether the old fleet may be removed: nothing forwards to it, and for the required time, which has the busiest hour of a week, nothing came."""
    names = tuple(group.target_group for group in evidence.groups)
    uses = tuple(_uses(evidence.traffic, names)) if evidence.traffic else ()
    obstacles = (
        *_of_rules(evidence.traffic, uses),
        *_of_requests(evidence),
        *(_of_targets(evidence.traffic, names) if evidence.traffic else ()),
        *_of_batches(evidence),
    )
    verdict: DrainVerdict = "safe"
    if obstacles:
        verdict = "unknown" if all(obstacle.kind in UNKNOWN_KINDS for obstacle in obstacles) else "not_safe"
    commands = tuple(_commands(evidence.traffic, uses, names)) if verdict == "safe" and evidence.traffic else ()
    return Drain(
        verdict,
        evidence.until,
        evidence.required_s,
        evidence.groups,
        uses,
        obstacles,
        commands,
        evidence.jobs is not None,
    )


def _uses(traffic: Traffic, names: Sequence[str]) -> Iterator[RuleUse]:
    for rule in traffic.rules:
        total = sum(share.weight for share in rule.shares)
        for share in rule.shares:
            if share.target_group in names:
                part = share.weight / total if total else None
                yield RuleUse(rule, share.target_group, share.weight, part, rule.arn not in traffic.unreachable)


def _of_rules(traffic: Traffic | None, uses: Sequence[RuleUse]) -> Iterator[Obstacle]:
    if traffic is None:
        yield Obstacle("rules_unread")
    for use in uses:
        if use.weight and use.is_reachable:
            yield Obstacle("forwards", use.target_group, use.share or 0.0, rule=use.rule)


def _of_requests(evidence: DrainEvidence) -> Iterator[Obstacle]:
    required_from, is_quiet = evidence.until - evidence.required_s, True
    for group in evidence.groups:
        if group.recent:
            is_quiet = False
            yield Obstacle("requests", group.target_group, group.recent, group.last_request)
        elif group.quiet_since > required_from:
            is_quiet = False
            yield Obstacle("requests_unread", group.target_group, ts=group.quiet_since)
        if not group.has_reported and not _has_no_targets(evidence.traffic, group.target_group):
            yield Obstacle("never_reported", group.target_group)
    quiet_since = max((group.quiet_since for group in evidence.groups), default=evidence.until)
    if not is_quiet or evidence.until - quiet_since >= WEEK_S:
        return
    if evidence.busiest_hour is None:
        yield Obstacle("peak_unread")
    elif evidence.busiest_hour < quiet_since:
        yield Obstacle("no_peak", ts=evidence.busiest_hour + WEEK_S + HOUR_S)


def _has_no_targets(traffic: Traffic | None, name: str) -> bool:
    return any(group.target_group == name and group.targets == () for group in (traffic.groups if traffic else ()))


def _of_targets(traffic: Traffic, names: Sequence[str]) -> Iterator[Obstacle]:
    groups: Mapping[str, Group] = {group.target_group: group for group in traffic.groups}
    for name in names:
        group = groups.get(name)
        if group is None or group.targets is None:
            yield Obstacle("targets_unread", name)
        elif draining := sum(target.state == "draining" for target in group.targets):
            yield Obstacle("draining", name, draining)


def _of_batches(evidence: DrainEvidence) -> Iterator[Obstacle]:
    if evidence.jobs is None:
        return
    if not evidence.jobs_complete:
        yield Obstacle("batches_unread")
    for job in evidence.jobs:
        if job.runs_twice:
            yield Obstacle("batch_twice", job.name)
        elif job.scheduler == "baseline":
            yield Obstacle("batch_on_cron", job.name)
        elif job.scheduler is None:
            yield Obstacle("batches_unread", job.name)


def _commands(traffic: Traffic, uses: Sequence[RuleUse], names: Sequence[str]) -> Iterator[RemovalCommand]:
    """First every rule is freed of the groups, because a group in use cannot be deleted; targets are deregistered before their group is deleted."""
    for rule in dict.fromkeys(use.rule for use in uses):
        kept: list[Share] = [share for share in rule.shares if share.target_group not in names]
        subject = f"{rule.listener} {rule.priority}"
        if kept:
            weights = {share.arn: share.weight for share in kept}
            yield RemovalCommand("remove_from_rule", subject, set_weights_command(rule, weights))
        elif rule.priority == "default":
            yield RemovalCommand("remove_from_rule", subject, "")
        else:
            yield RemovalCommand("delete_rule", subject, aws_command("elbv2 delete-rule", ("--rule-arn", rule.arn)))
    for group in traffic.groups:
        if group.target_group not in names:
            continue
        if group.targets:
            command = aws_command("elbv2 deregister-targets", ("--target-group-arn", group.arn))
            targets = (f"Id={target.id}" + (f",Port={target.port}" if target.port else "") for target in group.targets)
            yield RemovalCommand("deregister", group.target_group, f"{command} \\\n  --targets {' '.join(targets)}")
        delete = aws_command("elbv2 delete-target-group", ("--target-group-arn", group.arn))
        yield RemovalCommand("delete_group", group.target_group, delete)
