"""The board of several migrations: the first page, with one of them failing, and which migration the other pages show."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from collector.collector import Collector
from domain import ConfigIssue, ConfigurationError, utc_now
from services.board import BoardRow
from sources.registry import Sources
from tests.factories.archives import MIGRATION
from tests.factories.demo_app import demo_app
from tests.fakes.metric_source import FakeMetricSource
from ui import app_context
from ui.app_context import AppContext, AppContexts

ROUTER = str(Path(__file__).parents[2] / "pages" / "__init__.py")
BROKEN = ConfigurationError(Path("shop.toml"), (ConfigIssue("migration.name", "missing", {}, "shop.toml"),))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    """The demo with data."""
    with demo_app(tmp_path_factory.mktemp("demo")) as app, pytest.MonkeyPatch.context() as patch:
        for module in ("pages.live", "pages.batches", "ui.parity.window_latency", "ui.endpoints.ingest_progress"):
            patch.setattr(f"{module}.INITIAL_WAIT_S", 0.0)
        yield app


@pytest.fixture
def contexts(demo: AppContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppContexts]:
    """The demo, a migration without data whose row cannot be read, and one whose configuration is invalid."""
    migration = MIGRATION.model_copy(update={"name": "Orders <api>"})
    archive, sources = demo.archive.of(migration), Sources((FakeMetricSource(name="mackerel"),))
    orders = AppContext(migration, archive, sources, Collector(archive, sources))
    contexts = AppContexts({"photo-service-demo": demo, "orders-api": orders}, (BROKEN,), is_list=True)

    def fail(_now: object) -> BoardRow:
        raise OSError("the source fails")

    contexts.board._readers = {"photo-service-demo": demo.board_row, "orders-api": fail}
    monkeypatch.setattr(app_context, "_contexts", contexts)
    yield contexts
    contexts.board.stop()


def open_router(**query: str) -> AppTest:
    test = AppTest.from_file(ROUTER, default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def html(test: AppTest) -> str:
    assert not test.exception
    return "\n".join(element.proto.body for element in test.get("html"))


def test_the_first_page_has_a_line_for_each_migration_and_what_is_wrong_with_others(contexts: AppContexts) -> None:
    for _row in contexts.by_slug:
        contexts.board.read_next()
    body = html(open_router())
    assert "2 migrations" in body
    assert "href='/?migration=photo-service-demo'" in body and "href='/?migration=orders-api'" in body
    assert "Orders &lt;api&gt;" in body and "Could not be read. The server&#39;s log has the error." in body
    assert "shop.toml · [migration] name" in body and "`name` is missing in [migration]." in body
    (demo_row,) = [row for row in body.split("<tr>") if "photo-service-demo" in row]
    assert "roll_back" in demo_row or "continue" in demo_row or "wait" in demo_row or "hold" in demo_row
    assert re.search(r"– / [45]\d\.\d%</td>", demo_row)  # no weights were read


def test_before_anything_is_read_the_board_is_loading(contexts: AppContexts) -> None:
    contexts.board.stop()  # nothing is read in this test
    assert html(open_router()).count("Loading…") == 2


def test_the_migration_of_the_url_is_shown_and_kept(contexts: AppContexts) -> None:
    test = open_router(migration="orders-api")
    body = html(test)
    assert "Live – Orders &lt;api&gt;" in body and "class='cards'" not in body
    assert test.query_params["migration"] == "orders-api"
    test.query_params.clear()  # as the navigation does
    assert "Live – Orders &lt;api&gt;" in html(test.run())


def test_migrations_of_one_session_do_not_mix(contexts: AppContexts) -> None:
    assert "Live – Photo service (demo)" in html(open_router(migration="photo-service-demo"))
    body = html(open_router(migration="orders-api"))
    assert "Orders" in body and "Photo service" not in body


def test_an_unknown_migration_leads_to_the_board(contexts: AppContexts) -> None:
    body = html(open_router(migration="nope"))
    assert "No migration “nope”. Choose one of these." in body and "class='cards'" in body


def test_an_unknown_release_is_named_above_the_only_migration(
    demo: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a release that this archive does not have must not pass for it."""
    monkeypatch.setattr(app_context, "_contexts", AppContexts({"photo-service-demo": demo}))
    body = html(open_router(migration="photo-<web>-42"))
    warning = "No migration or release “photo-&lt;web&gt;-42” is known here. This is Photo service (demo)."
    assert warning in body and "Live – Photo service (demo)" in body
    assert "is known here" not in html(open_router(migration="photo-service-demo"))


def test_the_board_in_a_new_tab_does_not_miss_the_migration_of_the_link(contexts: AppContexts) -> None:
    def board_page() -> None:
        from pages import board

        board.render()

    test = AppTest.from_function(board_page, default_timeout=60)
    test.query_params["migration"] = "orders-api"
    body = html(test.run())
    assert "class='cards'" in body and "No migration" not in body


def test_with_one_migration_there_is_no_board(demo: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_context, "_contexts", AppContexts({"photo-service-demo": demo}))
    body = html(open_router())
    assert "Live – Photo service (demo)" in body and "class='board" not in body
    assert not replace(AppContexts({"photo-service-demo": demo})).is_list


def test_the_health_of_all_migrations_counts(contexts: AppContexts) -> None:
    contexts.by_slug["orders-api"].archive.events.save_source_state(
        replace(
            next(iter(contexts.by_slug["photo-service-demo"].source_states())),
            source="mackerel",
            checked_at=int(utc_now().timestamp()),
        ),
        success=True,
    )
    names = {state.source for state in contexts.source_states()}
    assert "mackerel" in names and names > {"mackerel"}
