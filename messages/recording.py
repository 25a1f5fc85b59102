"""Messages of `cli.py record` and `cli.py archive`."""

from messages.command_help import USAGE_ERROR, command_help
from messages.i18n import _, lazy, plural
from messages.numbers import count

_ARCHIVE_EXIT_CODES = {
    0: lazy("Done."),
    1: lazy("The configuration is invalid, the archive cannot be opened, or files cannot be read or written."),
    2: USAGE_ERROR,
}
RECORD = command_help(
    lazy("Keep the archive up to date without a page."),
    lazy(
        "It also fetches what the sources still keep of earlier time. The dashboard does the same while it runs. Several recorders and "
        "dashboards on one archive take turns: nothing is requested twice. Ctrl-C or SIGTERM ends it; everything that was confirmed is stored."
    ),
    exit_codes={
        0: lazy("Ended by Ctrl-C or SIGTERM; with --once: everything that is available was stored."),
        1: lazy(
            "With --once: a source did not answer, or not with everything in time. The configuration is invalid, or the archive cannot be opened."
        ),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py record           # sources and progress of the back-fill
        cli.py record --once    # bring everything up to date and end
        cli.py record --json    # a line of JSON a minute
    """,
)
RECORD_ONCE = lazy("Bring everything up to date, back-fill included, and exit.")
ARCHIVE = command_help(
    lazy("Inspect, export, import and compact the archive."),
    exit_codes={
        0: lazy("Done. Each command lists what its other exit codes mean."),
        2: lazy("There is no such command."),
    },
    examples="""
        cli.py archive status
        cli.py archive export --help
    """,
)
STATUS = command_help(
    lazy("Show what is stored, and whether a recorder is running."),
    lazy("Size, time and points of each source and period, gaps, events and access logs."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="""
        cli.py archive status
        cli.py archive status --json | jq '.sources[] | {source, gaps}'
    """,
)
EXPORT = command_help(
    lazy("Write everything stored as Parquet files with a manifest."),
    lazy("The manifest has the SHA-256 of each file. `cli.py archive import` reads them into another archive."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive export photo-2026",
)
IMPORT = command_help(
    lazy("Read an export into the archive of this configuration."),
    lazy(
        "Existing data stays; importing the same export twice changes nothing. A damaged export, or one of a later version, is rejected before "
        "anything is written."
    ),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive import photo-2026",
)
COMPACT = command_help(
    lazy("Return unused space of the archive to the disk."),
    lazy("A recorder may go on; it waits meanwhile."),
    exit_codes=_ARCHIVE_EXIT_CODES,
    examples="cli.py archive compact",
)
FOLDER = lazy("The folder of the export.")
NO_BACKFILL = lazy("the past is not asked for")
NOT_CHECKED = lazy("not looked at yet")
NEVER = lazy("never")
SOURCES_HEAD = (lazy("Source"), lazy("State"), lazy("Last answer"), lazy("The past"))
ALL_DONE = lazy("Everything that can be had is in the archive.")
COVERAGE_HEAD = (lazy("Source"), lazy("Period"), lazy("From"), lazy("To"), lazy("Points"))


def recorder(name: str, *, alive: bool, age: str) -> str:
    if not age:
        return _("Nobody has recorded {name} here yet.").format(name=name)
    text = _("Nobody records: the sources were last asked {age}. Start `cli.py record` or the dashboard.")
    if alive:
        text = _("Somebody records: the sources were asked {age}.")
    return text.format(age=age)


def backfill_progress(state: str, *, percent: str, back_to: str) -> str:
    text = {
        "done": _("complete since {back_to}"),
        "waiting": _("{percent}, since {back_to}; waits for the source or the archive"),
    }.get(state, _("{percent}, since {back_to}"))
    return text.format(percent=percent, back_to=back_to)


def incomplete(sources: str) -> str:
    return _("Not everything could be had: {sources}. What came is kept; run it again later.").format(sources=sources)


def database_size(file: str, location: str) -> str:
    return _("{file} in {place}").format(file=file, place=location)


def gaps(source: str, number: int, minutes: str) -> str:
    if not number:
        return _("{source}: no gaps.").format(source=source)
    return plural(
        "{source}: a gap of {minutes}, in which some series was not answered.",
        "{source}: {number} gaps, {minutes} together, in which some series was not answered.",
        number,
        source=source,
        number=number,
        minutes=minutes,
    )


def event_counts(events: int, snapshots: int) -> str:
    snapshot_count = plural("{n} state of the load balancer.", "{n} states of the load balancer.", snapshots)
    return f"{plural('{n} event,', '{n} events,', events)} {snapshot_count}"


def access_logs(files: int, read: int, unparsed: int, span: str) -> str:
    return plural(
        "{n} access log of {span}: {read} lines, of which {unparsed} could not be counted.",
        "{n} access logs of {span}: {read} lines, of which {unparsed} could not be counted.",
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
        "The export is of “{exported}”; this configuration is of “{configured}”, so its pages will not show it."
    ).format(exported=exported, configured=configured)


def compacted(before: str, after: str) -> str:
    return _("{before} before, {after} now.").format(before=before, after=after)


def export_error(kind: str, about: str) -> str:
    """Why an export or import failed, and the next step."""
    return {
        "not_an_export": _(
            "{about} has no manifest.json: it is not an export. Name the folder that `archive export` wrote."
        ),
        "damaged": _(
            "{about} is damaged: it is not what the manifest says. Copy the export again; nothing was written."
        ),
        "invalid": _(
            "The export has content that this program does not write ({about}). Export again from the original archive; nothing was written."
        ),
        "missing": _("{about} is missing. Copy the whole folder; nothing was written."),
        "newer": _("The export was written by a later version ({about}). Update this program; nothing was written."),
        "occupied": _("{about} is not empty. Name another folder, or empty it."),
        "not_written": _("The export could not be written: {about}. Make space or name another folder, and try again."),
    }[kind].format(about=about)
