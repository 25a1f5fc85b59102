"""Several migrations: [[migrations]] in one file, or a folder of files. Those that are valid run, whatever is wrong with the others."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from domain.config.errors import ConfigIssue, ConfigIssueCode, ConfigurationError
from domain.config.loader import TABLES, parse_tables, read_tables
from domain.config.models import Migration
from domain.config.server import ServerSettings
from domain.config.sign_in import SignIn
from domain.redaction import redact_userinfo


@dataclass(frozen=True, slots=True)
class Configuration:
    """At least one migration, in the order of the files and of their entries: each has its own slug, all have one archive, [server] and [sign_in].

    `errors`: why others are left out. `linked`: those of the demo that are opened by their name alone, and polled from then on; nothing announces their
    changes, as the demo has no [notify].
    """

    migrations: tuple[Migration, ...]
    errors: tuple[ConfigurationError, ...] = ()
    linked: tuple[Migration, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether several migrations are configured, also if only one of them is valid."""
        return len(self.migrations) + len(self.errors) > 1

    @property
    def server(self) -> ServerSettings:
        return self.migrations[0].server

    @property
    def sign_in(self) -> SignIn | None:
        return self.migrations[0].sign_in


def load_configuration(
    path: Path, *, check: Callable[[Migration], Iterable[ConfigIssue]] = lambda _migration: ()
) -> Configuration:
    """The migrations of a file, or of the *.toml files of a folder. Raises ConfigurationError if none is valid, or only an invalid one has [sign_in].

    `check`: what else is wrong with a migration.
    """
    is_folder = path.is_dir()
    migrations, errors = dict[str, Migration](), list[ConfigurationError]()
    for file in sorted(path.glob("*.toml")) if is_folder else [path]:
        for number, parsed in _migrations(file):
            migration = parsed
            if isinstance(migration, Migration):
                issues = tuple(check(migration)) or tuple(_conflicts(migration, migrations.values()))
                migration = ConfigurationError(file, issues) if issues else migration
            if isinstance(migration, Migration):
                migrations[migration.slug] = migration
            else:
                errors.append(_located(migration, file.name if is_folder else "", number))
    if migrations and not _loses_sign_in(migrations.values(), errors):
        return Configuration(tuple(_with_shared_tables(migrations.values())), tuple(errors))
    issues = tuple(issue for error in errors for issue in error.issues)
    raise ConfigurationError(path, issues) if issues else _error(path, "", "no_migrations")


def _conflicts(migration: Migration, others: Iterable[Migration]) -> Iterator[ConfigIssue]:
    """Why a migration cannot run beside the others: at most one reason."""
    for other in others:
        if other.slug == migration.slug:
            yield ConfigIssue("migration.name", "name_twice", {"given": migration.name, "other": other.name})
            return
        if other.archive != migration.archive:
            given, archive = redact_userinfo(migration.archive), redact_userinfo(other.archive)
            params = {"given": given, "archive": archive, "other": other.name}
            yield ConfigIssue("migration.archive", "another_archive", params)
            return
        if migration.sign_in and other.sign_in and migration.sign_in != other.sign_in:
            yield ConfigIssue("sign_in", "another_sign_in", {"other": other.name})
            return


def _loses_sign_in(migrations: Iterable[Migration], errors: Iterable[ConfigurationError]) -> bool:
    """Whether only files of invalid migrations configure a sign-in: the others would be served without it."""
    if any(migration.sign_in for migration in migrations):
        return False
    return any(_mentions_sign_in(error.path) for error in errors)


def _mentions_sign_in(file: Path) -> bool:
    try:
        return b"sign_in" in file.read_bytes()
    except OSError:
        return False


def _with_shared_tables(migrations: Collection[Migration]) -> Iterator[Migration]:
    """The migrations with the [server] and the [sign_in] of the first of them that has it."""
    defaults = ServerSettings()
    server = next((migration.server for migration in migrations if migration.server != defaults), defaults)
    sign_in = next((migration.sign_in for migration in migrations if migration.sign_in), None)
    for migration in migrations:
        if (migration.server, migration.sign_in) == (server, sign_in):
            yield migration
        else:
            yield migration.model_copy(update={"server": server, "sign_in": sign_in})


def _migrations(file: Path) -> Iterator[tuple[int, Migration | ConfigurationError]]:
    """The migrations of a file with their numbers (see _documents), or what is wrong with one, or with the file."""
    try:
        for number, tables in _documents(file):
            try:
                yield number, parse_tables(tables, file)
            except ConfigurationError as error:
                yield number, error
    except ConfigurationError as error:
        yield 0, error


def _documents(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables of each migration of a file, with its number in [[migrations]], from 1; 0 without that list. Raises ConfigurationError."""
    try:
        tables = read_tables(file)
    except OSError as error:
        raise _error(file, "", "not_readable", {"detail": error.strerror or str(error)}) from error
    entries = tables.pop("migrations", None)
    if entries is None:
        yield 0, tables
        return
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _error(file, "migrations", "wrong_type", {"given": repr(entries)[:80], "kind": "list"})
    if not entries:
        raise _error(file, "migrations", "no_migrations")
    for number, entry in enumerate(entries, 1):
        yield number, _document(tables, entry)


def _document(shared: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of [[migrations]] as a file of its own: tables beside the list are those of every entry without an own one; keys likewise."""
    defaults = shared.get("migration", {})
    if not isinstance(defaults, Mapping):
        return dict(shared)
    own = {key: value for key, value in entry.items() if key not in TABLES}
    tables = {key: value for key, value in entry.items() if key in TABLES}
    return {**shared, **tables, "migration": {**defaults, **own}}


def _located(error: ConfigurationError, file: str, entry: int) -> ConfigurationError:
    return ConfigurationError(error.path, tuple(replace(issue, file=file, entry=entry) for issue in error.issues))


def _error(path: Path, key: str, code: ConfigIssueCode, params: Mapping[str, str] | None = None) -> ConfigurationError:
    return ConfigurationError(path, (ConfigIssue(key, code, params or {}),))
