"""`retrospective` and `note`."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from archive import Archive
from commands.shared import startup
from domain import Configuration, Migration, Window
from tests.cli.conftest import run
from tests.factories.archived_migration import NOW, archived_migration, make_migration, time_of


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_now: Callable[[datetime], None]) -> Migration:
    """A configured migration at a fixed time."""
    migration = make_migration("Asia/Tokyo").model_copy(update={"archive": f"sqlite:///{tmp_path}/archive.db"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(startup, "find_configuration", lambda *_, **__: Configuration((migration,)))
    set_now(NOW)
    return migration


def test_it_prints_the_summary_and_writes_the_page(configured: Migration, tmp_path: Path) -> None:
    archived_migration(tmp_path, configured).close()
    result = run("retrospective", "--out", "story.html")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "10 Mar – 22 Mar (12 days) · 10% → 50% · 4 phases · 1 rollback"
    assert lines[1] == "- ECS served 14.3M requests."
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
    assert result.stderr.startswith("No data of this source in the archive yet.")


def test_an_unwritable_page_exits_with_3(configured: Migration, tmp_path: Path) -> None:
    archived_migration(tmp_path, configured).close()
    result = run("retrospective", "--out", "no/such/folder.html")
    assert result.exit_code == 3
    assert "Cannot write no/such/folder.html: No such file or directory." in result.stderr


@pytest.mark.parametrize(
    ("time", "message", "ts"),
    [
        ("", "Added at 09:15 JST. Shown on every chart.", int(NOW.timestamp())),
        ("2026-03-14 13:10", "Added at 14 Mar 13:10 JST. Shown on every chart.", time_of(12, 4, 10)),
        ("2026-03-14T13:10+00:00", "Added at 14 Mar 22:10 JST. Shown on every chart.", time_of(12, 13, 10)),
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
    ("args", "message"), [(("x", "--at", "noon"), "Invalid time “noon”"), ((" ",), "Note text is required")]
)
def test_a_note_without_a_time_or_text_is_rejected(configured: Migration, args: tuple[str, ...], message: str) -> None:
    result = run("note", *args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", "").split())


def test_notes_of_any_time_are_listed_and_removed(configured: Migration) -> None:
    assert run("note", "--list").stdout.strip() == "No notes yet."
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
    assert again.exit_code == 1 and "No unique note key" in again.stderr
    last = json.loads(run("note", "--remove", listed[0]["key"], "--json").stdout)
    assert last == {"schema": 1, "ok": True, "removed": [listed[0]["key"]]}
    assert json.loads(run("note", "--list", "--json").stdout)["notes"] == []


def test_a_note_is_written_or_removed_but_not_both(configured: Migration) -> None:
    result = run("note", "Sale begins", "--list")
    assert result.exit_code == 2
    assert "Use one of: a note, --list, --remove" in " ".join(result.stderr.replace("│", "").split())


def test_steps_are_entered_listed_and_removed(configured: Migration) -> None:
    added = run("step", "--at", "2026-03-14 13:10", "--share", "10", "--by", "Mika")
    assert (added.exit_code, added.stdout.strip()) == (0, "10% from 14 Mar 13:10 JST.")
    data = json.loads(run("step", "--at", "2026-03-15 13:10", "--weights", "75:25", "--json").stdout)
    assert (data["ok"], data["at"], data["canary_share"], data["used"]) == (True, "2026-03-15T04:10:00Z", 0.25, True)
    listed = json.loads(run("step", "--list", "--json").stdout)["steps"]
    assert [(item["at"], item["canary_share"], item["author"], item["used"]) for item in listed] == [
        ("2026-03-14T04:10:00Z", 0.1, "Mika", True),
        ("2026-03-15T04:10:00Z", 0.25, "", True),
    ]
    lines = [" ".join(line.split()) for line in run("step", "--list").stdout.splitlines() if line.strip()]
    assert lines == [
        f"{listed[0]['key'][:8]} 14 Mar 13:10 JST 10% by Mika",
        f"{listed[1]['key'][:8]} 15 Mar 13:10 JST 25%",
    ]
    assert run("step", "--remove", listed[0]["key"][:8]).stdout.strip() == "Removed."
    again = run("step", "--remove", listed[0]["key"])
    assert again.exit_code == 1 and "No unique step" in again.stderr
    again = run("step", "--remove", listed[1]["key"], "--by", "Taro", "--json")
    assert json.loads(again.stdout)["removed"] == [listed[1]["key"]]
    output = [line.strip() for line in run("step", "--list").stdout.splitlines()]
    assert output[0] == "No steps entered."
    assert {re.sub(r"^Removed .*? JST", "Removed", line) for line in output[1:]} == {
        "Removed by Taro: Step to 25%, 15 Mar 13:10 JST",
        "Removed: Step to 10%, 14 Mar 13:10 JST, by Mika",
    }
    removals = json.loads(run("step", "--list", "--json").stdout)["removals"]
    assert {(item["canary_share"], item["removed_by"], item["author"]) for item in removals} == {
        (0.25, "Taro", ""),
        (0.1, "", "Mika"),
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--share", "110"), "Invalid share “110”."),
        (("--share", "ten"), "Invalid share “ten”."),
        (("--share", "nan"), "Invalid share “nan”."),
        (("--weights", "10"), "Invalid share “10”."),
        (("--weights", "0:0"), "Invalid share “0:0”."),
        (("--share", "10", "--at", "noon"), "Invalid time “noon”."),
        (("--share", "10", "--at", "2027-01-01 00:00"), "Time is in the future"),
        ((), "Use one of --share, --weights, --list and --remove."),
        (("--share", "10", "--list"), "Use one of --share, --weights, --list and --remove."),
    ],
)
def test_an_invalid_step_is_rejected(configured: Migration, args: tuple[str, ...], message: str) -> None:
    result = run("step", *args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", "").split())


def test_entered_steps_are_phases_of_the_retrospective(configured: Migration, tmp_path: Path) -> None:
    """Without any source of weights: two steps are entered, and the phases are theirs."""
    archived_migration(tmp_path, configured, weight_changes=()).close()
    unknown = json.loads(run("retrospective", "--json").stdout)["phases"]
    assert [(phase["name"], phase["started_by"], phase["origin"]) for phase in unknown] == [
        ("1 · share unknown", "window", None)
    ]
    assert "Enter steps below, or with `cli.py step`." in run("retrospective", "--out", "story.html").stdout
    run("step", "--at", "2026-03-10T09:00+00:00", "--share", "10")
    run("step", "--at", "2026-03-12T09:00+00:00", "--share", "50")
    phases = json.loads(run("retrospective", "--json").stdout)["phases"]
    assert [(phase["name"], phase["started_by"], phase["origin"], phase["requests"]["canary"]) for phase in phases] == [
        ("1 · 10%", "weight", "entered", 288 * 1000 + 76 * 2500),
        ("2 · 50%", "weight", "entered", 2772 * 5000),
    ]
    run("retrospective", "--out", "story.html")
    assert "(entered)" in (tmp_path / "story.html").read_text(encoding="utf-8")


def test_a_note_on_an_incident_stands_where_it_began(configured: Migration) -> None:
    data = json.loads(run("note", "A broken release", "--incident", "2026-11-10T15:19Z-slow", "--json").stdout)
    assert (data["incident"], data["at"]) == ("2026-11-10T15:19Z-slow", "2026-11-10T15:19:00Z")
    assert json.loads(run("note", "Plain", "--json").stdout)["incident"] is None
    listed = json.loads(run("note", "--list", "--json").stdout)["notes"]
    assert {note["incident"] for note in listed} == {"2026-11-10T15:19Z-slow", None}
    assert run("note", "--remove", data["key"][:8]).exit_code == 0


def test_an_incident_has_an_id(configured: Migration) -> None:
    result = run("note", "A broken release", "--incident", "yesterday")
    assert result.exit_code == 2
    assert "“yesterday” is not an incident ID." in result.stderr
