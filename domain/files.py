"""Files and folders that only their owner can read."""

import os
import stat
from pathlib import Path
from typing import Literal

PRIVATE_UMASK = 0o077
# Of a file: it belongs to another user, who can replace and open it; its group or all others can read or write it.
FileExposure = Literal["other_owner", "readable"]


def create_private_folder(path: Path) -> None:
    """Creates a folder for its owner alone, and missing parents. An existing one is not changed. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_private_file(path: Path) -> None:
    """Creates an empty file for its owner alone. An existing one is not changed. Raises OSError."""
    if not path.exists():
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))


def exposure_of(path: Path) -> FileExposure | None:
    """Whether a file belongs to another user, or others can read it; None if neither, or if it is no regular file. Raises OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_uid != os.geteuid():
        return "other_owner"
    return "readable" if status.st_mode & 0o077 else None


def is_own_private_folder(path: Path) -> bool:
    """Whether it is a folder, not a link to one, of this user, that no other user can enter. Raises OSError if there is none."""
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
