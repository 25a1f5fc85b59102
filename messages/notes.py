"""Messages for notes, on the Retrospective page and of `cli.py note`."""

from messages.command_help import command_help
from messages.i18n import _

TITLE = _("Notes")
TEXT = _("Note")
WHEN = _("When")
AUTHOR = _("By (may be left empty)")
SAVE = _("Keep the note")
REMOVE = _("Remove")
NONE = _("Nobody has written anything down yet.")
COMMAND = command_help(
    _("Add a note at a time to all charts, list or remove notes."),
    _("Notes are stored in the program's own archive and nowhere else."),
    exit_codes={
        0: _("Stored, listed or removed."),
        1: _("No single note has that key, the configuration is invalid, or the archive cannot be opened."),
        2: _("An option is invalid, or there is no text."),
    },
    examples="""
        cli.py note "Sale begins"
        cli.py note "Cache was cold" --at "2026-11-24 13:10" --by Mika
        cli.py note --list
        cli.py note --remove 3f9a1c07
    """,
)
TEXT_HELP = _("The note: one line of at most 500 characters.")
AT_HELP = _("When: 2026-11-24 13:10 in the migration's zone, or with a zone of its own. Default: now.")
BY_HELP = _("The author.")
LIST_HELP = _("List all notes, also future ones, each with its key.")
REMOVE_HELP = _("Remove the note whose key starts with this, as --list shows it.")
ONE_AT_A_TIME = _("Write a note, or list them, or remove one.")
EMPTY = _("A note needs words.")
EXPLAINED = _("What you know and no source tells. It is kept in this program's own archive, and drawn on every chart.")


def by_author(author: str) -> str:
    return _("by {author}").format(author=author) if author else ""


def when_help(zone: str) -> str:
    return _("As in 2026-11-24 13:10, in {zone}. Left empty: now.").format(zone=zone)


def invalid_time(text: str) -> str:
    return _("“{text}” is no time. Write it as 2026-11-24 13:10.").format(text=text)


def removed(title: str) -> str:
    return _("Removed: {title}").format(title=title)


def no_such_note(key: str) -> str:
    return _("No single note has a key that starts with {key}: see `cli.py note --list`.").format(key=key)


def saved(at: str) -> str:
    return _("Kept at {at}. It stands on every chart.").format(at=at)
