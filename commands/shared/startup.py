"""What every command begins and ends with: the configuration, the doctor's word where something is wrong, and the way to the terminal."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

import typer
from rich.live import Live

from archive import Archive, ArchiveError, ArchiveProblem
from commands.doctor import DoctorReport, doctor_json, doctor_table
from commands.shared.options import console, echo
from commands.shared.output import redact_url
from domain import ConfigurationError, Migration
from messages import cli as words
from sources.base import Health
from sources.registry import DEFAULT_PATH, load_migration


def load_or_exit(config: Path | None, demo: bool, *, as_json: bool, exit_code: int = 1) -> Migration:
    """The migration; where the configuration has mistakes, they are told and the program ends with `code`."""
    try:
        return load_migration(config, demo=demo)
    except ConfigurationError as error:
        exit_with_report(
            DoctorReport(str(error.path), error.issues, None, "", None, ()), as_json=as_json, exit_code=exit_code
        )


def examine(
    migration: Migration, config: Path | None, checks: tuple[Health, ...], problem: ArchiveProblem | None = None
) -> DoctorReport:
    place = words.BUILT_IN_DEMO() if migration.demo else str(config or DEFAULT_PATH)
    if problem is None:
        try:
            with Archive.open(migration.archive, migration) as archive:
                archive.check_writable()
        except ArchiveError as error:
            problem = error.problem
    return DoctorReport(place, (), migration, redact_url(migration.archive), problem, checks)


def exit_with_report(report: DoctorReport, *, as_json: bool, exit_code: int = 1) -> NoReturn:
    echo(doctor_json(report) if as_json else doctor_table(report))
    raise typer.Exit(exit_code if report.n_failures else 0)


def live_display(*, as_json: bool) -> AbstractContextManager[Live | None]:
    """A table that is drawn over and over, where there is a terminal to draw on."""
    return nullcontext(None) if as_json or not console().is_terminal else Live(console=console(), auto_refresh=False)
