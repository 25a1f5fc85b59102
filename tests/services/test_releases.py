"""Releases: from ECS's own answers to a migration of two revisions, its judgement, and what cannot be judged."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import Judgement
from archive import MetricsResult
from archive.metrics.results import RequestCoverage
from collector.collector import CollectorConfig
from domain import Series, Window
from domain.config.loader import parse_tables
from domain.deployments import Deployment, TaskSet
from domain.frame import empty_frame
from domain.releases import image_tag, revisions
from messages.releases import same_weight
from reports.releases import not_judged
from services.releases import (
    ComparedHours,
    SameWeight,
    _as_fleet,
    collected_releases,
    compared_hours,
    read_release_row,
    release_issue,
    release_migration,
)
from sources.base import Events
from tests.factories.config import CONFIG_PATH
from tests.factories.deployments import NOON
from tests.factories.events import logged_change
from tests.factories.releases import (
    HOUR,
    IMAGE,
    ReleasedService,
    release_config,
    release_tables,
    released_service,
    service_deployment,
)
from tests.fakes.deployments import BLUE, GREEN, RULE, group_arn
from tests.fakes.traffic_model import SteadyTraffic


class TwoTimes(SteadyTraffic):
    """All requests go to one group, of which some fail from `since` on."""

    def __init__(self, since: int, error_rate: float) -> None:
        before, after = (
            SteadyTraffic(lambda _ts: {BLUE: 1.0}, requests_per_minute=3000, error_rates={BLUE: rate})
            for rate in (0.001, 0.001 + error_rate)
        )
        super().__init__(lambda _ts: {BLUE: 1.0})
        self.minute = lambda group, ts: (after if ts >= since else before).minute(group, ts)  # type: ignore[assignment]


DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/viewer/x is not authorized")


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasedService]:
    with released_service(tmp_path, monkeypatch) as service:
        service.set_deployments(
            service_deployment(43, "IN_PROGRESS", NOON - HOUR),
            service_deployment(42, "SUCCESSFUL", NOON - 30 * HOUR, weight=100.0, finishedAt=NOON - 29 * HOUR),
        )
        yield service


def test_target_groups_swap_at_each_release(released: ReleasedService) -> None:
    released.poll_deployments()
    running, done = released.releases()
    assert [(item.baseline.task_definition, item.baseline.target_group) for item in (running, done)] == [
        ("web:42", GREEN),
        ("web:41", BLUE),
    ]
    assert [(item.canary.task_definition, item.canary.target_group) for item in (running, done)] == [
        ("web:43", BLUE),
        ("web:42", GREEN),
    ]
    assert (running.outcome, running.started, running.ended, running.running) == ("running", NOON - HOUR, None, True)
    assert (done.outcome, done.started, done.ended) == ("succeeded", NOON - 30 * HOUR, NOON - 29 * HOUR)
    assert (running.service, running.fleet, running.system) == ("photo/web", "canary", "ecs")
    assert running.canary.images[1] == f"{IMAGE}:sha-43"
    assert (running.canary.tag, running.canary.commit_url) == (
        "sha-43",
        "https://github.com/example/photo/commit/sha-43",
    )
    assert running.slug == "photo-web-43-20260102-110000"
    assert running.is_parallel and done.is_parallel


def test_a_release_that_aws_has_forgotten_stays(released: ReleasedService) -> None:
    released.poll_deployments()
    before = released.releases()
    released.ecs.service_deployments, released.ecs.service_revisions = [], []
    released.poll_deployments()
    assert released.releases() == before


def test_what_is_denied_once_is_filled_in_later(released: ReleasedService) -> None:
    released.ecs.errors = {"DescribeServiceRevisions": DENIED}
    released.poll_deployments()
    assert [release_issue(released.migration, release) for release in released.releases()] == ["revisions_unread"] * 2
    (state,) = [state for state in released.archive.events.source_states() if state.source == "ecs"]
    assert [(problem.kind, problem.operation) for problem in state.problems] == [
        ("denied", "ecs:DescribeServiceRevisions")
    ]
    released.ecs.errors = {}
    released.poll_deployments()
    assert [release_issue(released.migration, release) for release in released.releases()] == [None, None]
    released.ecs.errors = {"DescribeServiceRevisions": DENIED}
    released.poll_deployments()
    assert [release.canary.target_group for release in released.releases()] == [BLUE, GREEN]


@pytest.mark.parametrize(
    ("groups", "issue"),
    [({42: BLUE, 43: BLUE}, "not_parallel"), ({42: None, 43: None}, "no_load_balancer"), ({42: GREEN, 43: BLUE}, None)],
)
def test_a_release_is_judged_only_if_both_revisions_serve_side_by_side(
    released: ReleasedService, groups: dict[int, str | None], issue: str | None
) -> None:
    released.groups = groups
    released.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
    released.poll_deployments()
    (release,) = released.releases()
    assert release_issue(released.migration, release) == issue
    assert release.is_parallel == (issue is None)
    assert len(tuple(collected_releases(released.archive, released.migration, now=released.clock()))) == (issue is None)


def test_a_target_group_that_is_not_configured_is_an_issue(released: ReleasedService) -> None:
    released.poll_deployments()
    release = released.releases()[0]
    other = release_config(target_groups=[group_arn(BLUE), group_arn(GREEN).replace(GREEN, "other")])
    assert release_issue(other, release) == "unknown_group"
    with pytest.raises(ValueError, match="unknown_group"):
        release_migration(other, release)


def test_the_migration_of_a_release(released: ReleasedService) -> None:
    released.poll_deployments()
    running, done = (release_migration(released.migration, release) for release in released.releases())
    assert (running.name, running.slug) == ("Photo · web:43", "photo-web-43-20260102-110000")
    assert running.labels == {"baseline": "web:42", "canary": "web:43"}
    assert running.fleets.baseline.target_groups == (group_arn(GREEN),)
    assert running.fleets.canary.target_groups == (group_arn(BLUE),)
    assert (running.fleets.canary.ecs_service, running.fleets.baseline.ecs_service) == ("photo/web", "")
    assert running.since_s == NOON - HOUR
    assert running.releases is None and not running.is_release_board
    assert len({released.migration.key, running.key, done.key}) == 3
    ended = replace(released.releases()[0], ended=NOON, outcome="succeeded")
    assert release_migration(released.migration, ended).key == running.key  # the archive of a release stays its own


def test_the_same_task_definition_on_both_sides_is_named_by_its_group(released: ReleasedService) -> None:
    released.poll_deployments()
    release = released.releases()[0]
    same = replace(release, baseline=replace(release.baseline, task_definition="web:43"))
    assert release_migration(released.migration, same).labels == {
        "baseline": f"web:43 ({GREEN})",
        "canary": f"web:43 ({BLUE})",
    }


def test_a_release_is_judged_over_its_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = SteadyTraffic(
        lambda ts: {BLUE: 0.5, GREEN: 0.5} if ts < NOON else {}, error_rates={BLUE: 0.03}, requests_per_minute=3000
    )
    with released_service(tmp_path, monkeypatch, traffic=traffic) as released:
        released.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
        released.poll_deployments()
        (release,) = released.releases()
        migration = release_migration(released.migration, release)
        released.open(migration).collector.start()
        row = read_release_row(released.archive, released.migration, "cloudwatch", release, now=released.clock())
        assert not row.is_loading and row.evaluation and row.evaluation.phase
        assert (row.evaluation.judgement.verdict, row.evaluation.decision.decision) == ("regression", "roll_back")
        assert row.evaluation.window.start == NOON - HOUR
        assert not row.evaluation.is_over
        assert (row.issue, row.same_weight, row.problem) == (None, None, None)

        released.now += HOUR
        ended = service_deployment(43, "ROLLBACK_SUCCESSFUL", NOON - HOUR, finishedAt=NOON - 600)
        released.set_deployments(ended)
        released.poll_deployments()
        (release,) = released.releases()
        row = read_release_row(released.archive, released.migration, "cloudwatch", release, now=released.clock())
        assert (row.is_loading, row.evaluation) == (True, None), "its last minutes were not final"
        released.open(release_migration(released.migration, release)).collector.start()
        row = read_release_row(released.archive, released.migration, "cloudwatch", release, now=released.clock())
        assert (row.release.outcome, row.release.ended) == ("rolled_back", NOON - 600)
        assert row.evaluation and row.evaluation.is_over
        assert row.evaluation.window.end == NOON - 600
        assert row.evaluation.judgement.verdict == "regression"


@pytest.mark.parametrize(("error_rate", "verdict"), [(0.0, "parity"), (0.05, "regression")])
def test_rolling_updates_are_compared_by_their_first_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_rate: float, verdict: str
) -> None:
    """Each ends at a full hour; the errors begin with the second one."""
    traffic = TwoTimes(NOON - 2 * HOUR, error_rate)
    with released_service(tmp_path, monkeypatch, traffic=traffic) as released:
        released.groups = {41: BLUE, 42: BLUE, 43: BLUE}
        released.set_deployments(
            service_deployment(43, "SUCCESSFUL", NOON - 3 * HOUR, finishedAt=NOON - 2 * HOUR),
            service_deployment(42, "SUCCESSFUL", NOON - 7 * HOUR, finishedAt=NOON - 6 * HOUR),
        )
        released.poll_deployments()
        collector = released.open(released.migration).collector
        collector.config = replace(collector.config, backfill=False)
        collector.start()
        release, first = released.releases()
        row = read_release_row(released.archive, released.migration, "cloudwatch", release, now=released.clock())
        assert (row.issue, row.evaluation) == ("not_parallel", None)
        assert isinstance(row.same_weight, SameWeight)
        evaluation = row.same_weight.evaluation
        assert evaluation.judgement.verdict == verdict
        assert evaluation.labels == {"baseline": "web:42", "canary": "web:43"}
        assert (evaluation.window.start, evaluation.window.end) == (NOON - 2 * HOUR, NOON - HOUR)
        assert not_judged(row).endswith(f"{verdict}, weaker evidence: its first hour against that of web:42")
        row = read_release_row(released.archive, released.migration, "cloudwatch", first, now=released.clock())
        assert (row.evaluation, row.same_weight) == (None, "no_release_before")
        assert not_judged(row) == (
            "Not judged: a rolling update, nothing served in parallel. "
            "There is no earlier release to compare its first hour with."
        )


def test_a_release_takes_along_what_does_not_belong_to_the_fleets(released: ReleasedService) -> None:
    released.poll_deployments()
    own = {"name": "uploads", "source": "mackerel", "baseline": "service(a, b)", "canary": "service(a, c)", "margin": 5}
    tables = release_tables()
    tables["criteria"] = [*tables["criteria"], own]
    tables["aws"]["rule"] = RULE
    tables["aws"]["cloudtrail"] = True
    tables["access_logs"] = {"ingest": True}
    parent = parse_tables(tables, CONFIG_PATH)
    migration = release_migration(parent, released.releases()[0])
    assert [criterion.metric for criterion in migration.criteria] == ["error_rate"]
    assert migration.aws and (migration.aws.rule, migration.aws.cloudtrail) == ("", False)
    assert migration.access_logs and not migration.access_logs.ingest
    config = CollectorConfig.from_migration(migration)
    assert (config.backfill, config.release) == (False, migration.release)


def test_old_releases_are_not_collected(released: ReleasedService) -> None:
    released.poll_deployments()
    collected = collected_releases(released.archive, released.migration, now=released.clock())
    assert [migration.name for migration in collected] == ["Photo · web:43", "Photo · web:42"]
    released.now += 14 * 24 * HOUR
    collected = collected_releases(released.archive, released.migration, now=released.clock())
    assert [migration.name for migration in collected] == ["Photo · web:43"]  # which still runs


def test_a_rollback_by_codedeploy_is_the_outcome_of_its_release(released: ReleasedService) -> None:
    def deployment(id_: str, status: str, created: int, **fields: Any) -> Deployment:
        sets = (
            TaskSet("1", "ACTIVE", "", BLUE, 4, 4, 0, label="Blue"),
            TaskSet("2", "PRIMARY", "", GREEN, 4, 4, 0, label="Green"),
        )
        return Deployment("codedeploy", id_, "canary", status, created, ended=created + 60, task_sets=sets, **fields)

    bad = deployment("d-BAD", "Failed", NOON - 900, rolled_back_by="d-BACK", reason="alarm")
    back = deployment("d-BACK", "Succeeded", NOON - 600, rolls_back="d-BAD")
    window = Window(NOON - HOUR, NOON)
    released.archive.events.save_events(Events(window, NOON, deployments=(back, bad)), "codedeploy")
    (release,) = released.releases()
    assert (release.id, release.outcome, release.reason, release.system) == (
        "d-BAD",
        "rolled_back",
        "alarm",
        "codedeploy",
    )
    assert (release.baseline.target_group, release.canary.target_group) == (BLUE, GREEN)


@pytest.fixture
def rolling(released: ReleasedService) -> ReleasedService:
    """Three rolling updates, of which the second one failed."""
    released.groups = dict.fromkeys(range(40, 44), BLUE)
    released.set_deployments(
        service_deployment(43, "SUCCESSFUL", NOON - 3 * HOUR, finishedAt=NOON - 2 * HOUR),
        service_deployment(42, "STOPPED", NOON - 4 * HOUR, stoppedAt=NOON - 3 * HOUR - 1800),
        service_deployment(41, "SUCCESSFUL", NOON - 7 * HOUR, finishedAt=NOON - 6 * HOUR),
    )
    released.poll_deployments()
    return released


def test_a_rolling_update_is_compared_with_the_last_one_that_succeeded(rolling: ReleasedService) -> None:
    hours = compared_hours(rolling.archive, rolling.migration, rolling.releases()[0], now=rolling.clock())
    assert isinstance(hours, ComparedHours)
    assert hours.before.canary.task_definition == "web:41"
    assert hours.old == Window(NOON - 6 * HOUR, NOON - 5 * HOUR)
    assert hours.new == Window(NOON - 2 * HOUR, NOON - HOUR)


def test_of_an_hour_that_was_cut_short_as_much_is_compared(rolling: ReleasedService) -> None:
    release = replace(rolling.releases()[0], started=NOON - 6 * HOUR + 1830)
    hours = compared_hours(rolling.archive, rolling.migration, release, now=rolling.clock())
    assert isinstance(hours, ComparedHours)
    assert hours.old == Window(NOON - 6 * HOUR, NOON - 6 * HOUR + 1800)
    assert hours.new == Window(NOON - 2 * HOUR, NOON - 2 * HOUR + 1800)
    assert "its first 30 min against those of web:41" in same_weight(Judgement("parity", ()), "web:41", 1800)


def test_hours_of_different_weights_are_not_compared(rolling: ReleasedService) -> None:
    change = replace(logged_change(-900, 0.5), ts=NOON - 4 * HOUR, since=NOON - 4 * HOUR)
    events = Events(Window(NOON - 9 * HOUR, NOON), NOON, weight_changes=(change,))
    rolling.archive.events.save_events(events, "cloudtrail", keep_missing=True)
    hours = compared_hours(rolling.archive, rolling.migration, rolling.releases()[0], now=rolling.clock())
    assert hours == "other_weights"


def test_an_hour_whose_weights_changed_is_not_compared_with_another_such_hour(rolling: ReleasedService) -> None:
    """The share of both is unknown."""
    changes = tuple(
        replace(logged_change(-900, 0.5), ts=end + 1800, since=end + 1800, key=str(end))
        for end in (NOON - 6 * HOUR, NOON - 2 * HOUR)
    )
    events = Events(Window(NOON - 9 * HOUR, NOON), NOON, weight_changes=changes)
    rolling.archive.events.save_events(events, "cloudtrail", keep_missing=True)
    hours = compared_hours(rolling.archive, rolling.migration, rolling.releases()[0], now=rolling.clock())
    assert hours == "other_weights"


@pytest.mark.parametrize(
    ("changes", "issue"),
    [
        ({"ended": None}, "running"),
        ({"ended": NOON}, "running"),
        ({"started": NOON - 6 * HOUR + 30}, "no_time_between"),
        ({"started": NOON - 6 * HOUR}, "no_release_before"),
    ],
)
def test_without_first_hours_of_both_the_reason_is_named(
    rolling: ReleasedService, changes: dict[str, int | None], issue: str
) -> None:
    release = replace(rolling.releases()[0], **changes)
    assert compared_hours(rolling.archive, rolling.migration, release, now=rolling.clock()) == issue


def test_what_was_not_read_of_the_hour_before_is_moved_with_it() -> None:
    """Its gaps are not zeros of the other hour, and those of other target groups are left out."""
    series, other = (Series("cloudwatch", "canary", group, "requests", "sum", "count") for group in (BLUE, GREEN))
    gaps = (Window(60, 120), Window(300, 360))
    known = RequestCoverage(unanswered=gaps[:1], failed=gaps[1:])
    unknown, requests = {series: gaps, other: gaps}, {series: known, other: known}
    result = MetricsResult(empty_frame(), Window(0, 3600), unknown=unknown, requests=requests)
    moved = _as_fleet(result, BLUE, "baseline", 3600)
    renamed = replace(series, fleet="baseline")
    assert moved.unknown == {renamed: (Window(3660, 3720), Window(3900, 3960))}
    assert moved.requests == {renamed: RequestCoverage(unanswered=(Window(3660, 3720),), failed=(Window(3900, 3960),))}


@pytest.mark.parametrize(
    ("value", "tag"),
    [("1a2b3c4", "1a2b3c4"), ("", "sha-43"), ("../../evil?", "sha-43"), ("a b", "sha-43"), ("-x", "sha-43")],
)
def test_the_commit_is_the_configured_tag_if_it_may_be_one(released: ReleasedService, value: str, tag: str) -> None:
    released.poll_deployments()
    deployment = replace(released.archive.events.deployments()[0], commit=value)
    old, new = revisions(deployment, "https://github.com/example/photo/commit/{tag}")
    assert (new.tag, new.commit_url) == (tag, f"https://github.com/example/photo/commit/{tag}")
    assert old.tag == "sha-42"


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("web:42", "42"),
        ("localhost:5000/web", ""),
        (f"{IMAGE}:1a2b3c@sha256:{'0' * 64}", "1a2b3c"),
        (f"{IMAGE}@sha256:{'0' * 64}", ""),
        ("web:", ""),
        ("web:a b", ""),
        ("", ""),
    ],
)
def test_the_tag_of_an_image(image: str, tag: str) -> None:
    assert image_tag(image) == tag
