"""The worlds of `python -m tests.fakes` agree: CloudWatch and Mackerel tell of the weights that Elastic Load Balancing has, from when it has them."""

import argparse
import io
import math
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
    ScheduledFakes,
    WeightSchedule,
    parse_duration,
    parse_percent,
    parse_percents,
    run_steps,
    running_fakes,
    write_config,
)


def test_before_the_first_change_the_first_weights_held() -> None:
    dial = WeightSchedule()
    assert dial.record(6000, {"photo-ec2": 90, "photo-ecs": 10})
    assert not dial.record(6010, {"photo-ec2": 90, "photo-ecs": 10})
    assert dial.record(6030, {"photo-ec2": 1, "photo-ecs": 1})
    assert [dial.shares(ts)["photo-ecs"] for ts in (0, 6000, 6029, 6030, 6060)] == [0.1, 0.1, 0.1, 0.5, 0.5]
    assert dial.record(7000, {"photo-ec2": 0, "photo-ecs": 0})
    assert dial.shares(7000) == {"photo-ec2": 0.0, "photo-ecs": 0.0}


@pytest.mark.parametrize(
    ("text", "given"), [("25", "25"), (" 0.1 %\n", "0.1"), ("0", "0"), ("100", "100"), ("99.9", "99.9")]
)
def test_a_percentage_has_one_decimal(text: str, given: str) -> None:
    assert parse_percent(text) == Decimal(given)


@pytest.mark.parametrize("text", ["", "ten", "-1", "101", "0.01", "nan", "inf"])
def test_what_is_no_percentage_is_said(text: str) -> None:
    with pytest.raises(ValueError):
        parse_percent(text)
    with pytest.raises(argparse.ArgumentTypeError):
        parse_percents(f"10,{text}")


def test_times() -> None:
    assert [parse_duration(text) for text in ("90", "90s", "2m", "0.5h", "never")] == [90, 90, 120, 1800, math.inf]
    for text in ("", "2 weeks", "0", "-1"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_duration(text)


def test_somebodys_configuration_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_text("[migration]")
    with pytest.raises(FileExistsError):
        write_config(path, "ours")
    assert path.read_text() == "[migration]"


def told_of(worlds: ScheduledFakes, path: Path, typed: str) -> tuple[Traffic, list[str]]:
    """The traffic after somebody typed this, and what was answered."""
    answers: list[str] = []
    run_steps(worlds, (), math.inf, io.StringIO(typed), answers.append)
    seen = LoadBalancer(load(path)).snapshot()
    assert seen.problems == ()
    assert seen.traffic
    return seen.traffic, answers


def test_the_dashboards_sources_see_what_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "migration.toml"
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with running_fakes(Decimal(10)) as worlds:
        for name, text in worlds.environment.items():
            monkeypatch.setenv(name, text)
        write_config(path, worlds.config_text)
        write_config(path, worlds.config_text)  # its own it may overwrite
        began = int(worlds.cloudwatch.clock().timestamp()) // 60 * 60
        past = CloudWatch(load(path)).pull(Window(began - 3600, began))
        assert past.problems == ()
        asked = past.frame[past.frame["metric"] == "requests"].groupby("fleet", observed=True)["value"].sum()
        assert asked["canary"] / asked.sum() == pytest.approx(0.1, abs=0.01)

        traffic, answers = told_of(worlds, path, "ten\n33.3\nq\n")
        assert traffic.configured_shares["canary"] == Fraction(333, 1000)
        assert [answer.split()[-1] for answer in answers] == ["end.", "steps"]
        assert worlds.schedule.shares(began + 3600) == {"photo-ec2": 0.667, "photo-ecs": 0.333}

        worlds.elbv2.set_weights({"photo-ec2": 0, "photo-ecs": 1})  # somebody else, past the dial
        assert worlds.sync_weights()
        assert worlds.schedule.shares(began + 3600)["photo-ecs"] == 1
        assert worlds.mackerel.traffic_model is worlds.cloudwatch.traffic_model


def test_the_service_runs_in_the_canarys_group_and_a_split_keeps_it_from_being_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_fakes(Decimal(10)) as worlds:
        for name, text in worlds.environment.items():
            monkeypatch.setenv(name, text)
        path = tmp_path / "migration.toml"
        write_config(path, worlds.config_text)
        migration, window = load(path), Window.last(60, now=utc_now())
        told = [source.events(window) for source in (Ecs(migration), CodeDeploy(migration))]
        standing = merge_deployment_states(tuple(one.deployment_state for one in told if one.deployment_state))
        traffic = LoadBalancer(migration).snapshot().traffic
        assert traffic and standing
        (found,) = preflights(traffic, standing)
        assert (found.verdict, found.checks[0].groups) == ("blocked", ("photo-ec2", "photo-ecs"))
        assert [problem for one in told for problem in one.problems] == []
