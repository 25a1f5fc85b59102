"""What every command begins and ends with: the configuration, the doctor's word where something is wrong, and the way to the terminal."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

import typer
from rich.live import Live

from archive import Archive, ArchiveError, ArchiveProblem
from commands.doctor import Examination, doctor_json, doctor_table
from commands.shared.options import console, echo
from commands.shared.output import address
from domain import ConfigurationError, Migration
from messages import cli as words
from sources.base import Health
from sources.registry import DEFAULT_PATH, configured


def migration_of(config: Path | None, demo: bool, *, as_json: bool, code: int = 1) -> Migration:
    """The migration; where the configuration has mistakes, they are told and the program ends with `code`."""
    try:
        return configured(config, demo=demo)
    except ConfigurationError as error:
        end(Examination(str(error.path), error.mistakes, None, "", None, ()), as_json=as_json, code=code)


def examined(
    migration: Migration, config: Path | None, checks: tuple[Health, ...], problem: ArchiveProblem | None = None
) -> Examination:
    place = words.built_in() if migration.demo else str(config or DEFAULT_PATH)
    if problem is None:
        try:
            with Archive.open(migration.archive, migration) as archive:
                archive.check()
        except ArchiveError as error:
            problem = error.problem
    return Examination(place, (), migration, address(migration.archive), problem, checks)


def end(found: Examination, *, as_json: bool, code: int = 1) -> NoReturn:
    echo(doctor_json(found) if as_json else doctor_table(found))
    raise typer.Exit(code if found.wrong else 0)


def drawn(*, as_json: bool) -> AbstractContextManager[Live | None]:
    """A table that is drawn over and over, where there is a terminal to draw on."""
    return nullcontext(None) if as_json or not console().is_terminal else Live(console=console(), auto_refresh=False)
