"""Messages about sources that are unavailable, at the top of every page that shows a decision."""

from collections.abc import Sequence

from messages.i18n import _, comma_list, lazy

SEE_SOURCES = lazy("Data sources")
MAX_NAMES = 3  # of more, the number says enough


def unavailable(names: Sequence[str], n_all: int, since: str) -> str:
    """ "2 of 7 sources unavailable since 23:50 JST: CloudWatch, Mackerel". `since`: "" if one of them never answered."""
    text = _("{n} of {all} sources unavailable since {since}") if since else _("{n} of {all} sources unavailable")
    text = text.format(n=len(names), all=n_all, since=since)
    return text if len(names) > MAX_NAMES else _("{text}: {names}").format(text=text, names=comma_list(names))


def decision_as_of(clock: str) -> str:
    """`clock`: of the newest data."""
    return _("Decision as of {clock}").format(clock=clock)
