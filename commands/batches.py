"""`batches`: how every job stands, the worst first, and an exit code that a script can go by."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.text import Text

import analysis.batches.jobs as analysis
from analysis.batches.invocations import InvocationTotals
from analysis.batches.jobs import JobReport
from analysis.batches.runs import Run, TypicalDuration
from archive import ArchiveError, ArchiveProblem
from collector.batches import open_batch_collector
from commands.doctor import DoctorReport, doctor_json, doctor_table
from commands.judge import EXIT_UNAVAILABLE
from commands.shared.options import echo, parse_window
from commands.shared.output import (
    BAD,
    GOOD,
    WARN,
    iso_time,
    message_lines,
    plain,
    problem_json,
    redact_url,
    table,
    title,
)
from domain import ConfigurationError, Migration, Window, utc_now
from messages import batches as words
from messages import cli as cli_words
from messages import schedules, times
from messages.errors import sources as problems
from services.batches import BatchView, read_batches
from sources.base import Problem
from sources.registry import DEFAULT_PATH, create_sources, load_migration

FAILED_STATES = frozenset({"failed", "stopped", "missed", "never"})
DEFAULT_MINUTES = 14 * 1440
_STATE_STYLES = {**dict.fromkeys(FAILED_STATES, BAD), "late": WARN, "slow": WARN, "unknown": WARN, "ok": GOOD}


def batches(
    config: Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=cli_words.CONFIG)] = None,
    demo: Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=cli_words.DEMO)] = False,
    as_json: Annotated[bool, typer.Option("--json", help=cli_words.JSON)] = False,
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
) -> None:
    minutes = parse_window(window) or DEFAULT_MINUTES
    try:
        migration = load_migration(config, demo=demo)
    except ConfigurationError as error:
        _exit_with_report(DoctorReport(str(error.path), error.issues, None, "", None, ()), as_json=as_json)
    if migration.batches is None:
        typer.echo(f"{words.NOT_CONFIGURED()}. {words.NOT_CONFIGURED_TEXT()}\n\n{words.EXAMPLE}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    try:
        view, found, now = _poll_and_read(migration, minutes)
    except ArchiveError as error:
        _exit_with_report(_archive_report(migration, config, error.problem), as_json=as_json)
    code = exit_code(view)
    echo(batches_json(migration, view, found, code) if as_json else batches_table(migration, view, found, now))
    raise typer.Exit(code)


def _poll_and_read(migration: Migration, minutes: int) -> tuple[BatchView, tuple[Problem, ...], datetime]:
    """What is due is asked and kept, and the window read from the archive. Raises ArchiveError."""
    sources, now = create_sources(migration, clock=utc_now), utc_now()
    window = Window.last(minutes, now=now)
    archive, keeper = open_batch_collector(migration, sources.batches, sources.triggers, clock=utc_now)
    with archive:
        told: list[Problem] = []
        for source in sources.batches:
            brought = archive.metrics.get(window, source, now=now, refresh_interval_s=60)
            told += brought.problems
            if brought.archive_problem:
                raise ArchiveError(brought.archive_problem.kind, brought.archive_problem.detail)
        if sources.triggers:
            keeper.poll_triggers(sources.triggers)
        told += [
            problem
            for state in archive.events.source_states()
            if state.role == "starters"
            for problem in state.problems
        ]
        known = archive.events.triggers()
        settings = migration.batches
        assert settings, "asked for by `command`"
        view = read_batches(
            archive, settings, [source.name for source in sources.batches], window, known.triggers if known else ()
        )
    return view, tuple(dict.fromkeys(told)), now


def exit_code(view: BatchView) -> int:
    """1 where a job failed, stopped, missed its last run or never reported; 3 where that is not known of some job, or of any; else 0."""
    states = {job.state for job in view.jobs}
    if states & FAILED_STATES:
        return 1
    return EXIT_UNAVAILABLE if "unknown" in states or not (states or view.complete) else 0


def batches_json(
    migration: Migration, view: BatchView, source_problems: tuple[Problem, ...], exit_code: int
) -> dict[str, Any]:
    return {
        "ok": exit_code == 0,
        "exit_code": exit_code,
        "headline": words.headline(analysis.names_by_state(view.jobs)),
        "migration": migration.name,
        "demo": migration.demo,
        "window": {"from": iso_time(view.window.start), "to": iso_time(view.window.end)},
        "complete": view.complete,
        "jobs": [_job_json(job) for job in view.jobs],
        "problems": [problem_json(problem) for problem in source_problems],
    }


def _job_json(job: JobReport) -> dict[str, Any]:
    return {
        "name": job.name,
        "state": job.state,
        "since": iso_time(job.missed_since),
        "schedule": job.schedule.text if job.schedule else None,
        "next_due": iso_time(job.next_scheduled_at),
        "enabled": job.trigger.enabled if job.trigger else None,
        "era": {"baseline": "cron", "canary": "eventbridge", None: None}[job.scheduler],
        "last": _run_json(job.last_run),
        "usual": _typical_duration_json(job.typical_duration),
        "lambda": _lambda_json(job.invocation_totals),
        "marks": {mark: job.count(mark) for mark in analysis.RUN_STATUSES},
    }


def _run_json(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "began": iso_time(run.started_at),
        "ended": iso_time(run.ended_at),
        "duration_s": run.duration_s,
        "result": run.result,
        "slow": run.is_slow,
        "posted": run.was_reported,
    }


def _lambda_json(invocations: InvocationTotals | None) -> dict[str, Any] | None:
    return asdict(invocations) if invocations else None


def _typical_duration_json(typical: TypicalDuration | None) -> dict[str, Any] | None:
    if typical is None:
        return None
    return {"runs": typical.runs, "median_s": typical.median_s, "low_s": typical.p10_s, "high_s": typical.p90_s}


def batches_table(
    migration: Migration, view: BatchView, source_problems: tuple[Problem, ...], now: datetime
) -> RenderableType:
    parts: list[RenderableType] = [
        title(migration),
        plain(words.headline(analysis.names_by_state(view.jobs)), "bold"),
        plain(words.in_window(times.last(view.window.minutes), view.status_counts)),
        Text(),
    ]
    made = table(*words.TERMINAL_HEAD())
    for job in view.jobs:
        due = schedules.format_schedule(job.schedule, job.timezone) if job.schedule else words.NO_SCHEDULE()
        ago = times.ago(datetime.fromtimestamp(job.last_run.ended_at, UTC), now=now) if job.last_run else "–"
        made.add_row(
            plain(f"{words.SIGNS[job.state]} {words.state(job.state)}", _STATE_STYLES.get(job.state, "")),
            plain(job.name),
            plain(due),
            plain(f"{ago}, {words.result(job.last_run)}" if job.last_run else ago),
            plain(
                words.run_duration(job.last_run.duration_s) if job.last_run else "–",
                WARN if job.last_run and job.last_run.is_slow else "",
            ),
            plain(words.typical_duration(job.typical_duration)),
        )
    parts += [made, Text(), *(message_lines(problems.format_problem(problem)) for problem in source_problems)]
    return Group(*parts)


def _archive_report(migration: Migration, config: Path | None, problem: ArchiveProblem) -> DoctorReport:
    place = cli_words.BUILT_IN_DEMO() if migration.demo else str(config or DEFAULT_PATH)
    return DoctorReport(place, (), migration, redact_url(migration.archive), problem, ())


def _exit_with_report(report: DoctorReport, *, as_json: bool) -> NoReturn:
    echo(doctor_json(report) if as_json else doctor_table(report))
    raise typer.Exit(EXIT_UNAVAILABLE)
