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

from analysis.endpoints.endpoints import ALL_ROUTES, Endpoint, FleetStats, JudgedEndpoints, judge_endpoints
from archive import Archive, ArchiveError
from archive.access_logs.tables import LineCounts
from collector.access_log_ingest import IngestProgress, ingest_access_logs
from commands.judge import EXIT_CODES, EXIT_UNAVAILABLE, VERDICT_STYLES
from commands.shared.options import echo, parse_window
from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    FAINT,
    WARN,
    iso_time,
    message_lines,
    plain,
    problem_json,
    table,
    title,
)
from commands.shared.startup import examine, exit_with_report, load_or_exit
from domain import FLEETS, Migration, Window, utc_now
from domain.window import MINUTE_S, parse_datetime
from messages import access_logs as words
from messages import cli as cli_words
from messages import numbers, times, verdicts
from messages.errors import sources as problems
from sources.access_logs.base import LocalLogs, LogSource
from sources.registry import create_sources

LogEngine = Literal["files", "athena"]
ALL_TIME = Window(0, 2**35 // MINUTE_S * MINUTE_S)
DEFAULT_MINUTES = 60
MAX_ROWS = 40
LEASE_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class EndpointsReport:
    """What was counted of `window`, and what it says; `groups`: the target groups that the logs name. `found` is None without any line."""

    window: Window | None
    progress: IngestProgress
    lines: LineCounts
    target_groups: tuple[str, ...] = ()
    endpoints: JudgedEndpoints | None = None

    @property
    def exit_code(self) -> int:
        """1 where any route regresses, or all of them together; else what `judge` ends with for all of them; 3 where nothing could be judged."""
        if self.endpoints is None or not self.endpoints.routes:
            return EXIT_UNAVAILABLE
        judged = {one.judgement.verdict for one in (*self.endpoints.routes, self.endpoints.total)}
        return EXIT_CODES["regression" if "regression" in judged else self.endpoints.total.judgement.verdict]


def endpoints_command(
    config: Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=cli_words.CONFIG)] = None,
    demo: Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=cli_words.DEMO)] = False,
    as_json: Annotated[bool, typer.Option("--json", help=cli_words.JSON)] = False,
    logs: Annotated[Path | None, typer.Option(metavar="PATH", help=words.LOGS)] = None,
    engine: Annotated[LogEngine, typer.Option(help=words.ENGINE)] = "files",
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=words.FROM)] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help=words.TO)] = "",
) -> None:
    minutes = parse_window(window)
    migration = load_or_exit(config, demo, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    ends = _parse_ends(migration, since, until)
    if minutes and ends:
        raise typer.BadParameter(words.WINDOW_AND_RANGE(), param_hint="--window")
    if logs is not None and engine == "athena":
        raise typer.BadParameter(words.ATHENA_WITH_LOGS(), param_hint="--engine")
    try:
        if logs is not None:
            found = _report_of_folder(migration, LocalLogs(logs), minutes, ends)
        else:
            sources = create_sources(migration, clock=utc_now)
            source: LogSource | None = sources.athena if engine == "athena" else sources.logs
            if source is None:
                typer.echo(words.ATHENA_NOT_CONFIGURED() if engine == "athena" else words.NOT_CONFIGURED(), err=True)
                raise typer.Exit(EXIT_UNAVAILABLE)
            wanted = ends or Window.last(minutes or DEFAULT_MINUTES, now=utc_now())
            with Archive.open(migration.archive, migration, clock=utc_now) as archive:
                found = _report(archive, migration, _ingest(archive, migration, source, wanted), wanted)
    except ArchiveError as error:
        exit_with_report(examine(migration, config, (), error.problem), as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    echo(endpoints_json(migration, found) if as_json else endpoints_table(migration, found, now=utc_now()))
    raise typer.Exit(found.exit_code)


def _parse_ends(migration: Migration, since: str, until: str) -> Window | None:
    """The window of --from and --to; None without either."""
    at = list[int]()
    for text, option, left_out in ((since, "--from", 0), (until, "--to", int(utc_now().timestamp()))):
        try:
            at.append(int(parse_datetime(text, migration.zone).timestamp()) if text else left_out)
        except (ValueError, OverflowError):
            raise typer.BadParameter(words.invalid_time(text), param_hint=option) from None
    if not (since or until):
        return None
    start, end_s = at[0] // MINUTE_S * MINUTE_S, -(-at[1] // MINUTE_S) * MINUTE_S
    if not since:
        start = end_s - DEFAULT_MINUTES * MINUTE_S
    if start >= end_s:
        raise typer.BadParameter(words.RANGE_REVERSED(), param_hint="--to")
    return Window(start, end_s)


def _report_of_folder(
    migration: Migration, source: LogSource, minutes: int | None, window: Window | None
) -> EndpointsReport:
    """Counts a folder into an archive that is thrown away. `minutes`: the last so many of what the logs hold."""
    with (
        TemporaryDirectory(prefix="endpoints-") as room,
        Archive.open(f"sqlite:///{room}/archive.db", migration, clock=utc_now) as archive,
    ):
        counting = _ingest(archive, migration, source, window or ALL_TIME)
        extent = archive.access_logs.extent()
        if window or extent is None:
            return _report(archive, migration, counting, window)
        minute = archive.access_logs.counts(extent)["minute"]
        whole = Window(pc.min(minute).as_py(), pc.max(minute).as_py() + MINUTE_S)
        start = max(whole.start, whole.end - minutes * MINUTE_S) if minutes else whole.start
        return _report(archive, migration, counting, Window(start, whole.end), all_lines=minutes is None)


def _report(
    archive: Archive, migration: Migration, progress: IngestProgress, window: Window | None, *, all_lines: bool = False
) -> EndpointsReport:
    """What the counts of `window` say. `every`: of all lines it is told how they were read, else of those of files of that window."""
    lines = archive.access_logs.line_counts(ALL_TIME if all_lines or window is None else window)
    counts = archive.access_logs.counts(window) if window else None
    if window is None or counts is None or not counts.num_rows:
        return EndpointsReport(window, progress, lines)
    fleet_of = {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}
    most = {"most": migration.access_logs.max_routes} if migration.access_logs else {}
    groups = tuple(sorted(name for name in pc.unique(counts["target_group"]).to_pylist() if name))
    return EndpointsReport(
        window, progress, lines, groups, judge_endpoints(counts, fleet_of, window, migration.criteria, **most)
    )


def _ingest(archive: Archive, migration: Migration, source: LogSource, window: Window) -> IngestProgress:
    """Counts with a bar on the terminal, and waits where another process is at it."""
    patterns = migration.access_logs.routes if migration.access_logs else ()
    with _progress_bar() as told:
        while True:
            counting = ingest_access_logs(archive, source, window, patterns, now=utc_now(), on_progress=told)
            if counting.state != "busy":
                return counting
            time.sleep(LEASE_RETRY_S)


@contextmanager
def _progress_bar() -> Iterator[Callable[[IngestProgress], None]]:
    """A bar on standard error, where that is a terminal: what is printed may go elsewhere."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        yield lambda _counting: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(words.LISTING_FILES(), total=None)

        def tell(counting: IngestProgress) -> None:
            said = {"listing": words.LISTING_FILES(), "busy": words.WAITING()}.get(
                counting.state, words.counting(counting.files, counting.lines)
            )
            progress.update(task, description=said, total=counting.bytes or None, completed=counting.bytes_done)

        yield tell


def endpoints_json(migration: Migration, report: EndpointsReport) -> dict[str, Any]:
    counting, lines, found = report.progress, report.lines, report.endpoints
    return {
        "ok": report.exit_code == 0,
        "exit_code": report.exit_code,
        "migration": migration.name,
        "demo": migration.demo,
        "window": {"from": iso_time(report.window.start), "to": iso_time(report.window.end)} if report.window else None,
        "lines": {"read": lines.total, "parsed": lines.parsed, "lost": lines.unparsed},
        "files": {
            "read": lines.files,
            "counted_now": counting.files_done,
            "changed": counting.changed,
            "foreign": counting.skipped,
            "wrong": [
                {"name": one.name, "problem": one.problem, "lines": one.lines, "parsed": one.parsed}
                for one in counting.file_stats
            ],
        },
        "total": _endpoint_json(found.total) if found and found.routes else None,
        "routes": [_endpoint_json(one) for one in found.routes] if found else [],
        "hidden": [one.route for one in found.hidden_regressions] if found else [],
        "judged": found.n_judged if found else 0,
        "folded": found.n_folded if found else 0,
        "elsewhere": found.unassigned_requests if found else 0,
        "target_groups": list(report.target_groups),
        "default_criteria": found.total.judgement.default_criteria if found else not migration.criteria,
        "problems": [problem_json(problem) for problem in counting.problems],
    }


def _endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "route": None if endpoint.route == ALL_ROUTES else endpoint.route,
        "verdict": endpoint.judgement.verdict,
        **{fleet: _fleet_json(endpoint.fleets[fleet]) for fleet in FLEETS},
        "criteria": [
            {
                "metric": each.metric,
                "verdict": each.verdict,
                "reason": each.reason,
                "estimate": each.estimate,
                "low": each.lower,
                "high": each.upper,
            }
            for each in endpoint.judgement.criteria
        ],
    }


def _fleet_json(fleet: FleetStats) -> dict[str, Any]:
    return {
        "requests": fleet.requests,
        "errors": fleet.errors,
        "unanswered": fleet.unanswered,
        **{name: _rounded_s(found.value_s) if found else None for name, found in fleet.percentiles.items()},
        "intervals": {
            name: [_rounded_s(found.lower_s), _rounded_s(found.upper_s)] if found else None
            for name, found in fleet.percentiles.items()
        },
    }


def _rounded_s(seconds: float | None) -> float | None:
    """Whole milliseconds are known, and what lies between two of them is worked out: six decimals are plenty."""
    return None if seconds is None else round(seconds, 6)


def endpoints_table(migration: Migration, report: EndpointsReport, *, now: datetime) -> RenderableType:
    parts: list[RenderableType] = [title(migration, *_subtitle(migration, report, now))]
    found = report.endpoints
    if found is None:
        parts.append(Text(words.NO_LOGS(), BAD))
    elif not found.routes:
        parts.append(
            plain(words.no_fleet_requests(found.unassigned_requests, ", ".join(report.target_groups) or "–"), BAD)
        )
    else:
        verdict_of = Counter(verdicts.label(one.judgement.verdict) for one in found.routes)
        parts += [Text(words.verdict_counts(verdict_of)), Text(), _routes_table(migration, found), Text()]
        if found.hidden_regressions:
            parts.append(Text(words.hidden_regressions(len(found.hidden_regressions)), BAD))
        if len(found.routes) > MAX_ROWS:
            parts.append(Text(words.more_routes(len(found.routes) - MAX_ROWS), FAINT))
        if found.total.judgement.default_criteria:
            parts.append(Text(cli_words.DEFAULT_CRITERIA(), WARN))
    lines = report.lines
    parts.append(
        Text(
            words.lines_read(lines.total, lines.parsed, lines.unparsed, lines.files),
            FAINT if not lines.unparsed else WARN,
        )
    )
    for tally in report.progress.file_stats:
        parts.append(plain(f"{tally.name}: {words.file_problem(tally.problem or '')}", WARN))
    if report.progress.changed:
        parts.append(Text(words.changed_files(report.progress.changed), WARN))
    return Group(*parts, *(message_lines(problems.format_problem(problem)) for problem in report.progress.problems))


def _subtitle(migration: Migration, report: EndpointsReport, now: datetime) -> tuple[str, ...]:
    if report.window is None:
        return ()
    start, finish = (datetime.fromtimestamp(at, UTC) for at in (report.window.start, report.window.end))
    return (times.span(start, finish, migration.zone, now=now),)


def _routes_table(migration: Migration, endpoints: JudgedEndpoints) -> RenderableType:
    labels = (problems.shorten(migration.fleets[fleet].label, 20) for fleet in FLEETS)
    made = table(*words.table_head(*labels))
    made.columns[0].overflow, made.columns[0].min_width, made.columns[1].no_wrap = "fold", 16, True
    for column, style in zip(made.columns[2:], ("", *(BASELINE, CANARY) * 2), strict=True):
        column.justify, column.style, column.no_wrap = "right", style, True
    for one in (endpoints.total, *endpoints.routes[:MAX_ROWS]):
        verdict = one.judgement.verdict
        sides = [one.fleets[fleet] for fleet in FLEETS]
        p95 = [side.percentiles["p95"] for side in sides]
        made.add_row(
            Text(words.ALL_ROUTES(), "italic") if one.route == ALL_ROUTES else plain(one.route),
            Text(f"{verdicts.SIGNS[verdict]} {verdicts.label(verdict)}", VERDICT_STYLES[verdict]),
            numbers.count(one.requests),
            *(numbers.percent(side.error_rate) for side in sides),
            *(numbers.milliseconds(each.value_s if each else None) for each in p95),
        )
    return made
