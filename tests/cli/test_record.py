"""`record`: one run that brings everything up to date and lists what is missing, and recording until a signal."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import cli
from archive import Archive, BatchArchive
from collector import polling
from collector.collector import Collector
from commands import record
from commands.shared import output
from domain import Migration, Window
from domain.config.batches import series_of_runs
from domain.window import DAY_S
from sources.base import Problem, TrafficSnapshot
from sources.demo.sources import DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, NOW, run
from tests.factories.archives import MIGRATION
from tests.fakes.metric_source import FakeMetricSource, minute_time


@pytest.fixture(autouse=True)
def two_days(monkeypatch: pytest.MonkeyPatch, demo: Migration, set_demo: Callable[[Migration], None]) -> Migration:
    """The demo with a backfill of two days, which does not wait for sources."""
    migration = demo.model_copy(update={"since": (NOW - timedelta(days=2)).date()})
    set_demo(migration)
    monkeypatch.setattr(record, "CATCH_UP_TIMEOUT_S", 0.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return migration


@pytest.mark.slow
def test_once_updates_everything_and_exits(two_days: Migration) -> None:
    result = run("record", "--demo", "--once", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["ok"]
    criteria = {"mackerel_criteria", "cloudwatch_criteria"}
    assert {past["source"] for past in data["backfill"]} == {"demo", "demo_batches", "demo_lambda", *criteria}
    assert all((past["state"], past["available"]) == ("done", past["total"]) for past in data["backfill"])
    assert {item["source"]: item["state"] for item in data["sources"]}["demo"] == "up"
    assert two_days.since_s is not None
    with Archive.open(two_days.archive, two_days) as archive:
        window = Window(two_days.since_s, int(ANCHOR.timestamp()))
        assert archive.metrics.read(window, "demo", now=NOW).missing == ()
        assert {event.kind for event in archive.events.read(window)} >= {"alert", "annotation"}
        assert archive.events.latest_traffic() is not None
    with BatchArchive.open(two_days.archive, two_days, clock=lambda: NOW) as batches:
        month = Window(int(NOW.timestamp()) // 60 * 60 - 30 * DAY_S, int(NOW.timestamp()) // 60 * 60)
        assert set(batches.metrics.read(month, "demo_batches", now=NOW).frame["target_group"]) >= {
            "thumbnails",
            "export",
        }
        assert batches.events.triggers() is not None


def test_unavailable_batches_do_not_make_the_recorder_unhealthy(
    monkeypatch: pytest.MonkeyPatch, set_demo: Callable[[Migration], None], use_sources: Callable[[Sources], None]
) -> None:
    well = FakeMetricSource(now=NOW)
    posted = series_of_runs("mackerel_batches", "canary", "thumbnails", "duration")
    ill = FakeMetricSource((posted,), "mackerel_batches", problem_kind=lambda series, window: "denied", now=NOW)
    use_sources(Sources((well,), None, (), batches=(ill,)))
    set_demo(MIGRATION.model_copy(update={"archive": f"sqlite:///{Path.cwd()}/other.db", "backfill": False}))
    result = run("record", "--demo", "--once", "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["ok"]) == (0, True), result.output
    states = {item["source"]: item["state"] for item in data["sources"]}
    assert states["mackerel_batches"] == "denied"
    result = run("record", "--demo", "--once")
    assert "Incomplete: Mackerel batches." in result.stdout


def test_once_lists_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    set_now: Callable[[datetime], None],
    set_demo: Callable[[Migration], None],
    use_sources: Callable[[Sources], None],
) -> None:
    world = FakeMetricSource(problem_kind=lambda series, window: "throttled", now=minute_time(0))
    use_sources(Sources((world,), None, ()))
    set_now(minute_time(0))
    set_demo(MIGRATION.model_copy(update={"archive": f"sqlite:///{Path.cwd()}/other.db"}))
    result = run("record", "--demo", "--once")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == ("Incomplete: CloudWatch. Received data is stored; run again later.")


@pytest.mark.slow
def test_once_fails_if_the_weights_could_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = Problem("denied", "demo_traffic", "elasticloadbalancing:DescribeRules")
    monkeypatch.setattr(DemoTraffic, "snapshot", lambda self: TrafficSnapshot(int(NOW.timestamp()), None, (denied,)))
    result = run("record", "--demo", "--once")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        1,
        "Incomplete: Demo weights. Received data is stored; run again later.",
    )


@pytest.mark.slow
def test_it_records_until_a_signal_stops_it(tmp_path: Path) -> None:
    root = Path(cli.__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    recorder = subprocess.Popen(
        [sys.executable, str(root / "cli.py"), "record", "--demo", "--json"],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    )
    try:
        assert recorder.stdout
        first = json.loads(recorder.stdout.readline())
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(60) == 0
        assert first["demo"] is True
    finally:
        recorder.kill()
        recorder.wait()
        if recorder.stdout:
            recorder.stdout.close()


def test_it_ends_with_1_as_soon_as_a_poll_does_not_end(
    monkeypatch: pytest.MonkeyPatch, use_sources: Callable[[Sources], None]
) -> None:
    released = threading.Event()

    class HangingSource(FakeMetricSource):
        def pull(self, window: Window, series: Any = None) -> Any:
            released.wait(60)
            return super().pull(window, series)

    use_sources(Sources((HangingSource(),)))
    monkeypatch.setattr(polling, "SILENT_AFTER_S", 1.0)  # longer than any other poll takes
    monkeypatch.setattr(polling, "SILENT_AFTER_INTERVALS", 0)
    monkeypatch.setattr(record, "repeat", lambda action, _interval_s: output.repeat(action, 0.01))
    stop = Collector.stop
    monkeypatch.setattr(Collector, "stop", lambda collector: (released.set(), stop(collector)))
    result = run("record", "--demo", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[-1])["ok"] is False


def test_it_records_decisions_while_it_runs(
    monkeypatch: pytest.MonkeyPatch, two_days: Migration, use_sources: Callable[[Sources], None]
) -> None:
    calls: list[object] = []

    def interrupt(_action: object, _interval_s: float) -> None:
        raise KeyboardInterrupt

    use_sources(Sources((FakeMetricSource(),)))
    monkeypatch.setattr(record.GateThread, "start", lambda thread: calls.append(thread.record_all()))
    monkeypatch.setattr(record.GateThread, "stop", lambda _thread: calls.append("stopped"))
    monkeypatch.setattr(record, "repeat", interrupt)
    assert run("record", "--demo", "--json").exit_code == 0
    assert calls[-1] == "stopped"
    with Archive.open(two_days.archive, two_days) as archive:
        (decision,) = archive.decisions.read()
    assert decision.recorded_at == int(NOW.timestamp())
