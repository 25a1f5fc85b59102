"""What a source that keeps a history is asked next."""

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


def test_first_the_last_day_then_what_lies_behind_it_the_newest_first() -> None:
    source, asked, heard = AuditLogSource(), [], list[Window]()
    told = next_fetch(heard, source, NOON)
    assert told.newest == hours(-24, 0)
    heard = [told.newest]
    while (behind := next_fetch(heard, source, NOON).backlog) is not None:
        asked.append(behind)
        heard = [Window(behind.start, heard[0].end)]
    assert asked == [hours(-31 * 24, -24), hours(-61 * 24, -31 * 24), hours(-90 * 24, -61 * 24)]


def test_the_last_hour_is_asked_again_as_it_may_still_hear_of_something() -> None:
    assert next_fetch([hours(-90 * 24, 0)], AuditLogSource(), NOON + 120).newest == Window(NOON - HOUR, NOON + 120)


def test_what_was_missed_while_nobody_asked_is_asked_with_the_newest() -> None:
    assert next_fetch([hours(-90 * 24, -48)], AuditLogSource(), NOON).newest == hours(-49, 0)
    assert next_fetch([hours(-300 * 24, -200 * 24)], AuditLogSource(), NOON).newest == hours(-90 * 24, 0)


def test_the_rest_of_a_window_that_was_answered_in_part_lies_behind() -> None:
    assert next_fetch([hours(-90 * 24, -48), hours(-20, 0)], AuditLogSource(), NOON).backlog == hours(-48, -20)


def test_a_clock_that_was_set_back_asks_for_the_last_hour() -> None:
    assert next_fetch([hours(-90 * 24, 48)], AuditLogSource(), NOON).newest == hours(-1, 0)


def test_seconds_of_the_minute_in_progress_belong_to_it() -> None:
    assert next_fetch([], AuditLogSource(), NOON + 1).newest.end == NOON + 60
