"""From a change to the message at a loopback Slack: one for each change, in order, also over restarts, failures and several processes."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from channels.base import Delivery, Notice
from channels.mackerel import MackerelWriter
from domain import Migration
from domain.config.releases import ReleaseSpan
from messages.notifications import MAY_BE_REPEATED
from services import notifications
from services.notices import NotifyTarget
from services.notifications import MAX_RETRY_S, Notifier, announce_changes, post_metrics, retry_in_s, send_next
from sources.base import Problem
from tests.factories.archives import open_archive
from tests.factories.notify import notified_migration, record_decision, record_weights, target_of
from tests.fakes.webhooks import Answer, FakeMackerelWrites, FakeReceiver

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Recorded:
    """A channel that keeps what it is sent, and answers with `deliveries`, then with success."""

    name = "slack"

    def __init__(self, *deliveries: Delivery, drops_repeats: bool = False) -> None:
        self.sent: list[tuple[str, bool]] = []
        self.details: list[tuple[str, ...]] = []
        self.drops_repeats = drops_repeats
        self._deliveries = list(deliveries)

    def check(self) -> Problem | None:
        return None

    def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
        self.sent.append((notice.title, is_repeat))
        self.details.append(notice.details)
        return self._deliveries.pop(0) if self._deliveries else Delivery()


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def target(archive: Archive, **notify: object) -> NotifyTarget:
    return target_of(archive, notified_migration(**notify))


def send_all(archive: Archive, channel: Recorded, seconds: float = 0, **notify: object) -> None:
    while send_next(target(archive, **notify), channel, clock=lambda: at(seconds)):
        pass


def test_each_change_of_weights_is_one_message(archive: Archive) -> None:
    channel = Recorded()
    for minute, canary in enumerate((10, 10, 25, 25, 50, 10)):
        record_weights(archive, canary, at(minute * 60))
        for _process in range(2):
            announce_changes(target(archive), at(minute * 60))
        send_all(archive, channel, minute * 60)
    assert channel.sent == [
        ("Weights changed: ECS 10% → 25%", False),
        ("Weights changed: ECS 25% → 50%", False),
        ("Weights changed: ECS 50% → 10%", False),
    ]


def test_a_decision_must_hold_for_two_readings(archive: Archive) -> None:
    channel = Recorded()
    for minute, word in enumerate(("wait", "hold", "wait", "hold", "hold", "continue", "continue")):
        record_decision(archive, word, at(minute * 60))
        for _process in range(2):
            announce_changes(target(archive), at(minute * 60 + 1))
    send_all(archive, channel, 600)
    assert [title for title, _ in channel.sent] == ["■ HOLD · because", "✓ CONTINUE · because"]


def test_a_change_while_nothing_ran_is_announced_after_the_start(archive: Archive, tmp_path: Path) -> None:
    record_weights(archive, 10, at(0))
    announce_changes(target(archive), at(0))
    record_weights(archive, 25, at(9000))
    with open_archive(tmp_path) as later:
        assert announce_changes(target(later), at(9000)) == 1
        assert announce_changes(target(later), at(9005)) == 0


def test_two_processes_that_read_the_same_announce_it_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    record_weights(archive, 10, at(0))
    announce_changes(target(archive), at(0))
    record_weights(archive, 25, at(60))
    known = archive.notifications.announced()
    monkeypatch.setattr(archive.notifications, "announced", lambda: known)  # as read before the other one wrote
    assert [announce_changes(target(archive), at(60)) for _ in range(2)] == [1, 0]


def test_messages_have_the_configured_language(archive: Archive) -> None:
    channel = Recorded()
    for minute, canary in enumerate((10, 25)):
        record_weights(archive, canary, at(minute * 60))
        announce_changes(target(archive, language="ja"), at(minute * 60))
    send_all(archive, channel)
    assert channel.sent == [("重みを変更: ECS 10% → 25%", False)]


def test_nothing_is_announced_without_notify(archive: Archive) -> None:
    without = target_of(archive, notified_migration().model_copy(update={"notify": None}))
    record_weights(archive, 10, at(0))
    assert announce_changes(without, at(0)) == 0
    assert archive.notifications.announced() == {}


def add(archive: Archive, *canary: int) -> None:
    """A message for each weight after the first."""
    for minute, weight in enumerate(canary):
        record_weights(archive, weight, at(minute))
        announce_changes(target(archive), at(minute))


def problem(kind: str, **options: object) -> Delivery:
    return Delivery(Problem(kind, "slack", "POST"), **options)  # type: ignore[arg-type]


def test_a_failed_message_is_sent_again_before_later_ones(archive: Archive) -> None:
    add(archive, 10, 25, 50)
    channel = Recorded(problem("unreachable"))
    send_all(archive, channel, 10)
    send_all(archive, channel, 10 + 4)
    assert [is_repeat for _, is_repeat in channel.sent] == [False]
    send_all(archive, channel, 10 + 5)
    assert channel.sent[1:] == [("Weights changed: ECS 10% → 25%", False), ("Weights changed: ECS 25% → 50%", False)]


def test_a_refused_message_holds_up_no_other_one(archive: Archive) -> None:
    add(archive, 10, 25, 50)
    channel = Recorded(problem("bad_request", is_final=True))
    send_all(archive, channel)
    assert [title[-9:] for title, _ in channel.sent] == ["10% → 25%", "25% → 50%"]
    (state,) = archive.notifications.channel_states(int(NOW.timestamp()))
    assert (state.failed, state.failure[0].kind, state.waiting) == (1, "bad_request", 0)


def test_the_channel_says_when_to_try_again(archive: Archive) -> None:
    add(archive, 10, 25)
    channel = Recorded(problem("throttled", retry_after_s=120))
    send_all(archive, channel, 0)
    send_all(archive, channel, 119)
    assert len(channel.sent) == 1
    send_all(archive, channel, 120)
    assert len(channel.sent) == 2


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "expected"),
    [
        (1, None, 5),
        (2, None, 10),
        (5, None, 80),
        (9, None, MAX_RETRY_S),
        (10**6, None, MAX_RETRY_S),
        (1, 0, 1),
        (1, 7, 7),
    ],
)
def test_back_off(attempts: int, retry_after_s: float | None, expected: float) -> None:
    assert retry_in_s(problem("throttled", retry_after_s=retry_after_s), attempts) == expected


class KilledError(BaseException):
    """The end of a process while it sends."""


def test_the_message_of_a_process_that_was_killed_is_sent_by_another(archive: Archive) -> None:
    add(archive, 10, 25)

    class Killed(Recorded):
        def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
            super().send(notice, is_repeat=is_repeat)
            raise KilledError

    first, second = Killed(), Recorded()
    with pytest.raises(KilledError):
        send_next(target(archive), first, clock=lambda: at(0))
    send_all(archive, second, 59)
    assert second.sent == []
    send_all(archive, second, 60)
    assert second.sent == [("Weights changed: ECS 10% → 25%", True)]
    assert second.details == [("Sent again: it is unknown whether this message arrived before.",)]


@pytest.mark.parametrize(
    ("unknown_outcomes", "is_repeat"),
    [
        ((), False),
        ((False, False), False),
        ((True,), True),
        ((True, False), True),  # that of the first attempt is still unknown
    ],
)
@pytest.mark.parametrize("drops_repeats", [False, True])
def test_a_message_that_may_have_arrived_says_so(
    archive: Archive, unknown_outcomes: tuple[bool, ...], is_repeat: bool, drops_repeats: bool
) -> None:
    add(archive, 10, 25)
    failures = [problem("timeout", may_have_arrived=unknown) for unknown in unknown_outcomes]
    channel = Recorded(*failures, drops_repeats=drops_repeats)
    for attempt in range(len(failures) + 1):
        send_all(archive, channel, 1000 * attempt, language="ja")
    sentences = ("再送: この通知がすでに届いているかどうかは不明です。",) if is_repeat and not drops_repeats else ()
    assert (channel.sent[-1][1], channel.details[-1]) == (is_repeat, sentences)


def run(notifier: Notifier, migration: Migration, until: threading.Event) -> None:
    notifier.start([migration])
    try:
        assert until.wait(30)
    finally:
        notifier.stop()


def test_the_threads_bring_a_change_to_slack(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = threading.Event()
    with FakeReceiver(on_request=lambda _request: arrived.set()) as slack:
        monkeypatch.setenv("SLACK_URL", f"{slack.url}/services/T00000000/B00000000")
        record_weights(archive, 10, at(0))
        announce_changes(target(archive), at(0))
        record_weights(archive, 25, at(15))
        migration = notified_migration()
        run(Notifier(lambda: [target_of(archive, migration)], lambda: at(20)), migration, arrived)
    assert [request.json["text"] for request in slack.received] == ["Photo service: Weights changed: ECS 10% → 25%"]


def test_a_channel_that_hangs_delays_no_other_one(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = threading.Event()
    with (
        FakeReceiver(Answer(hang=True)) as slack,
        FakeReceiver(on_request=lambda _request: arrived.set()) as webhook,
    ):
        for name, value in {"SLACK_URL": slack.url, "W": webhook.url, "S": "a secret of many bytes"}.items():
            monkeypatch.setenv(name, value)
        migration = notified_migration(webhook="W", webhook_secret="S")
        for second, canary in enumerate((10, 25)):
            record_weights(archive, canary, at(second))
            announce_changes(target_of(archive, migration), at(second))
        notifier = Notifier(lambda: [target_of(archive, migration)], lambda: at(20))
        notifier.start([migration])
        assert arrived.wait(30)
        slack.release()
        notifier.stop()


def test_a_change_and_the_end_wake_the_threads(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that sends has looked in vain before the change is announced, and looks again much later."""
    looked, arrived, migration = threading.Event(), threading.Event(), notified_migration()
    record_weights(archive, 10, at(0))
    announce_changes(target(archive), at(0))
    record_weights(archive, 25, at(15))

    def targets() -> list[NotifyTarget]:
        if threading.current_thread().name == "notifications: announce":
            assert looked.wait(30)
        elif not looked.is_set():
            looked.set()
            return []
        return [target_of(archive, migration)]

    with FakeReceiver(on_request=lambda _request: arrived.set()) as slack:
        monkeypatch.setenv("SLACK_URL", slack.url)
        notifier = Notifier(targets, lambda: at(20), tick_s=1000)
        run(notifier, migration, arrived)
    assert not any(thread.is_alive() for thread in notifier._threads)


