"""`retrospective` and `note`."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from archive import Archive
from commands.shared import startup
from domain import Migration, Window
from tests.cli.conftest import run
from tests.factories.archived_migration import NOW, archived_migration, make_migration, time_of


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_now: Callable[[datetime], None]) -> Migration:
    """A configured migration at a fixed time."""
    migration = make_migration("Asia/Tokyo").model_copy(update={"archive": f"sqlite:///{tmp_path}/archive.db"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(startup, "load_migration", lambda *_, **__: migration)
    set_now(NOW)
    return migration


def test_it_prints_the_summary_and_writes_the_page(configured: Migration, tmp_path: Path) -> None:
    archived_migration(tmp_path, configured).close()
    result = run("retrospective", "--out", "story.html")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "From 10 Mar to 22 Mar, 12 days: 10.0 % → 50.0 % in 4 phases, with 1 step back."
    assert lines[1] == "- ECS served 14.3 M requests."
    assert lines[-1] == "story.html"
    assert "<svg" in (tmp_path / "story.html").read_text(encoding="utf-8")


def test_with_json_a_page_is_written_only_with_out(configured: Migration, tmp_path: Path) -> None:
    archived_migration(tmp_path, configured).close()
    result = run("retrospective", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["impact"]["canary_requests"] == 14_338_000
    assert list(tmp_path.glob("*.html")) == []


def test_an_empty_archive_exits_with_3(configured: Migration) -> None:
    result = run("retrospective")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("The archive holds nothing of this source yet.")


def test_an_unwritable_page_exits_with_3(configured: Migration, tmp_path: Path) -> None:
    archived_migration(tmp_path, configured).close()
    result = run("retrospective", "--out", "no/such/folder.html")
    assert result.exit_code == 3
    assert "no/such/folder.html could not be written: No such file or directory." in result.stderr


@pytest.mark.parametrize(
    ("time", "message", "ts"),
    [
        ("", "Kept at 09:15 JST. It stands on every chart.", int(NOW.timestamp())),
        ("2026-03-14 13:10", "Kept at 14 Mar 13:10 JST. It stands on every chart.", time_of(12, 4, 10)),
        ("2026-03-14T13:10+00:00", "Kept at 14 Mar 22:10 JST. It stands on every chart.", time_of(12, 13, 10)),
    ],
)
def test_a_note_is_saved_at_its_time(configured: Migration, time: str, message: str, ts: int) -> None:
    options = ("--at", time) if time else ()
    result = run("note", "Sale begins", "--by", "Mika", *options)
    assert (result.exit_code, result.stdout.strip()) == (0, message), result.output
    with Archive.open(configured.archive, configured) as archive:
        (note,) = archive.events.read(Window(0, 2**31 // 60 * 60))
    assert (note.ts, note.title, note.detail) == (ts, "Sale begins", "Mika")


def test_a_note_as_json(configured: Migration) -> None:
    data = json.loads(run("note", "Sale begins", "--json").stdout)
    assert (data["ok"], data["at"], data["text"]) == (True, "2026-03-22T00:15:00Z", "Sale begins")
    assert len(data["key"]) == 32


@pytest.mark.parametrize(
    ("args", "message"), [(("x", "--at", "noon"), "“noon” is no time"), ((" ",), "A note needs words")]
)
def test_a_note_without_a_time_or_text_is_rejected(configured: Migration, args: tuple[str, ...], message: str) -> None:
    result = run("note", *args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", "").split())


def test_notes_of_any_time_are_listed_and_removed(configured: Migration) -> None:
    assert run("note", "--list").stdout.strip() == "Nobody has written anything down yet."
    run("note", "Sale begins", "--at", "2027-04-01 00:00", "--by", "Mika")
    run("note", "Before all", "--at", "2019-01-01 00:00")
    listed = json.loads(run("note", "--list", "--json").stdout)["notes"]
    assert [(item["at"], item["text"], item["author"]) for item in listed] == [
        ("2018-12-31T15:00:00Z", "Before all", ""),
        ("2027-03-31T15:00:00Z", "Sale begins", "Mika"),
    ]
    lines = [line.split() for line in run("note", "--list").stdout.splitlines() if line.strip()]
    assert [" ".join(line) for line in lines] == [
        f"{listed[0]['key'][:8]} 1 Jan 2019 00:00 JST Before all",
        f"{listed[1]['key'][:8]} 1 Apr 2027 00:00 JST Sale begins by Mika",
    ]
    removed = run("note", "--remove", listed[1]["key"][:8])
    assert (removed.exit_code, removed.stdout.strip()) == (0, "Removed: Sale begins")
    again = run("note", "--remove", listed[1]["key"])
    assert again.exit_code == 1 and "No single note" in again.stderr
    last = json.loads(run("note", "--remove", listed[0]["key"], "--json").stdout)
    assert last == {"schema": 1, "ok": True, "removed": [listed[0]["key"]]}
    assert json.loads(run("note", "--list", "--json").stdout)["notes"] == []


def test_a_note_is_written_or_removed_but_not_both(configured: Migration) -> None:
    result = run("note", "Sale begins", "--list")
    assert result.exit_code == 2
    assert "Write a note, or list them" in " ".join(result.stderr.replace("│", "").split())
