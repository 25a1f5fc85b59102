"""The sign-in in a browser: from a cold deep link to the provider and back, what each role sees, and the way out."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from messages import notes
from messages import sign_in as text
from tests.browser.dashboard_page import DashboardPage
from tests.factories.archived_migration import SHIFT_S, archived_migration, make_migration, write_config
from tests.factories.dashboard_server import DashboardServer, free_port, run_dashboard
from tests.factories.sign_in_server import SECRETS, oidc_table
from tests.fakes.openid_provider import USER, FakeOpenIdProvider

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
DEEP_LINK = "/retrospective?lang=en&weeks=1"


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeOpenIdProvider]:
    with FakeOpenIdProvider(algorithm="ES256") as provider:
        yield provider


@pytest.fixture(scope="module")
def server(provider: FakeOpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    """With an archive, and a source that does not answer."""
    folder, port = tmp_path_factory.mktemp("sign-in"), free_port()
    archived_migration(folder, make_migration(), shift_s=SHIFT_S).close()
    path = write_config(folder, f"[sign_in]\n{oidc_table(provider, port)}")
    mackerel = {"MACKEREL_APIKEY": "not-a-key", "MACKEREL_APIBASE": "http://127.0.0.1:9"}
    with run_dashboard(folder, {"MIGRATION_CONFIG": str(path), **SECRETS, **mackerel}, port=port) as server:
        yield server


@pytest.fixture
def visit(chromium: Browser, provider: FakeOpenIdProvider) -> Iterator[Callable[..., Page]]:
    """Opens a tab of a browser without cookies, whose user at the provider has these groups."""
    contexts: list[BrowserContext] = []

    def open_tab(url: str, *groups: str, **user: str) -> Page:
        provider.user = USER | {"groups": list(groups)} | user
        contexts.append(chromium.new_context(viewport={"width": 1440, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(90_000)
        page.goto(url)
        return page

    yield open_tab
    for context in contexts:
        context.close()


def test_a_cold_deep_link_returns_to_itself_and_a_viewer_reads_only(
    server: DashboardServer, visit: Callable[..., Page]
) -> None:
    page = visit(server.url + DEEP_LINK)
    expect(page.locator(".phases tbody tr")).to_have_count(4)
    assert page.url == server.url + DEEP_LINK
    expect(page.locator(".visitor")).to_have_text("佐藤 あゆみ · viewer Sign out")
    expect(page.get_by_text(text.needs_role("editor"))).to_have_count(2)
    expect(page.get_by_label(str(notes.TEXT))).to_have_count(0)
    expect(page.get_by_role("button", name=str(notes.SAVE))).to_have_count(0)
    expect(page.get_by_role("button", name=str(notes.REMOVE))).to_have_count(0)


def test_an_editor_adds_a_note_under_the_name_of_the_sign_in(
    server: DashboardServer, visit: Callable[..., Page]
) -> None:
    page = visit(f"{server.url}/retrospective", "editors")
    expect(page.locator(".visitor")).to_contain_text("· editor")
    expect(page.locator(".phases")).not_to_contain_text("judging")
    DashboardPage(page, server).wait_until_idle()
    page.get_by_label(str(notes.TEXT)).fill("Doubled the tasks")
    expect(page.get_by_label(str(notes.AUTHOR)).last).to_have_value("佐藤 あゆみ")
    page.get_by_role("button", name=str(notes.SAVE)).click()
    expect(page.get_by_text("Doubled the tasks").first).to_be_visible()
    expect(page.get_by_text("佐藤 あゆみ").first).to_be_visible()


def test_a_user_in_no_list_sees_a_sentence_and_no_data(server: DashboardServer, visit: Callable[..., Page]) -> None:
    page = visit(f"{server.url}/retrospective", email="kenji@other.example")
    expect(page.locator("main")).to_contain_text("kenji@other.example is signed in, but in none of the lists")
    assert page.evaluate(CONNECT) == "refused"


CONNECT = """() => new Promise(resolve => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/_stcore/stream", ["streamlit"]);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


def test_after_signing_out_neither_websocket_nor_download_is_served(
    server: DashboardServer, visit: Callable[..., Page]
) -> None:
    page = visit(f"{server.url}/parity", "ops")
    expect(page.locator(".visitor")).to_contain_text("· approver")
    assert page.evaluate(CONNECT) == "open"
    media = page.evaluate("() => fetch('/media/none.csv').then(reply => reply.status)")
    page.locator(".visitor").get_by_role("link", name=str(text.SIGN_OUT)).click()
    expect(page.locator("main")).to_contain_text(str(text.SIGNED_OUT))
    assert page.evaluate(CONNECT) == "refused"
    assert (media, page.evaluate("() => fetch('/media/none.csv').then(reply => reply.status)")) == (404, 401)
    page.get_by_role("link", name=str(text.TITLE)).click()
    expect(page.locator(".visitor")).to_be_visible()
