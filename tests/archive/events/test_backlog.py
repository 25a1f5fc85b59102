"""Which time of an event source with a history to fetch next."""

from archive.events.backlog import next_fetch
from domain import Window
from sources.demo.audit_log import DemoAuditLog
from tests.fakes.metric_source import NOON

HOUR, DAY = 3600, 86_400


class AuditLogSource:
    name, retention_s, delivery_delay_s, poll_interval_s = "cloudtrail", 90 * DAY, HOUR, 120
    events = check = DemoAuditLog.events


def hours(first: float, last: float) -> Window:
    return Window(NOON + int(first * HOUR), NOON + int(last * HOUR))


def test_the_last_day_is_fetched_first_then_the_backlog_newest_first() -> None:
    source, chunks = AuditLogSource(), list[Window]()
    newest = next_fetch([], source, NOON).newest
    assert newest == hours(-24, 0)
    covered = [newest]
    while (chunk := next_fetch(covered, source, NOON).backlog) is not None:
        chunks.append(chunk)
        covered = [Window(chunk.start, newest.end)]
    assert chunks == [hours(-31 * 24, -24), hours(-61 * 24, -31 * 24), hours(-90 * 24, -61 * 24)]


def test_the_last_hour_is_fetched_again_because_records_are_delivered_late() -> None:
    assert next_fetch([hours(-90 * 24, 0)], AuditLogSource(), NOON + 120).newest == Window(NOON - HOUR, NOON + 120)


def test_time_since_the_last_fetch_is_part_of_the_newest() -> None:
    assert next_fetch([hours(-90 * 24, -48)], AuditLogSource(), NOON).newest == hours(-49, 0)
    assert next_fetch([hours(-300 * 24, -200 * 24)], AuditLogSource(), NOON).newest == hours(-90 * 24, 0)


def test_a_gap_is_part_of_the_backlog() -> None:
    assert next_fetch([hours(-90 * 24, -48), hours(-20, 0)], AuditLogSource(), NOON).backlog == hours(-48, -20)


def test_after_a_clock_is_set_back_the_last_hour_is_fetched() -> None:
    assert next_fetch([hours(-90 * 24, 48)], AuditLogSource(), NOON).newest == hours(-1, 0)


def test_the_newest_window_includes_the_current_minute() -> None:
    assert next_fetch([], AuditLogSource(), NOON + 1).newest.end == NOON + 60
