"""What `note` and `step` have in common: entries with a time and a key, which a user adds, lists and removes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn

import typer

from commands.shared import startup
from commands.shared.output import echo, echo_text
from domain import Migration
from domain.window import parse_datetime
from messages import notes, times

KEY_CHARS = 8  # shown; --remove takes any start of a key that is unambiguous


def entered_time(migration: Migration, at: str) -> int:
    """The epoch seconds of --at, now if it is empty. Raises typer.BadParameter."""
    try:
        return int((parse_datetime(at, migration.zone) if at else startup.now()).timestamp())
    except ValueError:
        raise typer.BadParameter(notes.invalid_time(at), param_hint="--at") from None


def clock(migration: Migration, ts: int) -> str:
    return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=startup.now())


def remove_entry(
    removed: Mapping[str, str], key: str, remove: Callable[[str], bool], *, not_found: str, as_json: bool
) -> NoReturn:
    """Removes the one entry whose key starts with `key`; ends with 1 if there is none, or more than one.

    `removed`: what is printed once an entry is removed, by the entry's key.
    """
    matches = [entry for entry in removed if entry.startswith(key)]
    done = len(matches) == 1 and remove(matches[0])
    if as_json:
        echo({"ok": done, "removed": matches if done else []})
    else:
        echo_text(removed[matches[0]] if done else not_found, err=not done)
    raise typer.Exit(0 if done else 1)
