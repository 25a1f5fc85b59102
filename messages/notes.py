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
"""
)
TEXT_HELP = _("What to write down: one line, 500 characters at most.")
AT_HELP = _("When, as in 2026-11-24 13:10 in the migration's zone, or with a zone of its own. Left out: now.")
BY_HELP = _("Who says so.")
EMPTY = _("A note needs words.")
EXPLAINED = _("What you know and no source tells. It is kept in this program's own archive, and drawn on every chart.")


def by_author(author: str) -> str:
    return _("by {author}").format(author=author) if author else ""


def when_help(zone: str) -> str:
    return _("As in 2026-11-24 13:10, in {zone}. Left empty: now.").format(zone=zone)


def invalid_time(text: str) -> str:
    return _("“{text}” is no time. Write it as 2026-11-24 13:10.").format(text=text)


def saved(at: str) -> str:
    return _("Kept at {at}. It stands on every chart.").format(at=at)
