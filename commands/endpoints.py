"""`endpoints`: parity route by route, from the access logs of a folder or of the load balancer."""

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from analysis import Verdict
from analysis.endpoints.endpoints import ALL_ROUTES, Endpoint, FleetStats, JudgedEndpoints
from archive import Archive
from archive.access_logs.tables import LineCounts
from archive.db.lease import LEASE_RETRY_S
from collector.access_log_ingest import IngestProgress, ingest_access_logs
from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.ingest_bar import ingest_bar
from commands.shared.log_details import details_lines
from commands.shared.options import Config, Demo, Json, MigrationName, parse_window
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, BASELINE, CANARY, FAINT, VERDICT_STYLES, WARN
from domain import FLEETS, Migration, Window
from domain.log_counts import add_up
from domain.window import HOUR_S, MINUTE_S, parse_datetime
from messages import access_log_ingest as ingest_text
from messages import access_logs as text
from messages import cli as cli_text
from messages import numbers, times, verdicts
from messages.errors.sources import shorten
from reports.answers_json import answers_json, why_json
from reports.judgement_json import migration_json, pick, problems_json, window_json
from services.endpoints import EndpointsView, judge_logs
from services.evaluation import EXIT_UNAVAILABLE
from services.log_details import LogDetails, log_details, regressed_kinds
from sources.access_logs.aggregate import YEAR_S, plausible_window
from sources.access_logs.base import LocalLogs, LogSource

