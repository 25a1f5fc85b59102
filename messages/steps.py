"""Messages for steps that users enter, on the Retrospective page and of `cli.py step`."""

from messages import numbers
from messages.command_help import command_help
from messages.i18n import _, lazy

TITLE = lazy("Steps")
EXPLAINED = lazy(
    "Weight changes that no source recorded: without AWS, or before this program ran. They start phases, marked as entered, and are ignored once "
    "weights are read."
)
SHARE = lazy("Share of the canary, or weights")
SHARE_EXAMPLE = lazy("10%, or weights with the baseline first: 90:10.")
AT = lazy("From")
AUTHOR = lazy("Author (optional)")
SAVE = lazy("Add step")
NONE = lazy("No steps entered.")
REMOVED = lazy("Removed.")
UNUSED = lazy("unused: weights are read")
ENTERED = lazy("entered")
COMMAND = command_help(
    lazy("Add, list or remove migration steps"),
    lazy(
        "For migrations whose weights are not read, and for the time before. Steps start phases and are marked as entered."
    ),
    exit_codes={
        0: lazy("Stored, listed or removed."),
        1: lazy("No unique step with that key, invalid configuration, or archive unavailable."),
        2: lazy("Invalid option, or no share."),
    },
    examples="""
        cli.py step --at "2026-11-24 10:30" --share 10
        cli.py step --at "2026-11-25 10:30" --weights 50:50 --by Mika
        cli.py step --list
        cli.py step --remove 3f9a1c07
    """,
)
AT_HELP = lazy("Start: 2026-11-24 13:10 in the migration's time zone, or with an offset. Default: now.")
SHARE_HELP = lazy("The canary's share in percent: 10, 0.1, 12.5.")
WEIGHTS_HELP = lazy("The weights instead, the baseline's first: 90:10.")
BY_HELP = lazy("Author of the step; with --remove, of the removal.")
LIST_HELP = lazy("List all steps with key and use, and removed ones.")
REMOVE_HELP = lazy("Remove the step whose key (see --list) starts with this.")
ONE_AT_A_TIME = lazy("Use one of --share, --weights, --list and --remove.")
FUTURE = lazy("Time is in the future. Enter a step after it was taken.")


def invalid_share(text: str) -> str:
    return _("Invalid share “{text}”. Use a percentage from 0 to 100, or weights such as 90:10.").format(text=text)


def saved(at: str, share: float, *, is_used: bool) -> str:
    text = _("{share} from {at}.").format(share=numbers.configured_share(share), at=at)
    return text if is_used else f"{text} {_('Unused: weights are read from then on, or it changes nothing.')}"


def no_such_step(key: str) -> str:
    return _("No unique step with a key that starts with {key}: see `cli.py step --list`.").format(key=key)
