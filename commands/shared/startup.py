"""Loads the configuration and opens the archive; prints the report of `doctor` and exits if that fails."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import typer

from archive import Archive, ArchiveError, ArchiveProblem
from commands.shared.doctor_report import DoctorReport, doctor_json, doctor_table
from commands.shared.output import echo, redact_url
from domain import Configuration, ConfigurationError, Migration, utc_now
from domain.files import FileExposure
from domain.sign_offs import Ledger
from messages import cli as text
from messages.errors.config import format_config_issue
from messages.releases import not_judged
from services.releases import read_releases, release_issue, release_migration
from sources.base import Health
from sources.configuration import DEFAULT_PATH, find_configuration
from sources.registry import Sources, create_sources


def now() -> datetime:
    """The clock of all commands."""
    return utc_now()


def now_s() -> int:
    return int(now().timestamp())


def open_sources(migration: Migration) -> Sources:
    return create_sources(migration, clock=now)


def load_all_or_exit(config: Path | None, demo: bool, name: str, *, as_json: bool, exit_code: int = 1) -> Configuration:
    """All migrations, or the one with this name or slug. Exits with `exit_code` if none is valid. Raises typer.BadParameter if none has this name."""
    try:
        configuration = find_configuration(config, demo=demo)
    except ConfigurationError as error:
        exit_with_report(DoctorReport(str(error.path), error.issues), as_json=as_json, exit_code=exit_code)
    if not name:
        return configuration
    return Configuration((_named_migration(configuration, name, config, as_json=as_json, exit_code=exit_code),))


def load_or_exit(config: Path | None, demo: bool, name: str, *, as_json: bool, exit_code: int = 1) -> Migration:
    """The migration or release with this name or slug, which may be "" if there is only one. Exits with `exit_code` if the configuration is invalid.

    Raises typer.BadParameter if there are several and none has this name.
    """
    configuration = load_all_or_exit(config, demo, name, as_json=as_json, exit_code=exit_code)
    if configuration.is_list:
        return _named_migration(configuration, name, config, as_json=as_json, exit_code=exit_code)
    return configuration.migrations[0]


def _named_migration(
    configuration: Configuration, name: str, config: Path | None, *, as_json: bool, exit_code: int
) -> Migration:
    """The migration with this name or slug, or that of a release with this slug. Raises typer.BadParameter if there is none."""
    migrations = (*configuration.migrations, *configuration.linked)
    for migration in migrations:
        if name in (migration.name, migration.slug):
            return migration
    for migration in migrations:
        if name and migration.releases:
            with open_archive(migration, config, as_json=as_json, exit_code=exit_code) as archive:
                if release := _named_release(archive, migration, name):
                    return release
    names = ", ".join(migration.slug for migration in migrations)
    issues = [format_config_issue(issue).title for error in configuration.errors for issue in error.issues]
    raise typer.BadParameter(text.no_such_migration(name, names, issues), param_hint="--migration")


def _named_release(archive: Archive, migration: Migration, slug: str) -> Migration | None:
    """The migration of a known release. Raises ArchiveError, and typer.BadParameter if it cannot be judged."""
    release = next((item for item in read_releases(archive, migration, now=now()) if item.slug == slug), None)
    if release is None:
        return None
    if issue := release_issue(migration, release):
        raise typer.BadParameter(not_judged(slug, issue), param_hint="--migration")
    return release_migration(migration, release)


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
    ledger = Ledger()
    if problem is None:
        try:
            with Archive.open(migration.archive, migration) as archive:
                archive.check_writable()
                exposure = archive.file_exposure
                archive.check_integrity()
                ledger = archive.sign_offs.read()
        except ArchiveError as error:
            problem = error.problem
    return DoctorReport(
        str(configuration), (), migration, redact_url(migration.archive), problem, exposure, checks, ledger
    )


def invalid_reports(configuration: Configuration) -> Iterator[DoctorReport]:
    """A report on each migration that is left out."""
    for error in configuration.errors:
        yield DoctorReport(str(error.path), error.issues)


def exit_with_report(report: DoctorReport, *, as_json: bool, exit_code: int = 1) -> NoReturn:
    exit_with_reports([report], as_json=as_json, exit_code=exit_code)


def exit_with_reports(reports: Sequence[DoctorReport], *, as_json: bool, exit_code: int = 1) -> NoReturn:
    """Prints one after the other; as JSON, one a line."""
    for report in reports:
        echo(doctor_json(report) if as_json else doctor_table(report))
    raise typer.Exit(exit_code if any(report.n_failures for report in reports) else 0)
