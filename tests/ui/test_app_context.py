"""Which migration a server opens: the configured one, or the demo, but never the demo because of a typing error."""

import os
from pathlib import Path

import pytest

from domain import ConfigurationError
from tests.factories.config import CONFIG_TOML
from ui import app_context


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
