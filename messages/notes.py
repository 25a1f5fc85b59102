"""Messages for notes, on the Retrospective page and of `cli.py note`."""

from messages.i18n import _

TITLE = _("Notes")
TEXT = _("Note")
WHEN = _("When")
AUTHOR = _("By (may be left empty)")
SAVE = _("Keep the note")
REMOVE = _("Remove")
NONE = _("Nobody has written anything down yet.")
COMMAND = _(
    """Keeps a note at a time: what you know and no source tells. It stands on every chart, in the program's own archive and nowhere else.

\b
  cli.py note "Sale begins"
  cli.py note "Cache was cold" --at "2026-11-24 13:10" --by Mika
  cli.py note --list
  cli.py note --remove 3f9a1c07
"""
)
TEXT_HELP = _("What to write down: one line, 500 characters at most.")
AT_HELP = _("When, as in 2026-11-24 13:10 in the migration's zone, or with a zone of its own. Left out: now.")
BY_HELP = _("Who says so.")
LIST_HELP = _("List all notes, those of the future too, each with its key.")
REMOVE_HELP = _("Remove the note with this key, as --list shows it.")
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
