"""`endpoints`: parity route by route from access logs, those of a folder or those that the load balancer writes; and an exit code as `judge` has."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import pyarrow.compute as pc
import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from analysis.endpoints.endpoints import ALL, Endpoint, Endpoints, Side, endpoints
from archive import Archive, ArchiveError
from archive.access_logs.tables import Lines
from collector.access_log_ingest import Counting, count_logs
from commands.judge import CODES, COLOURS, COULD_NOT_ASK
from commands.shared.options import echo, minutes_given
from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    FAINT,
    REMARK,
    plain,
    problem_json,
    said_lines,
    stamp,
    table,
    title,
)
from commands.shared.startup import end, examined, migration_of
from domain import FLEETS, Migration, Window, utc_now
from domain.window import MINUTE_S, moment
from messages import access_logs as words
from messages import cli as cli_words
from messages import numbers, times, verdicts
from messages.errors import sources as problems
from sources.access_logs.base import LocalLogs, LogSource
from sources.registry import sources_of

LogEngine = Literal["files", "athena"]
EVER = Window(0, 2**35 // MINUTE_S * MINUTE_S)
DEFAULT_MINUTES = 60
MOST_ROWS = 40
BUSY_S = 2.0


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted of `window`, and what it says; `groups`: the target groups that the logs name. `found` is None without any line."""

    window: Window | None
    counting: Counting
    lines: Lines
    groups: tuple[str, ...] = ()
    found: Endpoints | None = None

    @property
    def code(self) -> int:
        """1 where any route regresses, or all of them together; else what `judge` ends with for all of them; 3 where nothing could be judged."""
        if self.found is None or not self.found.routes:
            return COULD_NOT_ASK
        judged = {one.judgement.verdict for one in (*self.found.routes, self.found.total)}
        return CODES["regression" if "regression" in judged else self.found.total.judgement.verdict]


def command(
    config: Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=cli_words.CONFIG)] = None,
    demo: Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=cli_words.DEMO)] = False,
    as_json: Annotated[bool, typer.Option("--json", help=cli_words.JSON)] = False,
    logs: Annotated[Path | None, typer.Option(metavar="PATH", help=words.LOGS)] = None,
    engine: Annotated[LogEngine, typer.Option(help=words.ENGINE)] = "files",
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=words.FROM)] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help=words.TO)] = "",
) -> None:
    minutes = minutes_given(window)
    migration = migration_of(config, demo, as_json=as_json, code=COULD_NOT_ASK)
    ends = _ends(migration, since, until)
    if minutes and ends:
        raise typer.BadParameter(words.window_or_ends(), param_hint="--window")
    if logs is not None and engine == "athena":
        raise typer.BadParameter(words.athena_of_a_folder(), param_hint="--engine")
    try:
        if logs is not None:
            found = _of_folder(migration, LocalLogs(logs), minutes, ends)
        else:
            sources = sources_of(migration, clock=utc_now)
            source: LogSource | None = sources.athena if engine == "athena" else sources.logs
            if source is None:
                typer.echo(words.no_athena() if engine == "athena" else words.no_table(), err=True)
                raise typer.Exit(COULD_NOT_ASK)
            wanted = ends or Window.last(minutes or DEFAULT_MINUTES, now=utc_now())
            with Archive.open(migration.archive, migration, clock=utc_now) as archive:
                found = _found(archive, migration, _counted(archive, migration, source, wanted), wanted)
    except ArchiveError as error:
        end(examined(migration, config, (), error.problem), as_json=as_json, code=COULD_NOT_ASK)
    echo(endpoints_json(migration, found) if as_json else endpoints_table(migration, found, now=utc_now()))
    raise typer.Exit(found.code)


def _ends(migration: Migration, since: str, until: str) -> Window | None:
    """The window of --from and --to; None without either."""
    at = list[int]()
    for text, option, left_out in ((since, "--from", 0), (until, "--to", int(utc_now().timestamp()))):
        try:
            at.append(int(moment(text, migration.zone).timestamp()) if text else left_out)
        except (ValueError, OverflowError):
            raise typer.BadParameter(words.no_such_time(text), param_hint=option) from None
    if not (since or until):
        return None
    start, end_s = at[0] // MINUTE_S * MINUTE_S, -(-at[1] // MINUTE_S) * MINUTE_S
    if not since:
        start = end_s - DEFAULT_MINUTES * MINUTE_S
    if start >= end_s:
        raise typer.BadParameter(words.ends_before_it_begins(), param_hint="--to")
    return Window(start, end_s)


