"""Protocols of access-log sources, and the source for logs on the local disk."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from domain import Window
from sources.access_logs.counter import LogCounts
from sources.access_logs.filenames import LogFile, is_other_log, overlaps, window_of_name
from sources.base import Health, Problem, ProblemKind, health_state

SOURCE = "access_logs"


@dataclass(frozen=True, slots=True)
class LogListing:
    """The files of a window, oldest first. `skipped`: the number of other files in the same place."""

    files: tuple[LogFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: int = 0


class LogSource(Protocol):
    name: str

    def files(self, window: Window) -> LogListing:
        """All files that may contain lines of `window`. Faults of the service are problems."""
        ...

    def download(self, file: LogFile) -> Path | Problem:
        """The file on the local disk. Raises OSError if the disk is full."""
        ...

    def check(self) -> tuple[Health, ...]: ...


@runtime_checkable
class RemoteCounter(LogSource, Protocol):
    """Counts logs remotely instead of downloading them."""

    def count(self, files: Sequence[LogFile]) -> LogCounts | Problem:
        """The counts of some files of a listing, with the stats of each file in their order."""
        ...


@runtime_checkable
class DailyCounter(LogSource, Protocol):
    """Counts whole days remotely, at a price. Each LogFile of a listing is the folder of a day, with its files as `parts`."""

    def check_limits(self, days: Sequence[LogFile]) -> Problem | None:
        """A problem if these days together must not be counted. Called once, before the first."""
        ...

    def count_day(
        self, day: LogFile, *, on_progress: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> LogCounts | Problem | None:
        """The counts of a day, None if `should_stop` returned True. `on_progress` gets the bytes read so far. Raises OSError if the disk is full."""
        ...


class LocalLogs:
    """A LogSource: a file or a folder with its subfolders, gzip or plain."""

    name = SOURCE

    def __init__(self, path: Path) -> None:
        self._path = path

    def files(self, window: Window) -> LogListing:
        if not self._path.exists():
            return LogListing(problems=(self._problem("not_found"),))
        files, skipped = list[LogFile](), 0
        try:
            for path in sorted(self._paths()):
                file = LogFile(str(path), path.stat().st_size, window_of_name(path.name))
                if is_other_log(path.name):
                    skipped += 1
                elif overlaps(file, window):
                    files.append(file)
        except OSError as error:
            return LogListing(problems=(self._problem("denied", error.strerror or str(error)),))
        return LogListing(tuple(files), skipped=skipped)

    def _paths(self) -> Iterator[Path]:
        def fail(error: OSError) -> None:
            raise error

        if self._path.is_file():
            yield self._path
            return
        for folder, _, names in os.walk(self._path, onerror=fail):
            yield from (Path(folder, name) for name in names if not name.startswith("."))

    def download(self, file: LogFile) -> Path | Problem:
        return Path(file.key)

    def check(self) -> tuple[Health, ...]:
        started_s, problem = time.monotonic(), None
        if not self._path.exists():
            problem = self._problem("not_found")
        elif not os.access(self._path, os.R_OK):
            problem = self._problem("denied")
        return (health("read", started_s, problem),)

    def _problem(self, kind: ProblemKind, detail: str = "") -> Problem:
        return Problem(kind, self.name, "read", str(self._path), detail)


def health(permission: str, started_s: float, problem: Problem | None, source: str = SOURCE) -> Health:
    """The result of a check that started at `started_s` (time.monotonic())."""
    took_s = time.monotonic() - started_s
    state = health_state((problem,) if problem else (), took_s, answered=problem is None)
    return Health(source, permission, state, took_s, problem)
