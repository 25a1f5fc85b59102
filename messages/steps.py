"""Messages for steps that users enter, on the Retrospective page and of `cli.py step`."""

from messages import numbers
from messages.command_help import command_help
from messages.i18n import _, lazy

TITLE = lazy("Steps")
EXPLAINED = lazy(
    "Changes of the weights from before the weights were read: without AWS, or from before this program ran. They begin phases, and are marked as entered. "
    "Where the weights are read, they are not used."
)
SHARE = lazy("Share of the canary, or weights")
SHARE_EXAMPLE = lazy("As in 10%, or as weights of both fleets, the baseline's first: 90:10.")
AT = lazy("From")
AUTHOR = lazy("Taken by (may be left empty)")
SAVE = lazy("Add the step")
NONE = lazy("No step was entered.")
REMOVED = lazy("Removed.")
UNUSED = lazy("not used: the weights are read")
ENTERED = lazy("entered")
COMMAND = command_help(
    lazy("Add, list or remove steps that no source reports."),
    lazy(
        "For a migration whose weights nothing reads, and for the time before they were read. Steps begin phases, and are marked as entered everywhere."
    ),
    exit_codes={
        0: lazy("Stored, listed or removed."),
        1: lazy("No single step has that key, the configuration is invalid, or the archive cannot be opened."),
        2: lazy("An option is invalid, or there is no share."),
    },
    examples="""
        cli.py step --at "2026-11-24 10:30" --share 10
        cli.py step --at "2026-11-25 10:30" --weights 50:50 --by Mika
        cli.py step --list
        cli.py step --remove 3f9a1c07
    """,
)
AT_HELP = lazy("From when on: 2026-11-24 13:10 in the migration's zone, or with a zone of its own. Default: now.")
SHARE_HELP = lazy("The canary's share in percent: 10, 0.1, 12.5.")
WEIGHTS_HELP = lazy("The weights instead, the baseline's first: 90:10.")
BY_HELP = lazy("Who took the step; with --remove, who removes it.")
LIST_HELP = lazy("List all steps, each with its key and whether it is used, and those that were removed.")
REMOVE_HELP = lazy("Remove the step whose key starts with this, as --list shows it.")
ONE_AT_A_TIME = lazy("Give one of --share, --weights, --list and --remove.")
FUTURE = lazy("This time has not come yet: a step is entered once it was taken.")


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
