"""`batches`: output, JSON and exit codes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from tests.factories.small_config import MACKEREL, small_toml
from tests.fakes.mackerel import API_KEY, SERVICE, FakeMackerel

RUNNER = CliRunner()
BATCHES = """
[batches]
duration = "batch.{job}.duration"
success = "batch.{job}.success"
[[batches.jobs]]
name = "thumbnails"
schedule = "rate(1 hour)"
"""


@pytest.fixture
def fake_mackerel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMackerel]:
    with FakeMackerel() as running:
        monkeypatch.setenv("MACKEREL_APIBASE", running.url)
        monkeypatch.setenv("MACKEREL_APIKEY", API_KEY)
        monkeypatch.chdir(tmp_path)
        configure(BATCHES)
        yield running


def configure(batches: str) -> None:
    config = small_toml(MACKEREL + batches, name="Photo <b>service</b>")
    Path("migration.toml").write_text(config, encoding="utf-8")


def post_runs(world: FakeMackerel, *successes: float) -> None:
    """A run an hour, the last one 20 minutes ago."""
    last = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
    at = [int((last - timedelta(hours=hours)).timestamp()) for hours in range(len(successes))][::-1]
    world.points[SERVICE] = {
        "batch.thumbnails.duration": dict.fromkeys(at, 7.0),
        "batch.thumbnails.success": dict(zip(at, successes, strict=True)),
    }


def run(*options: str) -> Result:
    return RUNNER.invoke(app, ["batches", *options])


def json_output(*options: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(run("--json", *options).stdout)
    return data


def test_every_job_ran(fake_mackerel: FakeMackerel) -> None:
    post_runs(fake_mackerel, *[1.0] * 10)
    result = run("--window", "1d")
    assert result.exit_code == 0, result.output
    assert "The job ran as scheduled" in result.output and "Photo <b>service</b>" in result.output
    data = json_output("--window", "1d")
    (job,) = data["jobs"]
    assert (job["name"], job["state"], job["schedule"], job["scheduler"]) == (
        "thumbnails",
        "ok",
        "rate(1 hour)",
        "eventbridge",
    )
    assert (job["last_run"]["duration_s"], job["last_run"]["result"]) == (7.0, "ok")
    assert job["typical_duration"] == {"runs": 10, "median_s": 7.0, "p10_s": 7.0, "p90_s": 7.0}
    assert (job["statuses"]["ok"], data["complete"], data["problems"]) == (10, True, [])


def test_a_failure_exits_with_1(fake_mackerel: FakeMackerel) -> None:
    post_runs(fake_mackerel, 1.0, 1.0, 0.0)
    result = run("--json", "--window", "1d")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert (data["exit_code"], data["headline"]) == (1, "1 of 1 jobs failed: thumbnails")


def test_a_job_that_never_reported_exits_with_1(fake_mackerel: FakeMackerel) -> None:
    assert run("--window", "1d").exit_code == 1
    assert json_output("--window", "1d")["jobs"][0]["state"] == "never"


def test_an_unreadable_source_exits_with_3_and_says_why(fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.has_read_permission = False
    result = run("--window", "1d")
    assert result.exit_code == 3
    assert "0 runs" not in result.output
    assert "Access denied" in result.output and "Read permission" in " ".join(result.output.split())
    assert json_output("--window", "1d")["problems"][0]["kind"] == "denied"


def test_without_batches_an_example_is_printed(fake_mackerel: FakeMackerel) -> None:
    configure("")
    result = run()
    assert result.exit_code == 3
    assert "[[batches.jobs]]" in result.stderr


def test_a_configuration_issue_exits_with_3(fake_mackerel: FakeMackerel) -> None:
    configure(BATCHES.replace("rate(1 hour)", "rate(1 hours)"))
    result = run()
    assert result.exit_code == 3
    assert "Use `rate(1 hour)`." in result.output


def test_an_invalid_window_exits_with_3(fake_mackerel: FakeMackerel) -> None:
    assert run("--window", "soon").exit_code == 3


def test_a_job_that_cron_still_runs_has_its_due_times_and_the_commands(fake_mackerel: FakeMackerel) -> None:
    configure(BATCHES.replace("[[batches.jobs]]", 'cron_duration = "cron.{job}.duration"\n[[batches.jobs]]'))
    post_runs(fake_mackerel, 1, 1, 1, 1)
    points = fake_mackerel.points[SERVICE]
    points["cron.thumbnails.duration"] = dict.fromkeys(list(points["batch.thumbnails.duration"])[-2:], 9.0)
    handover = json_output()["jobs"][0]["handover"]
    assert (handover["runs_twice"], handover["findings"]["both"]["due_times"]) == (True, 2)
    newest = handover["findings"]["both"]["newest"][-1]
    assert (newest["cron"][0]["duration_s"], newest["eventbridge"][0]["duration_s"]) == (9.0, 7.0)
    assert handover["commands"] == [r"crontab -l | sed '/\bthumbnails\b/s/^[^#]/#&/' | crontab -"]
    output = run().stdout
    assert "run by cron and EventBridge: thumbnails" in output
    assert "2× thumbnails ran by both: 2 due times" in output
