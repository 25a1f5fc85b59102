"""The command line as a whole: help, documentation, and external text in the terminal."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import cli
from commands.shared.exit_codes import GateCommand
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


def commands(group: Any = None, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group, with its names."""
    command = group or get_command(cli.app)
    yield names, command
    for name, subcommand in getattr(command, "commands", {}).items():
        yield from commands(subcommand, *names, name)


COMMANDS = dict(commands())
GROUPS = [(), ("import",), ("archive",)]


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_has_exit_codes_and_examples_and_fits_80_columns(names: tuple[str, ...]) -> None:
    result = run(*names, "--help", columns=80)
    assert result.exit_code == 0
    assert "\\b" not in result.stdout and "\b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    codes = re.findall(r"(?m)^    ([0-3])  \S", result.stdout.partition("Exit codes:\n")[2].partition("Examples:")[0])
    gate = isinstance(COMMANDS[names], GateCommand)
    assert codes[0] == "0" and codes == sorted(codes) and codes[-1] == ("3" if gate else "2")
    if names not in GROUPS:
        assert f"    cli.py {' '.join(names)}" in result.stdout


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_has_json_and_says_so(names: tuple[str, ...]) -> None:
    """The general help says that every command has --json."""
    has_json = any("--json" in parameter.opts for parameter in COMMANDS[names].params)
    assert has_json == (names not in GROUPS)
    assert bool(re.search(r"(?m)^  --json ", run(*names, "--help").stdout)) == has_json


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_the_list_of_commands_is_not_cut(group: tuple[str, ...]) -> None:
    assert "..." not in run(*group, "--help", columns=80).stdout.partition("  --help  ")[2]


def test_the_general_help_lists_each_command_once_under_a_heading() -> None:
    listed = run("--help", columns=80).stdout.partition("Show this message and exit.\n\n")[2]
    groups = {block.splitlines()[0]: re.findall(r"(?m)^  (\w+)  +\S", block) for block in listed.strip().split("\n\n")}
    assert groups == {
        "Decide:": ["judge", "next", "drain"],
        "Watch:": ["watch", "weights", "deployments", "releases", "endpoints", "trace", "probe", "batches"],
        "Evidence:": ["report", "verify", "retrospective", "note"],
        "Set up:": ["init", "doctor", "notify", "import"],
        "Data:": ["record", "step", "archive"],
    }
    assert sorted(name for names in groups.values() for name in names) == sorted(get_command(cli.app).commands)
    assert len({line.index(re.split(r"  +", line.strip())[1]) for line in listed.splitlines() if line[:1] == " "}) == 1


@pytest.mark.parametrize("names", [names for names in COMMANDS if names not in GROUPS], ids=" ".join)
def test_an_invalid_option_ends_with_the_exit_code_of_the_help(names: tuple[str, ...]) -> None:
    assert run(*names, "--no-such-option").exit_code == (3 if isinstance(COMMANDS[names], GateCommand) else 2)


def test_every_command_option_and_key_is_documented():
    text = (Path(cli.__file__).parent / "docs" / "cli.md").read_text(encoding="utf-8")
    options = set(re.findall(r"(?m)^ +(--[a-z]+)", "".join(run(name, "--help").stdout for name in ("doctor", "watch"))))
    names = options - {"--help"}
    for name in ("doctor", "weights", "watch"):
        names |= {f"### {name}", *keys(json_output(run(name, "--json", *(["--once"] if name == "watch" else []))))}
    assert {name for name in names if name not in text} == set()
