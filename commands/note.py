"""`note`: adds a note to the archive."""

from typing import Annotated

import typer

from commands.shared import startup
from commands.shared.options import Config, Demo, Json
from commands.shared.output import echo
from domain.window import parse_datetime
from messages import notes as text
from messages import times
from reports.judgement_json import iso_time


def note(
    note_text: Annotated[str, typer.Argument(metavar="TEXT", help=text.TEXT_HELP)],
    config: Config = None,
    demo: Demo = False,
    at: Annotated[str, typer.Option(metavar="TIME", help=text.AT_HELP)] = "",
    author: Annotated[str, typer.Option("--by", metavar="NAME", help=text.BY_HELP)] = "",
    as_json: Json = False,
) -> None:
    migration = startup.load_or_exit(config, demo, as_json=as_json)
    try:
        time = parse_datetime(at, migration.zone) if at else startup.now()
        ts = int(time.timestamp())
    except (ValueError, OverflowError):
        raise typer.BadParameter(text.invalid_time(at), param_hint="--at") from None
    if not note_text.strip():
        raise typer.BadParameter(text.EMPTY, param_hint="TEXT")
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        event = archive.notes.add(ts, note_text, author)
    if as_json:
        echo({"ok": True, "at": iso_time(ts), "text": event.title, "key": event.key})
    else:
        typer.echo(text.saved(times.clock(time, migration.zone, now=startup.now())))
