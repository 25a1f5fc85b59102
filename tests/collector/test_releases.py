"""The collection of releases: each is noticed, polled for its own time, and left alone when it is complete."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from archive import SourceState
from collector.releases import OpenRelease, ReleaseCollection
from domain import Migration, Window
from services.releases import collected_releases, release_migration
from sources.registry import create_sources
from tests.factories.deployments import NOON
from tests.factories.releases import HOUR, ReleasedService, released_service, service_deployment


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasedService]:
    with released_service(tmp_path, monkeypatch) as service:
        yield service


def requested_times(released: ReleasedService) -> list[tuple[float, float]]:
    """From and to of each request, in hours before NOON."""
    hours = [
        [(NOON - request[end]) / HOUR for end in ("StartTime", "EndTime")] for request in released.cloudwatch.requests
    ]
    return [(start, end) for start, end in hours]


def test_a_release_is_noticed_polled_and_left_alone_when_it_is_complete(released: ReleasedService) -> None:
    released.set_deployments()
    released.poll_deployments()
    collection = released.collection()
    collection.update()
    assert (collection.opened, released.cloudwatch.calls) == ((), 0)

    released.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
    released.poll_deployments()
    collection.update()
    (running,) = collection.opened
    assert running.is_running
    assert "check" not in [task.role for task in running.collector.tasks]
    starts, ends = zip(*requested_times(released), strict=True)
    assert (max(starts), min(ends)) == (1, 0)  # nothing before its start
    collection.update()
    assert collection.opened == (running,)

    released.now += HOUR
    released.set_deployments(service_deployment(43, "SUCCESSFUL", NOON - HOUR, finishedAt=NOON + 600))
    released.poll_deployments()
    calls = released.cloudwatch.calls
    collection.update()  # the minutes until its end
    (ended,) = collection.opened
    assert ended is not running and ended.migration.release and ended.migration.release.end == NOON + 600
    assert not ended.is_running
    assert released.cloudwatch.calls > calls
    assert min(end for _, end in requested_times(released)) == pytest.approx(-1 / 6)
    calls = released.cloudwatch.calls
    for _update in range(3):
        collection.update()
    assert (collection.opened, released.cloudwatch.calls) == ((), calls)

    again = released.collection()  # of the next process
    again.update()
    assert (again.opened, released.cloudwatch.calls) == ((), calls)


def test_a_release_that_has_just_ended_is_polled_until_its_minutes_are_final(released: ReleasedService) -> None:
    released.set_deployments(service_deployment(43, "SUCCESSFUL", NOON - HOUR, finishedAt=NOON - 60))
    released.poll_deployments()
    collection = released.collection()
    collection.update()
    collection.update()
    assert len(collection.opened) == 1
    released.now += 15 * 60
    (release,) = collection.opened
    release.collector.start()
    collection.update()
    assert collection.opened == ()


def test_of_many_past_releases_the_newest_come_first(released: ReleasedService) -> None:
    released.groups = {number: group for number, group in enumerate(["photo-ecs-blue", "photo-ecs-green"] * 3, 40)}
    released.set_deployments(
        *(
            service_deployment(
                number, "SUCCESSFUL", NOON - (50 - number) * 2 * HOUR, finishedAt=NOON - (50 - number) * 2 * HOUR + 600
            )
            for number in (45, 44, 43, 42, 41)
        )
    )
    released.poll_deployments()
    released.cloudwatch.denied = True
    collection = released.collection()
    collection.update()
    assert [release.migration.name for release in collection.opened] == ["Photo · web:45", "Photo · web:44"]
    released.cloudwatch.denied = False
    collection.stop()
    assert collection.opened == ()


def test_the_sources_of_a_past_release_read_nothing_of_now(released: ReleasedService) -> None:
    """Neither the weights nor the services: they are those of a later release."""
    released.set_deployments(
        service_deployment(43, "IN_PROGRESS", NOON - HOUR),
        service_deployment(42, "SUCCESSFUL", NOON - 9 * HOUR, finishedAt=NOON - 8 * HOUR),
    )
    released.poll_deployments()
    running, ended = (
        create_sources(release_migration(released.migration, release), clock=released.clock)
        for release in released.releases()
    )
    assert (ended.traffic, ended.events) == (None, ())
    assert running.traffic is not None
    assert [source.name for source in running.events] == ["ecs"]


def test_a_release_lists_no_deployments_of_months_ago(released: ReleasedService) -> None:
    released.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
    released.poll_deployments()
    (release,) = released.releases()
    sources = create_sources(release_migration(released.migration, release), clock=released.clock)
    released.ecs.requests.clear()
    sources.events[0].events(Window(NOON - HOUR, NOON))
    (since,) = [
        request["createdAt"]["after"] for name, request in released.ecs.requests if name == "ListServiceDeployments"
    ]
    assert NOON - since < 5 * 24 * HOUR


def two_running(released: ReleasedService) -> tuple[Migration, Migration]:
    """Their migrations, the newer one first."""
    released.set_deployments(
        service_deployment(43, "IN_PROGRESS", NOON - HOUR), service_deployment(42, "IN_PROGRESS", NOON - 2 * HOUR)
    )
    released.poll_deployments()
    newer, older = collected_releases(released.archive, released.migration, now=released.clock())
    return newer, older


def opened_slugs(collection: ReleaseCollection) -> list[str]:
    return [release.migration.slug for release in collection.opened]


def test_of_more_releases_than_are_followed_those_go_on_that_were(
    released: ReleasedService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("collector.releases.MAX_RUNNING", 1)
    released.set_deployments(service_deployment(42, "IN_PROGRESS", NOON - 2 * HOUR))
    released.poll_deployments()
    collection = released.collection()
    collection.update()
    assert collection.not_followed == frozenset()
    newer, older = two_running(released)
    collection.update()
    collection.update()
    assert opened_slugs(collection) == [older.slug]
    assert collection.not_followed == {newer.slug}
    assert caplog.messages == [f"not followed, because 1 releases run: {newer.slug}"]


def test_a_release_that_is_viewed_takes_the_place_of_another(
    released: ReleasedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.releases.MAX_RUNNING", 1)
    newer, older = two_running(released)
    collection = released.collection()
    collection.update()
    assert opened_slugs(collection) == [newer.slug]
    viewed = collection.view(older)
    assert collection.view(older) is viewed
    collection.update()
    assert collection.opened == (viewed,)
    assert collection.not_followed == {newer.slug}


def test_a_release_that_is_viewed_stays_open_when_it_is_complete_until_it_is_another_one(
    released: ReleasedService,
) -> None:
    released.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
    released.poll_deployments()
    collection = released.collection()
    (running,) = collected_releases(released.archive, released.migration, now=released.clock())
    opened = collection.view(running)
    denied = SourceState("load_balancer", "traffic", "denied", NOON, None, 0.1, ())
    opened.archive.events.save_source_state(denied, success=False)
    assert "denied" in [state.state for state in opened.source_states()]
    released.now += HOUR
    released.set_deployments(service_deployment(43, "SUCCESSFUL", NOON - HOUR, finishedAt=NOON + 600))
    released.poll_deployments()
    (ended,) = collected_releases(released.archive, released.migration, now=released.clock())
    viewed = collection.view(ended)
    for _update in range(2):
        collection.update()
    assert collection.opened == (viewed,), "that of the running one is closed"
    assert viewed.is_complete(released.clock())
    assert [state.state for state in viewed.source_states()] == ["up"], "the weights are not read any more"
    released.now += 24 * HOUR
    assert [state.state for state in viewed.source_states()] == ["up"], "nothing is read of it any more"


def test_a_release_that_was_complete_is_not_opened_again(released: ReleasedService) -> None:
    released.set_deployments(service_deployment(43, "SUCCESSFUL", NOON - 3 * HOUR, finishedAt=NOON - 2 * HOUR))
    released.poll_deployments()
    opened: list[str] = []

    def open_release(migration: Migration) -> OpenRelease:
        opened.append(migration.slug)
        return released.open(migration)

    def releases(now: datetime) -> Iterator[Migration]:
        return collected_releases(released.archive, released.migration, now=now)

    for n_opened in (1, 2):  # while it is fetched, and by the next process, which finds it complete
        collection = ReleaseCollection(releases, open_release, released.clock)
        for _update in range(3):
            collection.update()
        assert len(opened) == n_opened
        assert collection.opened == ()


def test_a_release_is_opened_and_closed_without_the_lock(
    released: ReleasedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients are created and threads joined meanwhile: pages would wait."""
    newer, older = two_running(released)
    opened: list[str] = []

    def open_release(migration: Migration) -> OpenRelease:
        opened.append(migration.slug)
        if len(opened) == 1:  # another session opens the same one meanwhile
            assert collection.view(newer).migration is newer
        return released.open(migration)

    collection = ReleaseCollection(lambda _now: [older], open_release, released.clock)
    first = collection.view(newer)
    assert opened == [newer.slug, newer.slug]
    assert collection.opened == (first,)
    monkeypatch.setattr("collector.releases.MAX_VIEWED", 1)
    collection.view(older)
    monkeypatch.setattr(first.collector, "stop", lambda: opened.append(str(len(collection.opened))))
    collection.update()
    assert opened[-1] == "1"
