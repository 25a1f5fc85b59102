"""Access logs: what every place that they lie in promises, and those that lie on this machine."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from domain import Window
from sources.access_logs.counter import LogCounts
from sources.access_logs.filenames import LogFile, is_other_log, overlaps, window_of_name
from sources.base import Health, Problem, health_state

SOURCE = "access_logs"


@dataclass(frozen=True, slots=True)
class LogListing:
    """The files of a window, oldest first. `foreign`: how many files beside them are no access logs of this load balancer."""

    files: tuple[LogFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: int = 0


class LogSource(Protocol):
    """Where access logs lie."""

    name: str

    def files(self, window: Window) -> LogListing:
        """Every file that may hold lines of `window`. Never raises for the outside world's faults."""
        ...

    def download(self, file: LogFile) -> Path | Problem:
        """The file on this machine's disk. Raises OSError where that disk is full."""
        ...

    def check(self) -> tuple[Health, ...]: ...


@runtime_checkable
class RemoteCounter(LogSource, Protocol):
    """Logs that nobody brings here: whoever has them counts them, too."""

    def count(self, files: Sequence[LogFile]) -> LogCounts | Problem:
        """The counts of some files of a listing, with a tally of each in their order."""
        ...


@runtime_checkable
class DailyCounter(LogSource, Protocol):
    """Logs of which whole days are counted elsewhere, for money: each LogFile of a listing is a day's folder, with its files as `parts`."""

    def check_limits(self, days: Sequence[LogFile]) -> Problem | None:
        """Why these are not to be counted, all together: asked once, before the first."""
        ...

    def count_day(
        self, day: LogFile, *, on_progress: Callable[[int], None], stop: Callable[[], bool]
    ) -> LogCounts | Problem | None:
        """The counts of a day with one tally; None where `stop` said so. `told` hears how many bytes were read so far.

        Raises OSError where this machine's disk is full.
        """
        ...


class LocalLogs:
    """A LogSource: a file, or a folder with all that lies below it, gzip or plain."""

    name = SOURCE

    def __init__(self, path: Path) -> None:
        self._path = path

    def files(self, window: Window) -> LogListing:
        if not self._path.exists():
            return LogListing(problems=(Problem("not_found", self.name, "read", str(self._path)),))
        found, foreign = list[LogFile](), 0
        try:
            for path in sorted(self._paths()):
                if is_other_log(path.name):
                    foreign += 1
                    continue
                file = LogFile(str(path), path.stat().st_size, window_of_name(path.name))
                if overlaps(file, window):
                    found.append(file)
        except OSError as error:
            return LogListing(
                problems=(Problem("denied", self.name, "read", str(self._path), error.strerror or str(error)),)
            )
        return LogListing(tuple(found), skipped=foreign)

    def _paths(self) -> Iterator[Path]:
        if self._path.is_file():
            yield self._path
            return
        for folder, _, names in os.walk(self._path, onerror=_raise):
            yield from (Path(folder, name) for name in names if not name.startswith("."))

    def download(self, file: LogFile) -> Path | Problem:
        return Path(file.key)

    def check(self) -> tuple[Health, ...]:
        began, problem = time.monotonic(), None
        if not self._path.exists():
            problem = Problem("not_found", self.name, "read", str(self._path))
        elif not os.access(self._path, os.R_OK):
            problem = Problem("denied", self.name, "read", str(self._path))
        return (health("read", began, problem),)


def _raise(error: OSError) -> None:
    raise error


def health(permission: str, started_s: float, problem: Problem | None) -> Health:
    """One line of a check that began at `began` (time.monotonic())."""
    took_s = time.monotonic() - started_s
    state = health_state((problem,) if problem else (), took_s, answered=problem is None)
    return Health(SOURCE, permission, state, took_s, problem)
