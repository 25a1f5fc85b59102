"""`archive`: status, export and import, and a clear message if the archive cannot be used."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from archive import Archive
from archive.transfer.manifest import FORMAT_VERSION
from domain import Migration, load
from tests.factories.config import ALB, EC2, ELB_ARN_PREFIX
from tests.factories.counted_files import counted_file, log_counts
from tests.factories.loopback_config import config_toml
from tests.fakes.metric_source import FakeMetricSource, minute_time, minute_window

GROUPS = {"photo-ec2": EC2, "photo-ecs": f"{ELB_ARN_PREFIX}:targetgroup/photo-ecs/8796a5b4c3d2e1f0"}


def configured(folder: Path, name: str = "Photo service") -> Migration:
    """A configuration in `folder` with an archive of an hour."""
    folder.mkdir()
    path = folder / "migration.toml"
    path.write_text(config_toml(ALB, GROUPS, archive=str(folder / "archive.db"), name=name))
    return load(path)


@pytest.fixture
def local(tmp_path: Path, set_now: Callable[[datetime], None]) -> Path:
    set_now(minute_time(0))
    migration = configured(tmp_path / "archive")
    with Archive.open(migration.archive, migration) as archive:
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
    return tmp_path / "archive"


def run(folder: Path, *args: str) -> Any:
    given = [*args, "--config", str(folder / "migration.toml")]
    return CliRunner().invoke(cli.app, given, env={"COLUMNS": "200"})


def last_line(result: Any) -> str:
    return str(result.stdout.splitlines()[-1])


def test_status_lists_what_is_archived(local: Path) -> None:
    result = run(local, "archive", "status")
    assert result.exit_code == 0, result.output
    assert [" ".join(line.split()) for line in result.stdout.splitlines()[1:]] == [
        "Recorder active (last poll 0s ago).",
        "Source Period From To Points",
        "CloudWatch 1 min 2026-09-21 20:00 2026-09-21 20:45 120",
        "CloudWatch: no gaps.",
        "0 events, 0 states of the load balancer.",
        "Everything is kept.",
    ]


def test_status_shows_what_is_kept(local: Path) -> None:
    path = local / "migration.toml"
    text = path.read_text().replace("[migration]", '[migration]\nkeep = "400d"\nkeep_rollups = "1500d"')
    path.write_text(text)
    assert last_line(run(local, "archive", "status")) == (
        "Kept: points and access logs 400 days (since 2025-08-17 21:00), ten-minute rollups 1500 days, everything else without end."
    )
    assert json.loads(run(local, "archive", "status", "--json").stdout)["keep"] == {
        "points": "400d",
        "rollups": "1500d",
    }


def test_export_and_import_into_another_archive(local: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "export")
    assert last_line(run(local, "archive", "export", folder)).startswith(f"120 points in {folder}, ")
    again = run(local, "archive", "export", folder)
    assert (again.exit_code, last_line(again)) == (1, f"{folder} is not empty. Name another folder, or empty it.")
    configured(tmp_path / "available")
    summary = last_line(run(tmp_path / "available", "archive", "import", folder))
    assert summary == "120 points of “Photo service @ app/photo/50dc6c495c0c9188” are in the archive."
    assert json.loads(run(tmp_path / "available", "archive", "status", "--json").stdout)["points"] == 120


def test_an_export_of_another_migration_keeps_its_name_and_a_note_is_printed(local: Path, tmp_path: Path) -> None:
    run(local, "archive", "export", str(tmp_path / "export"))
    configured(tmp_path / "available", "Album service")
    result = run(tmp_path / "available", "archive", "import", str(tmp_path / "export"))
    assert (result.exit_code, last_line(result)) == (
        0,
        "The export is of “Photo service @ app/photo/50dc6c495c0c9188”, the configuration of “Album service @ app/photo/50dc6c495c0c9188”: its pages will "
        "not show this data.",
    )


def test_an_invalid_export_is_rejected_with_a_message(local: Path, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    run(local, "archive", "export", str(folder))
    (folder / "coverage.parquet").write_bytes(b"nonsense")
    damaged = run(local, "archive", "import", str(folder))
    assert (damaged.exit_code, last_line(damaged)) == (
        1,
        "coverage.parquet is corrupt: it does not match the manifest. Copy the export again; nothing was written.",
    )
    (folder / "manifest.json").write_text('{"version": 99}')
    newer = run(local, "archive", "import", str(folder), "--json")
    assert (newer.exit_code, json.loads(newer.stdout)) == (
        1,
        {
            "schema": 1,
            "ok": False,
            "kind": "newer",
            "about": f"99 > {FORMAT_VERSION}",
            "text": f"The export was written by a later version (99 > {FORMAT_VERSION}). Update this program; nothing was written.",
        },
    )


@pytest.mark.parametrize("args", [("record", "--once"), ("archive", "status"), ("archive", "compact")])
def test_a_newer_archive_is_not_touched_and_reported(local: Path, args: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(local / "archive.db", isolation_level=None)) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    result = run(local, *args)
    assert result.exit_code == 1
    assert "The archive is newer than this program" in result.stdout


def test_status_counts_the_access_logs(local: Path) -> None:
    migration = load(local / "migration.toml")
    with Archive.open(migration.archive, migration) as archive:
        archive.access_logs.save_counts((counted_file("a.log.gz", 0, 10, lines=1_200, parsed=1_197),), log_counts(0, 5))
    assert last_line(run(local, "archive", "status")) == (
        "1 access log, 21 Sep 21:00–22:00 JST: 1,200 lines, 3 not parsable."
    )
    assert json.loads(run(local, "archive", "status", "--json").stdout)["access_logs"] == {
        "files": 1,
        "lines": {"read": 1_200, "parsed": 1_197, "unparsed": 3},
        "from": "2026-09-21T12:00:00Z",
        "to": "2026-09-21T13:00:00Z",
    }


def test_a_backup_is_written_while_in_use_and_restored(local: Path) -> None:
    written = run(local, "archive", "backup", str(local / "copy.db"))
    assert written.exit_code == 0, written.output
    assert last_line(written).endswith(", checked.")
    again = run(local, "archive", "backup", str(local / "copy.db"), "--json")
    assert (again.exit_code, json.loads(again.stdout)["kind"]) == (1, "exists")
    occupied = run(local, "archive", "restore", str(local / "copy.db"))
    assert occupied.exit_code == 1 and "move it aside" in " ".join(occupied.stdout.split())
    before = run(local, "archive", "status", "--json").stdout
    for file in local.glob("archive.db*"):
        file.unlink()
    restored = run(local, "archive", "restore", str(local / "copy.db"), "--json")
    size = (local / "copy.db").stat().st_size
    assert (restored.exit_code, json.loads(restored.stdout)["bytes"]) == (0, size)
    after = json.loads(run(local, "archive", "status", "--json").stdout)
    assert after | {"bytes": 0} == json.loads(before) | {"bytes": 0}
