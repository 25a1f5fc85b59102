"""`step`: adds a step of the migration that no source reports, lists such steps, or removes one."""

from functools import partial
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from archive import Archive
from commands.shared import startup
from commands.shared.entries import KEY_CHARS, clock, entered_time, entries_with_removals, removal_json, remove_entry
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, plain
from domain import Migration, WeightChange
from domain.weight_changes import parse_share
from messages import notes, numbers
from messages import steps as text
from reports.judgement_json import iso_time


def step(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    at: Annotated[str, typer.Option(metavar="TIME", help=str(text.AT_HELP))] = "",
    share: Annotated[str, typer.Option(metavar="PERCENT", help=str(text.SHARE_HELP))] = "",
    weights: Annotated[str, typer.Option(metavar="A:B", help=str(text.WEIGHTS_HELP))] = "",
    author: Annotated[str, typer.Option("--by", metavar="NAME", help=str(text.BY_HELP))] = "",
    list_all: Annotated[bool, typer.Option("--list", help=str(text.LIST_HELP))] = False,
    remove: Annotated[str, typer.Option(metavar="KEY", help=str(text.REMOVE_HELP))] = "",
    as_json: Json = False,
) -> None:
    if bool(share) + bool(weights) + list_all + bool(remove) != 1:
        raise typer.BadParameter(str(text.ONE_AT_A_TIME), param_hint="--share, --weights, --list, --remove")
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    canary_share = _share_of(share, weights)
    ts = _time_of(migration, at)
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        if list_all:
            steps, used, removals = archive.steps.read(), _used_keys(archive), archive.steps.removals()
            as_rows = [_step_json(item, is_used=item.key in used) for item in steps]
            echo(
                {"ok": True, "steps": as_rows, "removals": list(map(removal_json, removals))}
                if as_json
                else entries_with_removals(migration, _steps_table(migration, steps, used), removals)
            )
            return
        if remove:
            removed = {item.key: str(text.REMOVED) for item in archive.steps.read()}
            not_found = text.no_such_step(remove)
            by_author = partial(archive.steps.remove, removed_by=author)
            remove_entry(removed, remove, by_author, not_found=not_found, as_json=as_json)
        entered = archive.steps.add(ts, canary_share, author)
        is_used = entered.key in _used_keys(archive)
    if as_json:
        echo({"ok": True, **_step_json(entered, is_used=is_used)})
    else:
        echo_text(text.saved(clock(migration, ts), canary_share, is_used=is_used))


def _share_of(share: str, weights: str) -> float:
    """The canary's share of a new step, 0 without one. Raises typer.BadParameter."""
    try:
        if (share and ":" in share) or (weights and ":" not in weights):
            raise ValueError
        return parse_share(share or weights) if share or weights else 0.0
    except ValueError:
        hint = "--share" if share else "--weights"
        raise typer.BadParameter(text.invalid_share(share or weights), param_hint=hint) from None


def _time_of(migration: Migration, at: str) -> int:
    """The time of a new step (epoch seconds). Raises typer.BadParameter."""
    ts = entered_time(migration, at)
    if ts > startup.now().timestamp():
        raise typer.BadParameter(str(text.FUTURE), param_hint="--at")
    return ts


def _used_keys(archive: Archive) -> set[str]:
    return {change.key for change in archive.events.weight_changes() if change.origin == "entered"}


def _steps_table(migration: Migration, steps: tuple[WeightChange, ...], used: set[str]) -> RenderableType:
    if not steps:
        return plain(str(text.NONE))
    grid = FittingTable()
    for item in steps:
        grid.add_row(
            plain(item.key[:KEY_CHARS]),
            plain(clock(migration, item.ts)),
            plain(numbers.configured_share(item.after or 0.0)),
            plain(notes.by_author(item.author)),
            plain(str("" if item.key in used else text.UNUSED)),
        )
    return grid


def _step_json(item: WeightChange, *, is_used: bool) -> dict[str, Any]:
    return {
        "at": iso_time(item.ts),
        "canary_share": item.after,
        "author": item.author,
        "key": item.key,
        "used": is_used,
    }
