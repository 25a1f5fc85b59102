"""Loads the configuration and opens the archive; prints the report of `doctor` and exits if that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import typer

from archive import Archive, ArchiveError, ArchiveProblem
from commands.shared.doctor_report import DoctorReport, doctor_json, doctor_table
from commands.shared.output import echo, redact_url
from domain import ConfigurationError, Migration, utc_now
from domain.files import FileExposure
from messages import cli as text
from sources.base import Health
from sources.registry import DEFAULT_PATH, Sources, create_sources, load_migration


def now() -> datetime:
    """The clock of all commands."""
    return utc_now()


def now_s() -> int:
    return int(now().timestamp())


def open_sources(migration: Migration) -> Sources:
    return create_sources(migration, clock=now)


def load_or_exit(config: Path | None, demo: bool, *, as_json: bool, exit_code: int = 1) -> Migration:
    """The migration. Exits with `exit_code` if the configuration is invalid."""
    try:
        return load_migration(config, demo=demo)
    except ConfigurationError as error:
        exit_with_report(DoctorReport(str(error.path), error.issues), as_json=as_json, exit_code=exit_code)


@contextmanager
def open_archive(migration: Migration, config: Path | None, *, as_json: bool, exit_code: int = 1) -> Iterator[Archive]:
    """The archive. Exits with `exit_code` on any ArchiveError, also one raised in the block."""
    try:
        with Archive.open(migration.archive, migration, clock=now) as archive:
            yield archive
    except ArchiveError as error:
        exit_with_archive_problem(migration, config, error.problem, as_json=as_json, exit_code=exit_code)


def exit_with_archive_problem(
    migration: Migration, config: Path | None, problem: ArchiveProblem, *, as_json: bool, exit_code: int = 1
) -> NoReturn:
    exit_with_report(examine(migration, config, (), problem), as_json=as_json, exit_code=exit_code)


def examine(
    migration: Migration, config: Path | None, checks: tuple[Health, ...], problem: ArchiveProblem | None = None
) -> DoctorReport:
    """The report; checks the archive, too, without a known `problem`."""
    configuration = text.BUILT_IN_DEMO if migration.demo else str(config or DEFAULT_PATH)
    exposure: FileExposure | None = None
    if problem is None:
        try:
            with Archive.open(migration.archive, migration) as archive:
                archive.check_writable()
                exposure = archive.file_exposure
                archive.check_integrity()
        except ArchiveError as error:
            problem = error.problem
    return DoctorReport(str(configuration), (), migration, redact_url(migration.archive), problem, exposure, checks)


def exit_with_report(report: DoctorReport, *, as_json: bool, exit_code: int = 1) -> NoReturn:
    echo(doctor_json(report) if as_json else doctor_table(report))
    raise typer.Exit(exit_code if report.n_failures else 0)
