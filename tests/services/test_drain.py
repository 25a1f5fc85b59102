"""The evidence of the archive about the old fleet, and when log files are read for it."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.deployments.drain import OldGroup, judge_drain
from archive import Archive
from domain import Migration, Window
from domain.series import is_request_count
from domain.window import HOUR_S
from reports.templating import render
from services.drain import MAX_RULES_AGE_S, CallerLookups, CallersQuery, drain_window, read_callers, read_drain
from sources.access_logs.base import LogListing
from sources.access_logs.callers import Callers
from sources.access_logs.filenames import LogFile
from sources.base import Health, Problem
from sources.demo.sources import DemoMetrics, DemoTraffic, demo_migration
from tests.factories.drain import UNTIL, evidence
from tests.factories.traffic import HEADER_RULE, make_rule, make_traffic

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return demo_migration(ANCHOR).model_copy(update={"archive": f"sqlite:///{tmp_path}/archive.db", "batches": None})


def filled(archive: Archive, migration: Migration, window: Window) -> None:
    source = DemoMetrics(migration, anchor=ANCHOR, clock=lambda: NOW)
    archive.metrics.fill(window, source, now=NOW, series_filter=is_request_count)
    archive.events.save_snapshot(DemoTraffic(anchor=ANCHOR, clock=lambda: NOW).snapshot(), "demo_traffic")


def kinds(archive: Archive, migration: Migration, now: datetime = NOW) -> list[str]:
    return [item.kind for item in read_drain(archive, migration, "demo", None, now=now).obstacles]


def test_an_empty_archive_is_unknown_and_not_empty(migration: Migration) -> None:
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as archive:
        state = read_drain(archive, migration, "demo", None, now=NOW)
    assert state.verdict == "unknown"
    assert [item.kind for item in state.obstacles] == ["rules_unread", "requests_unread", "never_reported"]


def test_the_demo_has_requests_by_the_split(migration: Migration) -> None:
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as archive:
        filled(archive, migration, drain_window(migration, now=NOW))
        assert kinds(archive, migration) == ["forwards", "requests"]
        state = read_drain(archive, migration, "demo", None, now=NOW)
    (group,) = state.groups
    assert group.last_request == state.until  # it has requests in each minute
    assert state.required_s == 24 * HOUR_S


def test_rules_of_minutes_ago_are_unread(migration: Migration) -> None:
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as archive:
        filled(archive, migration, drain_window(migration, now=NOW))
        later = NOW + timedelta(seconds=MAX_RULES_AGE_S + 30)
        assert "rules_unread" in kinds(archive, migration, later)
        assert "rules_unread" not in kinds(archive, migration, NOW + timedelta(seconds=MAX_RULES_AGE_S - 30))


class ListedLogs:
    """A LogSource without files. `windows`: those that were listed."""

    name = "access_logs"

    def __init__(self) -> None:
        self.windows = list[Window]()

    def files(self, window: Window) -> LogListing:
        self.windows.append(window)
        return LogListing()

    def download(self, file: LogFile) -> Path | Problem:
        raise AssertionError("No file was listed.")

    def check(self) -> tuple[Health, ...]:
        return ()


BUSY = OldGroup("photo-ec2", UNTIL - 3600, UNTIL - 3600, 3, True)
BY_HEADER = make_traffic(make_rule(HEADER_RULE, "10", ec2=1), make_rule(ec2=0, green=1))


@pytest.mark.parametrize(
    ("changes", "is_read"),
    [
        ({"groups": (BUSY,)}, True),
        ({"groups": (BUSY,), "traffic": BY_HEADER}, True),
        ({"groups": (BUSY,), "traffic": make_traffic(make_rule(ec2=1, green=1))}, False),
        ({"jobs_complete": False}, False),
    ],
    ids=["late", "by header", "by weight", "none"],
)
def test_log_files_are_read_only_for_requests_that_should_not_be(
    changes: dict[str, object], is_read: bool, migration: Migration
) -> None:
    logs = ListedLogs()
    with Archive.open(migration.archive, migration) as archive:
        found = read_callers(logs, archive, judge_drain(evidence(**changes)))
        assert read_callers(None, archive, judge_drain(evidence(**changes))) is None
    assert (found is not None) == is_read
    assert [(window.start <= UNTIL - 3600 - 60 < window.end, window.minutes <= 15) for window in logs.windows] == (
        [(True, True)] if is_read else []
    )


QUERY = CallersQuery(("photo-ec2",), Window(UNTIL - 900, UNTIL), 0)
LATER = CallersQuery(("photo-ec2",), Window(UNTIL - 600, UNTIL + 300), 0)


def test_a_page_does_not_wait_for_callers_and_each_query_is_read_once() -> None:
    logs, may_list = ListedLogs(), threading.Event()

    class SlowLogs(ListedLogs):
        def files(self, window: Window) -> LogListing:
            assert may_list.wait(60)
            return logs.files(window)

    lookups = CallerLookups(SlowLogs())
    assert (lookups.result(QUERY), lookups.is_reading) == (None, True)
    assert (lookups.result(LATER), lookups.is_reading) == (None, True)  # one at a time
    may_list.set()
    lookups.wait()
    assert (lookups.result(QUERY), lookups.is_reading) == (Callers(QUERY.window), False)
    assert lookups.result(LATER) == Callers(QUERY.window)  # the earlier one, until this is read
    lookups.wait()
    assert lookups.result(LATER) == Callers(LATER.window)
    assert logs.windows == [QUERY.window, LATER.window]


def test_the_page_names_who_still_calls() -> None:
    rows = [("okhttp", "wss · 1 opened before the last weight change", "photo-ec2 10.0.1.9:80", "3", "20:00 UTC")]
    values: dict[str, object] = {"obstacles": [], "facts": [], "rules": [], "changes": [], "notes": []}
    shown = render("drain.details", callers=(rows, "From 2 log files of 19:50 – 20:00 UTC."), **values)
    assert "Who still called it" in shown and "<td>okhttp</td>" in shown and "From 2 log files" in shown
    reading = render("drain.details", callers=([], "Reading"), **values)
    assert "Reading" in reading and "<table>" not in reading
    assert "Who still called it" not in render("drain.details", callers=None, **values)
