"""The channels of a migration: whether they work, for pages and commands, and a test message to each."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from archive import Archive
from archive.notifications import ChannelState
from channels.base import Channel, Notice
from channels.registry import create_channels
from domain import Migration
from messages import notifications as text
from messages import times
from messages.i18n import in_language
from services.notices import link_to
from sources.base import Problem


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """A configured channel. `state`: its outbox, None if it has had no message. `problem`: why nothing can be sent, or why the last attempt failed."""

    channel: str
    state: ChannelState | None = None
    problem: Problem | None = None


def channel_reports(archive: Archive | None, migration: Migration, now: datetime) -> tuple[ChannelReport, ...]:
    """By what is configured in this process, and by the outbox of `archive`. Sends nothing. Raises ArchiveError."""
    channels = create_channels(migration)
    if not channels:
        return ()
    found = archive.notifications.channel_states(int(now.timestamp())) if archive else ()
    states = {state.channel: state for state in found}
    return tuple(_report(channel, states.get(channel.name)) for channel in channels)


def archived_reports(archive: Archive, migration: Migration, now: datetime) -> tuple[ChannelReport, ...]:
    """By the outbox alone: resolves no name, for a page. Raises ArchiveError."""
    if migration.notify is None:
        return ()
    states = {state.channel: state for state in archive.notifications.channel_states(int(now.timestamp()))}
    known = ((name, states.get(name)) for name in migration.notify.channels)
    return tuple(ChannelReport(name, state, _last_problem(state)) for name, state in known)


def _report(channel: Channel, state: ChannelState | None) -> ChannelReport:
    return ChannelReport(channel.name, state, channel.check() or _last_problem(state))


def _last_problem(state: ChannelState | None) -> Problem | None:
    """Of the message that waits, else of the last one that was given up in the last day."""
    problems: Iterable[Problem] = (state.problems or state.failure) if state else ()
    return next(iter(problems), None)


def channel_words(report: ChannelReport, now: datetime) -> str:
    """When it was last used, and what waits."""
    state = report.state
    if state is None:
        return str(text.NOTHING_SENT)
    sent = state.last_sent_at
    parts = [
        str(text.NOTHING_SENT)
        if sent is None
        else text.last_sent(times.ago(datetime.fromtimestamp(sent, UTC), now=now))
    ]
    if state.waiting:
        parts.append(text.waiting(state.waiting))
    if state.failed:
        parts.append(text.failed(state.failed))
    return " · ".join(parts)


def send_test(migration: Migration, now: datetime) -> tuple[ChannelReport, ...]:
    """Sends a test message to every channel, without the outbox."""
    language = migration.notify.language if migration.notify else ""
    with in_language(language or None):
        at, title = int(now.timestamp()), str(text.TEST_TITLE)
        link = link_to(migration, at, at)
        key = secrets.token_hex(12)
        notice = Notice(key, "test", migration.slug, migration.name, title, (), link, migration.slug, at)
        deliveries = [(channel, channel.send(notice, is_repeat=False)) for channel in create_channels(migration)]
    return tuple(ChannelReport(channel.name, None, delivery.problem) for channel, delivery in deliveries)
