"""`probe`: output, JSON and exit codes; nothing is sent by a dry run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from sources.demo.probe import DemoProbeClient
from tests.factories.small_config import small_toml

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*options: str) -> Result:
    return RUNNER.invoke(app, ["probe", *options])


def test_the_demos_difference_is_named() -> None:
    result = run("--demo", "--json")
    first, second = json.loads(result.stdout)["probes"]
    assert (result.exit_code, first["state"], second["state"]) == (1, "same", "different")
    assert second["differences"] == [{"feature": "json $.views", "baseline": "int 48213", "canary": "str 48213"}]
    assert first["ignored"] == ["header x-request-id"]
    assert [side["header"] for side in first["sides"]] == ["", "X-Canary: ecs"]
    assert "1 of 2 probes have the same answers from both fleets" in run("--demo").stdout


def test_a_dry_run_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DemoProbeClient, "send", None)
    result = run("--demo", "--dry-run")
    assert result.exit_code == 0
    assert "Sends 10 requests to photo.example.com (192.0.2.10), at most two a second." in result.stdout


def test_without_probes_nothing_is_sent() -> None:
    Path("migration.toml").write_text(small_toml(), encoding="utf-8")
    result = run()
    assert result.exit_code == 3
    assert "No probe is configured." in result.stderr
