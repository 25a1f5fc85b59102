"""The command line as a whole: help, documentation, and external text in the terminal."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import cli
from domain import Event, Fleet, Migration, Target
from sources.base import Health, TrafficSnapshot
from sources.demo.sources import DemoEvents, DemoMetrics, DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, DENIED, NOW, json_output, keys, run

pytestmark = pytest.mark.usefixtures("demo")

EVIL = "evil \x1b[2J\x1b]0;owned\x07 [red]name[/red] \u202e\nnext"
EVIL_PRINTED = "evil [2J ]0;owned [red]name[/red] next"


def test_external_text_cannot_control_the_terminal(
    demo: Migration, use_sources: Any, monkeypatch: pytest.MonkeyPatch, set_demo: Callable[[Migration], None]
):
    evil = replace(DENIED, about=EVIL, detail=EVIL, operation=EVIL)
    fleet = Fleet.model_construct(label=EVIL, target_groups=("photo-ec2",), ecs_service="a/b", codedeploy="")
    fleets = demo.fleets.model_copy(update={"baseline": fleet})
    migration = demo.model_copy(update={"name": EVIL, "fleets": fleets})
    set_demo(migration)

    class Metrics(DemoMetrics):
        def check(self) -> tuple[Health, ...]:
            return (Health("cloudwatch", EVIL, "denied", 0, evil),)

    class Traffics(DemoTraffic):
        def snapshot(self) -> TrafficSnapshot:
            traffic = self.traffic_at(int(NOW.timestamp()))
            header_rule, split, other = traffic.rules
            header_rule = replace(
                header_rule, conditions=(replace(header_rule.conditions[0], name=EVIL, patterns=(EVIL,)),)
            )
            split = replace(split, shares=(replace(split.shares[0], target_group=EVIL), *split.shares[1:]))
            group = replace(traffic.groups[0], target_group=EVIL, targets=(Target(EVIL, 1, EVIL, EVIL, EVIL, EVIL),))
            return TrafficSnapshot(
                traffic.asked_at, replace(traffic, rules=(header_rule, split, other), groups=(group,)), (evil,)
            )

    class Events(DemoEvents):
        def events(self, window: Any) -> Any:
            poll = super().events(window)
            event = Event(int(NOW.timestamp()) - 60, None, "alert", EVIL, EVIL, "", EVIL, self.name, EVIL, open=True)
            return replace(poll, events=(event,), problems=(evil,))

    def clock() -> datetime:
        return NOW

    use_sources(
        Sources(
            (Metrics(migration, anchor=ANCHOR, clock=clock),),
            Traffics(anchor=ANCHOR, clock=clock),
            (Events(anchor=ANCHOR, clock=clock),),
        )
    )
    for command in (("doctor",), ("weights",), ("watch", "--once")):
        result = run(*command, columns=1000)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert EVIL_PRINTED in result.stdout
        as_json = run(*command, "--json")
        assert json_output(as_json)["migration"] == EVIL
        for letter in "\x1b\x07\u202e":
            assert letter not in result.stdout and letter not in as_json.stdout


@pytest.mark.parametrize("args", [(), ("doctor",), ("weights",), ("watch",)])
def test_help_has_examples(args: tuple[str, ...]):
    result = run(*args, "--help")
    assert result.exit_code == 0
    assert f"cli.py {args[0] if args else 'doctor'}" in result.stdout


def test_every_command_option_and_key_is_documented():
    text = (Path(cli.__file__).parent / "docs" / "cli.md").read_text(encoding="utf-8")
    options = set(re.findall(r"(?m)^ +(--[a-z]+)", "".join(run(name, "--help").stdout for name in ("doctor", "watch"))))
    names = options - {"--help"}
    for name in ("doctor", "weights", "watch"):
        names |= {f"### {name}", *keys(json_output(run(name, "--json", *(["--once"] if name == "watch" else []))))}
    assert {name for name in names if name not in text} == set()
