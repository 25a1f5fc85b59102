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
from archive.status import ArchiveStatus, archive_status, compact
from archive.transfer.export import export_archive
from archive.transfer.import_ import import_archive
from archive.transfer.manifest import ExportError, ProgressCallback
from commands.shared.options import console, echo
from commands.shared.output import BAD, GOOD, iso_time, plain, redact_url, table, title
from commands.shared.startup import examine, exit_with_report, load_or_exit
from domain import Migration, utc_now
from messages import cli as cli_words
from messages import numbers, states, times
from messages import recording as words
from sources.registry import create_sources

app = typer.Typer(help=words.ARCHIVE, no_args_is_help=True, rich_markup_mode=None)

Config = Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=cli_words.CONFIG)]
Demo = Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=cli_words.DEMO)]
Json = Annotated[bool, typer.Option("--json", help=cli_words.JSON)]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help=words.FOLDER)]


@app.command("status", help=words.STATUS)
def status_command(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = load_or_exit(config, demo, as_json=as_json)
    with _open_archive(migration, config, as_json=as_json) as archive:
        of_batches = create_sources(migration, clock=utc_now).batch_source_names
        found = archive_status(archive.engine, migration, now=int(utc_now().timestamp()), batch_source_names=of_batches)
    echo(status_json(migration, found) if as_json else status_table(migration, found, now=utc_now()))


@app.command("export", help=words.EXPORT)
def export_command(folder: Folder, config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = load_or_exit(config, demo, as_json=as_json)
    with (
        _open_archive(migration, config, as_json=as_json) as archive,
        _exit_on_export_error(as_json=as_json),
        _progress_bar(as_json) as told,
    ):
        made = export_archive(archive.engine, migration, folder, now=int(utc_now().timestamp()), on_progress=told)
    size = sum(file.stat().st_size for file in folder.iterdir())
    if as_json:
        echo({"ok": True, "folder": str(folder), "migration": made.migration, "points": made.points, "bytes": size})
    else:
        echo(plain(words.exported(str(folder), numbers.count(made.points), decimal(size))))


@app.command("import", help=words.IMPORT)
def import_command(folder: Folder, config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = load_or_exit(config, demo, as_json=as_json)
    with (
        _open_archive(migration, config, as_json=as_json) as archive,
        _exit_on_export_error(as_json=as_json),
        _progress_bar(as_json) as told,
    ):
        made = import_archive(archive.engine, folder, now=int(utc_now().timestamp()), on_progress=told)
    if as_json:
        echo({"ok": True, "folder": str(folder), "migration": made.migration, "points": made.points})
        return
    echo(plain(words.imported(numbers.count(made.points), made.migration)))
    if made.migration != migration.key:
        echo(plain(words.another_migration(made.migration, migration.key)))


@app.command("compact", help=words.COMPACT)
def compact_command(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = load_or_exit(config, demo, as_json=as_json)
    with _open_archive(migration, config, as_json=as_json) as archive:
        before, after = compact(archive.engine)
    echo(
        {"ok": True, "before": before, "after": after} if as_json else words.compacted(decimal(before), decimal(after))
    )


def status_json(migration: Migration, status: ArchiveStatus) -> dict[str, Any]:
    return {
        "ok": True,
        "migration": migration.name,
        "demo": migration.demo,
        "place": redact_url(migration.archive),
        "bytes": status.size_bytes,
        "points": status.points,
        "events": status.events,
        "snapshots": status.snapshots,
        "access_logs": _access_logs_json(status),
        "last_write": iso_time(status.last_write_at),
        "recorder_alive": status.recorder_alive,
        "sources": [
            {
                "source": name,
                "gaps": [{"from": iso_time(gap.start), "to": iso_time(gap.end)} for gap in gaps],
                "periods": [
                    {
                        "period_s": one.period_s,
                        "points": one.points,
                        "covered": [{"from": iso_time(each.start), "to": iso_time(each.end)} for each in one.covered],
                    }
                    for one in status.coverage
                    if one.source == name
                ],
            }
            for name, gaps in status.gaps.items()
        ],
    }


def status_table(migration: Migration, status: ArchiveStatus, *, now: datetime) -> RenderableType:
    made = table(*words.COVERAGE_HEAD())
    for one in status.coverage:
        ends = (f"{at.astimezone(migration.zone):%Y-%m-%d %H:%M}" for at in _first_and_last(one.covered))
        made.add_row(
            plain(states.source_name(one.source)), times.duration(one.period_s), *ends, numbers.count(one.points)
        )
    last = status.last_write_at
    age = times.ago(datetime.fromtimestamp(last, UTC), now=now) if last is not None else ""
    parts: list[RenderableType] = [
        title(migration, words.database_size(decimal(status.size_bytes), redact_url(migration.archive))),
        Text(
            words.recorder(migration.name, alive=status.recorder_alive, age=age), GOOD if status.recorder_alive else BAD
        ),
        made,
    ]
    for name, gaps in status.gaps.items():
        length = times.duration(sum(gap.end - gap.start for gap in gaps))
        parts.append(plain(words.gaps(states.source_name(name), len(gaps), length)))
    parts.append(Text(words.event_counts(status.events, status.snapshots)))
    if status.logs:
        lines, hours = status.logs
        span = times.span(hours.starts_at, hours.ends_at, migration.zone, now=now)
        parts.append(Text(words.access_logs(lines.files, lines.total, lines.unparsed, span)))
    return Group(*parts)


def _access_logs_json(status: ArchiveStatus) -> dict[str, Any] | None:
    if not status.logs:
        return None
    lines, hours = status.logs
    told = {"read": lines.total, "parsed": lines.parsed, "lost": lines.unparsed}
    return {"files": lines.files, "lines": told, "from": iso_time(hours.start), "to": iso_time(hours.end)}


def _first_and_last(covered: tuple[Any, ...]) -> Iterator[datetime]:
    if covered:
        yield covered[0].starts_at
        yield covered[-1].ends_at


@contextmanager
def _open_archive(migration: Migration, config: Path | None, *, as_json: bool) -> Iterator[Archive]:
    """The archive; where it cannot be used, that is told and the program ends."""
    try:
        with Archive.open(migration.archive, migration) as archive:
            yield archive
    except ArchiveError as error:
        exit_with_report(examine(migration, config, (), error.problem), as_json=as_json)


@contextmanager
def _exit_on_export_error(*, as_json: bool) -> Iterator[None]:
    try:
        yield
    except ExportError as error:
        _exit_with_export_error(error, as_json=as_json)


def _exit_with_export_error(error: ExportError, *, as_json: bool) -> NoReturn:
    said = words.export_error(error.kind, error.about)
    echo({"ok": False, "kind": error.kind, "about": error.about, "text": said} if as_json else plain(said, BAD))
    raise typer.Exit(1)


@contextmanager
def _progress_bar(as_json: bool) -> Iterator[ProgressCallback]:
    """A progress bar, where there is a terminal to draw it on."""
    if as_json or not console().is_terminal:
        yield lambda _done, _all: None
        return
    with Progress(console=console(), transient=True) as progress:
        task = progress.add_task("")
        yield lambda done, every: progress.update(task, completed=done, total=every)
