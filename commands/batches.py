"""`batches`: how every job stands, the worst first, and an exit code that a script can go by."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.text import Text

import analysis.batches.jobs as analysis
from analysis.batches.invocations import Counted
from analysis.batches.jobs import JobReport
from analysis.batches.runs import Run, Usual
from archive import ArchiveError, ArchiveProblem
from collector.batches import open_batches
from commands.doctor import Examination, doctor_json, doctor_table
from commands.judge import COULD_NOT_ASK
from commands.shared.options import echo, minutes_given
from commands.shared.output import BAD, GOOD, REMARK, address, plain, problem_json, said_lines, stamp, table, title
from domain import ConfigurationError, Migration, Window, utc_now
from messages import batches as words
from messages import cli as cli_words
from messages import schedules, times
from messages.errors import sources as problems
from services.batches import BatchView, read_batches
from sources.base import Problem
from sources.registry import DEFAULT_PATH, configured, sources_of

WRONG = frozenset({"failed", "stopped", "missed", "never"})
DEFAULT_MINUTES = 14 * 1440
_STYLES = {**dict.fromkeys(WRONG, BAD), "late": REMARK, "slow": REMARK, "unknown": REMARK, "ok": GOOD}


def command(
    config: Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=cli_words.CONFIG)] = None,
    demo: Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=cli_words.DEMO)] = False,
    as_json: Annotated[bool, typer.Option("--json", help=cli_words.JSON)] = False,
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
) -> None:
    minutes = minutes_given(window) or DEFAULT_MINUTES
    try:
        migration = configured(config, demo=demo)
    except ConfigurationError as error:
        _end(Examination(str(error.path), error.mistakes, None, "", None, ()), as_json=as_json)
    if migration.batches is None:
        typer.echo(f"{words.no_table()}. {words.no_table_text()}\n\n{words.EXAMPLE}", err=True)
        raise typer.Exit(COULD_NOT_ASK)
    try:
        view, found, now = _asked(migration, minutes)
    except ArchiveError as error:
        _end(_no_archive(migration, config, error.problem), as_json=as_json)
    code = exit_code(view)
    echo(batches_json(migration, view, found, code) if as_json else batches_table(migration, view, found, now))
    raise typer.Exit(code)


def _asked(migration: Migration, minutes: int) -> tuple[BatchView, tuple[Problem, ...], datetime]:
    """What is due is asked and kept, and the window read from the archive. Raises ArchiveError."""
    sources, now = sources_of(migration, clock=utc_now), utc_now()
    window = Window.last(minutes, now=now)
    archive, keeper = open_batches(migration, sources.batches, sources.starters, clock=utc_now)
    with archive:
        told: list[Problem] = []
        for source in sources.batches:
            brought = archive.bring(window, source, now=now, ask_every_s=60)
            told += brought.problems
            if brought.archive_problem:
                raise ArchiveError(brought.archive_problem.kind, brought.archive_problem.detail)
        if sources.starters:
            keeper.keep_starters(sources.starters)
        told += [problem for state in archive.states() if state.role == "starters" for problem in state.problems]
        known = archive.starters()
        settings = migration.batches
        assert settings, "asked for by `command`"
        view = read_batches(
            archive, settings, [source.name for source in sources.batches], window, known.every if known else ()
        )
    return view, tuple(dict.fromkeys(told)), now


def exit_code(view: BatchView) -> int:
    """1 where a job failed, stopped, missed its last run or never reported; 3 where that is not known of some job, or of any; else 0."""
    states = {job.state for job in view.jobs}
    if states & WRONG:
        return 1
    return COULD_NOT_ASK if "unknown" in states or not (states or view.complete) else 0


def batches_json(migration: Migration, view: BatchView, found: tuple[Problem, ...], code: int) -> dict[str, Any]:
    return {
        "ok": code == 0,
        "exit_code": code,
        "headline": words.headline(analysis.by_state(view.jobs)),
        "migration": migration.name,
        "demo": migration.demo,
        "window": {"from": stamp(view.window.start), "to": stamp(view.window.end)},
        "complete": view.complete,
        "jobs": [_job_json(job) for job in view.jobs],
        "problems": [problem_json(problem) for problem in found],
    }


def _job_json(job: JobReport) -> dict[str, Any]:
    return {
        "name": job.name,
        "state": job.state,
        "since": stamp(job.since),
        "schedule": job.schedule.text if job.schedule else None,
        "next_due": stamp(job.next_due),
        "enabled": job.starter.enabled if job.starter else None,
        "era": {"baseline": "cron", "canary": "eventbridge", None: None}[job.era],
        "last": _run_json(job.last),
        "usual": _usual_json(job.usual),
        "lambda": _lambda_json(job.counted),
        "marks": {mark: job.count(mark) for mark in analysis.MARKS},
    }


def _run_json(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "began": stamp(run.began),
        "ended": stamp(run.ended),
        "duration_s": run.duration_s,
        "result": run.result,
        "slow": run.slow,
        "posted": run.posted,
    }


def _lambda_json(told: Counted | None) -> dict[str, Any] | None:
    return asdict(told) if told else None


def _usual_json(usual: Usual | None) -> dict[str, Any] | None:
    if usual is None:
        return None
    return {"runs": usual.runs, "median_s": usual.median_s, "low_s": usual.low_s, "high_s": usual.high_s}


def batches_table(migration: Migration, view: BatchView, found: tuple[Problem, ...], now: datetime) -> RenderableType:
    parts: list[RenderableType] = [
        title(migration),
        plain(words.headline(analysis.by_state(view.jobs)), "bold"),
        plain(words.in_window(times.last(view.window.minutes), view.marks)),
        Text(),
    ]
    made = table(*words.terminal_head())
    for job in view.jobs:
        due = schedules.say(job.schedule, job.timezone) if job.schedule else words.no_schedule()
        ago = times.ago(datetime.fromtimestamp(job.last.ended, UTC), now=now) if job.last else "–"
        made.add_row(
            plain(f"{words.SIGNS[job.state]} {words.state(job.state)}", _STYLES.get(job.state, "")),
            plain(job.name),
            plain(due),
            plain(f"{ago}, {words.result(job.last)}" if job.last else ago),
            plain(
                words.seconds(job.last.duration_s) if job.last else "–", REMARK if job.last and job.last.slow else ""
            ),
            plain(words.usual(job.usual)),
        )
    parts += [made, Text(), *(said_lines(problems.say(problem)) for problem in found)]
    return Group(*parts)


def _no_archive(migration: Migration, config: Path | None, problem: ArchiveProblem) -> Examination:
    place = cli_words.built_in() if migration.demo else str(config or DEFAULT_PATH)
    return Examination(place, (), migration, address(migration.archive), problem, ())


def _end(found: Examination, *, as_json: bool) -> NoReturn:
    echo(doctor_json(found) if as_json else doctor_table(found))
    raise typer.Exit(COULD_NOT_ASK)
