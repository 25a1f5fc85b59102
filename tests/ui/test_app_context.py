"""Which migration a server opens: what is configured, the demo where nothing is, and never the demo by a typing error."""

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


def test_nothing_configured_is_the_demo() -> None:
    assert app_context.load_migration().demo


def test_a_file_in_the_folder_is_the_migration(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    assert (app_context.load_migration().name, app_context.load_migration().demo) == ("Photo service", False)


def test_the_demo_can_be_asked_for_beside_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    monkeypatch.setenv("MIGRATION_DEMO", "1")
    assert app_context.load_migration().demo


def test_a_named_file_comes_before_the_one_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    (tmp_path / "other.toml").write_text(CONFIG_TOML.replace("Photo service", "Other service"))
    monkeypatch.setenv("MIGRATION_CONFIG", "other.toml")
    assert app_context.load_migration().name == "Other service"


@pytest.mark.parametrize("there", [False, True], ids=["missing", "a folder"])
def test_a_named_file_that_cannot_be_read_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    (tmp_path / "migration.toml").write_text(CONFIG_TOML)
    if there:
        (tmp_path / "other.toml").mkdir()
    monkeypatch.setenv("MIGRATION_CONFIG", "other.toml")
    with pytest.raises(ConfigurationError) as raised:
        app_context.load_migration()
    (mistake,) = raised.value.issues
    assert (mistake.code, raised.value.path) == ("not_readable", Path("other.toml"))
    assert mistake.params == {"detail": os.strerror(21 if there else 2)}
