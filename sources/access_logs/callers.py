"""Who still calls some target groups: the lines of a few log files, by protocol, family of the user agent, and target."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from domain import Window
from sources.access_logs.base import LineFinder, LogSource
from sources.access_logs.counter import GZIP_ERRORS
from sources.access_logs.log_line import LogLine, lines_with, parse_line
from sources.base import Problem

MAX_CALLERS = 20
WEBSOCKETS = ("ws", "wss")


@dataclass(frozen=True, slots=True)
class Caller:
    """Requests of one kind to one target. `type`: "h2", "wss", … `agent`: the family of the user agent. `last`: the newest response (epoch seconds).

    `opened_before`: those that the load balancer received before a given time, such as a WebSocket that was open at a weight change.
    """

    target_group: str
    type: str
    agent: str
    target: str
    requests: int
    last: float
    opened_before: int


@dataclass(frozen=True, slots=True)
class Callers:
    """The MAX_CALLERS with most requests in the log files of `window`; `others`: requests of further ones. `problems`: why some may be missing."""

    window: Window
    callers: tuple[Caller, ...] = ()
    others: int = 0
    objects: int = 0
    problems: tuple[Problem, ...] = ()


def find_callers(
    source: LogSource, target_groups: Collection[str], window: Window, *, changed_at: int
) -> Callers | None:
    """The callers of these target groups in the files of `window`; None of a source without files. `changed_at`: see Caller.opened_before."""
    if isinstance(source, LineFinder):
        return None
    listing = source.files(window)
    problems, lines, objects = list(listing.problems), list[LogLine](), 0
    for file in listing.files:
        if file.window is None:
            continue
        try:
            path = source.download(file)
            if isinstance(path, Problem):
                problems.append(path)
                continue
            lines += _lines_of_groups(path, target_groups, listing.load_balancer)
            objects += 1
        except (EOFError, OSError, *GZIP_ERRORS) as error:
            problems.append(Problem("incomplete", source.name, "read", file.key, str(error)))
    by_kind = defaultdict[tuple[str, str, str, str], list[LogLine]](list)
    for line in lines:
        by_kind[line.target_group, line.type, line.agent, line.target].append(line)
    rows = [
        Caller(
            *kind,
            len(of_kind),
            max(line.ts for line in of_kind),
            sum(line.created is not None and line.created < changed_at for line in of_kind),
        )
        for kind, of_kind in by_kind.items()
    ]
    rows.sort(key=lambda row: (-row.requests, row.target_group, row.type, row.agent, row.target))
    others = sum(row.requests for row in rows[MAX_CALLERS:])
    return Callers(window, tuple(rows[:MAX_CALLERS]), others, objects, tuple(dict.fromkeys(problems)))


def _lines_of_groups(path: Path, target_groups: Collection[str], load_balancer: str) -> Iterator[LogLine]:
    """A line's own target group decides, not the text of its URL."""
    for name in target_groups:
        for text in lines_with(path, f":targetgroup/{name.lower()}/".encode()):
            line = parse_line(text, load_balancer=load_balancer)
            if line and line.target_group == name:
                yield line