def _of_folder(migration: Migration, source: LogSource, minutes: int | None, ends: Window | None) -> Found:
    """Counts a folder into an archive that is thrown away. `minutes`: the last so many of what the logs hold."""
    with (
        TemporaryDirectory(prefix="endpoints-") as room,
        Archive.open(f"sqlite:///{room}/archive.db", migration, clock=utc_now) as archive,
    ):
        counting = _counted(archive, migration, source, ends or EVER)
        extent = archive.log_extent()
        if ends or extent is None:
            return _found(archive, migration, counting, ends)
        minute = archive.log_counts(extent)["minute"]
        whole = Window(pc.min(minute).as_py(), pc.max(minute).as_py() + MINUTE_S)
        start = max(whole.start, whole.end - minutes * MINUTE_S) if minutes else whole.start
        return _found(archive, migration, counting, Window(start, whole.end), every=minutes is None)


def _found(
    archive: Archive, migration: Migration, counting: Counting, window: Window | None, *, every: bool = False
) -> Found:
    """What the counts of `window` say. `every`: of all lines it is told how they were read, else of those of files of that window."""
    lines = archive.log_lines(EVER if every or window is None else window)
    counts = archive.log_counts(window) if window else None
    if window is None or counts is None or not counts.num_rows:
        return Found(window, counting, lines)
    fleet_of = {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}
    most = {"most": migration.access_logs.most_routes} if migration.access_logs else {}
    groups = tuple(sorted(name for name in pc.unique(counts["target_group"]).to_pylist() if name))
    return Found(window, counting, lines, groups, endpoints(counts, fleet_of, window, migration.criteria, **most))


def _counted(archive: Archive, migration: Migration, source: LogSource, window: Window) -> Counting:
    """Counts with a bar on the terminal, and waits where another process is at it."""
    patterns = migration.access_logs.routes if migration.access_logs else ()
    with _bar() as told:
        while True:
            counting = count_logs(archive, source, window, patterns, now=utc_now(), told=told)
            if counting.state != "busy":
                return counting
            time.sleep(BUSY_S)


