"""The contexts that a page opens when its URL names them: the demo's second service, and each of its releases."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from archive import Archive
from collector import releases
from collector.collector import Collector
from domain import Migration, Window, utc_now
from services.releases import read_releases
from sources.demo.sources import demo_migration, demo_releases
from sources.registry import create_sources
from ui import app_context
from ui.app_context import AppContext, AppContexts


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppContexts]:
    """The demo, whose collectors are not started, as those of what is opened."""
    monkeypatch.setattr(app_context.OwnThreads, "start", lambda self: None)
    monkeypatch.setattr(app_context.ReleaseCollection, "start", lambda self: None)
    monkeypatch.setattr(Collector, "start", lambda self, **_: None)
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    migration, service = (item.model_copy(update={"archive": url}) for item in (demo_migration(), demo_releases()))
    archive, sources = Archive.open(url, migration), create_sources(migration)
    app = AppContext(migration, archive, sources, Collector(archive, sources))
    with closing(AppContexts({migration.slug: app}, linked=(service,))) as opened:
        yield opened


def release_slugs(service: AppContext) -> list[str]:
    """After its deployments were read, the newest first."""
    now = utc_now()
    window = Window.last(1440, now=now)
    for events in service.sources.events:
        service.archive.events.save_events(events.events(window), events.name)
    return [release.slug for release in read_releases(service.archive, service.migration, now=now)]


def open_service(contexts: AppContexts) -> AppContext:
    service = contexts.find("photo-search-demo")
    assert service and service.migration.is_release_board and service.parent is None
    return service


def test_what_no_url_may_name_is_not_opened(contexts: AppContexts) -> None:
    assert contexts.find("") is None
    assert contexts.find("photo-search-demo-search-61") is None
    assert contexts.find("photo-service-demo") is contexts.by_slug["photo-service-demo"]


def test_a_linked_migration_is_opened_once(contexts: AppContexts) -> None:
    assert open_service(contexts) is open_service(contexts)


def test_a_release_is_a_migration_between_its_revisions_with_its_service_as_parent(contexts: AppContexts) -> None:
    service = open_service(contexts)
    newest, *_, oldest = release_slugs(service)
    app = contexts.find(newest)
    assert app and app.parent is service
    assert app.migration.labels == {"baseline": "search:60", "canary": "search:61"}
    assert contexts.find(newest) is app
    other = contexts.find(oldest)
    assert other and other.migration.key != app.migration.key


def test_the_gate_of_a_board_is_that_of_the_release_that_runs(
    contexts: AppContexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board itself has no decision."""
    service = open_service(contexts)
    other = replace(service, migration=service.migration.model_copy(update={"name": "Other"}))
    board = AppContexts({service.migration.slug: service, "other": other})
    assert board.gate._recorders == []
    assert board.gate_target("photo-search-demo") == ("photo-search-demo", service.archive), "while none runs"
    newest, *_, oldest = release_slugs(service)
    board.releases.update()
    running = next(release for release in board.releases.opened if release.is_running)
    for slug in ("photo-search-demo", newest):
        assert board.gate_target(slug) == (newest, running.archive)
    of_other = board.gate_target("other")
    assert of_other and of_other[0] == newest.replace("photo-search-demo", "other")
    assert board.gate_target(oldest) is None, "it is over"
    assert board.gate_target("photo-search") is None
    assert newest in [recorder.migration.slug for recorder in board.gate._releases()]
    monkeypatch.setattr(Migration, "is_release_board", property(lambda _: False))
    assert board.gate_target("photo-search-demo") == ("photo-search-demo", service.archive), "it has fleets of its own"


def test_the_gate_of_a_migration_with_releases_is_its_own(contexts: AppContexts) -> None:
    newest, *_ = release_slugs(open_service(contexts))
    contexts.releases.update()
    migration = contexts.by_slug["photo-service-demo"]
    assert contexts.gate_target("photo-service-demo") == ("photo-service-demo", migration.archive)
    target = contexts.gate_target(newest)
    assert target and target[0] == newest
    assert [recorder.migration.slug for recorder in contexts.gate._recorders] == ["photo-service-demo"]


def test_a_release_has_one_collector_on_a_page_and_in_the_background(contexts: AppContexts) -> None:
    newest, *_ = release_slugs(open_service(contexts))
    contexts.releases.update()
    (running, *_ended) = contexts.releases.opened
    app = contexts.find(newest)
    assert app and app.collector is running.collector
    contexts.releases.update()
    assert contexts.releases.opened[0] is running


