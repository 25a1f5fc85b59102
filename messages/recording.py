"""Messages of `cli.py record` and `cli.py archive`."""

from messages.i18n import _, plural
from messages.numbers import count

RECORD = _(
    """Keeps the archive up to date with no viewer, until it is stopped; also fetches what the sources still keep of the time before.

The dashboard does the same while it runs. Several recorders and dashboards on one archive take turns: the sources are asked as often as by one.
Ctrl-C or SIGTERM ends it with 0: what was confirmed is kept.

\b
  cli.py record             shows how every source is, and how far back the archive reaches
  cli.py record --once      brings everything up to date and ends: 0 if nothing is left, 1 if something could not be had
  cli.py record --json      one line of JSON a minute
"""
)
RECORD_ONCE = _("Bring everything up to date, the past too, and end.")
ARCHIVE = _("What the archive holds: look at it, take it elsewhere, make it smaller.")
STATUS = _(
    """Shows what the archive holds: its size, how much of which time from which source, gaps, events, access logs, and whether somebody records.

Ends with 0 if the archive can be read, with 1 if not.

\b
  cli.py archive status
  cli.py archive status --json | jq '.sources[] | {source, gaps}'
"""
)
EXPORT = _(
    """Writes everything that is known of the migration as Parquet files, with a manifest and the SHA-256 of each.

Any program that reads Parquet can read them; `cli.py archive import` reads them into another archive. Ends with 0, or with 1 if they could not be written.

\b
  cli.py archive export photo-2026
"""
)
IMPORT = _(
    """Reads an export into the archive of this configuration. What is there already stays; reading the same export twice changes nothing.

An export that was damaged, or written by a later version of this program, is refused before anything is written.

\b
  cli.py archive import photo-2026
"""
)
COMPACT = _(
    """Gives space back to the disk that the archive no longer needs. The recorder may go on; it waits while this runs.

\b
  cli.py archive compact
"""
)
FOLDER = _("The folder of the export.")
NO_BACKFILL = _("the past is not asked for")
NOT_CHECKED = _("not looked at yet")
NEVER = _("never")
SOURCES_HEAD = (_("Source"), _("State"), _("Last answer"), _("The past"))
ALL_DONE = _("Everything that can be had is in the archive.")
COVERAGE_HEAD = (_("Source"), _("Period"), _("From"), _("To"), _("Points"))


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
        "missing": _("{about} is missing. Copy the whole folder; nothing was written."),
        "newer": _("The export was written by a later version ({about}). Update this program; nothing was written."),
        "occupied": _("{about} is not empty. Name another folder, or empty it."),
        "not_written": _("The export could not be written: {about}. Make space or name another folder, and try again."),
    }[kind].format(about=about)
