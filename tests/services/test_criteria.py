"""Criteria of one's own through all layers: polled, archived, back-filled, judged, drawn."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive import Archive
from archive.metrics.downsampling import ADDITIVE_STATS
from collector.collector import Collector, CollectorConfig
from domain import Criterion, Migration, Window
from domain.series import OWN_COUNTS
from services.criteria import SilentCriterion, criteria_key, fetch_criteria, silent_criteria
from services.evaluation import evaluate_archived
from services.live import LastWeek, last_week, live_data, missing_parts
from services.parity import judge_window
from services.phases import known_phases
from sources.mackerel.client import MackerelApi
from sources.mackerel.criteria import MackerelCriteria
from sources.mackerel.metrics import MackerelMetrics
from sources.registry import Sources
from tests.factories import archives
from tests.factories.config_issues import own_table
from tests.factories.mackerel import make_migration
from tests.fakes.mackerel import ALB_HOST, API_KEY, FakeMackerel
from tests.fakes.traffic_model import SteadyTraffic

pytestmark = pytest.mark.usefixtures("both_engines")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
END = int(NOW.timestamp())
PHASE = Window(END - 4 * 3600, END)
COUNTS = f"host({ALB_HOST}, custom.alb"
CRITERIA = (
    {"metric": "target_5xx_rate", "margin": "1pp"},
    own_table(name="アップロード", better="equal", critical=True),
    own_table(
        name="success",
        kind="rate",
        better="higher",
        margin="5pp",
        baseline=f"divide({COUNTS}.httpcode_count_per_group.photo-ec2.target_2xx), {COUNTS}.request_per_group.photo-ec2.count))",
        canary=f"divide({COUNTS}.httpcode_count_per_group.photo-ecs-blue.target_2xx), {COUNTS}.request_per_group.photo-ecs-blue.count))",
    ),
)


@pytest.fixture
def mackerel() -> Iterator[FakeMackerel]:
    traffic = SteadyTraffic(lambda _: {"photo-ec2": 0.5, "photo-ecs-blue": 0.5})
    with FakeMackerel(traffic, clock=lambda: NOW) as fake:
        minutes = range(END - 30 * 3600, END, 60)
        fake.points["photo"] = {
            "upload.ec2": {ts: 50.0 + ts // 60 % 3 for ts in minutes},
            "upload.ecs": {ts: 30.0 + ts // 60 % 3 for ts in minutes},
        }
        yield fake


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    criteria = tuple(Criterion.model_validate(table) for table in CRITERIA)
    return make_migration(criteria=criteria, archive=archives.archive_url(tmp_path))


@pytest.fixture
def sources(mackerel: FakeMackerel, migration: Migration) -> Iterator[Sources]:
    api = MackerelApi(API_KEY, mackerel.url, backoff_s=0)
    yield Sources(
        metrics=(MackerelMetrics(migration, clock=lambda: NOW, api=api),),
        criteria=(MackerelCriteria(migration, clock=lambda: NOW, api=api),),
    )
    api.close()


@pytest.fixture
def archive(migration: Migration) -> Iterator[Archive]:
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as archive:
        yield archive


def poll(archive: Archive, sources: Sources, *, backfill: bool = False) -> Collector:
    """Polls until only the newest minutes are left."""
    since = END - 28 * 3600
    config = CollectorConfig("photo", horizon_minutes=240, backfill=backfill, since_s=since if backfill else None)
    collector = Collector(archive, sources, config, clock=lambda: NOW)
    for task in collector.tasks:
        if task.role == "metrics":
            for _ in range(30):
                if collector.run_task(task) > 5:
                    break
    return collector


def test_they_are_judged_decided_and_drawn(archive: Archive, sources: Sources, migration: Migration) -> None:
    poll(archive, sources)
    judgement = judge_window(archive, migration, "mackerel", PHASE, now=NOW).judgement
    uploads, success = judgement["アップロード"], judgement["success"]
    assert (uploads.verdict, uploads.reason) == ("regression", "beyond_margin")
    assert uploads.estimate == pytest.approx(-20)
    assert success.verdict == "parity" and success.baseline and success.baseline > 0.9
    assert success.baseline_requests == judgement["target_5xx_rate"].baseline_requests
    phase = known_phases((), end=END)[-1]
    evaluation = evaluate_archived(archive, migration, "mackerel", phase, now=NOW)
    assert ("gate_regression", "アップロード") in [
        (reason.code, reason.subject) for reason in evaluation.decision.reasons
    ]
    data = live_data(archive, migration, "mackerel", Window(END - 3600, END), percentiles=("p95",), slow_s=0.3)
    assert data.own.keys() == {"アップロード", "success"} and data.own_missing == ()
    latest = data.own["アップロード"].latest
    assert latest and latest.difference == pytest.approx(-20)
    assert data.own["success"].comparison.quantity == "rate"


def test_a_range_of_the_past_is_not_complete_without_them(
    archive: Archive, sources: Sources, migration: Migration
) -> None:
    poll(archive, sources)
    window, no_requests = Window(END - 8 * 3600, END - 7 * 3600), "cloudwatch"
    assert missing_parts(archive, migration, no_requests, window) == (window,)
    fetch_criteria(archive, sources.criteria, window, now=NOW)
    assert missing_parts(archive, migration, no_requests, window) == ()
    assert missing_parts(archive, migration, "mackerel", window) == (window,)


def test_a_criterion_that_cannot_be_read_leaves_the_others(
    archive: Archive, sources: Sources, migration: Migration, mackerel: FakeMackerel
) -> None:
    mackerel.points["photo"].pop("upload.ecs")  # renamed
    poll(archive, sources)
    judgement = judge_window(archive, migration, "mackerel", PHASE, now=NOW).judgement
    assert (judgement["アップロード"].verdict, judgement["アップロード"].reason) == ("not enough data", "not_measured")
    assert judgement["success"].verdict == "parity"
    states = {state.source: [problem.kind for problem in state.problems] for state in archive.events.source_states()}
    assert "incomplete" not in states["mackerel"]
    assert states["mackerel_criteria"] == ["no_such_metric", "incomplete"]


def test_the_same_time_last_week_is_behind_their_charts(
    archive: Archive, sources: Sources, migration: Migration, mackerel: FakeMackerel
) -> None:
    window = Window(END - 3600, END)
    week_before = window.week_before(migration.zone)
    mackerel.points["photo"]["upload.ec2"] |= dict.fromkeys(range(week_before.start, week_before.end, 60), 40.0)

    def read() -> LastWeek:
        return last_week(archive, migration, "mackerel", window, percentile="p95", slow_s=0.3)

    poll(archive, sources)
    assert (read().own, read().own_missing) == ({}, ("mackerel_criteria",))
    fetch_criteria(archive, sources.criteria, week_before, now=NOW)
    lines = read()
    assert lines.own_missing == () and lines.own.keys() == {"アップロード", "success"}
    uploads = lines.own["アップロード"]
    assert set(uploads.values) == {40.0} and (uploads.ts[0], uploads.ts[-1]) == (window.start, window.end - 60)
    assert lines.own["success"].values.min() > 0.9


def silence(mackerel: FakeMackerel, name: str, minutes: int) -> None:
    """The metric was renamed `minutes` ago, or gets its last point then."""
    points = mackerel.points["photo"][name]
    mackerel.points["photo"][name] = {ts: value for ts, value in points.items() if ts < END - minutes * 60}


@pytest.mark.parametrize(("minutes", "is_silent"), [(30, False), (80, True), (60 * 24 * 3, True)])
def test_a_metric_that_was_renamed_is_silent(
    archive: Archive, sources: Sources, migration: Migration, mackerel: FakeMackerel, minutes: int, is_silent: bool
) -> None:
    silence(mackerel, "upload.ecs", minutes)
    if not mackerel.points["photo"]["upload.ecs"]:
        del mackerel.points["photo"]["upload.ecs"]  # the API has no such metric
    poll(archive, sources)
    silent = silent_criteria(archive, migration, "mackerel", now=NOW + timedelta(minutes=2))
    assert silent == ((SilentCriterion(migration.own_criteria[0], "canary"),) if is_silent else ())


def test_a_fleet_that_reports_nothing_else_is_not_renamed(
    archive: Archive, sources: Sources, migration: Migration, mackerel: FakeMackerel
) -> None:
    silence(mackerel, "upload.ecs", 80)
    mackerel.traffic_model = SteadyTraffic(lambda _: {"photo-ec2": 1.0})
    poll(archive, sources)
    assert silent_criteria(archive, migration, "mackerel", now=NOW) == ()


def test_a_source_that_does_not_answer_is_not_renamed(
    archive: Archive, sources: Sources, migration: Migration, mackerel: FakeMackerel
) -> None:
    mackerel.failing_paths = {"/api/v0/services/photo/metrics", f"/api/v0/hosts/{ALB_HOST}/metrics"}
    poll(archive, sources)
    assert silent_criteria(archive, migration, "mackerel", now=NOW) == ()


def test_they_are_back_filled_and_a_changed_expression_is_another_series(
    archive: Archive, sources: Sources, migration: Migration, mackerel: FakeMackerel
) -> None:
    poll(archive, sources, backfill=True)
    day_before = Window(END - 26 * 3600, END - 25 * 3600)
    stored = archive.metrics.read(day_before, "mackerel_criteria")
    assert not stored.missing and stored.frame["ts"].nunique() == 60
    key = criteria_key(archive, migration, PHASE)
    changed = own_table(name="アップロード", better="equal", canary="service(photo, upload.ec2)")
    other = migration.model_copy(update={"criteria": (Criterion.model_validate(changed),)})
    api = MackerelApi(API_KEY, mackerel.url, backoff_s=0)
    renewed = MackerelCriteria(other, clock=lambda: NOW, api=api)
    archive.metrics.fill(PHASE, renewed, now=NOW + timedelta(minutes=2))
    api.close()
    assert criteria_key(archive, other, PHASE) != key
    judgement = judge_window(archive, other, "mackerel", PHASE, now=NOW).judgement
    assert judgement["アップロード"].verdict == "parity"


def test_polls_are_bounded(archive: Archive, sources: Sources, mackerel: FakeMackerel) -> None:
    collector = poll(archive, sources)
    mackerel.requests.clear()
    for task in collector.tasks:
        if task.source == "mackerel_criteria":
            collector.run_task(task)
    assert len(mackerel.requests) <= 6  # one for each metric


def test_counts_are_summed_in_a_long_window() -> None:
    assert set(OWN_COUNTS) <= ADDITIVE_STATS
