"""Files and folders for their owner alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.files import create_private_file, create_private_folder, exposure_of, is_own_private_folder


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The umask that leaves most to others."""
    previous = os.umask(0)
    yield
    os.umask(previous)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_a_new_folder_and_file_are_private(tmp_path: Path) -> None:
    create_private_folder(tmp_path / "a" / "b")
    create_private_file(tmp_path / "a" / "b" / "archive.db")
    assert (mode(tmp_path / "a" / "b"), mode(tmp_path / "a" / "b" / "archive.db")) == ("0o700", "0o600")


def test_existing_ones_keep_their_permissions_and_content(tmp_path: Path) -> None:
    folder, file = tmp_path / "shared", tmp_path / "shared" / "archive.db"
    folder.mkdir(mode=0o750)
    file.write_text("rows")
    file.chmod(0o640)
    create_private_folder(folder)
    create_private_file(file)
    assert (mode(folder), mode(file), file.read_text()) == ("0o750", "0o640", "rows")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        create_private_file(tmp_path / "none" / "archive.db")
    with pytest.raises(FileNotFoundError):
        is_own_private_folder(tmp_path / "none")


@pytest.mark.parametrize(
    ("mode", "exposure"), [(0o600, None), (0o640, "readable"), (0o604, "readable"), (0o620, "readable")]
)
def test_who_else_has_access_to_a_file(
    mode: int, exposure: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "archive.db"
    file.touch()
    file.chmod(mode)
    assert exposure_of(file) == exposure
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    assert exposure_of(file) == "other_owner"


def test_only_an_own_folder_that_nobody_else_can_enter_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    create_private_folder(folder)
    assert is_own_private_folder(folder)
    (tmp_path / "link").symlink_to(folder)
    assert not is_own_private_folder(tmp_path / "link")
    (tmp_path / "file").touch(mode=0o600)
    assert not is_own_private_folder(tmp_path / "file")
    for others in (0o701, 0o770, 0o720):
        folder.chmod(others)
        assert not is_own_private_folder(folder)
    folder.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert not is_own_private_folder(folder)
