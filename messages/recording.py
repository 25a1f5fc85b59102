"""Messages of `cli.py record` and `cli.py archive`."""

from messages.command_help import USAGE_ERROR, command_help
from messages.i18n import _, lazy, plural
from messages.numbers import count

_ARCHIVE_EXIT_CODES = {
    0: lazy("Success."),
    1: lazy("Invalid configuration, archive unavailable, or files not readable or writable."),
    2: USAGE_ERROR,
}
RECORD = command_help(
    lazy("Record metrics without the dashboard"),
    lazy(
        "Backfills what the sources still retain, as the dashboard does while it runs. Several recorders and dashboards can share an archive: nothing is "
        "requested twice. Stop it with Ctrl-C or SIGTERM; confirmed data is stored."
    ),
    exit_codes={
        0: lazy("Ended by Ctrl-C or SIGTERM; with --once: everything that is available was stored."),
        1: lazy(
            "With --once: a source did not respond, or only in part. Configuration invalid, or archive unavailable."
        ),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py record           # sources and progress of the backfill
        cli.py record --once    # bring everything up to date and end
        cli.py record --json    # one line of JSON per minute
        cli.py record --metrics-port 9464    # and /metrics on loopback
    """,
)
RECORD_ONCE = lazy("Fetch everything once, backfill included, and exit.")
METRICS_PORT = lazy("Serve /metrics for Prometheus on this port. 0: not at all.")
METRICS_HOST = lazy("The address that --metrics-port listens on. Other than loopback: only with GATE_TOKEN.")
METRICS_NEED_A_TOKEN = lazy("To serve /metrics to other machines, set GATE_TOKEN.")
ARCHIVE = command_help(
    lazy("Inspect, export, import, back up or compact the archive"),
    exit_codes={
        0: lazy("Success. Each command lists its other exit codes."),
        2: lazy("Unknown command."),
    },
    examples="""
        cli.py archive status
        cli.py archive export --help
    """,
)
STATUS = command_help(
    lazy("Show what is stored, and recorder status"),
    lazy("Size, time and points of each source and period, gaps, events and access logs."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="""
        cli.py archive status
        cli.py archive status --json | jq '.sources[] | {source, gaps}'
    """,
)
EXPORT = command_help(
    lazy("Export everything as Parquet files with a manifest"),
    lazy("The manifest has each file's SHA-256. Import into another archive with `cli.py archive import`."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive export photo-2026",
)
IMPORT = command_help(
    lazy("Import an export into this configuration's archive"),
    lazy(
        "Existing data is kept; importing an export twice changes nothing. A corrupt export, or one of a later "
        "version, is rejected before anything is written."
    ),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive import photo-2026",
)
COMPACT = command_help(
    lazy("Return unused space of the archive to the disk"),
    lazy("A running recorder waits meanwhile."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive compact",
)
BACKUP = command_help(
    lazy("Write a checked copy of the archive's file while it is in use"),
    lazy(
        "The copy is as of one moment; recorders and dashboards go on writing. SQLite only: PostgreSQL has `pg_dump`."
    ),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive backup archive-2026-11-27.db",
)
RESTORE = command_help(
    lazy("Put a backup where the configuration expects the archive"),
    lazy("An existing archive is not replaced. Start dashboard and recorder afterwards."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive restore archive-2026-11-27.db",
)
BACKUP_FILE = lazy("File of the backup.")
FOLDER = lazy("Folder of the export.")
NO_BACKFILL = lazy("no backfill")
NOT_CHECKED = lazy("not checked yet")
NEVER = lazy("never")
SOURCES_HEAD = (lazy("Source"), lazy("State"), lazy("Last response"), lazy("Backfill"))
ALL_DONE = lazy("All available data is in the archive.")
COVERAGE_HEAD = (lazy("Source"), lazy("Period"), lazy("From"), lazy("To"), lazy("Points"))


def recorder(name: str, *, alive: bool, age: str) -> str:
    if not age:
        return _("No recorder has run for {name} yet.").format(name=name)
    text = _("No recorder active (last poll {age}). Start `cli.py record` or the dashboard.")
    if alive:
        text = _("Recorder active (last poll {age}).")
    return text.format(age=age)


def backfill_progress(state: str, *, percent: str, back_to: str) -> str:
    text = {
        "done": _("complete since {back_to}"),
        "waiting": _("{percent}, since {back_to}; waiting for source or archive"),
    }.get(state, _("{percent}, since {back_to}"))
    return text.format(percent=percent, back_to=back_to)


def incomplete(sources: str) -> str:
    return _("Incomplete: {sources}. Received data is stored; run again later.").format(sources=sources)


def database_size(file: str, location: str) -> str:
    return _("{file} in {place}").format(file=file, place=location)


def gaps(source: str, number: int, minutes: str) -> str:
    if not number:
        return _("{source}: no gaps.").format(source=source)
    return plural(
        "{source}: 1 gap, {minutes}, with series missing.",
        "{source}: {number} gaps, {minutes} in total, with series missing.",
        number,
        source=source,
        number=number,
        minutes=minutes,
    )


def retention(points_days: int, rollups_days: int, since: str) -> str:
    """`points_days`: 0 if everything is kept; `rollups_days`: 0 if they are kept without end; `since`: the first minute of points that are kept."""
    if not points_days:
        return _("Everything is kept.")
    rollups = (
        _("ten-minute rollups {days} days").format(days=rollups_days)
        if rollups_days
        else _("ten-minute rollups without end")
    )
    return _(
        "Kept: points and access logs {days} days (since {since}), {rollups}, everything else without end."
    ).format(days=points_days, since=since, rollups=rollups)


def event_counts(events: int, snapshots: int) -> str:
    snapshot_count = plural("{n} state of the load balancer.", "{n} states of the load balancer.", snapshots)
    return f"{plural('{n} event,', '{n} events,', events)} {snapshot_count}"


def access_logs(files: int, read: int, unparsed: int, span: str) -> str:
    return plural(
        "{n} access log, {span}: {read} lines, {unparsed} not parsable.",
        "{n} access logs, {span}: {read} lines, {unparsed} not parsable.",
        files,
        read=count(read),
        unparsed=count(unparsed),
        span=span,
    )


def exported(folder: str, points: str, size: str) -> str:
    return _("{points} points in {place}, {size}.").format(points=points, place=folder, size=size)


def imported(points: str, migration: str) -> str:
    return _("{points} points of “{migration}” are in the archive.").format(points=points, migration=migration)


def another_migration(exported: str, configured: str) -> str:
    return _(
        "The export is of “{exported}”, the configuration of “{configured}”: its pages will not show this data."
    ).format(exported=exported, configured=configured)


def compacted(before: str, after: str) -> str:
    return _("{before} before, {after} now.").format(before=before, after=after)


def backed_up(file: str, size: str) -> str:
    return _("{file}, {size}, checked.").format(file=file, size=size)


def restored(file: str, size: str) -> str:
    return _("{file}, {size}, checked. Start the dashboard and the recorder.").format(file=file, size=size)


def backup_error(kind: str, about: str) -> str:
    """Why a backup could not be written or restored, and the next step."""
    return {
        "postgresql": _(
            "The archive “{about}” is in PostgreSQL: use its `pg_dump` and `pg_restore`, which need not stop anything either."
        ),
        "exists": _(
            "{about} exists and was not changed. Stop what uses it, move it aside with its -wal and -shm files, or name another file."
        ),
        "not_an_archive": _(
            "{about} is no backup of an archive; nothing was written. Name a file of `archive backup`."
        ),
        "newer": _("The backup was written by a later version ({about}). Update this program; nothing was written."),
        "damaged": _("The copy is damaged: {about}. It was removed. Restore an earlier backup."),
        "not_written": _("The copy could not be written: {about}. Make space or name another file, and try again."),
    }[kind].format(about=about)


def export_error(kind: str, about: str) -> str:
    """Why an export or import failed, and the next step."""
    return {
        "not_an_export": _(
            "{about} has no manifest.json: it is not an export. Name the folder that `archive export` wrote."
        ),
        "damaged": _("{about} is corrupt: it does not match the manifest. Copy the export again; nothing was written."),
        "invalid": _(
            "The export has content that this program does not write ({about}). Export again from the original archive; nothing was written."
        ),
        "missing": _("{about} is missing. Copy the whole folder; nothing was written."),
        "newer": _("The export was written by a later version ({about}). Update this program; nothing was written."),
        "occupied": _("{about} is not empty. Name another folder, or empty it."),
        "conflict": _(
            "This archive and the export have different sign-offs from number {about} on, and a sign-off is never overwritten. "
            "Import into an archive without sign-offs; nothing was written."
        ),
        "not_written": _("The export could not be written: {about}. Make space or name another folder, and try again."),
    }[kind].format(about=about)
