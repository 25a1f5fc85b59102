"""Access logs: what every place that they lie in promises, and those that lie on this machine."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from domain import Window
from sources.access_logs.counter import Counted
from sources.access_logs.filenames import LogFile, is_foreign, overlaps, time_of
from sources.base import Health, Problem, state_of

NAME = "access_logs"


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a window, oldest first. `foreign`: how many files beside them are no access logs of this load balancer."""

    files: tuple[LogFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    foreign: int = 0


class LogSource(Protocol):
    """Where access logs lie."""

    name: str

    def files(self, window: Window) -> Listing:
        """Every file that may hold lines of `window`. Never raises for the outside world's faults."""
        ...

    def bring(self, file: LogFile) -> Path | Problem:
        """The file on this machine's disk. Raises OSError where that disk is full."""
        ...

    def check(self) -> tuple[Health, ...]: ...


@runtime_checkable
class CountedElsewhere(LogSource, Protocol):
    """Logs that nobody brings here: whoever has them counts them, too."""

    def count(self, files: Sequence[LogFile]) -> Counted | Problem:
        """The counts of some files of a listing, with a tally of each in their order."""
        ...


@runtime_checkable
class CountedByDay(LogSource, Protocol):
    """Logs of which whole days are counted elsewhere, for money: each LogFile of a listing is a day's folder, with its files as `parts`."""

    def refuses(self, days: Sequence[LogFile]) -> Problem | None:
        """Why these are not to be counted, all together: asked once, before the first."""
        ...

    def count_day(
        self, day: LogFile, *, told: Callable[[int], None], stop: Callable[[], bool]
    ) -> Counted | Problem | None:
        """The counts of a day with one tally; None where `stop` said so. `told` hears how many bytes were read so far.

        Raises OSError where this machine's disk is full.
        """
        ...


class LocalLogs:
    """A LogSource: a file, or a folder with all that lies below it, gzip or plain."""

    name = NAME

    def __init__(self, place: Path) -> None:
        self._place = place

    def files(self, window: Window) -> Listing:
        if not self._place.exists():
            return Listing(problems=(Problem("not_found", self.name, "read", str(self._place)),))
        found, foreign = list[LogFile](), 0
        try:
            for path in sorted(self._paths()):
                if is_foreign(path.name):
                    foreign += 1
                    continue
                file = LogFile(str(path), path.stat().st_size, time_of(path.name))
                if overlaps(file, window):
                    found.append(file)
        except OSError as error:
            return Listing(
                problems=(Problem("denied", self.name, "read", str(self._place), error.strerror or str(error)),)
            )
        return Listing(tuple(found), foreign=foreign)

    def _paths(self) -> Iterator[Path]:
        if self._place.is_file():
            yield self._place
            return
        for folder, _, names in os.walk(self._place, onerror=_refuse):
            yield from (Path(folder, name) for name in names if not name.startswith("."))

    def bring(self, file: LogFile) -> Path | Problem:
        return Path(file.key)

    def check(self) -> tuple[Health, ...]:
        began, problem = time.monotonic(), None
        if not self._place.exists():
            problem = Problem("not_found", self.name, "read", str(self._place))
        elif not os.access(self._place, os.R_OK):
            problem = Problem("denied", self.name, "read", str(self._place))
        return (health("read", began, problem),)


def _refuse(error: OSError) -> None:
    raise error


def health(permission: str, began: float, problem: Problem | None) -> Health:
    """One line of a check that began at `began` (time.monotonic())."""
    took_s = time.monotonic() - began
    state = state_of((problem,) if problem else (), took_s, answered=problem is None)
    return Health(NAME, permission, state, took_s, problem)
