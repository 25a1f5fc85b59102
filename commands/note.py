"""`note`: adds a note to the archive, lists them, or removes one."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from archive import Archive
from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json
from commands.shared.output import echo, echo_text, plain
from domain import Event, Migration
from domain.window import parse_datetime
from messages import notes as text
from messages import times
from reports.judgement_json import iso_time

KEY_CHARS = 8  # shown; --remove takes any start of a key that is unambiguous


def note(
    note_text: Annotated[str, typer.Argument(metavar="[TEXT]", help=text.TEXT_HELP)] = "",
    config: Config = None,
    demo: Demo = False,
    at: Annotated[str, typer.Option(metavar="TIME", help=text.AT_HELP)] = "",
    author: Annotated[str, typer.Option("--by", metavar="NAME", help=text.BY_HELP)] = "",
    list_all: Annotated[bool, typer.Option("--list", help=text.LIST_HELP)] = False,
    remove: Annotated[str, typer.Option(metavar="KEY", help=text.REMOVE_HELP)] = "",
    as_json: Json = False,
) -> None:
    if bool(note_text) + list_all + bool(remove) > 1:
        raise typer.BadParameter(text.ONE_AT_A_TIME, param_hint="TEXT")
    migration = startup.load_or_exit(config, demo, as_json=as_json)
    ts = 0 if list_all or remove else _time_of(migration, at, note_text)
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        if list_all:
            notes = archive.notes.read()
            echo(
                {"ok": True, "notes": [_note_json(item) for item in notes]}
                if as_json
                else _notes_table(migration, notes)
            )
            return
        if remove:
            _remove(archive, remove, as_json=as_json)
            return
        event = archive.notes.add(ts, note_text, author)
    if as_json:
        echo({"ok": True, **_note_json(event)})
    else:
        echo_text(text.saved(_clock(migration, ts)))


def _time_of(migration: Migration, at: str, note_text: str) -> int:
    """The time of a new note (epoch seconds). Raises typer.BadParameter."""
    try:
        ts = int((parse_datetime(at, migration.zone) if at else startup.now()).timestamp())
    except (ValueError, OverflowError):
        raise typer.BadParameter(text.invalid_time(at), param_hint="--at") from None
    if not note_text.strip():
        raise typer.BadParameter(text.EMPTY, param_hint="TEXT")
    return ts


def _remove(archive: Archive, key: str, *, as_json: bool) -> None:
    """Removes the one note whose key starts with `key`; ends with 1 if there is none, or more than one."""
    matches = [item for item in archive.notes.read() if item.key.startswith(key)]
    removed = len(matches) == 1 and archive.notes.remove(matches[0].key)
    if as_json:
        echo({"ok": removed, "removed": [item.key for item in matches] if removed else []})
    else:
        message = text.removed(matches[0].title) if removed else text.no_such_note(key)
        echo_text(message, err=not removed)
    raise typer.Exit(0 if removed else 1)


def _notes_table(migration: Migration, notes: tuple[Event, ...]) -> RenderableType:
    if not notes:
        return plain(text.NONE)
    grid = FittingTable()
    for item in notes:
        grid.add_row(
            plain(item.key[:KEY_CHARS]),
            plain(_clock(migration, item.ts)),
            plain(item.title),
            plain(text.by_author(item.detail)),
        )
    return grid


def _note_json(item: Event) -> dict[str, Any]:
    return {"at": iso_time(item.ts), "text": item.title, "author": item.detail, "key": item.key}


def _clock(migration: Migration, ts: int) -> str:
    return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=startup.now())
