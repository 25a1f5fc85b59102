"""`python -m tests.fakes`: CloudWatch and Mackerel report the traffic that the weights of Elastic Load Balancing imply, from when they are set."""

import argparse
import io
import math
import signal
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from analysis.deployments.preflight import preflights
from domain import Window, load, utc_now
from domain.deployments import merge_deployment_states
from domain.traffic import Traffic
from sources.aws.cloudwatch import CloudWatch
from sources.aws.codedeploy import CodeDeploy
from sources.aws.ecs import Ecs
from sources.aws.load_balancer import LoadBalancer
from tests.fakes.__main__ import (
    GENERATED_MARKER,
    ScheduledServices,
    WeightSchedule,
    config_file,
    parse_duration,
    parse_percent,
    parse_percents,
    run_steps,
    scheduled_services,
)


def test_before_the_first_change_the_first_weights_apply() -> None:
    schedule = WeightSchedule()
    assert schedule.record(6000, {"photo-ec2": 90, "photo-ecs": 10})
    assert not schedule.record(6010, {"photo-ec2": 90, "photo-ecs": 10})
    assert schedule.record(6030, {"photo-ec2": 1, "photo-ecs": 1})
    assert [schedule.shares(ts)["photo-ecs"] for ts in (0, 6000, 6029, 6030, 6060)] == [0.1, 0.1, 0.1, 0.5, 0.5]
    assert schedule.record(7000, {"photo-ec2": 0, "photo-ecs": 0})
    assert schedule.shares(7000) == {"photo-ec2": 0.0, "photo-ecs": 0.0}


@pytest.mark.parametrize(
    ("text", "percent"), [("25", "25"), (" 0.1%\n", "0.1"), ("0", "0"), ("100", "100"), ("99.9", "99.9")]
)
def test_a_percentage_has_one_decimal(text: str, percent: str) -> None:
    assert parse_percent(text) == Decimal(percent)


@pytest.mark.parametrize("text", ["", "ten", "-1", "101", "0.01", "nan", "inf"])
def test_invalid_percentages_are_rejected(text: str) -> None:
    with pytest.raises(ValueError):
        parse_percent(text)
    with pytest.raises(argparse.ArgumentTypeError):
        parse_percents(f"10,{text}")


def test_durations() -> None:
    assert [parse_duration(text) for text in ("90", "90s", "2m", "0.5h", "never")] == [90, 90, 120, 1800, math.inf]
    for text in ("", "2 weeks", "0", "-1"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_duration(text)


def test_an_existing_configuration_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_text("[migration]")
    with pytest.raises(FileExistsError), config_file(path, "another"):
        pytest.fail("It was overwritten.")
    assert path.read_text() == "[migration]"


def test_a_configuration_that_was_changed_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    with config_file(path, f"{GENERATED_MARKER}\n"), config_file(path, f"{GENERATED_MARKER}\nname = 1\n"):
        path.write_text("[migration]")
    assert path.read_text() == "[migration]"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["q", signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_it_removes_its_configuration_when_it_ends(ending: str | signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    command = [sys.executable, "-m", "tests.fakes", "--port", "0", "--config", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        for line in process.stdout:
            if "the canary's weight is 10%" in line:
                break
        written = path.exists()
        if isinstance(ending, str):
            process.stdin.write(f"{ending}\n")
            process.stdin.flush()
        else:
            process.send_signal(ending)
        assert (process.wait(60), written, path.exists()) == (0, True, False)


def run_typed(scheduled: ScheduledServices, config: Path, typed: str) -> tuple[Traffic, list[str]]:
    """The traffic after these lines were typed, and the output."""
    output: list[str] = []
    run_steps(scheduled, (), math.inf, io.StringIO(typed), output.append)
    snapshot = LoadBalancer(load(config)).snapshot()
    assert snapshot.problems == ()
    assert snapshot.traffic
    return snapshot.traffic, output


def test_sources_follow_typed_percentages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "migration.toml"
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with scheduled_services(Decimal(10)) as scheduled:
        services, schedule = scheduled.services, scheduled.schedule
        for name, text in services.environment.items():
            monkeypatch.setenv(name, text)
        config.write_text(scheduled.config_text)
        minute = int(services.cloudwatch.clock().timestamp()) // 60 * 60
        pull = CloudWatch(load(config)).pull(Window(minute - 3600, minute))
        assert pull.problems == ()
        requests = pull.frame[pull.frame["metric"] == "requests"].groupby("fleet", observed=True)["value"].sum()
        assert requests["canary"] / requests.sum() == pytest.approx(0.1, abs=0.01)

        traffic, output = run_typed(scheduled, config, "ten\n33.3\nq\n")
        assert traffic.configured_shares["canary"] == Fraction(333, 1000)
        assert [line.split()[-1] for line in output] == ["end.", "steps"]
        assert schedule.shares(minute + 3600) == {"photo-ec2": 0.667, "photo-ecs": 0.333}

        services.elbv2.set_weights({"photo-ec2": 0, "photo-ecs": 1})  # by another program
        assert scheduled.sync_weights()
        assert schedule.shares(minute + 3600)["photo-ecs"] == 1
        assert services.mackerel.traffic_model is services.cloudwatch.traffic_model


def test_the_service_runs_in_the_canarys_group_and_a_split_blocks_its_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scheduled_services(Decimal(10)) as scheduled:
        for name, text in scheduled.services.environment.items():
            monkeypatch.setenv(name, text)
        config = tmp_path / "migration.toml"
        config.write_text(scheduled.config_text)
        migration, window = load(config), Window.last(60, now=utc_now())
        results = [source.events(window) for source in (Ecs(migration), CodeDeploy(migration))]
        state = merge_deployment_states(tuple(result.deployment_state for result in results if result.deployment_state))
        traffic = LoadBalancer(migration).snapshot().traffic
        assert traffic and state
        (preflight,) = preflights(traffic, state, now=state.asked_at)
        assert (preflight.verdict, preflight.checks[0].groups) == ("blocked", ("photo-ec2", "photo-ecs"))
        assert [problem for result in results for problem in result.problems] == []
