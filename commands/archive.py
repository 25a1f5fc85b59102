"""`archive status|export|import|compact`: what the archive holds, taken elsewhere, brought in, and made smaller."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.progress import Progress
from rich.text import Text

from archive import Archive, ArchiveError
from archive.status import Status, compact, status
from archive.transfer.export import export
from archive.transfer.import_ import bring_in
from archive.transfer.manifest import ExportError, Told
from commands.shared.options import console, echo
from commands.shared.output import BAD, GOOD, address, plain, stamp, table, title
from commands.shared.startup import end, examined, migration_of
from domain import Migration, utc_now
from messages import cli as cli_words
from messages import numbers, states, times
from messages import recording as words
from sources.registry import sources_of

app = typer.Typer(help=words.ARCHIVE, no_args_is_help=True, rich_markup_mode=None)

Config = Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=cli_words.CONFIG)]
Demo = Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=cli_words.DEMO)]
Json = Annotated[bool, typer.Option("--json", help=cli_words.JSON)]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help=words.FOLDER)]


@app.command("status", help=words.STATUS)
def show(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = migration_of(config, demo, as_json=as_json)
    with _opened(migration, config, as_json=as_json) as archive:
        of_batches = sources_of(migration, clock=utc_now).of_batches
        found = status(archive.engine, migration, now=int(utc_now().timestamp()), of_batches=of_batches)
    echo(status_json(migration, found) if as_json else status_table(migration, found, now=utc_now()))


@app.command("export", help=words.EXPORT)
def take(folder: Folder, config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = migration_of(config, demo, as_json=as_json)
    with _opened(migration, config, as_json=as_json) as archive, _refused(as_json=as_json), _bar(as_json) as told:
        made = export(archive.engine, migration, folder, now=int(utc_now().timestamp()), told=told)
    size = sum(file.stat().st_size for file in folder.iterdir())
    if as_json:
        echo({"ok": True, "folder": str(folder), "migration": made.migration, "points": made.points, "bytes": size})
    else:
        echo(plain(words.exported(str(folder), numbers.count(made.points), decimal(size))))


@app.command("import", help=words.IMPORT)
def bring(folder: Folder, config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = migration_of(config, demo, as_json=as_json)
    with _opened(migration, config, as_json=as_json) as archive, _refused(as_json=as_json), _bar(as_json) as told:
        made = bring_in(archive.engine, folder, now=int(utc_now().timestamp()), told=told)
    if as_json:
        echo({"ok": True, "folder": str(folder), "migration": made.migration, "points": made.points})
        return
    echo(plain(words.imported(numbers.count(made.points), made.migration)))
    if made.migration != migration.key:
        echo(plain(words.another_migration(made.migration, migration.key)))


@app.command("compact", help=words.COMPACT)
def shrink(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = migration_of(config, demo, as_json=as_json)
    with _opened(migration, config, as_json=as_json) as archive:
        before, after = compact(archive.engine)
    echo(
        {"ok": True, "before": before, "after": after} if as_json else words.compacted(decimal(before), decimal(after))
    )


def status_json(migration: Migration, found: Status) -> dict[str, Any]:
    return {
        "ok": True,
        "migration": migration.name,
        "demo": migration.demo,
        "place": address(migration.archive),
        "bytes": found.size_bytes,
        "points": found.points,
        "events": found.events,
        "snapshots": found.snapshots,
        "access_logs": _logs_json(found),
        "last_write": stamp(found.last_write),
        "recorder_alive": found.alive,
        "sources": [
            {
                "source": name,
                "gaps": [{"from": stamp(gap.start), "to": stamp(gap.end)} for gap in gaps],
                "periods": [
                    {
                        "period_s": one.period_s,
                        "points": one.points,
                        "covered": [{"from": stamp(each.start), "to": stamp(each.end)} for each in one.covered],
                    }
                    for one in found.stretches
                    if one.source == name
                ],
            }
            for name, gaps in found.gaps.items()
        ],
    }


def status_table(migration: Migration, found: Status, *, now: datetime) -> RenderableType:
    made = table(*words.covered_headings())
    for one in found.stretches:
        ends = (f"{at.astimezone(migration.zone):%Y-%m-%d %H:%M}" for at in _ends(one.covered))
        made.add_row(
            plain(states.source_name(one.source)), times.duration(one.period_s), *ends, numbers.count(one.points)
        )
    last = found.last_write
    age = times.ago(datetime.fromtimestamp(last, UTC), now=now) if last is not None else ""
    parts: list[RenderableType] = [
        title(migration, words.size(decimal(found.size_bytes), address(migration.archive))),
        Text(words.recorder(migration.name, alive=found.alive, age=age), GOOD if found.alive else BAD),
        made,
    ]
    for name, gaps in found.gaps.items():
        length = times.duration(sum(gap.end - gap.start for gap in gaps))
        parts.append(plain(words.gaps(states.source_name(name), len(gaps), length)))
    parts.append(Text(words.happened(found.events, found.snapshots)))
    if found.logs:
        lines, hours = found.logs
        span = times.span(hours.starts_at, hours.ends_at, migration.zone, now=now)
        parts.append(Text(words.logs(lines.files, lines.read, lines.lost, span)))
    return Group(*parts)


def _logs_json(found: Status) -> dict[str, Any] | None:
    if not found.logs:
        return None
    lines, hours = found.logs
    told = {"read": lines.read, "parsed": lines.parsed, "lost": lines.lost}
    return {"files": lines.files, "lines": told, "from": stamp(hours.start), "to": stamp(hours.end)}


def _ends(covered: tuple[Any, ...]) -> Iterator[datetime]:
    if covered:
        yield covered[0].starts_at
        yield covered[-1].ends_at


@contextmanager
def _opened(migration: Migration, config: Path | None, *, as_json: bool) -> Iterator[Archive]:
    """The archive; where it cannot be used, that is told and the program ends."""
    try:
        with Archive.open(migration.archive, migration) as archive:
            yield archive
    except ArchiveError as error:
        end(examined(migration, config, (), error.problem), as_json=as_json)


@contextmanager
def _refused(*, as_json: bool) -> Iterator[None]:
    try:
        yield
    except ExportError as error:
        _bad(error, as_json=as_json)


def _bad(error: ExportError, *, as_json: bool) -> NoReturn:
    said = words.bad_export(error.kind, error.about)
    echo({"ok": False, "kind": error.kind, "about": error.about, "text": said} if as_json else plain(said, BAD))
    raise typer.Exit(1)


@contextmanager
def _bar(as_json: bool) -> Iterator[Told]:
    """A progress bar, where there is a terminal to draw it on."""
    if as_json or not console().is_terminal:
        yield lambda _done, _all: None
        return
    with Progress(console=console(), transient=True) as progress:
        task = progress.add_task("")
        yield lambda done, every: progress.update(task, completed=done, total=every)
