"""Pages search in the background, once for each id until more may be found; commands to copy have the rule's host and headers."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from domain import Condition, Window
from domain.trace_ids import TraceId
from services import trace
from services.trace import MAX_RESULTS, TraceLookups, curl_commands, find_request
from sources.access_logs.base import LocalLogs, LogListing
from sources.access_logs.trace import TraceResult
from sources.demo.sources import DemoTraffic, demo_migration
from sources.registry import create_sources
from tests.factories.archives import MIGRATION

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)
ID = TraceId(f"1-{int(NOW.timestamp()) - 3600:08x}-4bf92f3577b34da6a3ce929d")


class CountedLogs(LocalLogs):
    """An empty folder. `listings`: the windows that were listed; each listing waits for `may_end`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.listings, self.may_end = list[Window](), Event()
        self.may_end.set()
        self.error: Exception | None = None

    def files(self, window: Window) -> LogListing:
        self.may_end.wait(10)
        self.listings.append(window)
        if self.error:
            raise self.error
        return super().files(window)


@pytest.fixture
def logs(tmp_path: Path) -> CountedLogs:
    return CountedLogs(tmp_path)


@pytest.fixture
def lookups(logs: CountedLogs) -> Iterator[TraceLookups]:
    lookups = TraceLookups(logs, MIGRATION)
    yield lookups
    logs.may_end.set()
    lookups.stop()


def final(lookups: TraceLookups, trace_id: TraceId, now: datetime = NOW) -> TraceResult | None:
    lookups.result(trace_id, now=now)
    lookups.wait()
    return lookups.result(trace_id, now=now)


def test_a_page_does_not_wait_and_has_the_result_later(lookups: TraceLookups, logs: CountedLogs) -> None:
    logs.may_end.clear()
    assert lookups.result(ID, now=NOW) is None
    assert lookups.result(ID, now=NOW) is None
    logs.may_end.set()
    lookups.wait()
    result = lookups.result(ID, now=NOW)
    assert result and result.state == "no_files"
    assert len(logs.listings) == 2  # the two parts of one search


def test_a_final_result_is_searched_once(lookups: TraceLookups, logs: CountedLogs) -> None:
    for hours in range(3):
        final(lookups, ID, NOW + timedelta(hours=hours))
    assert len(logs.listings) == 2


def test_what_is_not_written_yet_is_searched_again_when_it_is_due(lookups: TraceLookups, logs: CountedLogs) -> None:
    fresh = TraceId(f"1-{int(NOW.timestamp()):08x}-4bf92f3577b34da6a3ce929d")
    result = final(lookups, fresh)
    assert result and result.retry_at
    due = datetime.fromtimestamp(result.retry_at, UTC)
    final(lookups, fresh, due - timedelta(seconds=1))
    assert len(logs.listings) == 2
    final(lookups, fresh, due)
    assert len(logs.listings) == 4


def test_an_unexpected_error_is_unknown_and_logged(
    lookups: TraceLookups, logs: CountedLogs, caplog: pytest.LogCaptureFixture
) -> None:
    logs.error = RuntimeError("broken")
    result = final(lookups, ID)
    assert result and result.state == "unread"
    assert [problem.kind for problem in result.problems] == ["internal_error"]
    assert [record.getMessage() for record in caplog.records] == ["request not searched"]


def test_only_the_newest_results_are_kept(lookups: TraceLookups, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [TraceId(f"1-{int(NOW.timestamp()) - 36_000 - number:08x}-{'0' * 24}") for number in range(MAX_RESULTS + 1)]
    for trace_id in ids:
        final(lookups, trace_id)
    assert lookups.result(ids[1], now=NOW) is not None
    assert lookups.result(ids[0], now=NOW) is None


def test_of_many_that_wait_the_newest_are_searched(
    lookups: TraceLookups, logs: CountedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "MAX_WAITING", 2)
    logs.may_end.clear()
    ids = [TraceId(f"1-{int(NOW.timestamp()) - 36_000 - number:08x}-{'0' * 24}") for number in range(4)]
    for trace_id in ids:
        lookups.result(trace_id, now=NOW)
    logs.may_end.set()
    lookups.wait()
    assert len(logs.listings) == 4  # the first, which was under way, and the last


def test_nothing_is_searched_after_the_end(lookups: TraceLookups, logs: CountedLogs) -> None:
    lookups.stop()
    assert final(lookups, ID) is None
    assert not logs.listings


def test_the_demo_finds_any_id_and_loses_one_of_sixteen() -> None:
    migration = demo_migration(ANCHOR)
    source = create_sources(migration, anchor=ANCHOR, clock=lambda: NOW).logs
    assert source
    states = list[tuple[str, int]]()
    for digit in "01a":
        trace_id = TraceId(ID.text[:11] + digit + ID.text[12:])
        result = find_request(source, migration, trace_id, now=NOW)
        states.append((result.state, len(result.requests)))
        assert result == find_request(source, migration, trace_id, now=NOW)
    assert states == [("not_found", 0), ("found", 2), ("found", 1)]


def test_the_commands_have_the_id_and_the_headers_of_each_rule() -> None:
    traffic = DemoTraffic(anchor=ANCHOR, clock=lambda: NOW).traffic_at(int(NOW.timestamp()))
    split, by_header = curl_commands(ID, traffic)
    assert shlex.split(split.command) == [
        "curl", "-sS", "-o", "/dev/null", "-w", r"%{http_code}\n", "-H", f"X-Amzn-Trace-Id: Root={ID.text}", "https://HOST/",
    ]  # fmt: skip
    assert split.rule is None
    assert shlex.split(by_header.command)[-3:] == ["-H", "X-Canary: ecs", "https://HOST/"]
    assert by_header.rule == traffic.header_rules[0]


@pytest.mark.parametrize(
    ("condition", "end"),
    [
        (Condition("host-header", "", ("*.example.com", "photo.example.com")), "https://photo.example.com/"),
        (Condition("path-pattern", "", ("/a b",)), "'https://HOST/a b'"),
        (Condition("http-header", "X-'$(id)", ("x",)), None),
        (Condition("http-header", "User-Agent", ("*Firefox*",)), None),
        (Condition("http-header", "X-Side", ("~^ecs",)), None),
        (Condition("source-ip", "", ("203.0.113.0/24",)), None),
    ],
)
def test_the_url_of_a_rule(condition: Condition, end: str | None) -> None:
    traffic = DemoTraffic(anchor=ANCHOR, clock=lambda: NOW).traffic_at(int(NOW.timestamp()))
    rule = replace(traffic.rules[0], conditions=(*traffic.rules[0].conditions, condition))
    commands = curl_commands(ID, replace(traffic, rules=(rule, *traffic.rules[1:])))
    if condition.name.startswith("X-'"):  # quoted for the shell
        assert shlex.split(commands[1].command)[-2] == "X-'$(id): x"
    elif end is None:
        assert len(commands) == 1
    else:
        assert commands[1].command.endswith(f" {end}")


def test_without_the_load_balancer_there_is_one_command() -> None:
    assert len(curl_commands(ID, None)) == 1
