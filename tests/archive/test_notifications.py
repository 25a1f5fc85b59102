"""The outbox: a change is announced once, a message is sent by one process at a time, and none is lost when that process ends."""

import time
from pathlib import Path

import pytest

from archive import Archive
from archive.notifications import KEEP_S, MAX_AGE_S, MAX_RETRY_S, Announced, ChannelState
from domain.window import DAY_S
from sources.base import Problem
from tests.factories.archives import MIGRATION, open_archive, query_database, set_read_only

NOW = int(time.time())
CLAIM_S = 60
PROBLEM = Problem("timeout", "slack", "POST")
OTHER = MIGRATION.model_copy(update={"name": "Other"})


pytestmark = pytest.mark.usefixtures("both_engines")
# Of tests in which time passes by `now`: PostgreSQL has a clock of its own.
on_sqlite = pytest.mark.parametrize("both_engines", ["sqlite"], indirect=True)


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def add(archive: Archive, key: str, *channels: str, now: int = NOW) -> None:
    archive.notifications.enqueue({channel: f"body of {key}" for channel in channels or ("slack",)}, key=key, now=now)


def claim(archive: Archive, now: int = NOW, channel: str = "slack"):  # type: ignore[no-untyped-def]
    return archive.notifications.claim_next(channel, claim_s=CLAIM_S, now=now)


def state(archive: Archive, now: int = NOW) -> ChannelState:
    (found,) = archive.notifications.channel_states(now)
    return found


def test_notifications_start_once(archive: Archive) -> None:
    assert [archive.notifications.start(NOW + later) for later in (0, 5)] == [NOW, NOW]


def test_a_change_is_announced_by_the_process_that_is_first(archive: Archive) -> None:
    store = archive.notifications
    store.note("decision", Announced("wait", NOW))
    changes = [store.announce("decision", "wait", "hold", {"slack": "b"}, key=key, now=NOW + 9) for key in ("a", "b")]
    assert changes == [True, False]
    assert store.announced()["decision"] == Announced("hold", NOW + 9)
    assert claim(archive).key == "a"
    assert state(archive).waiting == 1
    assert not store.announce("new", "x", "y", {}, key="c", now=NOW)
    assert store.announce("new", None, "y", {}, key="c", now=NOW)


def test_a_migration_has_subjects_and_messages_of_its_own(archive: Archive) -> None:
    other = archive.of(OTHER)
    archive.notifications.note("decision", Announced("wait", NOW, "hold", NOW + 1))
    add(archive, "a")
    assert (other.notifications.announced(), other.notifications.channel_states(NOW)) == ({}, ())
    assert claim(other) is None
    assert archive.notifications.announced() == {"decision": Announced("wait", NOW, "hold", NOW + 1)}


def test_messages_of_a_channel_leave_in_order_and_one_at_a_time(archive: Archive) -> None:
    for key in "cab":
        add(archive, key, "slack", "sns")
    sent = []
    while message := claim(archive):
        assert claim(archive) is None  # another process waits
        assert message.body == f"body of {message.key}"
        sent.append(message.key)
        assert archive.notifications.finish(message, "sent", None, now=NOW + 1)
    assert sent == ["c", "a", "b"]
    assert claim(archive, channel="sns").key == "c"
    assert archive.notifications.channel_states(NOW)[0] == ChannelState("slack", NOW + 1, 0, 0, ())


