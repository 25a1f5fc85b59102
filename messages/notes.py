"""Messages for notes, on the Retrospective page and of `cli.py note`."""

from datetime import datetime, tzinfo
from math import ceil

from domain import Removal
from messages import numbers, times
from messages.command_help import command_help
from messages.i18n import _, lazy

TITLE = lazy("Notes")
TEXT = lazy("Note")
WHEN = lazy("When")
AUTHOR = lazy("Author (optional)")
SAVE = lazy("Add note")
CANCEL = lazy("Cancel")
REMOVE = lazy("Remove")
UNDO = lazy("Undo")
ADDED = lazy("Added.")
REMOVED = lazy("Removed.")
UNDONE = lazy("Undone.")
NONE = lazy("No notes yet.")
COMMAND = command_help(
    lazy("Add, list or remove notes on the charts"),
    lazy("Notes are stored in the archive only."),
    exit_codes={
        0: lazy("Stored, listed or removed."),
        1: lazy("No unique note with that key, invalid configuration, or archive unavailable."),
        2: lazy("Invalid option, or no text."),
    },
    examples="""
        cli.py note "Sale begins"
        cli.py note "Cache was cold" --at "2026-11-24 13:10" --by Mika
        cli.py note "A broken release" --incident 2026-11-10T15:19Z
        cli.py note --list
        cli.py note --remove 3f9a1c07
    """,
)
TEXT_HELP = lazy("The note: one line of at most 500 characters.")
AT_HELP = lazy("Time, in the migration's zone unless it names one: 2026-11-24 13:10. Default: now.")
BY_HELP = lazy("The author; with --remove, who removes it.")
LIST_HELP = lazy("List all notes with their keys, future and removed ones included.")
REMOVE_HELP = lazy("Remove the note whose key starts with this, as --list shows it.")
INCIDENT_HELP = lazy(
    "The incident that the note acknowledges, by its id as judge shows it. Default of --at: the incident's start."
)
ONE_AT_A_TIME = lazy("Use one of: a note, --list, --remove.")
EMPTY = lazy("Note text is required.")
EXPLAINED = lazy("Add context that no data source records. Stored in the archive and shown on every chart.")


def by_author(author: str) -> str:
    return _("by {author}").format(author=author) if author else ""


def when_help(zone: str) -> str:
    return _("YYYY-MM-DD HH:MM, {zone}. Empty: now.").format(zone=zone)


def invalid_time(text: str) -> str:
    return _("Invalid time “{text}”. Use YYYY-MM-DD HH:MM.").format(text=text)


def invalid_incident(text: str) -> str:
    return _(
        "“{text}” is not an incident ID. Use one that `cli.py judge` lists, for example 2026-11-10T15:19Z."
    ).format(text=text)


def too_many(wait_s: float) -> str:
    return _("Too many entries within a minute; not stored. Retry in {seconds} s.").format(seconds=ceil(wait_s))


def removed(title: str) -> str:
    return _("Removed: {title}").format(title=title)


def removal(item: Removal, zone: tzinfo, *, now: datetime) -> str:
    """The line that a removed note or step leaves."""
    at, removed_at = (times.clock_of(ts, zone, now=now) for ts in (item.ts, item.removed_at))
    what = (
        _("Note “{text}”").format(text=item.text)
        if item.share is None
        else _("Step to {share}").format(share=numbers.configured_share(item.share))
    )
    entry = _("{what}, {at}").format(what=what, at=at)
    if item.author:
        entry = _("{entry}, by {author}").format(entry=entry, author=item.author)
    if item.removed_by:
        return _("Removed {when} by {name}: {entry}").format(when=removed_at, name=item.removed_by, entry=entry)
    return _("Removed {when}: {entry}").format(when=removed_at, entry=entry)


def no_such_note(key: str) -> str:
    return _("No unique note key starts with {key}; see `cli.py note --list`.").format(key=key)


def saved(at: str) -> str:
    return _("Added at {at}. Shown on every chart.").format(at=at)
