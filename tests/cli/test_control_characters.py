"""No control character of an outside name reaches the terminal, in any command."""

import json
import logging
import unicodedata
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from typer.main import get_command

import cli
from archive import ArchiveProblem
from commands.record import RecorderStatus, recorder_table
from commands.shared import output
from domain import Migration
from domain.logs import JsonFormatter, TextFormatter, print_exception
from sources import border
from tests.cli.conftest import NOW, run
from tests.factories.access_log_lines import access_log_line

EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\x9b"
# Fields that are looked up. Of the others, all that are free text become evil.
LOOKED_UP = frozenset({
    "source", "key", "fleet", "metric", "stat", "unit", "arn", "listener_arn", "rule_arn", "split_arn", "rule", "job", "expression", "timezone", "link",
})  # fmt: skip


def poison(value: Any) -> Any:
    """The value with EVIL after every free text in dataclasses and tuples."""
    if type(value) is tuple:
        return tuple(map(poison, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    types = get_type_hints(type(value))
    values = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    evil = {name: text + EVIL for name, text in values.items() if types[name] is str and text and name not in LOOKED_UP}
    return replace(value, **{name: evil.get(name) or poison(item) for name, item in values.items()})


@pytest.fixture
def evil_demo(demo: Migration, set_demo: Any, monkeypatch: pytest.MonkeyPatch) -> Migration:
    """The demo, whose sources and configuration have control characters in names."""
    call = border._call
    monkeypatch.setattr(border, "_call", lambda *args, **options: poison(call(*args, **options)))
    migration = demo.model_copy(update={"name": demo.name + EVIL})
    set_demo(migration)
    return migration


def logs(folder: Path) -> str:
    """A folder with a file of requests, with control characters in routes and target groups."""
    folder.mkdir()
    begin = NOW - timedelta(minutes=60)
    lines = [
        access_log_line(
            f"GET https://photo.example.com:443/a{number}{EVIL} HTTP/2.0",
            time=f"{begin + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}.000000Z",
            group=f"arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/{group}/73e2d6bc24d8a067",
        )
        for number in range(40)
        for group in ("photo-ec2", "photo-ecs-blue", f"other{EVIL}")
    ]
    (folder / f"a{EVIL}.log").write_text("".join(lines), encoding="utf-8")
    return str(folder)


COMMANDS = (
    "doctor",
    "weights",
    "weights --history",
    "deployments",
    "watch --once",
    "judge --window 3h",
    "judge",
    "report --out evidence.html",
    "retrospective",
    "retrospective --out page.html",
    "note --list",
    "step --list",
    "batches --window 1d",
    "endpoints --window 1h",
    "endpoints --logs LOGS --window 1h",
    "archive status",
    "import mackerel",
    "next",
    "releases",
    "notify",
    "trace 1-68000000-012345678901234567890123",
    "drain",
    "probe --dry-run",
)


@pytest.mark.slow
def test_no_command_prints_a_control_character(
    evil_demo: Migration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = logs(tmp_path / f"logs{EVIL}")
    run("note", f"Sale{EVIL}", "--by", f"Mika{EVIL}")
    run("note", f"Gone{EVIL}", "--by", f"Mika{EVIL}")
    run("step", "--share", "10", "--by", f"Mika{EVIL}")
    outputs = {}
    for command in COMMANDS:
        result = run(*(folder if word == "LOGS" else word for word in command.split()))
        assert isinstance(result.exception, SystemExit | None), (command, result.output, result.exc_info)
        outputs[command] = result.stdout + result.stderr
    output.echo(recorder_table(evil_demo, RecorderStatus(NOW, (), {}, ArchiveProblem("locked", EVIL), frozenset())))
    outputs["record"] = capsys.readouterr().out
    assert {name: found for name, text in outputs.items() if (found := control_characters(text))} == {}
    # Otherwise nothing evil was printed at all.
    assert {name for name, text in outputs.items() if "owned" in text} >= {
        *("doctor", "weights", "deployments", "watch --once", "judge", "note --list", "step --list"),
        *("batches --window 1d", "endpoints --logs LOGS --window 1h", "archive status", "record"),
    }


def test_a_log_line_and_a_traceback_have_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "file %s", (f"a{EVIL}",), None)
    record.__dict__["about"] = f"b{EVIL}"
    text, as_json = TextFormatter().format(record), JsonFormatter().format(record)
    error = ValueError(f"c{EVIL}")
    print_exception(ValueError, error, None)
    crash = capsys.readouterr().err
    assert [control_characters(line) for line in (text, as_json, crash)] == [set(), set(), set()]
    assert "a\\u001b]0;owned\\u0007\\u001b[2J\\u202e\\u009b" in text
    assert json.loads(as_json)["about"] == f"b{EVIL}"
    assert crash == "ValueError: c\\u001b]0;owned\\u0007\\u001b[2J\\u202e\\u009b\n"


def test_every_command_is_here() -> None:
    """`archive` has commands of its own; `record` is drawn by a function. `init` and `verify` read no migration, and have tests of their own."""
    names = {command.split()[0] for command in COMMANDS} | {"record", "init", "verify"}
    assert names == set(get_command(cli.app).commands)  # type: ignore[attr-defined]


def control_characters(text: str) -> set[str]:
    return {char for char in text if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs")}
