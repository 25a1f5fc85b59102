"""`batches`: the state of every job, the worst first, with an exit code for scripts."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

import analysis.batches.jobs as analysis
from analysis.batches.jobs import JobReport
from analysis.batches.run_work import JobWork
from archive import ArchiveError
from collector.batches import open_batch_collector
from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName, parse_window
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, GOOD, WARN
from domain import Migration, Window
from domain.config.batches import Batches
from domain.window import DAY_S, MINUTE_S
from messages import batches as text
from messages import handover as text_of_handover
from messages import run_work as text_of_work
from messages import schedules, times
from reports.handover import handover_json, run_json
from reports.judgement_json import iso_time, migration_json, pick, problems_json, window_json
from services.batches import BatchView, read_batches
from services.evaluation import EXIT_UNAVAILABLE
from sources.base import Problem

FAILED_STATES = frozenset({"failed", "stopped", "missed", "never"})
DEFAULT_MINUTES = 14 * DAY_S // MINUTE_S
STATE_STYLES = {**dict.fromkeys(FAILED_STATES, BAD), "late": WARN, "slow": WARN, "unknown": WARN, "ok": GOOD}


def batches(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    window: Annotated[str, typer.Option(help=str(text.WINDOW))] = "",
) -> None:
    minutes = parse_window(window) or DEFAULT_MINUTES
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    if migration.batches is None:
        echo_text(f"{text.NOT_CONFIGURED}. {text.NOT_CONFIGURED_TEXT}\n\n{text.EXAMPLE}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    now = startup.now()
    try:
        view, problems = poll_and_read(migration, migration.batches, Window.last(minutes, now=now), now)
    except ArchiveError as error:
        startup.exit_with_archive_problem(migration, config, error.problem, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    code = exit_code(view)
    echo(batches_json(migration, view, problems, code) if as_json else batches_table(migration, view, problems, now))
    raise typer.Exit(code)


def read_jobs(migration: Migration, window: Window, now: datetime) -> tuple[BatchView | None, tuple[Problem, ...]]:
    """The jobs of a window after fetching what is missing; None without [batches] or their source. Raises ArchiveError."""
    if migration.batches is None or not startup.open_sources(migration).batches:
        return None, ()
    return poll_and_read(migration, migration.batches, window, now)


def poll_and_read(
    migration: Migration, settings: Batches, window: Window, now: datetime
) -> tuple[BatchView, tuple[Problem, ...]]:
    """Fetches what is missing, then reads the archive. Raises ArchiveError."""
    sources = startup.open_sources(migration)
    archive, collector = open_batch_collector(migration, sources, clock=startup.now)
    with archive:
        problems: list[Problem] = []
        for source in sources.batches:
            result = archive.metrics.get(window, source, now=now, refresh_interval_s=60)
            problems += result.problems
            if result.archive_problem:
                raise result.archive_problem.as_error()
        for task in collector.tasks:
            if task.role in ("triggers", "run_logs"):
                collector.run_task(task)
        for state in collector.source_states():
            problems += state.problems if state.role in ("triggers", "run_logs") else ()
        view = read_batches(archive, settings, [source.name for source in sources.batches], window)
    return view, tuple(dict.fromkeys(problems))


def exit_code(view: BatchView) -> int:
    """1 if a job failed, stopped, missed its last run or never reported; EXIT_UNAVAILABLE if that is unknown; else 0."""
    states = {job.state for job in view.jobs}
    if states & FAILED_STATES:
        return 1
    return EXIT_UNAVAILABLE if "unknown" in states or not (states or view.complete) else 0


def batches_json(migration: Migration, view: BatchView, problems: tuple[Problem, ...], code: int) -> dict[str, Any]:
    return {
        "ok": code == 0,
        "exit_code": code,
        "headline": _headline(view),
        **migration_json(migration),
        "window": window_json(view.window),
        "complete": view.complete,
        "jobs": [_job_json(job, migration) | {"work": work_json(view.work.get(job.name))} for job in view.jobs],
        "problems": problems_json(problems),
    }


def _headline(view: BatchView) -> str:
    return text.headline(
        analysis.names_by_state(view.jobs),
        analysis.unscheduled_names(view.jobs),
        analysis.names_that_run_twice(view.jobs),
    )


def _job_json(job: JobReport, migration: Migration) -> dict[str, Any]:
    return {
        **pick(job, "name", "state"),
        "missed_since": iso_time(job.missed_since),
        "schedule": job.schedule.text if job.schedule else None,
        "next_scheduled_at": iso_time(job.next_scheduled_at),
        "enabled": job.trigger.enabled if job.trigger else None,
        "scheduler": {"baseline": "cron", "canary": "eventbridge", None: None}[job.scheduler],
        "last_run": run_json(job.last_run) if job.last_run else None,
        "typical_duration": asdict(job.typical_duration) if job.typical_duration else None,
        "lambda": asdict(job.invocation_totals) if job.invocation_totals else None,
        "statuses": {status: job.count(status) for status in analysis.RUN_STATUSES},
        "handover": handover_json(job, migration) if job.handover else None,
    }


def work_json(work: JobWork | None) -> dict[str, Any] | None:
    """What the compared runs did, by their logs; None without any."""
    if work is None:
        return None
    names = {"baseline": "cron", "canary": "eventbridge"}
    return {
        "due_at": iso_time(work.due_at),
        "runs": {
            names[kind]: {**run_json(run.run), **pick(run, "rows", "seconds", "success")}
            for kind, run in work.runs.items()
        },
        "statements": [
            {
                "sql": statement.sql,
                "rows": {names[kind]: value for kind, value in statement.rows.items()},
                "seconds": {names[kind]: value for kind, value in statement.seconds.items()},
                "differs": statement in work.differences,
            }
            for statement in work.statements
        ],
    }


def batches_table(
    migration: Migration, view: BatchView, problems: tuple[Problem, ...], now: datetime
) -> RenderableType:
    is_unknown = {job.state for job in view.jobs} == {"unknown"}
    parts: list[RenderableType] = [
        title(migration),
        plain(_headline(view), "bold"),
        *([] if is_unknown else [plain(text.in_window(times.last(view.window.minutes), view.status_counts))]),
        Text(),
    ]
    grid = FittingTable(*map(str, text.TERMINAL_HEAD))
    for job in view.jobs:
        schedule = (
            schedules.format_schedule(job.schedule, job.timezone, migration.zone, now=now)
            if job.schedule
            else text.NO_SCHEDULE
        )
        last, duration = _last_run(job, now)
        grid.add_row(
            plain(f"{text.SIGNS[job.state]} {text.state(job.state)}", STATE_STYLES.get(job.state, "")),
            plain(job.name),
            plain(str(schedule)),
            last,
            duration,
            plain(text.typical_duration(job.typical_duration)),
        )
    return Group(*parts, grid, Text(), *_handover_lines(migration, view, now), *problem_lines(problems))


def _handover_lines(migration: Migration, view: BatchView, now: datetime) -> Iterator[RenderableType]:
    """The findings of the hand-over, and how to end double runs; then an empty line."""
    findings = [
        plain(text_of_handover.summary(job.name, kind, slots, migration.zone, now), WARN if kind != "retried" else "")
        for job in view.jobs
        if job.handover
        for kind, slots in job.handover.slots.items()
        if slots
    ]
    if findings:
        yield from (plain(str(text_of_handover.HANDOVER_TITLE), "bold"), *findings)
    for job in view.jobs:
        for why, command in text_of_handover.ending_commands(job, migration.region):
            yield from (plain(f"{job.name}: {why}"), plain(command))
    differences = [work for work in view.work.values() if work.differences]
    for work in differences:
        yield plain(text_of_work.differences(work), WARN)
    if findings or differences:
        yield Text()


def _last_run(job: JobReport, now: datetime) -> tuple[Text, Text]:
    """When it ended with which result, and how long it took."""
    run = job.last_run
    if run is None:
        return plain("–"), plain("–")
    ago = times.ago(datetime.fromtimestamp(run.ended_at, UTC), now=now)
    return plain(f"{ago}, {text.result(run)}"), plain(text.run_duration(run.duration_s), WARN if run.is_slow else "")
