"""Messages that are sent when something changes, and those about the channels."""

from collections.abc import Mapping
from datetime import datetime, tzinfo

from domain import FleetName
from domain.deployments import Deployment
from messages import deployments, numbers, times
from messages.command_help import USAGE_ERROR, HelpText
from messages.i18n import _, comma_list, lazy, ngettext
from messages.states import source_name

COMMAND = HelpText(
    lazy("Show or test the notification channels"),
    lazy("Without --test nothing is sent."),
    exit_codes={
        0: lazy("Every channel has the test message, or with no --test, none fails."),
        1: lazy("A channel fails, or there is none."),
        2: USAGE_ERROR,
    },
    examples="""
    cli.py notify          the channels, and what waits to be sent
    cli.py notify --test   send a test message to each
    """,
)
TEST_OPTION = lazy("Send a test message to every channel, at once.")
NO_CHANNELS = lazy("No channel: add [notify] to migration.toml (docs/notifications.md).")
TEST_TITLE = lazy("Test message: notifications of this migration arrive here.")
MAY_BE_REPEATED = lazy("Sent again: it is unknown whether this message arrived before.")
TEST_SENT = lazy("test message sent")
TEST_FAILED = lazy("test message not sent")
NOTHING_SENT = lazy("nothing sent yet")


def weights(before: str, after: str, labels: Mapping[FleetName, str]) -> str:
    """The canary's share (0–1 as text) before and after: "ECS 10% → 25%"."""
    return _("Weights changed: {fleet} {before} → {after}").format(
        fleet=labels["canary"],
        before=numbers.configured_share(float(before)),
        after=numbers.configured_share(float(after)),
    )


def phase(number: int, share: str, name: str) -> str:
    return _("{name}, phase {number} at {share}").format(name=name, number=number, share=share)


def deployment(item: Deployment, value: str, label: str) -> str:
    what = item.task_definition or item.id
    if value == "waiting":
        return _("{fleet}: deployment of {what} waits for approval").format(fleet=label, what=what)
    if item.running:
        text = (
            _("{fleet}: rollback to {what} started") if item.is_rollback else _("{fleet}: deployment of {what} started")
        )
        return text.format(fleet=label, what=what)
    return _("{fleet}: deployment of {what} {outcome}").format(
        fleet=label, what=what, outcome=deployments.OUTCOMES[item.outcome]
    )


def incident(fleets: list[FleetName], labels: Mapping[FleetName, str], *, is_open: bool) -> str:
    text = _("Incident: {fleets}") if is_open else _("Incident over: {fleets}")
    return text.format(fleets=comma_list(labels[fleet] for fleet in fleets))


def incident_span(start: datetime, end: datetime | None, zone: tzinfo) -> str:
    if end is None:
        return _("Since {time}").format(time=times.clock(start, zone, now=start))
    return times.span(start, end, zone)


def batch(job: str, value: str) -> str:
    """`value`: a state of a job, "ok" for any that is no failure."""
    return {
        "failed": _("Batch {job} failed"),
        "missed": _("Batch {job} did not run as scheduled"),
        "stopped": _("Batch {job} has stopped running"),
    }.get(value, _("Batch {job} runs again")).format(job=job)


def source(name: str, *, is_down: bool) -> str:
    text = _("{source} unavailable") if is_down else _("{source} available again")
    return text.format(source=source_name(name))


def channel(name: str) -> str:
    """A channel among the sources."""
    return _("Notifications: {channel}").format(channel=name)


def last_sent(ago: str) -> str:
    return _("last message sent {ago}").format(ago=ago)


def waiting(n: int) -> str:
    return ngettext("{n} message waiting", "{n} messages waiting", n).format(n=numbers.count(n))


def failed(n: int) -> str:
    return ngettext("{n} message given up in the last day", "{n} messages given up in the last day", n).format(
        n=numbers.count(n)
    )
