"""Announces changes: puts a message for each into the outbox, and sends what is due, in threads of its own."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from archive import ArchiveError
from archive.notifications import Claim
from channels.base import MAX_SEND_S, Channel, Delivery, Notice
from channels.mackerel import MackerelWriter
from channels.registry import create_channels
from domain import Clock, Migration, utc_now
from domain.decision import Decision
from domain.serialization import from_json, to_json
from domain.window import MINUTE_S
from messages import notifications as text
from messages.i18n import in_language
from services.notices import NotifyTarget, build_notice, read_readings, step
from services.recorded_decision import parse_body, read_state, why_unusable

TICK_S = 5.0  # between two looks at the archive, and at an outbox in which nothing is due
PACE_S = 1.0  # between two messages to a channel: Slack accepts one a second
FIRST_RETRY_S, MAX_RETRY_S = 5.0, 900.0
STOP_TIMEOUT_S = 7.0  # of a message that is being sent

METRICS_SLOT = "mackerel_metrics"
DECISION_VALUES: dict[Decision, int] = {"continue": 0, "wait": 1, "hold": 2, "roll_back": 3, "no_data": 4}

logger = logging.getLogger(__name__)


def announce_changes(target: NotifyTarget, now: datetime) -> int:
    """Puts a message for each change into the outbox; returns how many changes. Raises ArchiveError."""
    notify, store = target.migration.notify, target.archive.notifications
    if notify is None:
        return 0
    now_s, n = int(now.timestamp()), 0
    started, known = store.start(now_s), store.announced()
    with in_language(notify.language or None):
        for reading in read_readings(target, now):
            before = known.get(reading.subject)
            action, after = step(before, reading, started=started)
            if action == "note":
                store.note(reading.subject, after)
            elif action == "announce":
                key = secrets.token_hex(12)
                notice = build_notice(target, reading, before.value if before else "", key=key, now=now)
                bodies: dict[str, str] = dict.fromkeys(notify.channels, to_json(notice))
                expected = before.value if before else None
                n += store.announce(reading.subject, expected, reading.value, bodies, key=key, now=now_s)
    return n


def retry_in_s(delivery: Delivery, attempts: int) -> float:
    """Seconds until the next attempt after so many: as the channel asked, else twice as long each time."""
    if delivery.retry_after_s is not None:
        return max(delivery.retry_after_s, 1.0)
    return min(FIRST_RETRY_S * 2.0 ** min(attempts - 1, 16), MAX_RETRY_S)


def send_next(target: NotifyTarget, channel: Channel, *, clock: Clock = utc_now, claim_s: int = MAX_SEND_S) -> bool:
    """Sends the oldest message that is due; False if none is, or if another process sends it. Raises ArchiveError."""
    store = target.archive.notifications
    claim = store.claim_next(channel.name, claim_s=claim_s, now=_seconds(clock))
    if claim is None:
        return False
    delivery = channel.send(_claimed_notice(target.migration, channel, claim), is_repeat=claim.may_have_arrived)
    if delivery.problem is None:
        store.finish(claim, "sent", None, now=_seconds(clock))
    elif delivery.is_final:
        store.finish(claim, "refused", delivery.problem, now=_seconds(clock))
    else:
        in_s, may_have_arrived = retry_in_s(delivery, claim.attempts + 1), delivery.may_have_arrived
        store.retry(claim, delivery.problem, in_s=in_s, may_have_arrived=may_have_arrived, now=_seconds(clock))
    if delivery.problem:
        logger.warning("notification not sent: %s %s", channel.name, delivery.problem.kind)
    return True


def post_metrics(target: NotifyTarget, writer: MackerelWriter, now: datetime) -> None:
    """Posts the decision and the canary's share as service metrics, unless any process did in this minute. Raises ArchiveError."""
    migration, archive, now_s = target.migration, target.archive, int(now.timestamp())
    if archive.try_acquire_slot(METRICS_SLOT, "decision", now=now, interval_s=MINUTE_S):
        return
    state = read_state(archive, migration.slug)
    recorded = state.decisions[-1] if state.decisions else None
    is_current = recorded is not None and not why_unusable(state, recorded, now.timestamp())
    decision: Decision = parse_body(recorded.body)["decision"] if recorded and is_current else "no_data"
    values = {"decision": float(DECISION_VALUES[decision])}
    if state.canary_share is not None:
        values["canary_percent"] = round(state.canary_share * 100, 4)
    at = now_s // MINUTE_S * MINUTE_S
    delivery = writer.post_metrics(
        [(f"migration_dashboard.{name}.{migration.slug}", at, value) for name, value in values.items()]
    )
    if delivery.problem:  # the next minute has newer ones
        logger.warning("service metrics not posted: %s", delivery.problem.kind, extra={"migration": migration.slug})


