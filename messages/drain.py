"""Messages about removing the old fleet: whether it is empty, what stands against it, and the commands."""

from collections.abc import Sequence
from datetime import datetime

from analysis.deployments.drain import (
    WEEK_S,
    CommandPurpose,
    Drain,
    Obstacle,
    ObstacleKind,
    OldGroup,
    RemovalCommand,
    RuleUse,
)
from domain import Migration
from messages import numbers, times
from messages.command_help import command_help
from messages.events import step as change_step
from messages.i18n import LazyText, _, full_stop, lazy
from messages.traffic import rule_condition
from sources.access_logs.callers import Caller, Callers

COMMAND = command_help(
    lazy("Check whether the old fleet is empty and may be removed"),
    lazy(
        "Rules, requests, targets and batches of the baseline, and the commands that remove it. They are never executed."
    ),
    exit_codes={
        0: lazy("Safe to remove."),
        1: lazy("Not safe to remove."),
        3: lazy("Unknown: something could not be read; or invalid option or configuration, or archive unavailable."),
    },
    examples="""
        cli.py drain
        cli.py drain --json | jq -r '.obstacles[].text'
    """,
)
NOT_SEEN = lazy(
    "Not checked, because no source has it: connections past the load balancer (SSH, internal hosts, DNS), scheduled work that reports nothing, "
    "and data on its disks."
)
NO_BATCHES = lazy("Batches are not configured, so scheduled work of the old fleet was not checked.")
RULES_TITLE = lazy("Rules that name its target groups")
CALLERS_TITLE = lazy("Who still called it")
READING_CALLERS = lazy("Reading the log files around the last request…")
CHANGES_TITLE = lazy("Requests after each weight change")
NO_RULES = lazy("No rule names its target groups.")
OBSTACLES: dict[ObstacleKind, LazyText] = {
    "forwards": lazy("{subject}: rule {rule} forwards {share} of its requests to it."),
    "requests": lazy("{subject}: {n} requests in the required time, the last at {time}."),
    "no_peak": lazy(
        "The time without requests does not include the busiest hour of the week, which next ends at {time}."
    ),
    "draining": lazy("{subject}: {n} targets are draining."),
    "batch_on_cron": lazy("Batch {subject} still runs by cron."),
    "batch_twice": lazy("Batch {subject} runs twice, by cron and by EventBridge."),
    "rules_unread": lazy("The load balancer's rules were not read in the last minutes."),
    "requests_unread": lazy("{subject}: requests are known without a gap only since {time}."),
    "never_reported": lazy("{subject}: the source has never reported a request of it, so its name may be wrong."),
    "targets_unread": lazy("{subject}: its targets could not be read."),
    "peak_unread": lazy(
        "The busiest hour of the week is not known: requests of some hours of the last 7 days are missing."
    ),
    "batches_unread": lazy("The runs of batches in the last 7 days are not known completely."),
}
BATCH_UNREAD = lazy("Batch {subject}: no run is known.")
PURPOSES: dict[CommandPurpose, LazyText] = {
    "remove_from_rule": lazy("Take its target groups out of rule {subject}"),
    "delete_rule": lazy("Delete rule {subject}, which forwards to nothing else"),
    "deregister": lazy("Deregister the targets of {subject}"),
    "delete_group": lazy("Delete target group {subject}, once nothing is draining"),
}


def title(migration: Migration) -> str:
    return _("Is {fleet} empty?").format(fleet=migration.fleets.baseline.label)


def verdict(drain: Drain, migration: Migration) -> str:
    fleet = migration.fleets.baseline.label
    if drain.verdict == "safe":
        return _("Safe to remove {fleet}: no request for {quiet}, including the busiest hour of the week.").format(
            fleet=fleet, quiet=times.duration(drain.quiet_s)
        )
    if drain.verdict == "unknown":
        return _("Unknown whether {fleet} is empty.").format(fleet=fleet)
    return _("Not safe to remove {fleet}.").format(fleet=fleet)


def as_of(drain: Drain, migration: Migration, *, now: datetime) -> str:
    """Of when the answer is: also on the Retrospective, it is not that of the migration's end."""
    until = times.clock_of(drain.until, migration.zone, now=now)
    return _("As of {time}, by the rules of now and the requests of the last {duration}.").format(
        time=until, duration=times.duration(max(drain.required_s, WEEK_S))
    )


def required(drain: Drain) -> str:
    return _(
        "Required: no rule that forwards to it, no request for {hours}, the busiest hour of the week included."
    ).format(hours=times.duration(drain.required_s))


