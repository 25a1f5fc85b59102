"""`cli.py batches`: what it prints, and the exit code that a script goes by."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from tests.fakes.mackerel import KEY, SERVICE, MackerelWorld

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
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MackerelWorld]:
    with MackerelWorld() as running:
        monkeypatch.setenv("MACKEREL_APIBASE", running.url)
        monkeypatch.setenv("MACKEREL_APIKEY", KEY)
        monkeypatch.chdir(tmp_path)
        configure(BATCHES)
        yield running


def configure(batches: str) -> None:
    Path("migration.toml").write_text(
        f"""[migration]
name = "Photo <b>service</b>"
[fleets.baseline]
label = "EC2"
target_groups = ["photo-ec2"]
[fleets.canary]
label = "ECS"
target_groups = ["photo-ecs"]
[mackerel]
service = "{SERVICE}"
{batches}""",
        encoding="utf-8",
    )


def posted(world: MackerelWorld, *successes: float) -> None:
    """A run an hour, the last one 20 minutes ago."""
    last = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
    at = [int((last - timedelta(hours=hours)).timestamp()) for hours in range(len(successes))][::-1]
    world.points[SERVICE] = {
        "batch.thumbnails.duration": dict.fromkeys(at, 7.0),
        "batch.thumbnails.success": dict(zip(at, successes, strict=True)),
    }


def run(*options: str) -> Result:
    return RUNNER.invoke(app, ["batches", *options])


def told(*options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json", *options).stdout)
    return found


def test_every_job_ran(world: MackerelWorld) -> None:
    posted(world, *[1.0] * 10)
    result = run("--window", "1d")
    assert result.exit_code == 0, result.output
    assert "The job ran as scheduled." in result.output and "Photo <b>service</b>" in result.output
    found = told("--window", "1d")
    (job,) = found["jobs"]
    assert (job["name"], job["state"], job["schedule"], job["era"]) == (
        "thumbnails",
        "ok",
        "rate(1 hour)",
        "eventbridge",
    )
    assert (job["last"]["duration_s"], job["last"]["result"]) == (7.0, "ok")
    assert job["usual"] == {"runs": 10, "median_s": 7.0, "low_s": 7.0, "high_s": 7.0}
    assert (job["marks"]["ok"], found["complete"], found["problems"]) == (10, True, [])


def test_a_failure_is_one(world: MackerelWorld) -> None:
    posted(world, 1.0, 1.0, 0.0)
    result = run("--json", "--window", "1d")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["exit_code"], found["headline"]) == (1, "0 of 1 jobs ran as scheduled; thumbnails failed.")


def test_a_job_that_never_reported_is_one(world: MackerelWorld) -> None:
    assert run("--window", "1d").exit_code == 1
    assert told("--window", "1d")["jobs"][0]["state"] == "never"


def test_what_could_not_be_asked_is_three_and_says_why(world: MackerelWorld) -> None:
    world.readable = False
    result = run("--window", "1d")
    assert result.exit_code == 3
    assert "Not allowed" in result.output and "Read right" in " ".join(result.output.split())
    assert told("--window", "1d")["problems"][0]["kind"] == "denied"


def test_without_batches_it_shows_what_to_write(world: MackerelWorld) -> None:
    configure("")
    result = run()
    assert result.exit_code == 3
    assert "[[batches.jobs]]" in result.stderr


def test_a_mistake_in_the_configuration_is_three(world: MackerelWorld) -> None:
    configure(BATCHES.replace("rate(1 hour)", "rate(1 hours)"))
    result = run()
    assert result.exit_code == 3
    assert "Write `rate(1 hour)`." in result.output


def test_a_window_that_is_none_is_three(world: MackerelWorld) -> None:
    assert run("--window", "soon").exit_code == 3
