"""Reads the files of a team, which may be anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sources.infrastructure.base import InfrastructureError, InfrastructureIssue

MAX_TEXT_KIB = 256  # ECS accepts task definitions of 64 KiB


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A file, opened for reading. Raises InfrastructureError, also for a pipe or a device, which would be waited for."""
    try:
        is_file, exists = path.is_file(), path.exists()
        if is_file:
            with path.open("rb") as file:
                yield file
            return
        detail = "not a file" if exists else "no such file"
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        detail = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    raise InfrastructureError(InfrastructureIssue("not_readable", str(path), params={"detail": detail}))


def read_text(path: Path) -> str:
    """The text of a small file in UTF-8. Raises InfrastructureError."""
    with open_regular(path) as file:
        content = file.read((MAX_TEXT_KIB << 10) + 1)
    if len(content) > MAX_TEXT_KIB << 10:
        params = {"limit": f"{MAX_TEXT_KIB} KiB"}
        raise InfrastructureError(InfrastructureIssue("file_too_large", str(path), params=params))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise InfrastructureError(InfrastructureIssue("not_utf8", str(path)))


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path, without its links, is in a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a loop of links, a null character
        return False
