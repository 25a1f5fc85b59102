"""Commands on several migrations: --migration chooses one; `doctor` and `record` are about all of them."""

import json
from pathlib import Path

import pytest

from commands.shared import startup
from domain import Migration
from sources.registry import Sources
from tests.cli.conftest import run
from tests.fakes.metric_source import FakeMetricSource

FLEETS = """
[migrations.fleets.baseline]
label = "EC2"
target_groups = ["photo-ec2"]
[migrations.fleets.canary]
label = "ECS"
target_groups = ["photo-ecs"]
"""
TWO = f'[mackerel]\nservice = "shop"\n[[migrations]]\nname = "Photo service"\n{FLEETS}[[migrations]]\nname = "Orders"\n{FLEETS}'
BROKEN = '[[migrations]]\nname = "Cart"\ncolour = 1\n'


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two migrations whose sources send no request."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("MIGRATION_CONFIG", "MIGRATION_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(startup, "open_sources", open_sources)
    (tmp_path / "migration.toml").write_text(TWO, encoding="utf-8")


def open_sources(_migration: Migration) -> Sources:
    return Sources((FakeMetricSource(),))


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("command", "exit_code"),  # that of an invalid configuration
    [
        ("judge", 3),
        ("watch", 3),
        ("note", 2),
        ("weights", 2),
        ("endpoints", 3),
        ("batches", 3),
        ("deployments", 2),
        ("retrospective", 3),
        ("report", 3),
    ],
)
def test_a_command_on_one_migration_lists_the_names(command: str, exit_code: int) -> None:
    result = run(command, *(["text"] if command == "note" else []))
    assert result.exit_code == exit_code
    message = " ".join(result.stderr.replace("│", " ").split())
    assert "Several migrations are configured. Use one of: photo-service, orders." in message


@pytest.mark.parametrize("name", ["orders", "Orders"])
def test_the_name_or_the_slug_chooses(name: str) -> None:
    result = run("archive", "status", "--json", "--migration", name)
    assert result.exit_code == 0
    assert rows(result.stdout)[0]["migration"] == "Orders"


def test_a_wrong_name_lists_the_names_and_what_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(TWO + BROKEN, encoding="utf-8")
    result = run("archive", "status", "--migration", "cart")
    message = " ".join(result.stderr.replace("│", " ").split())
    assert result.exit_code == 2
    assert "No migration cart. Use one of: photo-service, orders. Invalid, see doctor: [[migrations]] no. 3" in message


def test_doctor_checks_all_and_reports_the_invalid_one(tmp_path: Path) -> None:
    reports = rows(run("doctor", "--json").stdout)
    assert [report["migration"] for report in reports] == ["Photo service", "Orders"]
    (tmp_path / "migration.toml").write_text(TWO + BROKEN, encoding="utf-8")
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert [report["migration"] for report in rows(result.stdout)] == [None, "Photo service", "Orders"]
    assert [report["migration"] for report in rows(run("doctor", "--json", "--migration", "orders").stdout)] == [
        "Orders"
    ]


def test_record_fills_the_rows_of_each_migration(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(
        TWO.replace('"Orders"', '"Orders"\nbackfill = false').replace(
            '"Photo service"', '"Photo service"\nbackfill = false'
        )
        + BROKEN,
        encoding="utf-8",
    )
    result = run("record", "--once", "--json")
    assert [status["migration"] for status in rows(result.stdout)] == ["Photo service", "Orders"]
    assert "[[migrations]] no. 3 colour" in result.stderr
    for name in ("photo-service", "orders"):
        (status,) = rows(run("archive", "status", "--json", "--migration", name).stdout)
        assert status["points"]