def rule_title(use: RuleUse) -> str:
    conditions = ", ".join(map(rule_condition, use.rule.conditions))
    return " · ".join(filter(None, (f"{use.rule.listener} {use.rule.priority}", conditions)))


def obstacle(item: Obstacle, migration: Migration, *, now: datetime) -> str:
    """What stands against the removal, as a sentence."""
    text = BATCH_UNREAD if item.kind == "batches_unread" and item.subject else OBSTACLES[item.kind]
    return str(text).format(
        subject=item.subject,
        rule=f"{item.rule.listener} {item.rule.priority}" if item.rule else numbers.NONE,
        share=numbers.share(item.value) if item.kind == "forwards" else "",
        n=numbers.count(item.value),
        time="" if item.ts is None else times.clock_of(item.ts, migration.zone, now=now),
    )


def last_request(group: OldGroup, drain: Drain, migration: Migration, *, now: datetime) -> str:
    if group.last_request is None:
        since = times.clock_of(group.quiet_since, migration.zone, now=now)
        return _("{group}: no request since {time}, as far as known.").format(group=group.target_group, time=since)
    at = times.clock_of(group.last_request, migration.zone, now=now)
    if group.last_request >= drain.until:
        return _("{group}: still receives requests, last known at {time}.").format(group=group.target_group, time=at)
    return _("{group}: last request at {time}, {age} ago.").format(
        group=group.target_group, time=at, age=times.duration(drain.until - group.last_request)
    )


def changes_head() -> tuple[str, ...]:
    return _("Weight change"), _("Target group"), _("Requests until the next one"), _("Last request")


def change_rows(groups: Sequence[OldGroup], migration: Migration, *, now: datetime) -> list[tuple[str, ...]]:
    """Under `changes_head`, the newest change first."""
    rows = sorted(
        ((item, group) for group in groups for item in group.after_changes), key=lambda row: -row[0].change.ts
    )
    return [
        (
            f"{times.clock_of(item.change.ts, migration.zone, now=now)} · {change_step(item.change)}",
            group.target_group,
            numbers.count(item.requests),
            numbers.NONE if item.last_request is None else times.clock_of(item.last_request, migration.zone, now=now),
        )
        for item, group in rows
    ]


def rules_head() -> tuple[str, ...]:
    return _("Rule"), _("Target group"), _("Weight"), _("Share")


def rule_rows(uses: Sequence[RuleUse]) -> list[tuple[str, ...]]:
    return [
        (
            rule_title(use) + ("" if use.is_reachable else f" · {_('no request reaches it')}"),
            use.target_group,
            str(use.weight),
            numbers.NONE if use.share is None else numbers.share(use.share),
        )
        for use in uses
    ]


def callers_head() -> tuple[str, ...]:
    return _("Client"), _("Protocol"), _("Target"), _("Requests"), _("Last request")


def caller_rows(callers: Callers, migration: Migration, *, now: datetime) -> list[tuple[str, ...]]:
    """Under `callers_head`, the most requests first."""
    return [
        (
            caller.agent or _("without user agent"),
            caller.type + (f" · {_opened_before(caller)}" if caller.opened_before else ""),
            f"{caller.target_group} {caller.target}",
            numbers.count(caller.requests),
            times.clock_of(int(caller.last), migration.zone, now=now),
        )
        for caller in callers.callers
    ]


def _opened_before(caller: Caller) -> str:
    text = _("{n} opened before the last weight change")
    return text.format(n=numbers.count(caller.opened_before))


def callers_note(callers: Callers, migration: Migration, *, now: datetime) -> str:
    """Which log files, and how many requests of further clients."""
    span = times.span(callers.window.starts_at, callers.window.ends_at, migration.zone, now=now)
    read = _("From {n} log files of {span}.").format(n=numbers.count(callers.objects), span=span)
    return f"{read} {_('{n} requests of others.').format(n=numbers.count(callers.others))}" if callers.others else read


def purpose(command: RemovalCommand) -> str:
    return str(PURPOSES[command.purpose]).format(subject=command.subject)


def summary(drain: Drain, migration: Migration, *, now: datetime) -> str:
    """The verdict with the first obstacle, in one line."""
    if not drain.obstacles:
        return verdict(drain, migration)
    n = len(drain.obstacles) - 1
    more = full_stop(_("{n} more").format(n=n)) if n else ""
    return " ".join(filter(None, (verdict(drain, migration), obstacle(drain.obstacles[0], migration, now=now), more)))
