"""Which migration a server opens: the configured one, or the demo, but never the demo because of a typing error."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.collector import Collector
from domain import ConfigurationError
from sources.base import MetricSource
from tests.factories.app_context import NOW
from tests.factories.config import CONFIG_TOML
from ui import app_context
from ui.app_context import AppContext


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("MIGRATION_CONFIG", "MIGRATION_DEMO"):
        monkeypatch.delenv(name, raising=False)


def test_demo_without_configuration() -> None:
    assert app_context.load_migration().demo


def test_file_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    assert (app_context.load_migration().name, app_context.load_migration().demo) == ("Photo service", False)


def test_demo_on_request_despite_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    monkeypatch.setenv("MIGRATION_DEMO", "1")
    assert app_context.load_migration().demo


def test_migration_config_comes_before_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    (tmp_path / "other.toml").write_text(CONFIG_TOML.replace("Photo service", "Other service"))
    monkeypatch.setenv("MIGRATION_CONFIG", "other.toml")
    assert app_context.load_migration().name == "Other service"


@pytest.mark.parametrize("is_directory", [False, True], ids=["missing", "directory"])
def test_unreadable_migration_config_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_directory: bool
) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    if is_directory:
        (tmp_path / "other.toml").mkdir()
    monkeypatch.setenv("MIGRATION_CONFIG", "other.toml")
    with pytest.raises(ConfigurationError) as raised:
        app_context.load_migration()
    (issue,) = raised.value.issues
    assert (issue.code, raised.value.path) == ("not_readable", Path("other.toml"))
    assert issue.params == {"detail": os.strerror(21 if is_directory else 2)}


class RaisingSource:
    """A metric source whose pull raises an unexpected exception."""

    def __init__(self, source: MetricSource) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def pull(self, *_args: object, **_options: object) -> None:
        raise KeyError("Values")


def test_source_states_include_a_poll_that_raised(build_app: Callable[..., AppContext]) -> None:
    app = build_app()
    raising = RaisingSource(app.metric_source("cloudwatch"))
    sources = replace(app.sources, metrics=(raising,))  # type: ignore[arg-type]
    collector = Collector(app.archive, sources, clock=lambda: NOW)
    task = next(task for task in collector.tasks if (task.source, task.role) == ("cloudwatch", "metrics"))
    collector.run_task(task)
    (state,) = [state for state in replace(app, collector=collector).source_states() if state.source == "cloudwatch"]
    assert state.state == "down"
    assert [problem.kind for problem in state.problems] == ["internal_error"]
