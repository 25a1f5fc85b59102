"""Alarms in `watch`, `judge` and `record`: two AWS services on loopback, boto3, the archive, and the commands."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from archive import Archive
from domain import Event, Window, load
from messages import events
from services.alarms import ALARM_EVENTS
from tests.cli.conftest import json_output, lines, run
from tests.factories.loopback_config import config_toml
from tests.factories.outages import services_with_outage, this_minute
from tests.fakes.services import FakeServices

Configure = Callable[[FakeServices], Path]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Points the commands at the servers and writes a migration.toml without Mackerel."""

    def write(services: FakeServices) -> Path:
        for name, value in services.environment.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "migration.toml"
        balancer = services.elbv2
        archive = str(tmp_path / "archive.db")
        path.write_text(config_toml(balancer.load_balancer, balancer.groups, archive=archive, backfill=False))
        return path

    return write


def alarm_events(config: Path) -> tuple[Event, ...]:
    migration = load(config)
    with Archive.open(migration.archive, migration) as archive:
        return tuple(event for event in archive.events.read(Window(0, this_minute() + 600)) if event.kind == "alarm")


def outage(first: int, end: int = 0) -> AbstractContextManager[FakeServices]:
    return services_with_outage(first, end)


def test_watch_shows_an_outage_after_three_minutes_of_data(configure: Configure):
    with outage(-3) as services:
        config = str(configure(services))
        data = json_output(run("watch", "--once", "--json", "--config", config))
        (alarm,) = data["alarms"]
        assert (alarm["rule"], alarm["fleet"]) == ("error_rate", "canary")
        assert data["alarms_not_known"] == []
        canary = alarm["values"]["canary"]
        assert canary["value"] == 1.0 and canary["count"] == canary["total"] > 1500
        assert alarm["values"]["baseline"]["value"] == 0.0
        output = lines(run("watch", "--once", "--config", config).stdout)
        assert output[1].startswith("■ HOLD · ")
        assert re.search(
            r"(?m)^✕ Alarm \(not a verdict\): error rate ECS 100% \(([\d,]+) of \1\), EC2 0% \(0 of [\d,]+\), since \d\d:\d\d JST$",
            "\n".join(output),
        )


def test_judge_prints_it_beside_a_verdict_that_is_still_open(configure: Configure):
    with outage(-3) as services:
        config = str(configure(services))
        result = run("judge", "--json", "--window", "45m", "--config", config)
        data = json_output(result)
        assert [alarm["rule"] for alarm in data["alarms"]] == ["error_rate"]
        assert data["verdict"] != "regression" and result.exit_code == data["exit_code"] != 1
        output = run("judge", "--window", "45m", "--config", config)
        assert "✕ Alarm (not a verdict): error rate ECS 100%" in output.stdout
        assert output.exit_code == result.exit_code


def test_it_is_gone_when_it_is_over_and_kept_as_an_event(configure: Configure):
    with outage(-9, -4) as services:
        config = configure(services)
        for _ in range(2):  # the second finds the event of the first
            run("record", "--once", "--config", str(config))
        data = json_output(run("watch", "--once", "--json", "--config", str(config)))
        assert data["alarms"] == [] and data["alarms_not_known"] == []
        assert "Alarm" not in run("judge", "--window", "45m", "--config", str(config)).stdout
        (event,) = alarm_events(config)
    assert (event.source, event.fleet, events.title(event), event.open) == (
        ALARM_EVENTS,
        "canary",
        "ECS error rate 100%",
        False,
    )
    assert event.until is not None and event.until - event.ts == 300
    assert re.fullmatch(
        r"Alarm \(not a verdict\): error rate ECS 100% \(([\d,]+) of \1\), EC2 0% \(0 of [\d,]+\)\.",
        events.detail(event),
    )


def test_an_open_alarm_is_one_open_event(configure: Configure):
    with outage(-5) as services:
        config = configure(services)
        for _ in range(2):
            run("record", "--once", "--config", str(config))
        (event,) = alarm_events(config)
        assert event.open and event.until is None


def test_without_data_alarms_are_not_known(configure: Configure):
    with outage(-3) as services:
        services.cloudwatch.denied = True
        config = str(configure(services))
        data = json_output(run("watch", "--once", "--json", "--config", config))
        assert data["alarms"] is None
        assert data["alarms_not_known"] == ["error_rate", "no_response", "no_requests", "latency_p95"]
        assert "Alarms unknown: no current data." in run("watch", "--once", "--config", config).stdout
