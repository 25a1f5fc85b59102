"""Downloaded access logs: a folder that grows no larger than it may, because what was used longest ago goes first."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sources.access_logs.filenames import LogFile, window_of_name

PARTIAL_SUFFIX = ".part"
_EVICT_TO_FRACTION = 0.9  # so full it is after something had to go


class LogFileCache:
    """A folder of at most `most_bytes`. Whatever else lies in it is left alone. Serves many threads."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = threading.Lock()
        self._used_bytes: int | None = None

    def path(self, file: LogFile) -> Path:
        """Where the file lies once it is whole."""
        return self._folder / file.key.rpartition("/")[2]

    def partial_path(self, file: LogFile) -> Path:
        """Where it lies while it is being downloaded."""
        return self._folder / (file.key.rpartition("/")[2] + PARTIAL_SUFFIX)

    def get(self, file: LogFile) -> Path | None:
        """The file, if it is whole; it counts as used now."""
        path = self.path(file)
        if not path.exists() or path.stat().st_size != file.size:
            return None
        path.touch()
        return path

    def reserve(self, size_bytes: int) -> None:
        """Removes what was used longest ago until `size` bytes more fit. Raises OSError where the folder cannot be made."""
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._used_bytes is None or self._used_bytes + size_bytes > self._max_bytes:
                self._used_bytes = self._evict(size_bytes)
            self._used_bytes += size_bytes

    def _evict(self, size_bytes: int) -> int:
        """How many bytes are left once there is room."""
        ours = [
            path
            for path in self._folder.iterdir()
            if window_of_name(path.name.removesuffix(PARTIAL_SUFFIX)) and path.is_file()
        ]
        kept = sorted(_existing_files(ours))
        used = sum(bytes_ for _, bytes_, _ in kept)
        if used + size_bytes > self._max_bytes:
            for _, bytes_, path in kept:
                if used + size_bytes <= self._max_bytes * _EVICT_TO_FRACTION:
                    break
                path.unlink(missing_ok=True)
                used -= bytes_
        return used


def _existing_files(paths: Iterable[Path]) -> Iterator[tuple[float, int, Path]]:
    """When each was used last, and its bytes; one that is complete by now, under another name, is left out."""
    for path in paths:
        with suppress(FileNotFoundError):
            found = path.stat()
            yield found.st_mtime, found.st_size, path
