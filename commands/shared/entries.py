"""What `note` and `step` have in common: entries with a time and a key, which a user adds, lists and removes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Group, RenderableType

from commands.shared import startup
from commands.shared.output import echo, echo_text, plain
from commands.shared.styles import FAINT
from domain import Migration, Removal
from domain.window import parse_datetime
from messages import notes, times
from reports.judgement_json import iso_time, pick

KEY_CHARS = 8  # shown; --remove takes any start of a key that is unambiguous


def entered_time(migration: Migration, at: str) -> int:
    """The epoch seconds of --at, now if it is empty. Raises typer.BadParameter."""
    try:
        return int((parse_datetime(at, migration.zone) if at else startup.now()).timestamp())
    except ValueError:
        raise typer.BadParameter(notes.invalid_time(at), param_hint="--at") from None


def clock(migration: Migration, ts: int) -> str:
    return times.clock_of(ts, migration.zone, now=startup.now())


def entries_with_removals(migration: Migration, entries: RenderableType, removals: Sequence[Removal]) -> RenderableType:
    """A list, and a line for each entry that was removed."""
    lines = [plain(notes.removal(item, migration.zone, now=startup.now()), FAINT) for item in removals]
    return Group(entries, *lines)


def removal_json(removal: Removal) -> dict[str, Any]:
    of_step = {"text": removal.text} if removal.share is None else {"canary_share": removal.share}
    return {
        "at": iso_time(removal.ts),
        **of_step,
        **pick(removal, "author", "key", "removed_by"),
        "removed_at": iso_time(removal.removed_at),
    }


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