def test_of_many_releases_those_viewed_last_stay_open(contexts: AppContexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "MAX_VIEWED", 2)
    monkeypatch.setattr(releases, "MAX_RUNNING", 0)
    monkeypatch.setattr(releases, "MAX_ENDED", 0)
    first, second, third, *_ = release_slugs(open_service(contexts))
    opened = [contexts.find(slug) for slug in (first, second)]
    assert contexts.find(first) is opened[0]
    contexts.find(third)
    contexts.releases.update()
    assert contexts.find(first) is opened[0]
    assert contexts.find(second) is not opened[1]


def test_the_release_of_a_url_that_is_not_known_yet_belongs_to_its_service(contexts: AppContexts) -> None:
    service = contexts.service_of("photo-search-demo-search-61-20261127-101200")
    assert service is open_service(contexts)
    assert contexts.find("photo-search-demo-search-61-20261127-101200") is None
    assert contexts.service_of("photo-service-demo-web-1") is None, "it has no releases"
    newest, *_ = release_slugs(service)
    app = contexts.find(newest)
    assert app and contexts.service_of(newest) is service


def test_a_release_that_has_ended_meanwhile_is_opened_again(
    contexts: AppContexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, *_ = release_slugs(open_service(contexts))
    running = contexts.find(newest)
    assert running and running.migration.release
    ended = running.migration.release.model_copy(update={"end": running.migration.release.start + 3600})
    over = running.migration.model_copy(update={"release": ended})
    monkeypatch.setattr(app_context, "_release_of", lambda _parent, _slug: over)
    app = contexts.find(newest)
    assert app is not running
    assert app and app.migration.release == ended


def test_the_live_page_of_a_release_that_has_ended_is_about_its_own_time(
    contexts: AppContexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a range, too: its target groups serve other revisions now."""
    slugs = release_slugs(open_service(contexts))
    slug = next(slug for slug in slugs if "-search-59-" in slug)
    app, now = contexts.find(slug), utc_now()
    assert app and app.migration.release
    window = app.migration.release.window(int(now.timestamp()))
    for metrics in app.sources.metrics:
        app.archive.metrics.fill(window, metrics, now=now)
    monkeypatch.setattr(app_context, "_contexts", contexts)
    test = AppTest.from_file(str(Path(__file__).parents[2] / "pages" / "__init__.py"), default_timeout=60)
    test.query_params["migration"] = slug
    test.run()
    body = "\n".join(element.proto.body for element in test.get("html"))
    assert not test.exception
    assert "Whole release: " in body and "Now: " not in body
    assert "last 41 min" not in body.lower()
    assert "in this range" not in body and "insufficient data" not in body, (
        "one revision had all of the traffic at the end"
    )
    assert not [button.label for button in test.button if button.label in ("Back to live", "Whole release")]


def test_a_url_of_a_release_opens_it_when_it_is_known(contexts: AppContexts, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a fresh server, whose archive does not have it yet: until then, the list of its service is shown."""
    slug = next(slug for slug in release_slugs(open_service(contexts)) if "-search-59-" in slug)
    app = contexts.find(slug)
    assert app and app.parent
    monkeypatch.setattr(app_context, "_contexts", contexts)
    with monkeypatch.context() as fresh:
        fresh.setattr(app_context, "_release_of", lambda _service, _slug: None)
        test = AppTest.from_file(str(Path(__file__).parents[2] / "pages" / "__init__.py"), default_timeout=60)
        test.query_params["migration"] = slug
        body = "\n".join(element.proto.body for element in test.run().get("html"))
        assert f"No release “{slug}” of photo/search is known." in body and "photo/search · 4 releases" in body
        assert test.query_params["migration"] == slug
    body = "\n".join(element.proto.body for element in test.run().get("html"))
    assert "is known" not in body and "Live – " in body and "search:59" in body


def test_metrics_are_of_each_migration_and_of_the_release_that_runs(contexts: AppContexts) -> None:
    newest, *_ = release_slugs(open_service(contexts))
    contexts.releases.update()
    assert [target.migration.slug for target in contexts.metrics_targets()] == ["photo-service-demo", newest]
    assert all(target.tasks for target in contexts.metrics_targets())