def test_each_thread_sends_to_its_own_kind_of_channel(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeReceiver() as slack, FakeReceiver() as webhook:
        for name, value in {"SLACK_URL": slack.url, "W": webhook.url, "S": "a secret of many bytes"}.items():
            monkeypatch.setenv(name, value)
        notified = target_of(archive, notified_migration(webhook="W", webhook_secret="S"))
        for second, canary in enumerate((10, 25)):
            record_weights(archive, canary, at(second))
            announce_changes(notified, at(second))
        Notifier(lambda: [notified], lambda: at(20)).send_all("webhook")
    assert (len(slack.received), len(webhook.received)) == (0, 1)


def test_the_channels_of_a_migration_are_kept(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[Migration] = []
    monkeypatch.setattr(notifications, "create_channels", lambda migration: created.append(migration) or ())
    notifier = Notifier(lambda: [target(archive)])
    for _ in range(2):
        notifier.send_all("slack")
    assert len(created) == 1


def test_one_migration_stops_no_other_one(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    announced = threading.Event()
    errors: list[Callable[[], Exception]] = [lambda: ArchiveError("full", "disk"), lambda: ValueError("a bug")]

    def announce(_target: NotifyTarget, _now: datetime) -> int:
        if errors:
            raise errors.pop(0)()
        announced.set()
        return 0

    monkeypatch.setattr(notifications, "announce_changes", announce)
    migration = notified_migration()
    run(Notifier(lambda: [target_of(archive, migration)] * 3, lambda: at(0)), migration, announced)
    levels = [record.levelname for record in caplog.records if record.name == "services.notifications"]
    assert levels[:2] == ["WARNING", "ERROR"]


def test_without_notify_there_are_no_threads(archive: Archive) -> None:
    notifier = Notifier(list)
    notifier.start([notified_migration().model_copy(update={"notify": None})])
    assert notifier._threads == []
    notifier.stop()


def mackerel(url: str) -> MackerelWriter:
    return MackerelWriter("K", "photo", environment={"K": "write-key-of-mackerel", "MACKEREL_APIBASE": url})


def test_metrics_are_posted_once_a_minute(archive: Archive) -> None:
    record_weights(archive, 25, at(0))
    with FakeMackerelWrites() as server:
        post_metrics(target(archive), mackerel(server.url), at(10))
        record_decision(archive, "hold", at(20))
        post_metrics(target(archive), mackerel(server.url), at(50))
        post_metrics(target(archive), mackerel(server.url), at(70))
        post_metrics(target(archive), mackerel(server.url), at(20 + 400))
    minute = int(NOW.timestamp())
    assert server.metrics == {
        (f"migration_dashboard.{name}.photo-service", minute + 60 * later): value
        for later, decision in ((0, 4.0), (1, 2.0), (7, 4.0))
        for name, value in (("decision", decision), ("canary_percent", 25.0))
    }


def test_unknown_weights_are_no_metric_and_a_refusal_is_logged(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeMackerelWrites(Answer(403, b"{}")) as server:
        post_metrics(target(archive), mackerel(server.url), at(10))
    assert [item["name"] for item in server.received[0].json] == ["migration_dashboard.decision.photo-service"]
    assert "service metrics not posted: denied" in caplog.text


def test_the_thread_of_mackerel_posts_metrics(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMackerelWrites() as server:
        for name, value in {"K": "write-key-of-mackerel", "MACKEREL_APIBASE": server.url}.items():
            monkeypatch.setenv(name, value)
        without, with_metrics = (
            notified_migration(mackerel_key="K", mackerel_metrics=posts) for posts in (False, True)
        )
        release = {"id": "1", "slug": "photo-service-1", "key": "k", "start": int(NOW.timestamp())}
        of_release = with_metrics.model_copy(update={"release": ReleaseSpan.model_validate(release)})
        for migration, is_posted in ((without, False), (of_release, False), (with_metrics, True)):
            notified = target_of(archive, migration)
            Notifier(lambda notified=notified: [notified], lambda: at(0)).send_all("mackerel_annotations")  # type: ignore[misc]
            assert bool(server.metrics) == is_posted


def test_the_documentation_has_the_sentence_of_a_repeat() -> None:
    assert f'"{MAY_BE_REPEATED}"' in Path("docs/notifications.md").read_text(encoding="utf-8")
