"""The command line on the demo at a fixed time, in an empty folder with its own archive."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli
from commands.shared import startup
from domain import Migration
from sources.base import Problem
from sources.demo.sources import demo_migration
from sources.registry import Sources, create_sources

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)
DENIED = Problem("denied", "cloudwatch", "cloudwatch:GetMetricData", "ap-northeast-1", "AccessDenied: not you")


def run(*args: str, stdin: str | None = None, columns: int = 160) -> Result:
    return CliRunner().invoke(cli.app, list(args), input=stdin, env={"COLUMNS": str(columns)})


def json_output(result: Result) -> Any:
    """The only line of the output. NaN and Infinity are not JSON."""
    (line,) = result.stdout.splitlines()
    output = json.loads(line, parse_constant=pytest.fail)
    assert output["schema"] == 1
    return output


def lines(text: str) -> list[str]:
    """The lines that are not blank, with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def sources_at(now: datetime, migration: Migration) -> Sources:
    """The sources of the demo at another time."""
    return create_sources(migration, anchor=ANCHOR, clock=lambda: now)


def keys(value: Any) -> set[str]:
    """Every key of nested JSON."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return set(value).union(*map(keys, value.values())) if isinstance(value, dict) else set()


@pytest.fixture
def set_demo(monkeypatch: pytest.MonkeyPatch) -> Callable[[Migration], None]:
    """Replaces the migration of the demo."""
    return lambda migration: monkeypatch.setattr("sources.configuration.demo_migration", lambda: migration)


@pytest.fixture
def set_now(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock of the commands."""
    return lambda at: monkeypatch.setattr(startup, "now", lambda: at)


@pytest.fixture
def use_sources(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sources], None]:
    """Replaces the sources of the migration."""
    return lambda sources: monkeypatch.setattr(startup, "create_sources", lambda _migration, **_: sources)


@pytest.fixture
def demo(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    set_demo: Callable[[Migration], None],
    set_now: Callable[[datetime], None],
) -> Migration:
    migration = demo_migration(ANCHOR).model_copy(update={"archive": f"sqlite:///{tmp_path}/archive.db"})
    monkeypatch.chdir(tmp_path)
    set_demo(migration)
    set_now(NOW)
    monkeypatch.setattr(startup, "create_sources", partial(create_sources, anchor=ANCHOR))
    return migration
