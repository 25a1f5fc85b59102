"""The import of criteria on the Parity page: read on a press, drawn, and handed out as [[criteria]]."""

import tomllib
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.fakes.mackerel import API_KEY, SERVICE, FakeMackerel
from ui import app_context
from ui.app_context import AppContext, AppContexts
from ui.parity.criteria_import import MAX_LISTED, PAIRS_PER_PAGE


def _page() -> None:
    from ui.app_context import get_app_context
    from ui.parity.criteria_import import _content

    _content(get_app_context())


def graph(title: str, metric: str = "uploads") -> dict[str, object]:
    lines = ", ".join(f"alias(service({SERVICE}, {metric}.{name}), '{name.upper()}')" for name in ("ec2", "ecs"))
    return {"type": "graph", "title": title, "graph": {"type": "expression", "expression": f"group({lines})"}}


def query(title: str) -> dict[str, object]:
    return {"type": "graph", "title": title, "graph": {"type": "query", "query": "up"}}


@pytest.fixture
def mackerel(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMackerel]:
    with FakeMackerel() as fake:
        monkeypatch.setenv("MACKEREL_APIBASE", fake.url)
        monkeypatch.setenv("MACKEREL_APIKEY", API_KEY)
        now = int(fake.clock().timestamp()) // 60 * 60
        fake.points[SERVICE] = {
            f"uploads.{name}": dict.fromkeys(range(now - 3600, now, 60), 20.0) for name in ("ec2", "ecs")
        }
        fake.dashboards = [{"id": "d", "title": "移行", "widgets": [graph("uploads"), query("labelled")]}]
        yield fake


@pytest.fixture
def page(build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    app = build_app()
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    return AppTest.from_function(_page, default_timeout=30).run()


def texts(page: AppTest) -> str:
    assert not page.exception
    return " ".join(item.proto.body for item in page.get("html"))


def read(page: AppTest) -> AppTest:
    return page.button[0].click().run()


def test_nothing_is_read_until_the_button_is_pressed(page: AppTest, mackerel: FakeMackerel) -> None:
    page.run()
    assert mackerel.paths == [] and page.button[0].label == "Read dashboards"
    read(page)
    n_requests = len(mackerel.paths)
    assert "Pairs: 1 · dashboards: 1 · expression monitors: 1" in texts(page)
    page.run()
    assert len(mackerel.paths) == n_requests and page.button[0].label == "Read again"


def test_a_taken_graph_is_handed_out_as_criteria(page: AppTest, mackerel: FakeMackerel) -> None:
    read(page)
    assert len(page.get("bidi_component")) == 1 and not page.code
    page.checkbox[0].check().run()
    (table,) = tomllib.loads(page.code[0].value)["criteria"]
    assert (table["name"], table["margin"], table["better"]) == ("uploads", "10%", "equal")


def test_queries_are_listed_with_their_reason_and_a_link(page: AppTest, mackerel: FakeMackerel) -> None:
    read(page)
    assert "Not read: labelled (移行): a PromQL query; no API of Mackerel reads labelled metrics" in texts(page)
    assert "/dashboards/d' target='_blank'" in texts(page)


def test_a_graph_without_values_says_why(page: AppTest, mackerel: FakeMackerel) -> None:
    mackerel.points[SERVICE] = {}
    read(page)
    assert "No values in the last 3 hours." in texts(page) and "uploads" in texts(page)
    assert not page.get("bidi_component")


@pytest.mark.parametrize(
    ("is_denied", "key", "sentence"),
    [
        (True, API_KEY, "Grant the key Read permission in Mackerel (organization → API keys)."),
        (False, "", "MACKEREL_APIKEY is not set. Create an API key with Read permission"),
    ],
)
def test_a_key_that_reads_nothing(
    page: AppTest, mackerel: FakeMackerel, monkeypatch: pytest.MonkeyPatch, is_denied: bool, key: str, sentence: str
) -> None:
    mackerel.has_read_permission = not is_denied
    monkeypatch.setenv("MACKEREL_APIKEY", key)
    read(page)
    assert sentence in texts(page) and "Retrying automatically" not in texts(page)


def test_an_organization_without_dashboards(page: AppTest, mackerel: FakeMackerel) -> None:
    mackerel.dashboards = []
    read(page)
    assert "This organization has no custom dashboard. Use the API key" in texts(page)


def test_of_500_widgets_a_few_are_read_at_a_time(page: AppTest, mackerel: FakeMackerel) -> None:
    widgets = [*[graph("uploads")] * 250, *[query("labelled")] * 250]
    mackerel.dashboards = [{"id": "d", "title": "many", "widgets": widgets}]
    read(page)
    assert "Pairs: 250" in texts(page) and f"and {250 + 2 - MAX_LISTED} more" in texts(page)
    assert len(page.checkbox) == PAIRS_PER_PAGE
    n_requests = sum(path.endswith("/metrics") for path in mackerel.paths)
    assert n_requests == 2 * PAIRS_PER_PAGE
    page.checkbox[0].check().run()
    page.selectbox[0].select(PAIRS_PER_PAGE).run()
    page.checkbox[0].check().run()
    assert [table["name"] for table in tomllib.loads(page.code[0].value)["criteria"]] == ["uploads", "uploads 7"]
