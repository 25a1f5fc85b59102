"""The demo's releases: of one service, whose target groups swap; what was rolled back had regressed, and the others had not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest

from archive import Archive
from domain import Migration, Window
from domain.deployments import Deployment
from domain.releases import Release
from services.releases import read_release_row, read_releases, release_issue, release_migration
from sources.demo.releases import release_deployments, release_scenario
from sources.demo.sources import demo_migration, demo_releases
from sources.registry import create_sources

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=40)
NOW_S = int(NOW.timestamp())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Of the service, and of each of its releases."""
    folder = tmp_path_factory.mktemp("demo")
    migration = demo_releases(ANCHOR)
    with Archive.open(f"sqlite:///{folder / 'archive.db'}", migration, clock=lambda: NOW) as opened:
        _fetch(opened, migration, Window(NOW_S - 10 * 86_400, NOW_S))
        for release in read_releases(opened, migration, now=NOW):
            derived = release_migration(migration, release)
            assert derived.release
            _fetch(opened.of(derived), derived, derived.release.window(NOW_S), metrics=True)
        yield opened


def _fetch(archive: Archive, migration: Migration, window: Window, *, metrics: bool = False) -> None:
    sources = create_sources(migration, clock=lambda: NOW, anchor=ANCHOR)
    for events in sources.events:
        archive.events.save_events(events.events(window), events.name)
    for source in sources.metrics if metrics else ():
        archive.metrics.fill(window, source, now=NOW)


def releases_of(archive: Archive) -> tuple[Release, ...]:
    return read_releases(archive, demo_releases(ANCHOR), now=NOW)


def test_each_release_replaces_what_succeeded_before_it_and_can_be_judged(archive: Archive) -> None:
    releases = releases_of(archive)
    assert [release.outcome for release in releases] == ["running", "succeeded", "rolled_back", "succeeded"]
    assert [release_issue(demo_releases(ANCHOR), release) for release in releases] == [None] * 4
    serving = None
    for release in reversed(releases):
        assert serving in (None, (release.baseline.task_definition, release.baseline.target_group))
        new = release.canary if release.outcome == "succeeded" else release.baseline
        serving = new.task_definition, new.target_group


def test_the_rolled_back_release_alone_regressed(archive: Archive) -> None:
    decisions = {}
    for release in releases_of(archive):
        row = read_release_row(archive, demo_releases(ANCHOR), "demo", release, now=NOW)
        assert row.evaluation
        decisions[release.canary.task_definition] = row.evaluation.decision.decision
    assert decisions == {
        "search:61": "continue",
        "search:60": "continue",
        "search:59": "roll_back",
        "search:58": "continue",
    }


def test_the_weights_and_the_requests_are_those_of_the_running_release(archive: Archive) -> None:
    migration, release = demo_releases(ANCHOR), releases_of(archive)[0]
    derived = release_migration(migration, release)
    sources = create_sources(derived, clock=lambda: NOW, anchor=ANCHOR)
    assert sources.traffic
    traffic = sources.traffic.snapshot().traffic
    assert traffic and traffic.configured_shares == {"baseline": Fraction(4, 5), "canary": Fraction(1, 5)}
    result = archive.of(derived).metrics.read(Window(NOW_S - 3600, NOW_S - 600), "demo")
    requests = result.frame[result.frame["metric"] == "requests"].groupby("fleet", observed=True)["value"].sum()
    assert requests["canary"] / requests.sum() == pytest.approx(0.2, abs=0.01)


def test_its_weight_change_is_that_of_the_running_release(archive: Archive) -> None:
    release = releases_of(archive)[0]
    derived = release_migration(demo_releases(ANCHOR), release)
    changes = archive.of(derived).events.weight_changes()
    assert [(change.ts, change.before, change.after) for change in changes] == [(release.started, 0.0, 0.2)]


def test_deployments_are_known_when_they_begin() -> None:
    deployments = release_deployments(ANCHOR, NOW_S)
    first = deployments[-1].created
    assert release_deployments(ANCHOR, first - 1) == ()
    assert len(release_deployments(ANCHOR, first)) == 1


def test_one_target_group_is_old_and_the_other_is_new() -> None:
    for step, following in pairwise(release_scenario(ANCHOR).steps):
        assert {step.old, step.live} == {following.old, following.live}
        assert len({step.old, step.live}) == 2


def test_it_shares_the_archive_of_the_demo_but_no_data() -> None:
    migration, service = demo_migration(ANCHOR), demo_releases(ANCHOR)
    assert migration.archive == service.archive
    assert migration.key != service.key and migration.slug != service.slug


def test_the_running_release_is_paused_before_its_last_step_and_stays_so() -> None:
    def newest(hours: float) -> Deployment:
        return release_deployments(ANCHOR, int((ANCHOR + timedelta(hours=hours)).timestamp()))[0]

    baking = newest(-0.6)
    assert (baking.stage, baking.waits) == ("BAKE_TIME", ())
    for hours in (0, 20, 100):
        paused = newest(hours)
        (wait,) = paused.waits
        assert (paused.running, paused.stage, wait.on_timeout) == (True, "PRE_PRODUCTION_TRAFFIC_SHIFT", "roll_back")
        left_s = (wait.expires_at or 0) - int((ANCHOR + timedelta(hours=hours)).timestamp())
        assert 0 < left_s <= 86_400
        assert paused.arn.endswith(f":service-deployment/photo/search/{paused.id}")
