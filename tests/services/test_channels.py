"""The channels as pages and commands show them, and a test message to each."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive import Archive
from archive.notifications import ChannelState
from services.channels import ChannelReport, archived_reports, channel_reports, channel_words, send_test
from sources.base import Problem
from tests.factories.archives import open_archive
from tests.factories.notify import notified_migration
from tests.fakes.webhooks import Answer, FakeReceiver

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
REFUSED = Problem("denied", "slack", "POST")
LATE = Problem("timeout", "slack", "POST")


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def fail(archive: Archive, problem: Problem, *, finally_: bool) -> None:
    store = archive.notifications
    store.enqueue({"slack": "b"}, key=problem.kind, now=NOW_S)
    claim = store.claim_next("slack", claim_s=60, now=NOW_S)
    assert claim
    if finally_:
        store.finish(claim, "refused", problem, now=NOW_S)
    else:
        store.retry(claim, problem, in_s=60, may_have_arrived=False, now=NOW_S)


def test_a_missing_secret_comes_before_what_the_outbox_has(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = notified_migration()
    (report,) = channel_reports(archive, migration, NOW)
    assert report.problem and report.problem.kind == "no_secret"
    monkeypatch.setenv("SLACK_URL", "http://127.0.0.1:1/x")
    assert channel_reports(archive, migration, NOW) == (ChannelReport("slack"),)
    assert channel_reports(None, migration, NOW) == (ChannelReport("slack"),)
    fail(archive, REFUSED, finally_=True)
    assert channel_reports(archive, migration, NOW)[0].problem == REFUSED
    fail(archive, LATE, finally_=False)
    assert channel_reports(archive, migration, NOW)[0].problem == LATE


def test_a_page_shows_the_outbox_alone(archive: Archive) -> None:
    migration = notified_migration()
    assert archived_reports(archive, migration, NOW) == (ChannelReport("slack"),)
    fail(archive, LATE, finally_=False)
    (report,) = archived_reports(archive, migration, NOW)
    assert (report.problem, channel_words(report, NOW)) == (LATE, "nothing sent yet · 1 message waiting")
    without = migration.model_copy(update={"notify": None})
    assert archived_reports(archive, without, NOW) == channel_reports(archive, without, NOW) == ()


def test_words() -> None:
    sent = int((NOW - timedelta(minutes=3)).timestamp())
    state = ChannelState("slack", sent, 2, 1, (), 1)
    assert channel_words(ChannelReport("slack", state), NOW) == (
        "last message sent 3 min ago · 2 messages waiting · 1 message given up in the last day"
    )
    assert channel_words(ChannelReport("slack"), NOW) == "nothing sent yet"


def test_a_test_message_goes_to_each_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeReceiver() as slack, FakeReceiver(Answer(500)) as webhook:
        for name, value in {"SLACK_URL": slack.url, "W": webhook.url, "S": "a secret of many bytes"}.items():
            monkeypatch.setenv(name, value)
        reports = send_test(notified_migration(webhook="W", webhook_secret="S", language="ja"), NOW)
    assert [(report.channel, report.problem and report.problem.kind) for report in reports] == [
        ("slack", None),
        ("webhook", "server_error"),
    ]
    assert slack.received[0].json["text"] == "Photo service: テスト通知: この移行の通知はここに届きます。"
    assert webhook.received[0].json["type"] == "migration.test"
    assert send_test(notified_migration().model_copy(update={"notify": None}), NOW) == ()
