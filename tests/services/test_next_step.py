"""The next step from the archive: its inputs, and what it is not computed for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.deployments.next_step import NextStep
from archive import Archive
from domain import Migration, Slo, Target, Traffic, Window
from domain.decision import DecisionReason, ReasonedDecision
from domain.deployments import Deployment, DeploymentState, Wait
from domain.releases import Release, Revision
from services import next_step as service
from services.evaluation import Evaluation, build_evaluation
from services.next_step import lead_minutes, next_step
from services.parity import judge_window
from sources.demo.sources import DemoMetrics, demo_migration
from tests.factories import archives
from tests.factories.config import make_migration
from tests.factories.traffic import ARNS, GREEN, make_rule, make_traffic

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17)
NOW_S = int(NOW.timestamp())
PHASE = Window(NOW_S - 3 * 3600, NOW_S)
HOOK = Wait("hook-1", None, "roll_back")
ARN = "arn:aws:ecs:ap-northeast-1:123456789012:service-deployment/c/s/d-1"
HALF = make_traffic(make_rule(ec2=500, blue=0, green=500))


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return demo_migration(ANCHOR).model_copy(update={"archive": archives.archive_url(tmp_path)})


@pytest.fixture
def archive(migration: Migration) -> Iterator[Archive]:
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as data:
        data.metrics.get(PHASE, DemoMetrics(migration, anchor=ANCHOR, clock=lambda: NOW), now=NOW)
        yield data


@pytest.fixture
def evaluation(archive: Archive, migration: Migration, monkeypatch: pytest.MonkeyPatch) -> Evaluation:
    monkeypatch.setattr(Evaluation, "decision", ReasonedDecision())
    judged = judge_window(archive, migration, "demo", PHASE, now=NOW, canary_share=0.5)
    return build_evaluation(judged, migration, "demo")


def step(
    archive: Archive,
    migration: Migration,
    evaluation: Evaluation,
    traffic: Traffic | None = HALF,
    state: DeploymentState | None = None,
) -> NextStep:
    return next_step(archive, migration, evaluation, traffic, state, now=NOW)


def test_the_larger_weight_with_its_commands(archive: Archive, migration: Migration, evaluation: Evaluation) -> None:
    found = step(archive, migration, evaluation)
    assert (found.reason, found.current, found.recommended) == ("next", 0.5, 0.75)
    assert '"Weight":3' in found.commands and "weight = 3" in found.terraform
    assert [row.share for row in found.rows][-2:] == [0.75, 1.0]
    assert found.row and found.row.dwell_minutes and found.row.dwell_minutes > lead_minutes(migration)


def test_only_healthy_targets_of_groups_with_weight_carry(
    archive: Archive, migration: Migration, evaluation: Evaluation
) -> None:
    targets = tuple(
        Target(f"i-{at}", 80, "", state, "", "") for at, state in enumerate(("healthy", "healthy", "draining"))
    )
    groups = tuple(replace(item, targets=targets if item.arn == ARNS[GREEN] else item.targets) for item in HALF.groups)
    load = step(archive, migration, evaluation, replace(HALF, groups=groups)).load
    assert load.healthy == 2
    assert load.total and load.max_load
    unread = tuple(replace(item, targets=None) for item in groups)
    unknown = step(archive, migration, evaluation, replace(HALF, groups=unread))
    assert unknown.load.healthy is None
    assert {row.load for row in unknown.rows} == {None}


def test_the_error_budget_is_that_of_the_slo(
    archive: Archive, migration: Migration, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = migration.model_copy(update={"slo": None})
    assert {row.budget_burned for row in step(archive, without, evaluation).rows} == {None}
    monkeypatch.setattr("analysis.retrospective.error_budget.MIN_COVERED_S", 3600)
    strict = migration.model_copy(update={"slo": Slo(target_percent=99.9, days=30)})
    row = step(archive, strict, evaluation).rows[-2]
    assert row.extra_errors and row.budget_burned
    assert 0 < row.budget_burned < 1


@pytest.mark.parametrize(("status", "reason"), [("InProgress", "deploying"), ("Succeeded", "next")])
def test_no_step_during_a_deployment(
    archive: Archive, migration: Migration, evaluation: Evaluation, status: str, reason: str
) -> None:
    deployment = Deployment("codedeploy", "d-1", "canary", status, NOW_S - 60, task_definition="web:43")
    found = step(archive, migration, evaluation, state=DeploymentState(NOW_S, deployments=(deployment,)))
    assert (found.reason, found.subject) == (reason, "web:43" if reason == "deploying" else "")
    assert found.rows
    assert bool(found.commands) == (reason == "next")


@pytest.mark.parametrize(
    ("release", "waits", "reason"),
    [
        ("d-1", (HOOK,), "continue_deployment"),
        ("d-1", (), "deploying"),
        ("d-1", (Wait("TERMINATION_WAIT"),), "deploying"),
        ("d-2", (HOOK,), "deploying"),  # of another release, or of the canary of a migration: not what was judged
    ],
)
def test_a_release_that_waits_for_approval_is_continued(
    archive: Archive, migration: Migration, evaluation: Evaluation, release: str, waits: tuple[Wait, ...], reason: str
) -> None:
    deployment = Deployment(
        "ecs", "d-1", "canary", "IN_PROGRESS", NOW_S - 60, task_definition="web:43", waits=waits, arn=ARN
    )
    revision = Revision("web:43", "photo-ecs-green")
    of_release = migration.model_copy(
        update={"release": Release(release, "s", "c/s", "canary", "ecs", 0, None, "running", revision, revision)}
    )
    found = step(archive, of_release, evaluation, state=DeploymentState(NOW_S, deployments=(deployment,)))
    assert (found.reason, found.subject, found.is_advised) == (reason, "web:43", reason == "continue_deployment")
    assert found.commands.endswith("--action CONTINUE") == (reason == "continue_deployment")


def test_nothing_is_read_where_no_forecast_is_of_use(
    archive: Archive, migration: Migration, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "prepare_window", pytest.fail)
    assert step(archive, migration, evaluation, None) == NextStep("no_weights")
    assert step(archive, migration, evaluation, make_traffic(make_rule(ec2=0, green=1))).reason == "at_100"


def test_the_load_is_compared_with_that_of_the_canarys_targets(
    archive: Archive, migration: Migration, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = {"baseline": 1.0, "canary": 2.0}
    monkeypatch.setattr(service, "max_load_per_target", lambda *args, **_: peaks[args[3]])
    assert step(archive, migration, evaluation).load.max_load == 2.0


def test_to_stay_needs_no_command(
    archive: Archive, migration: Migration, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    undecided = ReasonedDecision((DecisionReason("undecided", "error_rate", 25),))
    monkeypatch.setattr(Evaluation, "decision", undecided)
    found = step(archive, migration, evaluation)
    assert (found.reason, found.recommended, found.minutes, found.commands) == ("stay", 0.5, 25, "")


@pytest.mark.parametrize(("warm_up", "provisional", "expected"), [("10m", 3, 14), ("0", 3, 5), ("1m", 0, 2)])
def test_judging_begins_after_the_warm_up_and_two_minutes_at_least(
    warm_up: str, provisional: int, expected: int
) -> None:
    migration = make_migration("migration.warm_up", warm_up).model_copy(update={"provisional_minutes": provisional})
    assert lead_minutes(migration) == expected
