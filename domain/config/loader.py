"""Loads migration.toml into a Migration, or raises all of its issues with the keys as the file spells them."""

import errno
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.config.access_logs import AccessLogs, Athena
from domain.config.batches import Batches, Job, RunLog
from domain.config.criteria import CloudWatchMetricTable, CloudWatchQuery, Criterion
from domain.config.errors import ConfigIssue, ConfigurationError, closest, issue_from_pydantic
from domain.config.models import Aws, Fleet, Fleets, Mackerel, Migration
from domain.config.notify import Notify
from domain.config.probe import Probe
from domain.config.releases import Releases
from domain.config.server import ServerSettings
from domain.config.sign_in import SignIn

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
# The tables beside [migration], and the keys of [migration] itself. `demo` and `release` cannot be set in a file.
TABLES = (
    "aws",
    "fleets",
    "mackerel",
    "criteria",
    "batches",
    "access_logs",
    "releases",
    "probe",
    "notify",
    "server",
    "sign_in",
)
_MIGRATION_KEYS = tuple(key for key in Migration.model_fields if key not in (*TABLES, "demo", "release"))
_MODELS: dict[str, type[BaseModel]] = {
    "aws": Aws,
    "mackerel": Mackerel,
    "criteria": Criterion,
    "batches": Batches,
    "access_logs": AccessLogs,
    "releases": Releases,
    "notify": Notify,
    "probe": Probe,
    "server": ServerSettings,
    "sign_in": SignIn,
}


def load(path: Path) -> Migration:
    """The migration configured in `path`. Raises ConfigurationError with all issues, or OSError."""
    return parse_tables(read_tables(path), path)


def read_tables(path: Path) -> dict[str, Any]:
    """The TOML document in `path`. Raises ConfigurationError or OSError."""
    try:
        tables = tomllib.loads(_read(path).decode("utf-8-sig"))
        if _is_nested_deeply(tables):
            raise RecursionError
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, (ConfigIssue("", "not_utf8", {"byte": str(error.start + 1)}),)) from error
    except RecursionError as error:
        raise ConfigurationError(path, (ConfigIssue("", "not_toml", {"detail": "nested too deeply"}),)) from error
    except ValueError as error:  # TOMLDecodeError, and a number with thousands of digits
        raise ConfigurationError(path, (ConfigIssue("", "not_toml", {"detail": str(error)[:200]}),)) from error
    return tables


def _read(path: Path) -> bytes:
    """The content of a file of at most MAX_BYTES. Raises OSError, also for a device or a pipe, which might never end."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES} bytes")
    return content


def _is_nested_deeply(tables: object) -> bool:
    """Dotted keys nest without recursion in the parser, but not in what follows."""
    level = [tables]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def parse_tables(tables: Mapping[str, Any], path: Path) -> Migration:
    """The migration in a parsed TOML document: the keys of [migration] and the other tables. Raises ConfigurationError."""
    main = tables.get("migration", {})
    if not isinstance(main, Mapping):
        issue = ConfigIssue("migration", "wrong_type", {"given": repr(main)[:80], "kind": "table"})
        raise ConfigurationError(path, (issue,))
    issues = [*_misplaced_keys(tables, main)]
    values = {key: value for key, value in tables.items() if key in TABLES}
    values |= {key: value for key, value in main.items() if key in _MIGRATION_KEYS}
    try:
        migration = Migration.model_validate(values)
    except ValidationError as error:
        invalid = [_issue(tuple(detail["loc"]), detail) for detail in error.errors()]
        # A key that is present under a misspelt name, or in the wrong table, is not reported as missing as well.
        intended = {_intended_key(issue) for issue in (*issues, *invalid)}
        issues += [issue for issue in invalid if issue.code != "missing" or issue.key not in intended]
    if issues:
        raise ConfigurationError(path, tuple(issues))
    return migration


def _misplaced_keys(tables: Mapping[str, Any], migration_table: Mapping[str, Any]) -> Iterable[ConfigIssue]:
    """Keys at the top level or in [migration] that do not belong there."""
    for key in tables:
        if key in _MIGRATION_KEYS:
            yield ConfigIssue(key, "outside_its_table", {"table": "migration"})
        elif key not in ("migration", *TABLES):
            yield ConfigIssue(key, "unknown_key", {"close": closest(key, ("migration", *TABLES))})
    for key in migration_table:
        if key in TABLES:
            yield ConfigIssue(f"migration.{key}", "outside_its_table", {"table": key})
        elif key not in _MIGRATION_KEYS:
            yield ConfigIssue(f"migration.{key}", "unknown_key", {"close": closest(key, _MIGRATION_KEYS)})


def _issue(location: tuple[int | str, ...], error: ErrorDetails) -> ConfigIssue:
    """pydantic's error as an issue, its key as the file spells it."""
    location = tuple(part for part in location if not str(part).startswith("<"))  # which shape of a key was tried
    if location and location[0] not in TABLES:
        location = ("migration", *location)
    return issue_from_pydantic(
        error, ".".join(map(str, location)), lambda: closest(str(location[-1]), _keys_at(location[:-1]))
    )


def _keys_at(location: tuple[int | str, ...]) -> Iterable[str]:
    """The known keys of a table."""
    if location[0] == "fleets":
        return (Fleet if len(location) > 1 else Fleets).model_fields
    if location[:2] == ("batches", "jobs"):
        return Job.model_fields
    if location[:2] == ("batches", "log"):
        return RunLog.model_fields
    if location[:2] == ("access_logs", "athena"):
        return Athena.model_fields
    if location[0] == "criteria" and len(location) > 2:
        return (CloudWatchMetricTable if "metrics" in location else CloudWatchQuery).model_fields
    return _MODELS[str(location[0])].model_fields


def _intended_key(issue: ConfigIssue) -> str:
    """The key that was probably meant by a misplaced or misspelt one, or ""."""
    table, _, name = issue.key.rpartition(".")
    if issue.code == "outside_its_table":
        correct_table = issue.params["table"]
        return correct_table if correct_table == name else f"{correct_table}.{name}"
    if issue.code == "unknown_key":
        return f"{table}.{issue.params['close']}".lstrip(".")
    return ""
