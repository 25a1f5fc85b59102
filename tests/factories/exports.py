"""An archive with rows in every table, and its export."""

from pathlib import Path

from archive import Archive, BatchArchive
from archive.decisions import RecordedDecision
from archive.transfer.export import export_archive
from domain.deployments import DeploymentState
from domain.probe import ProbeResult
from domain.run_steps import RunStep
from domain.triggers import Triggers
from sources.base import Events, TrafficSnapshot
from sources.run_logs import RunLogs
from sources.triggers import TriggerSnapshot
from tests.factories.archives import MIGRATION
from tests.factories.counted_files import counted_file, log_counts
from tests.factories.events import DEPLOYMENT, ROUTE, SERVICE, TRIGGER, logged_change, make_alert, weighted_traffic
from tests.factories.sign_offs import make_sign_off
from tests.fakes.metric_source import ECS, HOURLY, LATENCY, NOON, minute_time, minute_window
from tests.fakes.window_latency_source import FakeWindowLatencySource


def fill_archive(url: str) -> None:
    """Half a day of everything that an archive can contain."""
    source = FakeWindowLatencySource(configured_series=(ECS, LATENCY, HOURLY))
    with Archive.open(url, MIGRATION) as archive:
        archive.metrics.get(minute_window(-720, 0), source, now=minute_time(0))
        archive.metrics.fill(
            minute_window(-720, 0), source, now=minute_time(0), series_filter=lambda series: series.hourly
        )
        archive.metrics.fetch_window_latency(minute_window(-60, 0), source, now=minute_time(0))
        archive.events.save_events(
            Events(minute_window(-60, 0), NOON, (make_alert("a", -10), make_alert("b", -5, open=True))),
            "mackerel_events",
        )
        archive.events.save_events(
            Events(minute_window(-60, 0), NOON, weight_changes=(logged_change(-900, 0.5),)),
            "cloudtrail",
            keep_missing=True,
        )
        archive.events.save_events(
            Events(
                minute_window(-60, 0),
                NOON,
                deployment_state=DeploymentState(NOON, (SERVICE,), (), (("canary", ROUTE),)),
                deployments=(DEPLOYMENT,),
            ),
            "ecs",
        )
        for second, canary in ((-60, 10), (-45, 50), (-30, 50), (0, 10)):
            archive.events.save_snapshot(TrafficSnapshot(NOON + second, weighted_traffic(100 - canary, canary)))
        archive.access_logs.save_counts(
            [counted_file("a", -5, 65), counted_file("b", 0, 5)], log_counts(-5, 0, 59, 60, slow_ms=1500)
        )
        archive.access_logs.save_counts([counted_file("c", 0, 60)], log_counts(0, 30))
        archive.observations.save_probe(
            ProbeResult("p-1", NOON - 60, "GET", "/", "photo.example.com", 200, 5, "refused", "no_header_rule")
        )
        archive.decisions.save(RecordedDecision(1, NOON - 3600, NOON, '{"decision":"wait"}'), {1: NOON - 3600})
        archive.sign_offs.save_margins((("error_rate", "0.5 pp"),), NOON - 7200)
        archive.sign_offs.save_margins((("error_rate", "1 pp"),), NOON)
        for name in ("Mika", "Taro"):
            archive.sign_offs.add(make_sign_off(name=name))
    with BatchArchive.open(url, MIGRATION) as batches:
        batches.observations.save_run_logs(
            RunLogs(NOON, (RunStep("s-1", "cleanup", "canary", NOON - 30, sql="DELETE FROM sessions", rows=12),))
        )
        batches.events.save_triggers(TriggerSnapshot(NOON, Triggers(NOON, (TRIGGER,))), "eventbridge")


def export_to(url: str, folder: Path, now: int = NOON) -> Path:
    with Archive.open(url, MIGRATION) as archive:
        export_archive(archive.engine, MIGRATION, folder, now=now)
    return folder
