"""`archive`: what a person and a script are told, and `record` on an archive that it cannot use."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from archive import Archive
from domain import Migration, load
from tests.archive.access_logs.test_tables import batch, file
from tests.factories.config import ALB, EC2, ELB
from tests.factories.loopback_config import document
from tests.fakes.metric_source import World, at, span

GROUPS = {"photo-ec2": EC2, "photo-ecs": f"{ELB}:targetgroup/photo-ecs/8796a5b4c3d2e1f0"}


def configured(folder: Path, name: str = "Photo service") -> Migration:
    """A configuration in `folder` with an archive of an hour."""
    folder.mkdir()
    path = folder / "migration.toml"
    path.write_text(document(ALB, GROUPS, archive=str(folder / "archive.db"), name=name))
    return load(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("commands.archive.utc_now", lambda: at(0))
    migration = configured(tmp_path / "here")
    with Archive.open(migration.archive, migration) as archive:
        archive.bring(span(-60, 0), World(), now=at(0))
    return tmp_path / "here"


def run(folder: Path, *words: str) -> Any:
    given = [*words, "--config", str(folder / "migration.toml")]
    return CliRunner().invoke(cli.app, given, env={"COLUMNS": "200"})


def last(result: Any) -> str:
    return str(result.stdout.splitlines()[-1])


def test_status_says_what_is_kept(here: Path) -> None:
    result = run(here, "archive", "status")
    assert result.exit_code == 0, result.output
    assert [" ".join(line.split()) for line in result.stdout.splitlines()[1:]] == [
        "Somebody records: the sources were asked 0 s ago.",
        "Source Period From To Points",
        "CloudWatch 1 min 2026-09-21 20:00 2026-09-21 20:45 120",
        "CloudWatch: no gaps.",
        "0 events, 0 states of the load balancer.",
    ]


def test_taken_away_and_brought_in_elsewhere(here: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "export")
    assert last(run(here, "archive", "export", folder)).startswith(f"120 points in {folder}, ")
    again = run(here, "archive", "export", folder)
    assert (again.exit_code, last(again)) == (1, f"{folder} is not empty. Name another folder, or empty it.")
    configured(tmp_path / "there")
    told = last(run(tmp_path / "there", "archive", "import", folder))
    assert told == "120 points of “Photo service @ app/photo/50dc6c495c0c9188” are in the archive."
    assert json.loads(run(tmp_path / "there", "archive", "status", "--json").stdout)["points"] == 120


def test_an_export_of_another_migration_is_kept_under_its_own_name_and_that_is_said(here: Path, tmp_path: Path) -> None:
    run(here, "archive", "export", str(tmp_path / "export"))
    configured(tmp_path / "there", "Album service")
    result = run(tmp_path / "there", "archive", "import", str(tmp_path / "export"))
    assert (result.exit_code, last(result)) == (
        0,
        "The export is of “Photo service @ app/photo/50dc6c495c0c9188”; this configuration is of "
        "“Album service @ app/photo/50dc6c495c0c9188”, so its pages will not show it.",
    )


def test_a_bad_export_is_refused_with_a_sentence(here: Path, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    run(here, "archive", "export", str(folder))
    (folder / "coverage.parquet").write_bytes(b"nonsense")
    damaged = run(here, "archive", "import", str(folder))
    assert (damaged.exit_code, last(damaged)) == (
        1,
        "coverage.parquet is damaged: it is not what the manifest says. Copy the export again; nothing was written.",
    )
    (folder / "manifest.json").write_text('{"version": 99}')
    newer = run(here, "archive", "import", str(folder), "--json")
    assert (newer.exit_code, json.loads(newer.stdout)) == (
        1,
        {
            "ok": False,
            "kind": "newer",
            "about": "99 > 2",
            "text": "The export was written by a later version (99 > 2). Update this program; nothing was written.",
        },
    )


@pytest.mark.parametrize("words", [("record", "--once"), ("archive", "status"), ("archive", "compact")])
def test_a_newer_archive_is_left_alone_and_that_is_said(here: Path, words: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(here / "archive.db", isolation_level=None)) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    result = run(here, *words)
    assert result.exit_code == 1
    assert "The archive is newer than this program" in result.stdout


def test_status_counts_the_access_logs(here: Path) -> None:
    migration = load(here / "migration.toml")
    with Archive.open(migration.archive, migration) as archive:
        archive.keep_logs((file("a.log.gz", 0, 10, lines=1_200, parsed=1_197),), batch(0, 5))
    assert last(run(here, "archive", "status")) == (
        "1 access log of 21 Sep 21:00–22:00 JST: 1,200 lines, of which 3 could not be counted."
    )
    assert json.loads(run(here, "archive", "status", "--json").stdout)["access_logs"] == {
        "files": 1,
        "lines": {"read": 1_200, "parsed": 1_197, "lost": 3},
        "from": "2026-09-21T12:00:00Z",
        "to": "2026-09-21T13:00:00Z",
    }
