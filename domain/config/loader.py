"""`migration.toml` read: the file's tables become one Migration, or every mistake in them with the key as the file spells it."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.config.access_logs import AccessLogs, Athena
from domain.config.batches import Batches, Job
from domain.config.errors import ConfigurationError, Mistake, closest, mistake_of
from domain.config.models import Aws, Criterion, Fleet, Fleets, Mackerel, Migration

# The tables beside [migration], and what may stand in [migration] itself. `demo` is said by the program, never by a file.
_TABLES = ("aws", "fleets", "mackerel", "criteria", "batches", "access_logs")
_ABOUT = tuple(key for key in Migration.model_fields if key not in (*_TABLES, "demo"))
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
        raise ConfigurationError(path, (Mistake("", "not_utf8", {"byte": str(error.start + 1)}),)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, (Mistake("", "not_toml", {"detail": str(error)}),)) from error
    return read(tables, path)


def read(tables: Mapping[str, Any], path: Path) -> Migration:
    """The migration in a parsed TOML document. [migration]'s keys and the other tables meet in one `Migration`."""
    about = tables.get("migration", {})
    if not isinstance(about, Mapping):
        mistake = Mistake("migration", "wrong_type", {"given": repr(about)[:80], "kind": "table"})
        raise ConfigurationError(path, (mistake,))
    mistakes = [*_strays(tables, about)]
    known = {key: value for key, value in tables.items() if key in _TABLES}
    known |= {key: value for key, value in about.items() if key in _ABOUT}
    try:
        found = Migration.model_validate(known)
    except ValidationError as error:
        told = [_mistake(tuple(one["loc"]), one) for one in error.errors()]
        # What is there under a misspelt name, or in the wrong place, is not missing as well.
        meant = {_meant(one) for one in (*mistakes, *told)}
        mistakes += [one for one in told if one.slug != "missing" or one.key not in meant]
    if mistakes:
        raise ConfigurationError(path, tuple(mistakes))
    return found


def _strays(tables: Mapping[str, Any], about: Mapping[str, Any]) -> Iterable[Mistake]:
    """Keys that stand at the top or in [migration] and should not."""
    for key in tables:
        if key in _ABOUT:
            yield Mistake(key, "outside_its_table", {"table": "migration"})
        elif key not in ("migration", *_TABLES):
            yield Mistake(key, "unknown_key", {"close": closest(key, ("migration", *_TABLES))})
    for key in about:
        if key in _TABLES:
            yield Mistake(f"migration.{key}", "outside_its_table", {"table": key})
        elif key not in _ABOUT:
            yield Mistake(f"migration.{key}", "unknown_key", {"close": closest(key, _ABOUT)})


def _mistake(place: tuple[int | str, ...], error: ErrorDetails) -> Mistake:
    """pydantic's error as ours, its key as the file spells it."""
    if place and place[0] not in _TABLES:
        place = ("migration", *place)
    return mistake_of(error, ".".join(map(str, place)), lambda: closest(str(place[-1]), _keys_at(place[:-1])))


def _keys_at(place: tuple[int | str, ...]) -> Iterable[str]:
    """The keys that may stand in a table."""
    if place[0] == "fleets":
        return (Fleet if len(place) > 1 else Fleets).model_fields
    if place[:2] == ("batches", "jobs"):
        return Job.model_fields
    if place[:2] == ("access_logs", "athena"):
        return Athena.model_fields
    return _MODELS[str(place[0])].model_fields


def _meant(mistake: Mistake) -> str:
    """The key that somebody meant who wrote another one, or ""."""
    table, _, name = mistake.key.rpartition(".")
    if mistake.slug == "outside_its_table":
        home = mistake.particulars["table"]
        return home if home == name else f"{home}.{name}"
    if mistake.slug == "unknown_key":
        return f"{table}.{mistake.particulars['close']}".lstrip(".")
    return ""