LogEngine = Literal["files", "athena"]
ALL_TIME = Window(-(2**37) // MINUTE_S * MINUTE_S, 2**38 // MINUTE_S * MINUTE_S)  # from before year 1 to after 9999
DEFAULT_MINUTES = 60
MAX_ROWS = 40
EXIT_CODES: dict[Verdict, int] = {
    "parity": 0,
    "improvement": 0,
    "regression": 1,
    "undecided": 2,
    "not enough data": 2,
}


@dataclass(frozen=True, slots=True)
class EndpointsReport:
    """The counted logs of `window`; `view` is None without any line."""

    window: Window | None
    progress: IngestProgress
    lines: LineCounts
    view: EndpointsView | None = None
    details: LogDetails = field(default_factory=LogDetails)

    @property
    def endpoints(self) -> JudgedEndpoints | None:
        return self.view.endpoints if self.view else None

    @property
    def exit_code(self) -> int:
        """That of a regression if any route has one, else that of the total; EXIT_UNAVAILABLE if nothing was judged."""
        if self.endpoints is None or not self.endpoints.routes:
            return EXIT_UNAVAILABLE
        judged = {endpoint.judgement.verdict for endpoint in (*self.endpoints.routes, self.endpoints.total)}
        return EXIT_CODES["regression" if "regression" in judged else self.endpoints.total.judgement.verdict]


def endpoints(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    logs: Annotated[Path | None, typer.Option(metavar="PATH", help=str(text.LOGS))] = None,
    engine: Annotated[LogEngine, typer.Option(help=str(text.ENGINE))] = "files",
    window: Annotated[str, typer.Option(help=str(text.WINDOW))] = "",
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=str(text.FROM))] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help=str(text.TO))] = "",
    why: Annotated[bool, typer.Option("--why", help=str(text.WHY))] = False,
) -> None:
    minutes = parse_window(window)
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    between = _parse_range(migration, since, until)
    if minutes and between:
        raise typer.BadParameter(str(text.WINDOW_AND_RANGE), param_hint="--window")
    if logs is not None and engine == "athena":
        raise typer.BadParameter(str(text.ATHENA_WITH_LOGS), param_hint="--engine")
    open_archive = partial(startup.open_archive, config=config, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    if logs is not None:
        with TemporaryDirectory(prefix="endpoints-") as folder:
            scratch = migration.model_copy(update={"archive": f"sqlite:///{folder}/archive.db"})
            with open_archive(scratch) as archive:
                load_balancer = migration.aws.load_balancer_arn if migration.aws else None
                report = _report_of_folder(archive, migration, LocalLogs(logs, load_balancer), minutes, between)
    else:
        sources = startup.open_sources(migration)
        source: LogSource | None = sources.athena if engine == "athena" else sources.logs
        if source is None:
            echo_text(str(text.ATHENA_NOT_CONFIGURED if engine == "athena" else text.NOT_CONFIGURED), err=True)
            raise typer.Exit(EXIT_UNAVAILABLE)
        requested = _clip(between) if between else Window.last(minutes or DEFAULT_MINUTES, now=startup.now())
        with open_archive(migration) as archive:
            report = _report(archive, migration, _ingest(archive, migration, source, requested), requested)
    now = startup.now()
    echo(endpoints_json(migration, report) if as_json else endpoints_table(migration, report, now=now, why=why))
    raise typer.Exit(report.exit_code)


def _parse_range(migration: Migration, since: str, until: str) -> Window | None:
    """The window of --from and --to; None without either. Raises typer.BadParameter."""
    ends = list[int]()
    for value, option, default in ((since, "--from", 0), (until, "--to", startup.now_s())):
        try:
            ends.append(int(parse_datetime(value, migration.zone).timestamp()) if value else default)
        except (ValueError, OverflowError):
            raise typer.BadParameter(text.invalid_time(value), param_hint=option) from None
    if not (since or until):
        return None
    start, end = ends[0] // MINUTE_S * MINUTE_S, -(-ends[1] // MINUTE_S) * MINUTE_S
    if not since:
        start = end - HOUR_S
    if start >= end:
        raise typer.BadParameter(str(text.RANGE_REVERSED), param_hint="--to")
    return Window(start, end)


def _clip(window: Window) -> Window:
    """What is listed and counted of --from and --to; says if that is less. Raises typer.BadParameter if all of it is in the future."""
    clipped = window.clip(Window(0, -(-startup.now_s() // MINUTE_S) * MINUTE_S))
    if clipped is None:
        raise typer.BadParameter(str(text.RANGE_WITHOUT_PAST), param_hint="--from")
    if clipped != window:
        echo_text(str(text.RANGE_CLIPPED), err=True)
    return clipped


def _report_of_folder(
    archive: Archive, migration: Migration, source: LogSource, minutes: int | None, window: Window | None
) -> EndpointsReport:
    """Counts a folder. `minutes`: the last minutes of its logs."""
    progress = _ingest(archive, migration, source, window or ALL_TIME)
    extent = archive.access_logs.extent()
    if window or extent is None:
        return _report(archive, migration, progress, window)
    counts = add_up(archive.access_logs.counts(extent, ["minute", "n"]), ["minute"]).sort_by("minute")
    minute, requests = counts["minute"].to_numpy(), counts["n"].to_numpy()
    plausible = plausible_window(minute, requests, YEAR_S)
    near = (minute >= plausible.start) & (minute < plausible.end)
    first, end = int(minute[near][0]), int(minute[near][-1]) + MINUTE_S
    start = max(first, end - minutes * MINUTE_S) if minutes else first
    report = _report(archive, migration, progress, Window(start, end), all_lines=minutes is None)
    return _without_lines(report, int(requests[~near].sum())) if minutes is None else report


def _without_lines(report: EndpointsReport, n: int) -> EndpointsReport:
    """`n` lines are not near the others in time: they were parsed, but are not judged."""
    lines = replace(report.lines, total=report.lines.total - n, parsed=report.lines.parsed - n)
    progress = replace(report.progress, skipped_lines=report.progress.skipped_lines + n)
    return replace(report, lines=lines, progress=progress)


def _report(
    archive: Archive, migration: Migration, progress: IngestProgress, window: Window | None, *, all_lines: bool = False
) -> EndpointsReport:
    """`all_lines`: counts the lines of all files, instead of those of `window`."""
    lines = archive.access_logs.line_counts(ALL_TIME if all_lines or window is None else window)
    view = judge_logs(archive, migration, window) if window else None
    if window is None or view is None:
        return EndpointsReport(window, progress, lines)
    kinds = regressed_kinds(view.endpoints)
    details = log_details(archive, migration, window, kinds=kinds or ("failed",), worse="canary" if kinds else None)
    return EndpointsReport(window, progress, lines, view, details)


def _ingest(archive: Archive, migration: Migration, source: LogSource, window: Window) -> IngestProgress:
    """Counts with a progress bar; waits while another process counts."""
    templates = migration.access_logs.routes if migration.access_logs else ()
    with ingest_bar() as on_progress:
        while True:
            progress = ingest_access_logs(
                archive, source, window, templates, now=startup.now(), on_progress=on_progress
            )
            if progress.state != "busy":
                return progress
            time.sleep(LEASE_RETRY_S)


def endpoints_json(migration: Migration, report: EndpointsReport) -> dict[str, Any]:
    progress, lines, endpoints = report.progress, report.lines, report.endpoints
    counts = ("n_judged", "n_folded", "unassigned_requests")
    return {
        "ok": report.exit_code == 0,
        "exit_code": report.exit_code,
        **migration_json(migration),
        "window": window_json(report.window) if report.window else None,
        "lines": {
            "read": lines.total + progress.skipped_lines,
            "parsed": lines.parsed,
            "unparsed": lines.unparsed,
            "skipped": progress.skipped_lines,
        },
        "files": {
            "read": lines.files,
            "counted_now": progress.files_done,
            "changed": progress.changed,
            "skipped": progress.skipped,
            "wrong": [pick(stats, "name", "problem", "lines", "parsed", "skipped") for stats in progress.file_stats],
        },
        "total": _endpoint_json(endpoints.total) if endpoints and endpoints.routes else None,
        "routes": [_endpoint_json(endpoint) for endpoint in endpoints.routes] if endpoints else [],
        "hidden_regressions": [endpoint.route for endpoint in endpoints.hidden_regressions] if endpoints else [],
        **(pick(endpoints, *counts) if endpoints else dict.fromkeys(counts, 0)),
        "answers": answers_json(report.details),
        "why": [why_json(why) for why in report.details.why],
        "undetailed_hours": report.details.undetailed_hours,
        "target_groups": list(report.view.target_groups) if report.view else [],
        "default_criteria": endpoints.total.judgement.default_criteria
        if endpoints
        else len(migration.criteria) == len(migration.own_criteria),
        "problems": problems_json(progress.problems),
    }


def _endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "route": None if endpoint.route == ALL_ROUTES else endpoint.route,
        "verdict": endpoint.judgement.verdict,
        **{fleet: _fleet_json(endpoint.fleets[fleet]) for fleet in FLEETS},
        "criteria": [
            pick(result, "metric", "verdict", "reason", "estimate", "lower", "upper")
            for result in endpoint.judgement.criteria
        ],
    }


def _fleet_json(fleet: FleetStats) -> dict[str, Any]:
    percentiles = fleet.percentiles.items()
    return {
        **pick(fleet, "requests", "errors", "unanswered"),
        **{name: _rounded(item.value_s) if item else None for name, item in percentiles},
        "intervals": {
            name: [_rounded(item.lower_s), _rounded(item.upper_s)] if item else None for name, item in percentiles
        },
    }


def _rounded(seconds: float | None) -> float | None:
    """Logs have milliseconds; percentiles are interpolated between them."""
    return None if seconds is None else round(seconds, 6)


def endpoints_table(
    migration: Migration, report: EndpointsReport, *, now: datetime, why: bool = False
) -> RenderableType:
    window, lines, progress = report.window, report.lines, report.progress
    subtitle = (times.span(window.starts_at, window.ends_at, migration.zone, now=now),) if window else ()
    parts: list[RenderableType] = [title(migration, *subtitle), *_judged(migration, report)]
    parts += details_lines(migration, report.details, why=why)
    summary = text.lines_read(lines.total, lines.parsed, lines.unparsed, lines.files)
    parts.append(Text(summary, WARN if lines.unparsed else FAINT))
    if progress.skipped_lines:
        parts.append(Text(ingest_text.skipped_lines(progress.skipped_lines), WARN))
    if progress.skipped:
        parts.append(Text(ingest_text.skipped_files(progress.skipped), WARN))
    for stats in progress.file_stats:
        if stats.problem or stats.unparsed:
            parts.append(plain(f"{stats.name}: {text.FILE_PROBLEMS[stats.problem or '']}", WARN))
    if progress.changed:
        parts.append(Text(text.changed_files(progress.changed), WARN))
    return Group(*parts, *problem_lines(progress.problems))


def _judged(migration: Migration, report: EndpointsReport) -> list[RenderableType]:
    endpoints = report.endpoints
    if endpoints is None or report.view is None:
        return [Text(str(text.NO_LOGS), BAD)]
    if not endpoints.routes:
        target_groups = ", ".join(report.view.target_groups) or "–"
        return [plain(text.no_fleet_requests(endpoints.unassigned_requests, target_groups), BAD)]
    counts = {verdicts.label(verdict): count for verdict, count in report.view.verdict_counts.items()}
    parts = [Text(text.verdict_counts(counts)), Text(), _routes_table(migration, endpoints), Text()]
    if endpoints.hidden_regressions:
        parts.append(Text(text.hidden_regressions(len(endpoints.hidden_regressions)), BAD))
    if len(endpoints.routes) > MAX_ROWS:
        parts.append(Text(text.more_routes(len(endpoints.routes) - MAX_ROWS), FAINT))
    if endpoints.total.judgement.default_criteria:
        parts.append(Text(str(cli_text.DEFAULT_CRITERIA), WARN))
    return parts


def _routes_table(migration: Migration, endpoints: JudgedEndpoints) -> RenderableType:
    labels = (shorten(migration.fleets[fleet].label, 20) for fleet in FLEETS)
    grid = FittingTable(*text.table_head(*labels))
    grid.columns[0].overflow, grid.columns[0].min_width, grid.columns[1].no_wrap = "fold", 16, True
    for column, style in zip(grid.columns[2:], ("", *(BASELINE, CANARY) * 2), strict=True):
        column.justify, column.style, column.no_wrap = "right", style, True
    for endpoint in (endpoints.total, *endpoints.routes[:MAX_ROWS]):
        verdict = endpoint.judgement.verdict
        fleets = [endpoint.fleets[fleet] for fleet in FLEETS]
        p95 = [fleet.percentiles["p95"] for fleet in fleets]
        grid.add_row(
            Text(str(text.ALL_ROUTES), "italic") if endpoint.route == ALL_ROUTES else plain(endpoint.route),
            Text(f"{verdicts.SIGNS[verdict]} {verdicts.label(verdict)}", VERDICT_STYLES[verdict]),
            numbers.count(endpoint.requests),
            *(numbers.percent(fleet.error_rate) for fleet in fleets),
            *(numbers.milliseconds(item.value_s if item else None) for item in p95),
        )
    return grid