@on_sqlite
def test_the_claim_of_a_process_that_ended_expires(archive: Archive) -> None:
    add(archive, "a")
    first = claim(archive)
    assert (first.attempts, first.may_have_arrived) == (0, False)
    assert claim(archive, NOW + CLAIM_S - 1) is None
    second = claim(archive, NOW + CLAIM_S)
    assert (second.key, second.attempts, second.may_have_arrived) == ("a", 1, True)
    assert not archive.notifications.finish(first, "sent", None, now=NOW + CLAIM_S)  # it has it no longer
    archive.notifications.retry(first, PROBLEM, in_s=1, may_have_arrived=False, now=NOW + CLAIM_S)
    assert state(archive).problems == ()
    assert archive.notifications.finish(second, "sent", None, now=NOW + CLAIM_S)
    assert claim(archive, NOW + DAY_S // 2) is None


def test_the_clock_is_that_of_the_server(archive: Archive, both_engines: str) -> None:
    add(archive, "a", now=int(time.time()))
    claim(archive, int(time.time()))
    ahead = claim(archive, int(time.time()) + CLAIM_S)
    assert (ahead is None) == (both_engines == "postgresql")


def test_a_claim_from_a_clock_that_is_ahead_does_not_block(archive: Archive) -> None:
    add(archive, "a")
    claim(archive)
    with archive.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE notification SET claimed_until = {NOW * 2}")
    assert claim(archive).key == "a"


@on_sqlite
def test_a_message_waits_for_its_retry_and_later_ones_behind_it(archive: Archive) -> None:
    add(archive, "a")
    add(archive, "b")
    archive.notifications.retry(claim(archive), PROBLEM, in_s=30, may_have_arrived=False, now=NOW)
    assert state(archive) == ChannelState("slack", None, 2, 1, (PROBLEM,))
    assert claim(archive, NOW + 29) is None
    assert claim(archive, NOW + 30).key == "a"


@on_sqlite
def test_an_attempt_of_unknown_outcome_is_remembered(archive: Archive) -> None:
    add(archive, "a")
    seen = []
    for attempt, may_have_arrived in enumerate((False, True, False)):
        message = claim(archive, NOW + 10 * attempt)
        seen.append(message.may_have_arrived)
        archive.notifications.retry(
            message, PROBLEM, in_s=10, may_have_arrived=may_have_arrived, now=NOW + 10 * attempt
        )
    assert [*seen, claim(archive, NOW + 30).may_have_arrived] == [False, False, True, True]


@on_sqlite
def test_no_retry_is_later_than_an_hour(archive: Archive) -> None:
    add(archive, "a")
    archive.notifications.retry(claim(archive), PROBLEM, in_s=1e9, may_have_arrived=False, now=NOW)
    assert claim(archive, NOW + MAX_RETRY_S - 1) is None
    assert claim(archive, NOW + MAX_RETRY_S).key == "a"


@on_sqlite
def test_a_retry_time_from_a_clock_that_is_ahead_does_not_block(archive: Archive) -> None:
    add(archive, "a")
    archive.notifications.retry(claim(archive), PROBLEM, in_s=30, may_have_arrived=False, now=NOW + 10 * MAX_RETRY_S)
    assert claim(archive).key == "a"


@on_sqlite
def test_a_message_is_given_up_after_a_day_with_its_last_problem(archive: Archive) -> None:
    add(archive, "a")
    add(archive, "b", now=NOW + 10)
    archive.notifications.retry(claim(archive), PROBLEM, in_s=1, may_have_arrived=False, now=NOW)
    assert claim(archive, NOW + MAX_AGE_S).key == "b"
    assert state(archive, NOW + MAX_AGE_S) == ChannelState("slack", None, 1, 1, (), 1, (PROBLEM,))


@on_sqlite
def test_a_refused_message_is_not_sent_again_and_shown_for_a_day(archive: Archive) -> None:
    add(archive, "a")
    assert archive.notifications.finish(claim(archive), "refused", PROBLEM, now=NOW)
    assert claim(archive) is None
    assert state(archive, NOW + DAY_S - 1) == ChannelState("slack", None, 0, 0, (), 1, (PROBLEM,))
    assert archive.notifications.channel_states(NOW + DAY_S) == ()


@on_sqlite
def test_what_was_sent_is_kept_for_a_month(archive: Archive, tmp_path: Path) -> None:
    add(archive, "a")
    archive.notifications.finish(claim(archive), "sent", None, now=NOW)
    add(archive, "other", now=NOW + KEEP_S)
    claim(archive, NOW + KEEP_S - 1)
    assert query_database(tmp_path, "SELECT key FROM notification ORDER BY 1") == [("a",), ("other",)]
    claim(archive, NOW + KEEP_S)
    assert query_database(tmp_path, "SELECT key FROM notification") == [("other",)]


def test_an_empty_outbox_is_only_read(archive: Archive) -> None:
    archive.notifications.start(NOW)
    add(archive, "a")
    archive.notifications.finish(claim(archive), "sent", None, now=NOW)
    set_read_only(archive)
    assert archive.notifications.start(NOW + 1) == NOW
    assert claim(archive) is None
