"""A poll that raises an unexpected exception: it is logged, reported as the state of its source, and retried with back-off."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive import Archive
from collector import polling
from collector.batches import BatchCollector
from collector.collector import Collector, CollectorConfig
from collector.polling import PollTask
from domain import Window
from domain.trace import current_reference
from sources.access_logs.base import LogListing
from sources.base import Problem
from sources.registry import Sources
from tests.factories.archives import open_archive
from tests.fakes.metric_source import FakeMetricSource, minute_time, minute_window
from tests.fakes.window_latency_source import FakeWindowLatencySource

KIND_OF_POLL = {
    "metrics": "metrics",
    "traffic": "traffic",
    "events": "events",
    "event history": "events",
    "window latency": "window_latency",
    "access logs": "logs",
    "triggers": "triggers",
    "batches": "metrics",
}


class BrokenSource(FakeMetricSource):
    """Every request raises a KeyError, as an unexpected reply does. Its message has a password."""

    def _fail(self, *_: object, **__: object) -> Any:
        raise KeyError("postgresql://me:s3cret@db/x")

    pull = snapshot = events = window_latency = files = download = count = _fail


class BrokenHistory(BrokenSource):
    retention_s, delivery_delay_s, poll_interval_s = 86_400, 900, 60


def broken_collector(archive: Archive, kind: str) -> Collector:
    source: Any = BrokenHistory() if kind == "event history" else BrokenSource()
    sources = {
        "metrics": Sources((source,)),
        "traffic": Sources(traffic=source),
        "events": Sources(events=(source,)),
        "event history": Sources(events=(source,)),
        "window latency": Sources((source,)),
        "access logs": Sources(logs=source),
        "triggers": Sources(triggers=source),
        "batches": Sources(batches=(source,)),
    }[kind]
    if kind in ("triggers", "batches"):
        return BatchCollector(archive, sources, "Photo", clock=lambda: minute_time(0))  # type: ignore[arg-type]
    collector = Collector(archive, sources, CollectorConfig("Photo"), clock=lambda: minute_time(0))
    collector.request_window_latency(minute_window(-60, -30), source.name)
    collector.request_access_logs(minute_window(-60, -30))
    return collector


def task_of(collector: Collector, kind: str) -> PollTask:
    return next(task for task in collector.tasks if task.role == KIND_OF_POLL[kind])


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path) as archive:
        yield archive


@pytest.mark.parametrize("kind", KIND_OF_POLL)
def test_an_exception_is_logged_reported_and_retried_with_back_off(
    archive: Archive, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    collector = broken_collector(archive, kind)
    task = task_of(collector, kind)
    waits = [collector.run_task(task) for _ in range(3)]
    if kind in ("traffic", "events", "event history", "triggers"):  # the poll waits for its slot
        assert waits[0] == 15.0
    else:
        assert waits == [15.0, 30.0, 60.0]
    (record, *_) = [record for record in caplog.records if record.getMessage() == "poll failed"]
    assert (record.levelno, record.__dict__["source"], record.__dict__["role"], record.__dict__["migration"]) == (
        logging.ERROR,
        "cloudwatch",
        KIND_OF_POLL[kind],
        "Photo",
    )
    assert record.exc_info and record.exc_info[0] is KeyError


@pytest.mark.parametrize("kind", KIND_OF_POLL)
def test_an_exception_is_the_state_of_the_source_until_a_poll_succeeds(archive: Archive, kind: str) -> None:
    collector = broken_collector(archive, kind)
    task = task_of(collector, kind)
    collector.run_task(task)
    (problem,) = collector.failures
    role = KIND_OF_POLL[kind]
    assert (problem.kind, problem.source, problem.operation) == ("internal_error", "cloudwatch", f"poll {role}")
    assert problem.detail == f"KeyError: 'postgresql://***@db/x' (log reference {current_reference()})"
    (state,) = [state for state in collector.source_states() if state.role == role]
    assert (state.source, state.state, state.problems) == ("cloudwatch", "down", (problem,))
    task.poll = lambda: 60.0
    assert (collector.run_task(task), collector.failures, task.n_failures) == (60.0, (), 0)


def test_the_back_off_is_limited(archive: Archive) -> None:
    task = PollTask("cloudwatch", "metrics", lambda: 1 / 0, 60)
    waits = [task.run("Photo") for _ in range(8)]
    assert waits == [15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0]


def test_a_thread_outlives_an_exception(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "MIN_BACKOFF_S", 0.01)
    recovered = threading.Event()
    n_pulls = 0

    class Recovering(FakeMetricSource):
        def pull(self, window: Window, series: Any = None) -> Any:
            nonlocal n_pulls
            n_pulls += 1
            if n_pulls <= 3:
                raise ValueError("not JSON")
            recovered.set()
            return super().pull(window, series)

    collector = Collector(archive, Sources((Recovering(),)), clock=lambda: minute_time(0))
    collector.start()
    try:
        assert recovered.wait(10)
        assert collector.wait_until(lambda: not collector.failures, timeout_s=10)
    finally:
        collector.stop()


def test_each_poll_is_one_log_line(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collector")
    collector = Collector(
        archive, Sources((FakeMetricSource(),)), CollectorConfig("Photo"), clock=lambda: minute_time(0)
    )
    collector.run_task(collector.tasks[0])
    (record,) = caplog.records
    fields = record.__dict__
    assert (record.getMessage(), fields["source"], fields["migration"]) == ("poll finished", "cloudwatch", "Photo")
    assert fields["duration_s"] >= 0 and fields["next_in_s"] == 0.0


def test_every_poll_of_the_collectors_is_supervised(archive: Archive) -> None:
    """A poll that is added to a collector needs a kind in KIND_OF_POLL, for the tests above and below."""
    source: Any = BrokenHistory()
    sources = Sources((source,), source, (source,), batches=(source,), triggers=source, logs=source)
    collectors = Collector(archive, sources), BatchCollector(archive, sources)  # type: ignore[arg-type]
    roles = {task.role for each in collectors for task in each.tasks} - {"check"}  # of the archive: it asks no source
    assert roles == set(KIND_OF_POLL.values())


@pytest.mark.parametrize("interval_s", [None, 3600])
@pytest.mark.parametrize("kind", KIND_OF_POLL)
def test_a_poll_that_does_not_end_or_does_not_begin_is_silent(
    archive: Archive, kind: str, interval_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    collector = broken_collector(archive, kind)
    task = task_of(collector, kind)
    task.interval_s = interval_s or task.interval_s
    limit_s = max(600, 3 * task.interval_s)

    def silent_after_limit() -> tuple[str, ...]:
        now_s[0] += limit_s
        assert polling.silent_sources(collector.tasks) == ()
        now_s[0] += 1
        (state,) = [state for state in collector.source_states() if state.role == task.role]
        assert state.state == "down"
        return polling.silent_sources(collector.tasks)

    def hang() -> float:
        assert silent_after_limit() == ("cloudwatch",)
        return 3600.0

    task.poll = hang
    assert collector.run_task(task) == 3600.0
    assert not task.problem, "it has ended"
    now_s[0] += 3600
    assert silent_after_limit() == ("cloudwatch",)


def test_a_request_makes_a_poll_due(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a poll that waits for requests could be dead for an hour."""
    now_s = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    collector = Collector(archive, Sources((FakeWindowLatencySource(),)), clock=lambda: minute_time(0))
    task = task_of(collector, "window latency")
    assert collector.run_task(task) == 3600.0
    now_s[0] += 60
    collector.request_window_latency(minute_window(-60, -30), task.source)
    now_s[0] += 601
    assert polling.silent_sources(collector.tasks) == (task.source,)


