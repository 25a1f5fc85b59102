"""Messages for steps that users enter, on the Retrospective page and of `cli.py step`."""

from messages import numbers
from messages.command_help import command_help
from messages.i18n import _

TITLE = _("Steps")
EXPLAINED = _(
    "Changes of the weights from before the weights were read: without AWS, or from before this program ran. They begin phases, and are marked as entered. "
    "Where the weights are read, they are not used."
)
SHARE = _("Share of the canary, or weights")
SHARE_EXAMPLE = _("As in 10%, or as weights of both fleets, the baseline's first: 90:10.")
AT = _("From")
AUTHOR = _("Taken by (may be left empty)")
SAVE = _("Add the step")
NONE = _("No step was entered.")
REMOVED = _("Removed.")
UNUSED = _("not used: the weights are read")
ENTERED = _("entered")
COMMAND = command_help(
    _("Add, list or remove steps that no source reports."),
    _(
        "For a migration whose weights nothing reads, and for the time before they were read. Steps begin phases, and are marked as entered everywhere."
    ),
    exit_codes={
        0: _("Stored, listed or removed."),
        1: _("No single step has that key, the configuration is invalid, or the archive cannot be opened."),
        2: _("An option is invalid, or there is no share."),
    },
    examples="""
        cli.py step --at "2026-11-24 10:30" --share 10
        cli.py step --at "2026-11-25 10:30" --weights 50:50 --by Mika
        cli.py step --list
        cli.py step --remove 3f9a1c07
    """,
)
AT_HELP = _("From when on: 2026-11-24 13:10 in the migration's zone, or with a zone of its own. Default: now.")
SHARE_HELP = _("The canary's share in percent: 10, 0.1, 12.5.")
WEIGHTS_HELP = _("The weights instead, the baseline's first: 90:10.")
BY_HELP = _("Who took the step; with --remove, who removes it.")
LIST_HELP = _("List all steps, each with its key and whether it is used, and those that were removed.")
REMOVE_HELP = _("Remove the step whose key starts with this, as --list shows it.")
ONE_AT_A_TIME = _("Give one of --share, --weights, --list and --remove.")
FUTURE = _("This time has not come yet: a step is entered once it was taken.")


def invalid_share(text: str) -> str:
    return _("“{text}” is no share. Write a percentage from 0 to 100, or weights such as 90:10.").format(text=text)


def saved(at: str, share: float, *, is_used: bool) -> str:
    text = _("{share} from {at} on.").format(share=numbers.configured_share(share), at=at)
    return (
        text
        if is_used
        else f"{text} {_('It is not used, because the weights are read from then on, or it changes nothing.')}"
    )


def no_such_step(key: str) -> str:
    return _("No single step has a key that starts with {key}: see `cli.py step --list`.").format(key=key)
