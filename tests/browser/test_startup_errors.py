"""A page that cannot be opened says why, key by key, and opens as soon as the reason is gone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from archive import Archive
from domain import load
from tests.browser.dashboard_page import OpenPage
from tests.factories.dashboard_server import EXAMPLE_CREDENTIALS, StartServer
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_mistakes_in_the_configuration_are_said_and_corrected(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    path = world.write_config(room, name="<b>Photo</b>")
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace('"0.05pp"', '"<i>0.05</i>"').replace("timezone", "timezoen"), encoding="utf-8")
    board = opens(starts(world.environment(path)), "/?window=1h", drawn=0)

    expect(board.page.get_by_role("heading", level=1)).to_have_text(f"{path} cannot be used yet")
    said = board.page.locator(".trouble")
    expect(said).to_have_count(2)
    expect(said.filter(has_text="timezoen")).to_contain_text("timezone")
    expect(said.filter(has_text="criteria")).to_contain_text("<i>0.05</i>")
    expect(said.locator("i")).to_have_count(0)
    assert "DEMO" not in board.text("[data-testid='stMain']")

    board.page.get_by_role("button", name="Try again").click()
    board.wait_until_idle()
    expect(said).to_have_count(2)

    path.write_text(right, encoding="utf-8")
    board.page.get_by_role("button", name="Try again").click()
    board.wait_for_charts()
    assert board.window_minutes == 60
    expect(board.page.get_by_role("heading", level=1)).to_have_text("<b>Photo</b>")


def test_a_configuration_that_is_not_there_does_not_open_the_demo(
    room: Path, starts: StartServer, opens: OpenPage
) -> None:
    named = {"MIGRATION_CONFIG": str(room / "migratoin.toml")}
    board = opens(starts(EXAMPLE_CREDENTIALS | named), drawn=0)
    expect(board.page.locator(".trouble")).to_contain_text("No such file or directory")
    assert "DEMO" not in board.text("[data-testid='stMain']")


def test_an_archive_of_a_newer_program_is_left_alone(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    path = world.write_config(room)
    migration, archive = load(path), room / "archive.db"
    Archive.open(migration.archive, migration).close()
    with closing(sqlite3.connect(archive)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    before = archive.read_bytes()

    server = starts(world.environment(path))
    board = opens(server, drawn=0, clock=True)
    expect(board.page.get_by_role("heading", level=1)).to_have_text("The archive cannot be opened")
    expect(board.page.locator(".trouble")).to_contain_text(
        "Update this program, or name another file in `archive` under [migration]."
    )
    assert archive.read_bytes() == before

    with closing(sqlite3.connect(archive)) as connection, connection:
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    board.page.get_by_role("button", name="Try again").click()
    board.wait_for_charts()

    with closing(sqlite3.connect(archive)) as connection, connection:  # while it runs
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    board.refresh_until(".trouble", "Update this program", within_ms=45_000)
    for page in ("parity", "endpoints", "retrospective"):
        other = opens(server, f"/{page}", drawn=0, faultless=False)
        expect(other.page.locator(".trouble").first).to_contain_text("Update this program")
