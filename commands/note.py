"""`note`: adds a note to the archive, lists them, or removes one."""

from functools import partial
from typing import Annotated

import typer
from rich.console import RenderableType

from commands.shared import startup
from commands.shared.entries import KEY_CHARS, clock, entered_time, entries_with_removals, removal_json, remove_entry
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, plain
from domain import Event, Migration
from messages import notes as text
from reports.judgement_json import note_json
from services.incidents import parse_incident_id


def note(
    note_text: Annotated[str, typer.Argument(metavar="[TEXT]", help=str(text.TEXT_HELP))] = "",
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    at: Annotated[str, typer.Option(metavar="TIME", help=str(text.AT_HELP))] = "",
    author: Annotated[str, typer.Option("--by", metavar="NAME", help=str(text.BY_HELP))] = "",
    list_all: Annotated[bool, typer.Option("--list", help=str(text.LIST_HELP))] = False,
    remove: Annotated[str, typer.Option(metavar="KEY", help=str(text.REMOVE_HELP))] = "",
    incident: Annotated[str, typer.Option(metavar="ID", help=str(text.INCIDENT_HELP))] = "",
    as_json: Json = False,
) -> None:
    if bool(note_text) + list_all + bool(remove) > 1:
        raise typer.BadParameter(str(text.ONE_AT_A_TIME), param_hint="TEXT")
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    ts = entered_time(migration, at)
    if incident:
        ts = _incident_start(incident, ts if at else None)
    if not (list_all or remove or note_text.strip()):
        raise typer.BadParameter(str(text.EMPTY), param_hint="TEXT")
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        if list_all:
            notes, removals = archive.notes.read(), archive.notes.removals()
            as_rows = [note_json(item) for item in notes]
            echo(
                {"ok": True, "notes": as_rows, "removals": list(map(removal_json, removals))}
                if as_json
                else entries_with_removals(migration, _notes_table(migration, notes), removals)
            )
            return
        if remove:
            removed = {item.key: text.removed(item.title) for item in archive.notes.read()}
            not_found = text.no_such_note(remove)
            by_author = partial(archive.notes.remove, removed_by=author)
            remove_entry(removed, remove, by_author, not_found=not_found, as_json=as_json)
        event = archive.notes.add(ts, note_text, author, incident=incident)
    if as_json:
        echo({"ok": True, **note_json(event)})
    else:
        echo_text(text.saved(clock(migration, ts)))


def _incident_start(incident: str, at: int | None) -> int:
    """When a note on an incident stands: at `at`, else where the incident began (epoch seconds). Raises typer.BadParameter."""
    try:
        start = parse_incident_id(incident)[1]
    except ValueError:
        raise typer.BadParameter(text.invalid_incident(incident), param_hint="--incident") from None
    return start if at is None else at


def _notes_table(migration: Migration, notes: tuple[Event, ...]) -> RenderableType:
    if not notes:
        return plain(str(text.NONE))
    grid = FittingTable()
    for item in notes:
        grid.add_row(
            plain(item.key[:KEY_CHARS]),
            plain(clock(migration, item.ts)),
            plain(item.title),
            plain(text.by_author(item.detail)),
        )
    return grid
