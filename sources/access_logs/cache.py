"""LRU cache of downloaded access logs on the local disk."""

import threading
from pathlib import Path

from domain.files import create_private_folder
from sources.access_logs.filenames import LogFile, window_of_name

PARTIAL_SUFFIX = ".part"
_EVICT_TO_FRACTION = 0.9  # of `max_bytes`


class LogFileCache:
    """A folder of at most `max_bytes`. Other files in it are left alone. Thread-safe."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = threading.Lock()
        self._used_bytes: int | None = None

    def path(self, file: LogFile) -> Path:
        """The path of the complete file."""
        return self._folder / file.key.rpartition("/")[2]

    def partial_path(self, file: LogFile) -> Path:
        """The path of the file during its download."""
        return self._folder / (file.key.rpartition("/")[2] + PARTIAL_SUFFIX)

    def get(self, file: LogFile) -> Path | None:
        """The file if it is complete; updates its time of use."""
        path = self.path(file)
        if not path.exists() or path.stat().st_size != file.size:
            return None
        path.touch()
        return path

    def reserve(self, size_bytes: int) -> None:
        """Removes the least recently used files until `size_bytes` more fit. Raises OSError if the folder cannot be created."""
        with self._lock:
            create_private_folder(self._folder)
            if self._used_bytes is None or self._used_bytes + size_bytes > self._max_bytes:
                self._used_bytes = self._evict(size_bytes)
            self._used_bytes += size_bytes

    def _evict(self, size_bytes: int) -> int:
        """The bytes that are left in use."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.iterdir():
            if window_of_name(path.name.removesuffix(PARTIAL_SUFFIX)) and path.is_file():
                try:
                    stat = path.stat()
                except FileNotFoundError:  # a partial file, completed and renamed meanwhile
                    continue
                files.append((stat.st_mtime, stat.st_size, path))
        used_bytes = sum(size for _, size, _ in files)
        if used_bytes + size_bytes > self._max_bytes:
            for _, size, path in sorted(files):
                if used_bytes + size_bytes <= self._max_bytes * _EVICT_TO_FRACTION:
                    break
                path.unlink(missing_ok=True)
                used_bytes -= size
        return used_bytes
