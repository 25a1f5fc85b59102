"""Protocols of access-log sources, and the source for logs on the local disk."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from domain import Arn, Window
from domain.trace_ids import TraceId
from sources.access_logs.counter import LogCounts
from sources.access_logs.filenames import LogFile, is_other_log, overlaps, printable, window_of_name
from sources.access_logs.log_line import LogLine
from sources.base import Health, Problem, ProblemKind, check_result

SOURCE = "access_logs"


@dataclass(frozen=True, slots=True)
class LogListing:
    """The files of a window, oldest first. `skipped`: the number of other files in the same place.

    `load_balancer`: the value of the field elb ("app/photo/50dc6c495c0c9188") in lines that count; "" if it is unknown.
    """

    files: tuple[LogFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: int = 0
    load_balancer: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether no file of the window may be missing, but for those of days that are not over."""
        return all(problem.kind == "incomplete" for problem in self.problems)


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
class LineFinder(LogSource, Protocol):
    """Finds the lines of a request without a download."""

    def find_lines(self, file: LogFile, trace_id: TraceId) -> tuple[LogLine, ...]: ...


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
    """A LogSource: a file or a folder with its subfolders, gzip or plain.

    Files of other load balancers than `load_balancer` are skipped; so are pipes, devices and dead links, each a problem.
    """

    name = SOURCE

    def __init__(self, path: Path, load_balancer: Arn | None = None) -> None:
        self._path, self._load_balancer = path, load_balancer
        self._path_by_key = dict[str, Path]()

    def files(self, window: Window) -> LogListing:
        if problem := self._problem_of_path():
            return LogListing(problems=(problem,))
        files, skipped, problems = list[LogFile](), 0, list[Problem]()
        for path in sorted(self._paths(problems)):
            size = _size_of_file(path)
            if size is None:
                problems.append(Problem("bad_reply", self.name, "read", printable(str(path))))
            if size is None or is_other_log(path.name, self._load_balancer):
                skipped += 1
                continue
            file = LogFile(printable(str(path)), size, window_of_name(path.name))
            if overlaps(file, window):
                files.append(file)
                self._path_by_key[file.key] = path
        load_balancer = self._load_balancer.dimension if self._load_balancer else ""
        return LogListing(tuple(files), tuple(problems), skipped, load_balancer)

    def _paths(self, problems: list[Problem]) -> Iterator[Path]:
        """All files. A folder that cannot be read is added to `problems`, and the others are read."""
        if not self._path.is_dir():
            yield self._path
            return
        for folder, _, names in os.walk(self._path, onerror=lambda error: problems.append(self._denied(error))):
            yield from (Path(folder, name) for name in names if not name.startswith("."))

    def download(self, file: LogFile) -> Path | Problem:
        return self._path_by_key.get(file.key) or Path(file.key)

    def check(self) -> tuple[Health, ...]:
        started_s, problem = time.monotonic(), self._problem_of_path()
        if problem is None and not os.access(self._path, os.R_OK):
            problem = self._problem("denied")
        return (health("read", started_s, problem),)

    def _problem_of_path(self) -> Problem | None:
        try:
            self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return self._problem("not_found")
        except OSError as error:
            return self._denied(error)
        return None

    def _denied(self, error: OSError) -> Problem:
        path = printable(os.fsdecode(error.filename or self._path))
        return Problem("denied", self.name, "read", path, error.strerror or str(error))

    def _problem(self, kind: ProblemKind, detail: str = "") -> Problem:
        return Problem(kind, self.name, "read", str(self._path), detail)


def _size_of_file(path: Path) -> int | None:
    """In bytes; None if it is no regular file, such as a named pipe, whose reader would wait, or a link to nothing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def health(permission: str, started_s: float, problem: Problem | None, source: str = SOURCE) -> Health:
    """The result of a check that started at `started_s` (time.monotonic())."""
    problems = (problem,) if problem else ()
    return check_result(source, permission, time.monotonic() - started_s, problems, answered=not problems)