@contextmanager
def _bar() -> Iterator[Callable[[Counting], None]]:
    """A bar on standard error, where that is a terminal: what is printed may go elsewhere."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        yield lambda _counting: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(words.listing(), total=None)

        def tell(counting: Counting) -> None:
            said = {"listing": words.listing(), "busy": words.waiting()}.get(
                counting.state, words.counting(counting.files, counting.lines)
            )
            progress.update(task, description=said, total=counting.bytes or None, completed=counting.bytes_done)

        yield tell


def endpoints_json(migration: Migration, told: Found) -> dict[str, Any]:
    counting, lines, found = told.counting, told.lines, told.found
    return {
        "ok": told.code == 0,
        "exit_code": told.code,
        "migration": migration.name,
        "demo": migration.demo,
        "window": {"from": stamp(told.window.start), "to": stamp(told.window.end)} if told.window else None,
        "lines": {"read": lines.read, "parsed": lines.parsed, "lost": lines.lost},
        "files": {
            "read": lines.files,
            "counted_now": counting.files_done,
            "changed": counting.changed,
            "foreign": counting.foreign,
            "wrong": [
                {"name": one.name, "problem": one.problem, "lines": one.lines, "parsed": one.parsed}
                for one in counting.tallies
            ],
        },
        "total": _endpoint_json(found.total) if found and found.routes else None,
        "routes": [_endpoint_json(one) for one in found.routes] if found else [],
        "hidden": [one.route for one in found.hidden] if found else [],
        "judged": found.judged if found else 0,
        "folded": found.folded if found else 0,
        "elsewhere": found.elsewhere if found else 0,
        "target_groups": list(told.groups),
        "default_criteria": found.total.judgement.default_criteria if found else not migration.criteria,
        "problems": [problem_json(problem) for problem in counting.problems],
    }


def _endpoint_json(one: Endpoint) -> dict[str, Any]:
    return {
        "route": None if one.route == ALL else one.route,
        "verdict": one.judgement.verdict,
        **{fleet: _side_json(one.sides[fleet]) for fleet in FLEETS},
        "criteria": [
            {
                "metric": each.metric,
                "verdict": each.verdict,
                "reason": each.reason,
                "estimate": each.estimate,
                "low": each.low,
                "high": each.high,
            }
            for each in one.judgement.criteria
        ],
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "requests": side.requests,
        "errors": side.errors,
        "unanswered": side.unanswered,
        **{name: _rounded(found.value_s) if found else None for name, found in side.percentiles.items()},
        "intervals": {
            name: [_rounded(found.low_s), _rounded(found.high_s)] if found else None
            for name, found in side.percentiles.items()
        },
    }


def _rounded(seconds: float | None) -> float | None:
    """Whole milliseconds are known, and what lies between two of them is worked out: six decimals are plenty."""
    return None if seconds is None else round(seconds, 6)


def endpoints_table(migration: Migration, told: Found, *, now: datetime) -> RenderableType:
    parts: list[RenderableType] = [title(migration, *_about(migration, told, now))]
    found = told.found
    if found is None:
        parts.append(Text(words.no_lines(), BAD))
    elif not found.routes:
        parts.append(plain(words.no_fleet(found.elsewhere, ", ".join(told.groups) or "–"), BAD))
    else:
        verdict_of = Counter(verdicts.label(one.judgement.verdict) for one in found.routes)
        parts += [Text(words.summary(verdict_of)), Text(), _routes(migration, found), Text()]
        if found.hidden:
            parts.append(Text(words.hidden(len(found.hidden)), BAD))
        if len(found.routes) > MOST_ROWS:
            parts.append(Text(words.more(len(found.routes) - MOST_ROWS), FAINT))
        if found.total.judgement.default_criteria:
            parts.append(Text(cli_words.default_criteria(), REMARK))
    lines = told.lines
    parts.append(
        Text(words.lines(lines.read, lines.parsed, lines.lost, lines.files), FAINT if not lines.lost else REMARK)
    )
    for tally in told.counting.tallies:
        parts.append(plain(f"{tally.name}: {words.file_problem(tally.problem or '')}", REMARK))
    if told.counting.changed:
        parts.append(Text(words.changed(told.counting.changed), REMARK))
    return Group(*parts, *(said_lines(problems.say(problem)) for problem in told.counting.problems))


def _about(migration: Migration, told: Found, now: datetime) -> tuple[str, ...]:
    if told.window is None:
        return ()
    start, finish = (datetime.fromtimestamp(at, UTC) for at in (told.window.start, told.window.end))
    return (times.span(start, finish, migration.zone, now=now),)


def _routes(migration: Migration, found: Endpoints) -> RenderableType:
    labels = (problems.shortened(migration.fleets[fleet].label, 20) for fleet in FLEETS)
    made = table(*words.head(*labels))
    made.columns[0].overflow, made.columns[0].min_width, made.columns[1].no_wrap = "fold", 16, True
    for column, style in zip(made.columns[2:], ("", *(BASELINE, CANARY) * 2), strict=True):
        column.justify, column.style, column.no_wrap = "right", style, True
    for one in (found.total, *found.routes[:MOST_ROWS]):
        verdict = one.judgement.verdict
        sides = [one.sides[fleet] for fleet in FLEETS]
        p95 = [side.percentiles["p95"] for side in sides]
        made.add_row(
            Text(words.all_routes(), "italic") if one.route == ALL else plain(one.route),
            Text(f"{verdicts.SIGNS[verdict]} {verdicts.label(verdict)}", COLOURS[verdict]),
            numbers.count(one.requests),
            *(numbers.percent(side.error_rate) for side in sides),
            *(numbers.milliseconds(each.value_s if each else None) for each in p95),
        )
    return made
