"""Which migration a server opens: the configured one, or the demo, but never the demo because of a typing error."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive import ArchiveError
from collector.collector import Collector
from domain import ConfigurationError, Migration
from domain.config.server import ServerSettings
from sources.base import MetricSource
from tests.factories.app_context import NOW
from tests.factories.config import CONFIG_TOML
from ui import app_context, settings
from ui.app_context import AppContext


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("MIGRATION_CONFIG", "MIGRATION_DEMO", "MIGRATION_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def loaded() -> Migration:
    """The only migration of the configuration."""
    (migration,) = settings.load_configuration().migrations
    return migration


def test_demo_without_configuration() -> None:
    assert loaded().demo


def test_file_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    assert (loaded().name, loaded().demo) == ("Photo service", False)


def test_demo_on_request_despite_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    monkeypatch.setenv("MIGRATION_DEMO", "1")
    assert loaded().demo


def test_migration_config_comes_before_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    (tmp_path / "other.toml").write_text(CONFIG_TOML.replace("Photo service", "Other service"))
    monkeypatch.setenv("MIGRATION_CONFIG", "other.toml")
    assert loaded().name == "Other service"


@pytest.mark.parametrize("is_directory", [False, True], ids=["missing", "directory"])
def test_unreadable_migration_config_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_directory: bool
) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    if is_directory:
        (tmp_path / "other.toml").mkdir()
    monkeypatch.setenv("MIGRATION_CONFIG", "other.toml")
    with pytest.raises(ConfigurationError) as raised:
        settings.load_configuration()
    (issue,) = raised.value.issues
    code, params = ("no_migrations", {}) if is_directory else ("not_readable", {"detail": os.strerror(2)})
    assert (issue.code, issue.params, raised.value.path) == (code, params, Path("other.toml"))


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


def server_settings_of(config: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings | None:
    """The settings after the attempt to open a context with this configuration."""
    monkeypatch.setattr(settings, "_server_settings", None)
    (folder / "migration.toml").write_text(config)
    with contextlib.suppress(ConfigurationError, ArchiveError):
        app_context.open_contexts()
    app_context.close()
    return settings.server_settings()


SERVER_TABLE = '[server]\nallowed_hosts = ["Dashboard.example.com"]\n'


def test_server_settings_are_known_even_if_the_archive_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "archive.db").mkdir()
    found = server_settings_of(CONFIG_TOML + SERVER_TABLE, tmp_path, monkeypatch)
    assert found == ServerSettings(allowed_hosts=("dashboard.example.com",))


def test_server_settings_are_unknown_if_the_configuration_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server_settings_of(CONFIG_TOML + SERVER_TABLE + "typo = 1\n", tmp_path, monkeypatch) is None


def test_hosts_of_the_environment_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "archive.db").mkdir()
    monkeypatch.setenv("MIGRATION_ALLOWED_HOSTS", " 10.0.0.5, ,https://x, Other.example.com,")
    found = server_settings_of(CONFIG_TOML + SERVER_TABLE, tmp_path, monkeypatch)
    assert found and found.allowed_hosts == ("dashboard.example.com", "10.0.0.5", "other.example.com")
    assert [record.getMessage() for record in caplog.records] == ["not a host in MIGRATION_ALLOWED_HOSTS: https://x"]
