"""`migration.toml` read: the file's tables become one Migration, or every mistake in them with the key as the file spells it."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.config.access_logs import AccessLogs, Athena
from domain.config.batches import Batches, Job
from domain.config.errors import ConfigIssue, ConfigurationError, closest, issue_from_pydantic
from domain.config.models import Aws, Criterion, Fleet, Fleets, Mackerel, Migration

# The tables beside [migration], and what may stand in [migration] itself. `demo` is said by the program, never by a file.
_TABLES = ("aws", "fleets", "mackerel", "criteria", "batches", "access_logs")
_MIGRATION_KEYS = tuple(key for key in Migration.model_fields if key not in (*_TABLES, "demo"))
_MODELS: dict[str, type[BaseModel]] = {
    "aws": Aws,
    "mackerel": Mackerel,
    "criteria": Criterion,
    "batches": Batches,
    "access_logs": AccessLogs,
}


def load(path: Path) -> Migration:
    """The migration that `path` describes. Raises ConfigurationError with every mistake found, or OSError where it cannot be read."""
    try:
        tables = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, (ConfigIssue("", "not_utf8", {"byte": str(error.start + 1)}),)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, (ConfigIssue("", "not_toml", {"detail": str(error)}),)) from error
    return parse_tables(tables, path)


def parse_tables(tables: Mapping[str, Any], path: Path) -> Migration:
    """The migration in a parsed TOML document. [migration]'s keys and the other tables meet in one `Migration`."""
    about = tables.get("migration", {})
    if not isinstance(about, Mapping):
        mistake = ConfigIssue("migration", "wrong_type", {"given": repr(about)[:80], "kind": "table"})
        raise ConfigurationError(path, (mistake,))
    mistakes = [*_misplaced_keys(tables, about)]
    known = {key: value for key, value in tables.items() if key in _TABLES}
    known |= {key: value for key, value in about.items() if key in _MIGRATION_KEYS}
    try:
        found = Migration.model_validate(known)
    except ValidationError as error:
        told = [_issue(tuple(one["loc"]), one) for one in error.errors()]
        # What is there under a misspelt name, or in the wrong place, is not missing as well.
        meant = {_intended_key(one) for one in (*mistakes, *told)}
        mistakes += [one for one in told if one.code != "missing" or one.key not in meant]
    if mistakes:
        raise ConfigurationError(path, tuple(mistakes))
    return found


def _misplaced_keys(tables: Mapping[str, Any], migration_table: Mapping[str, Any]) -> Iterable[ConfigIssue]:
    """Keys that stand at the top or in [migration] and should not."""
    for key in tables:
        if key in _MIGRATION_KEYS:
            yield ConfigIssue(key, "outside_its_table", {"table": "migration"})
        elif key not in ("migration", *_TABLES):
            yield ConfigIssue(key, "unknown_key", {"close": closest(key, ("migration", *_TABLES))})
    for key in migration_table:
        if key in _TABLES:
            yield ConfigIssue(f"migration.{key}", "outside_its_table", {"table": key})
        elif key not in _MIGRATION_KEYS:
            yield ConfigIssue(f"migration.{key}", "unknown_key", {"close": closest(key, _MIGRATION_KEYS)})


def _issue(location: tuple[int | str, ...], error: ErrorDetails) -> ConfigIssue:
    """pydantic's error as ours, its key as the file spells it."""
    if location and location[0] not in _TABLES:
        location = ("migration", *location)
    return issue_from_pydantic(
        error, ".".join(map(str, location)), lambda: closest(str(location[-1]), _keys_at(location[:-1]))
    )


def _keys_at(location: tuple[int | str, ...]) -> Iterable[str]:
    """The keys that may stand in a table."""
    if location[0] == "fleets":
        return (Fleet if len(location) > 1 else Fleets).model_fields
    if location[:2] == ("batches", "jobs"):
        return Job.model_fields
    if location[:2] == ("access_logs", "athena"):
        return Athena.model_fields
    return _MODELS[str(location[0])].model_fields


def _intended_key(issue: ConfigIssue) -> str:
    """The key that somebody meant who wrote another one, or ""."""
    table, _, name = issue.key.rpartition(".")
    if issue.code == "outside_its_table":
        home = issue.params["table"]
        return home if home == name else f"{home}.{name}"
    if issue.code == "unknown_key":
        return f"{table}.{issue.params['close']}".lstrip(".")
    return ""
