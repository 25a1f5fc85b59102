"""`archive status|export|import|backup|restore|compact`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.progress import Progress
from rich.text import Text

from archive.backup import BackupError, back_up, restore
from archive.status import ArchiveStatus, archive_status, compact
from archive.transfer.export import export_archive
from archive.transfer.import_ import import_archive
from archive.transfer.manifest import ExportError, Manifest, ProgressCallback
from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import console, echo, plain, redact_url, title
from commands.shared.styles import BAD, GOOD
from domain import Migration
from domain.window import DAY_S
from messages import numbers, states, times
from messages import recording as text
from reports.formats import local_minute
from reports.judgement_json import iso_time, migration_json, pick, window_json

app = typer.Typer(help=str(text.ARCHIVE), no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help=str(text.FOLDER))]
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help=str(text.BACKUP_FILE))]


@app.command("status", help=str(text.STATUS))
def status_command(
    config: Config = None, demo: Demo = False, migration_name: MigrationName = "", as_json: Json = False
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    names = startup.open_sources(migration).batch_source_names
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        status = archive_status(archive.engine, migration, now=startup.now_s(), batch_source_names=names)
    echo(status_json(migration, status) if as_json else status_table(migration, status, now=startup.now()))


@app.command("export", help=str(text.EXPORT))
def export_command(
    folder: Folder, config: Config = None, demo: Demo = False, migration_name: MigrationName = "", as_json: Json = False
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    with startup.open_archive(migration, config, as_json=as_json) as archive, _transfer(as_json) as on_progress:
        manifest = export_archive(archive.engine, migration, folder, now=startup.now_s(), on_progress=on_progress)
    size = sum(file.stat().st_size for file in folder.iterdir())
    if as_json:
        echo(_manifest_json(folder, manifest) | {"bytes": size})
    else:
        echo(plain(text.exported(str(folder), numbers.count(manifest.points), decimal(size))))


@app.command("import", help=str(text.IMPORT))
def import_command(
    folder: Folder, config: Config = None, demo: Demo = False, migration_name: MigrationName = "", as_json: Json = False
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    with startup.open_archive(migration, config, as_json=as_json) as archive, _transfer(as_json) as on_progress:
        manifest = import_archive(archive.engine, folder, now=startup.now_s(), on_progress=on_progress)
    if as_json:
        echo(_manifest_json(folder, manifest))
        return
    echo(plain(text.imported(numbers.count(manifest.points), manifest.migration)))
    if manifest.migration != migration.key:
        echo(plain(text.another_migration(manifest.migration, migration.key)))


@app.command("backup", help=str(text.BACKUP))
def backup_command(
    file: BackupFile,
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    with startup.open_archive(migration, config, as_json=as_json) as archive, _transfer(as_json) as on_progress:
        size = back_up(archive.engine, file, on_progress=on_progress)
    echo({"ok": True, "file": str(file), "bytes": size} if as_json else plain(text.backed_up(str(file), decimal(size))))


@app.command("restore", help=str(text.RESTORE))
def restore_command(
    file: BackupFile,
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    with _transfer(as_json) as on_progress:
        size = restore(file, migration.archive, on_progress=on_progress)
    echo({"ok": True, "file": str(file), "bytes": size} if as_json else plain(text.restored(str(file), decimal(size))))


@app.command("compact", help=str(text.COMPACT))
def compact_command(
    config: Config = None, demo: Demo = False, migration_name: MigrationName = "", as_json: Json = False
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        before, after = compact(archive.engine)
    echo({"ok": True, "before": before, "after": after} if as_json else text.compacted(decimal(before), decimal(after)))


def _manifest_json(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {"ok": True, "folder": str(folder), **pick(manifest, "migration", "points")}


def status_json(migration: Migration, status: ArchiveStatus) -> dict[str, Any]:
    return {
        "ok": True,
        **migration_json(migration),
        "url": redact_url(migration.archive),
        "bytes": status.size_bytes,
        **pick(status, "points", "events", "snapshots"),
        "access_logs": _access_logs_json(status),
        "keep": {"points": migration.keep or None, "rollups": migration.keep_rollups or None},
        "last_write": iso_time(status.last_write_at),
        "recorder_alive": status.recorder_alive,
        "sources": [
            {
                "source": name,
                "gaps": [window_json(gap) for gap in gaps],
                "periods": [
                    {**pick(row, "period_s", "points"), "covered": [window_json(part) for part in row.covered]}
                    for row in status.coverage
                    if row.source == name
                ],
            }
            for name, gaps in status.gaps.items()
        ],
    }


def _access_logs_json(status: ArchiveStatus) -> dict[str, Any] | None:
    if not status.logs:
        return None
    lines, hours = status.logs
    counts = {"read": lines.total, "parsed": lines.parsed, "unparsed": lines.unparsed}
    return {"files": lines.files, "lines": counts, **window_json(hours)}


def status_table(migration: Migration, status: ArchiveStatus, *, now: datetime) -> RenderableType:
    grid = FittingTable(*map(str, text.COVERAGE_HEAD))
    for row in status.coverage:
        ends = (row.covered[0].start, row.covered[-1].end) if row.covered else ()
        grid.add_row(
            plain(states.source_name(row.source)),
            times.duration(row.period_s),
            *(local_minute(migration, at) for at in ends),
            numbers.count(row.points),
        )
    last, alive = status.last_write_at, status.recorder_alive
    age = times.ago(datetime.fromtimestamp(last, UTC), now=now) if last is not None else ""
    parts: list[RenderableType] = [
        title(migration, text.database_size(decimal(status.size_bytes), redact_url(migration.archive))),
        Text(text.recorder(migration.name, alive=alive, age=age), GOOD if alive else BAD),
        grid,
    ]
    for name, gaps in status.gaps.items():
        length = times.duration(sum(gap.end - gap.start for gap in gaps))
        parts.append(plain(text.gaps(states.source_name(name), len(gaps), length)))
    parts.append(Text(text.event_counts(status.events, status.snapshots)))
    retention = migration.retention
    since = local_minute(migration, retention.points_since(int(now.timestamp())))
    parts.append(Text(text.retention(retention.points_s // DAY_S, retention.rollups_s // DAY_S, since)))
    if status.logs:
        lines, hours = status.logs
        span = times.span(hours.starts_at, hours.ends_at, migration.zone, now=now)
        parts.append(Text(text.access_logs(lines.files, lines.total, lines.unparsed, span)))
    return Group(*parts)


@contextmanager
def _transfer(as_json: bool) -> Iterator[ProgressCallback]:
    """A progress bar, if there is a terminal for it. Exits with a message on an ExportError or a BackupError."""
    try:
        if as_json or not console().is_terminal:
            yield lambda _done, _total: None
            return
        with Progress(console=console(), transient=True) as progress:
            task = progress.add_task("")
            yield lambda done, total: progress.update(task, completed=done, total=total)
    except (ExportError, BackupError) as error:
        message_of = text.export_error if isinstance(error, ExportError) else text.backup_error
        message = message_of(error.kind, error.about)
        body = {"ok": False, "kind": error.kind, "about": error.about, "text": message}
        echo(body if as_json else plain(message, BAD))
        raise typer.Exit(1) from None
