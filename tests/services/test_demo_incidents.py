"""The demo's two incidents, in one-minute periods and in the five-minute periods that remain of them after fifteen days."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.parity.verdicts import Judgement
from archive import Archive
from domain import Window
from domain.window import DAY_S, HOUR_S
from services.judge_context import read_settings
from services.parity import judge_window
from sources.demo import scenario
from sources.demo.audit_log import DemoAuditLog
from sources.demo.sources import DemoMetrics, demo_migration
from tests.factories.archives import archive_url

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17)
STEPS = scenario.scenario_for(ANCHOR).steps
SLOW = Window(STEPS[4].ts + 120, STEPS[5].ts)
OUTAGE = Window(STEPS[11].ts - 2 * HOUR_S, STEPS[11].ts)


@pytest.fixture(params=[60, 300])
def period_s(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    if request.param == 300:
        # Minutes are retained around the incidents, because pages link to them.
        monkeypatch.setattr(scenario, "_minute_windows", lambda *_: (Window(SLOW.end + 30 * DAY_S, 2**40 // 60 * 60),))
    return request.param


def judge(folder: Path, window: Window, period_s: int) -> Judgement:
    migration = demo_migration(ANCHOR).model_copy(update={"archive": archive_url(folder)})
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as archive:
        log = DemoAuditLog(anchor=ANCHOR, clock=lambda: NOW)
        archive.events.save_events(log.events(Window(STEPS[0].ts, int(NOW.timestamp()) // 60 * 60)), log.name)
        source = DemoMetrics(migration, anchor=ANCHOR, clock=lambda: NOW)
        archive.metrics.fill(Window(window.start - 2 * DAY_S, window.end), source, now=NOW)
        assert len(read_settings(archive, migration, "demo", window).configured) >= 1
        judged = judge_window(archive, migration, "demo", window, now=NOW)
    assert {length_s for _window, length_s in judged.result.periods} == {period_s}
    return judged.judgement


def test_the_slow_phase_is_a_regression(period_s: int, tmp_path: Path) -> None:
    judgement = judge(tmp_path, SLOW, period_s)
    for metric in ("latency_p95", "slow_0.3s"):
        assert (judgement[metric].verdict, judgement[metric].reason) == ("regression", "beyond_margin")
    assert (judgement["latency_p95"].excluded or {})["warm_up"] == (8 if period_s == 60 else 5)


def test_the_outage_is_an_incident_of_the_canary(period_s: int, tmp_path: Path) -> None:
    (incident,) = judge(tmp_path, OUTAGE, period_s).incidents
    assert (incident.kind, incident.own) == ("errors", "canary")
    assert incident.window.minutes in (14, 15)
    assert incident.excess == pytest.approx(49_120, abs=20), "42,000 on a working day"
