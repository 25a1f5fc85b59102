"""A list without releases: there was none, or they could not be read."""

from collections.abc import Callable

import pytest

from archive import SourceState
from domain import Window
from pages import board
from sources.base import Events, Problem
from tests.factories.app_context import NOW
from ui.app_context import AppContext, AppContexts

NOW_S = int(NOW.timestamp())


@pytest.fixture
def app(build_app: Callable[..., AppContext]) -> AppContext:
    return build_app("fleets.canary.ecs_service", "photo/web")


def text_of(app: AppContext, rendered: list[str]) -> str:
    rendered.clear()
    board._no_releases(app, "photo/web", NOW)
    return " ".join(rendered)


def test_before_the_first_read_it_is_not_known_whether_there_are_any(app: AppContext, rendered: list[str]) -> None:
    assert "Loading the deployments of photo/web…" in text_of(app, rendered)


def test_without_deployments_it_says_since_when(app: AppContext, rendered: list[str]) -> None:
    for days, source in ((90, "ecs"), (80, "codedeploy")):
        assert "Loading the deployments" in text_of(app, rendered)
        app.archive.events.save_events(Events(Window(NOW_S - days * 86_400, NOW_S), NOW_S), source)
    assert "No deployment of photo/web was found since 3 Sep." in text_of(app, rendered)


def test_what_another_source_covers_does_not_count(app: AppContext, rendered: list[str]) -> None:
    app.archive.events.save_events(Events(Window(NOW_S - 90 * 86_400, NOW_S), NOW_S), "cloudtrail")
    assert "Loading the deployments" in text_of(app, rendered)


def test_a_source_that_cannot_be_read_says_why_with_the_next_step(
    app: AppContext, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in ("ecs", "codedeploy"):
        app.archive.events.save_events(Events(Window(NOW_S - 86_400, NOW_S), NOW_S), source)
    problem = Problem("denied", "ecs", "ListServiceDeployments", "<b>photo/web</b>")
    app.archive.events.save_source_state(
        SourceState("ecs", "events", "denied", NOW_S, None, 0.1, (problem,)), success=False
    )
    assert "The deployments of photo/web could not be read." in text_of(app, rendered)
    monkeypatch.setattr(board, "get_app_context", lambda: app)
    monkeypatch.setattr(board, "open_contexts", lambda: AppContexts({app.migration.slug: app}))
    rendered.clear()
    board._releases("")
    html = " ".join(rendered)
    assert "could not be read" in html and "ListServiceDeployments" in html
    assert "<b>photo/web</b>" not in html


def test_an_awaited_release_is_loading_unread_or_unknown(app: AppContext) -> None:
    def note() -> str:
        return board._awaited_note(app, "photo-web-42", "photo/web")

    assert note() == "Loading the deployments of photo/web. Release “photo-web-42” opens when it is found."
    for source in ("ecs", "codedeploy"):
        app.archive.events.save_events(Events(Window(NOW_S - 86_400, NOW_S), NOW_S), source)
    assert note() == "No release “photo-web-42” of photo/web is known. Choose one of these."
    problem = Problem("denied", "ecs", "ListServiceDeployments", "")
    app.archive.events.save_source_state(
        SourceState("ecs", "events", "denied", NOW_S, None, 0.1, (problem,)), success=False
    )
    assert note() == "Release “photo-web-42” is not known: the deployments of photo/web could not be read."