def test_counting_logs_is_silent_without_progress(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    limit_s = 3 * 3600

    class SlowLogs(FakeMetricSource):
        def files(self, window: Window) -> LogListing:
            now_s[0] += limit_s - 1
            return LogListing()

    collector = Collector(archive, Sources(logs=SlowLogs()), clock=lambda: minute_time(0))  # type: ignore[arg-type]
    states: list[tuple[str, ...]] = []
    monkeypatch.setattr(collector, "_notify", lambda: states.append(polling.silent_sources(collector.tasks)))
    collector.request_access_logs(minute_window(-60, -30))
    task = task_of(collector, "access logs")
    now_s[0] += 2
    collector.run_task(task)
    assert states and not any(states)


def test_silent_poll_is_down_whatever_was_archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    with open_archive(tmp_path) as archive:
        source = FakeMetricSource()
        collector = Collector(archive, Sources((source,)), CollectorConfig("Photo"), clock=lambda: minute_time(0))
        task = next(task for task in collector.tasks if task.role == "metrics")
        wait_s = collector.run_task(task)
        assert [state.state for state in collector.source_states() if state.role == "metrics"] == ["up"]
        now_s[0] += wait_s + polling.SILENT_AFTER_S
        assert polling.silent_sources(collector.tasks) == ()
        now_s[0] += 1
        (state,) = [state for state in collector.source_states() if state.role == "metrics"]
        assert polling.silent_sources(collector.tasks) == (source.name,)
    assert (state.state, state.source) == ("down", source.name)
    assert state.problems == (Problem("timeout", source.name, "poll metrics", detail="no poll has ended for 10 min"),)


@pytest.mark.parametrize(("interval_s", "limit_minutes"), [(60, 20), (600, 40)])
def test_state_that_a_running_collector_has_not_renewed_is_down(
    tmp_path: Path, interval_s: int, limit_minutes: int
) -> None:
    minute = [0]
    with open_archive(tmp_path) as archive:
        config = CollectorConfig("Photo", metrics_interval_s=interval_s)
        collector = Collector(archive, Sources((FakeMetricSource(),)), config, clock=lambda: minute_time(minute[0]))
        task = next(task for task in collector.tasks if task.role == "metrics")
        collector.run_task(task)

        def state() -> str:
            return next(state.state for state in collector.source_states() if state.role == "metrics")

        minute[0] = limit_minutes + 1
        assert state() == "up"  # not started: nothing renews it
        collector.start(with_threads=False)
        assert state() == "down"
        minute[0] = limit_minutes
        assert state() == "up"