def _claimed_notice(migration: Migration, channel: Channel, claim: Claim) -> Notice:
    """The notice of a claim, with a sentence if it may be shown twice."""
    notice = from_json(Notice, claim.body)
    if channel.drops_repeats or not claim.may_have_arrived:
        return notice
    with in_language(migration.notify.language or None if migration.notify else None):
        return replace(notice, details=(*notice.details, str(text.MAY_BE_REPEATED)))


def _has_metrics(migration: Migration) -> bool:
    """Not of releases: each would be another metric."""
    return bool(migration.notify and migration.notify.mackerel_metrics and not migration.release)


def _seconds(clock: Clock) -> int:
    return int(clock().timestamp())


@dataclass(slots=True)
class Notifier:
    """Announces and sends the changes of `targets` until it is stopped: one thread looks for changes, and one for each kind of channel sends.

    A channel that does not answer delays no other one.
    """

    targets: Callable[[], Iterable[NotifyTarget]]
    clock: Clock = utc_now
    tick_s: float = TICK_S
    claim_s: int = MAX_SEND_S
    _channels: dict[str, tuple[Channel, ...]] = field(init=False, default_factory=dict)
    _threads: list[threading.Thread] = field(init=False, default_factory=list)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _wake: dict[str, threading.Event] = field(init=False, default_factory=dict)

    def start(self, migrations: Iterable[Migration]) -> None:
        """Does nothing if none of `migrations` has [notify]."""
        names = {name for item in migrations if item.notify for name in item.notify.channels}
        if not names:
            return
        self._stopping.clear()
        self._wake = {name: threading.Event() for name in sorted(names)}
        works = {"announce": self._announce, **{name: self._sender(name) for name in self._wake}}
        self._threads = [
            threading.Thread(target=work, name=f"notifications: {name}", daemon=True) for name, work in works.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends after what is being sent, or after STOP_TIMEOUT_S."""
        self._stopping.set()
        for event in self._wake.values():
            event.set()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _announce(self) -> None:
        while not self._stopping.is_set():
            for target in self._notified():
                with _logged(target.migration):
                    if announce_changes(target, self.clock()):
                        for event in self._wake.values():
                            event.set()
            self._stopping.wait(self.tick_s)

    def _sender(self, name: str) -> Callable[[], None]:
        def work() -> None:
            while not self._stopping.is_set():
                self._wake[name].clear()
                self.send_all(name)
                self._wake[name].wait(self.tick_s)

        return work

    def send_all(self, name: str) -> None:
        """Sends what is due to the channels of a kind, one message a second to each."""
        for target in self._notified():
            for channel in self._channels_of(target.migration):
                if channel.name != name:
                    continue
                with _logged(target.migration):
                    if isinstance(channel, MackerelWriter) and _has_metrics(target.migration):
                        post_metrics(target, channel, self.clock())
                    while not self._stopping.is_set() and send_next(
                        target, channel, clock=self.clock, claim_s=self.claim_s
                    ):
                        self._stopping.wait(PACE_S)

    def _notified(self) -> Iterator[NotifyTarget]:
        return (target for target in self.targets() if target.migration.notify)

    def _channels_of(self, migration: Migration) -> tuple[Channel, ...]:
        if migration.key not in self._channels:
            self._channels[migration.key] = create_channels(migration)
        return self._channels[migration.key]


@contextmanager
def _logged(migration: Migration) -> Iterator[None]:
    """One migration must not stop the others."""
    try:
        yield
    except ArchiveError as error:
        logger.warning("notifications: %s", error, extra={"migration": migration.slug})
    except Exception:
        logger.exception("notifications", extra={"migration": migration.slug})
