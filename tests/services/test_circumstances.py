"""What the archive has of the circumstances of a decision, and a decision on stored data."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis import SampleRatio
from archive import Archive, MetricsResult
from archive.events.source_state import SourceState
from domain import Event, Window
from domain.config.access_logs import AccessLogs
from domain.decision import RoutesState
from services.decision import read_circumstances
from services.endpoints import log_window
from services.evaluation import evaluate_archived, missing_data
from services.live import TrafficStatus
from services.phases import read_phases
from sources.base import Events, HealthState, Problem
from tests.factories.archived_migration import NOW as MIGRATION_NOW
from tests.factories.archived_migration import archived_migration, make_migration
from tests.factories.archives import open_archive
from tests.fakes.metric_source import NOON

NOW = datetime.fromtimestamp(NOON + 90, UTC)
MINUTE = Window(NOON - 3600, NOON + 120)


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def alert(key: str, *, open: bool, kind: str = "alert") -> Event:
    until = None if open else NOON + 60
    return Event(NOON - 600, until, kind, key, "", "", "", "mackerel_events", key, open=open)  # type: ignore[arg-type]


def test_alerts_that_fire_and_notes(archive: Archive) -> None:
    events = (alert("fires", open=True), alert("closed", open=False), alert("annotation", open=True, kind="annotation"))
    archive.events.save_events(Events(MINUTE, NOON, events), "mackerel_events")
    note = archive.notes.add(NOON, "A broken release", incident="2026-11-10T15:19Z")
    circumstances = read_circumstances(archive, "cloudwatch", None, None, now=NOW)
    assert [event.title for event in circumstances.alerts] == ["fires"]
    assert circumstances.notes == (note,)
    assert (circumstances.sample_ratio_differs, circumstances.regressed_routes) == (False, None)


@pytest.mark.parametrize(("verdict", "differs"), [("matches", False), ("differs", True), ("not enough data", False)])
def test_the_sample_ratio(archive: Archive, verdict: str, differs: bool) -> None:
    ratio = SampleRatio(verdict, 0.5, 0.4, 0.39, 0.41, 1000, 60)  # type: ignore[arg-type]
    traffic = TrafficStatus(None, None, ratio)
    assert read_circumstances(archive, "cloudwatch", traffic, None, now=NOW).sample_ratio_differs == differs


@pytest.mark.parametrize(
    ("source", "role", "state", "answered", "down"),
    [
        ("cloudwatch", "metrics", "down", True, True),
        ("cloudwatch", "metrics", "denied", True, True),
        ("cloudwatch", "metrics", "throttled", True, False),
        ("cloudwatch", "metrics", "up", True, False),
        ("mackerel", "metrics", "down", True, False),
        ("load_balancer", "traffic", "down", True, True),
        ("load_balancer", "traffic", "denied", False, False),  # the phases were never known from it
        ("mackerel_events", "events", "down", True, False),
    ],
)
def test_the_sources_that_the_verdict_rests_on(
    archive: Archive, source: str, role: str, state: HealthState, answered: bool, down: bool
) -> None:
    if answered:
        up = SourceState(source, role, "up", NOON - 60, None, 1.0, ())  # type: ignore[arg-type]
        archive.events.save_source_state(up, success=True)
    now = SourceState(source, role, state, NOON, None, 1.0, ())  # type: ignore[arg-type]
    archive.events.save_source_state(now, success=False)
    circumstances = read_circumstances(archive, "cloudwatch", None, None, now=NOW)
    assert circumstances.sources_down == ((source,) if down else ())


@pytest.mark.parametrize(
    ("last_asked_at", "data_until", "problems", "expected"),
    [
        (NOON, NOON, 0, None),
        (NOON - 3600, NOON - 3600, 0, "stale"),
        (NOON - 3600, None, 0, "unavailable"),
        (NOON, None, 1, "unavailable"),
        (NOON, NOON, 1, None),
        (NOON, None, 0, None),
    ],
)
def test_missing_data(last_asked_at: int, data_until: int | None, problems: int, expected: str | None) -> None:
    denied = (Problem("denied", "cloudwatch", "cloudwatch:GetMetricData"),) * problems
    result = MetricsResult(None, MINUTE, data_until, last_asked_at=last_asked_at, problems=denied)  # type: ignore[arg-type]
    assert missing_data(result, now=NOW) == expected


def test_the_running_phase_awaits_configured_logs(tmp_path: Path) -> None:
    """As the Retrospective shows it, without a collector that could say how far they are counted."""
    migration = make_migration()
    with_logs = migration.model_copy(update={"access_logs": AccessLogs()})
    with archived_migration(tmp_path) as archive:
        *_, past, running = read_phases(archive, "mackerel", now=MIGRATION_NOW)
        for each, phase, expected in (
            (with_logs, running, "pending"),
            (with_logs, past, "judged"),
            (migration, running, "judged"),
        ):
            evaluation = evaluate_archived(archive, each, "mackerel", phase, now=MIGRATION_NOW)
            assert evaluation.circumstances.routes == expected


def test_a_collector_says_how_far_the_logs_of_the_running_phase_are_counted(tmp_path: Path) -> None:
    asked = list[tuple[Window, bool]]()

    def routes_of(logs: Window, has_counts: bool) -> RoutesState:
        asked.append((logs, has_counts))
        return "unreadable"

    with archived_migration(tmp_path) as archive:
        *_, past, running = read_phases(archive, "mackerel", now=MIGRATION_NOW)
        states = [
            evaluate_archived(
                archive, make_migration(), "mackerel", phase, now=MIGRATION_NOW, routes_of=routes_of
            ).circumstances.routes
            for phase in (past, running)
        ]
    assert states == ["judged", "unreadable"]
    assert asked == [(log_window(running.window), False)]


def test_phases_of_the_past_have_their_own_decision(tmp_path: Path) -> None:
    migration = make_migration()
    with archived_migration(tmp_path) as archive:
        phases = read_phases(archive, "mackerel", now=MIGRATION_NOW)
        evaluations = [evaluate_archived(archive, migration, "mackerel", phase, now=MIGRATION_NOW) for phase in phases]
    decided = [(evaluation.outcome, evaluation.decision.decision) for evaluation in evaluations]
    assert decided[:3] == [("advanced", "continue"), ("rolled_back", "roll_back"), ("advanced", "hold")]
    assert decided[3][0] == "running"
    with_outage = evaluations[1]
    assert [incident.own for incident in with_outage.judgement.incidents] == ["canary"]
