"""Messages of the board of several migrations."""

from collections.abc import Collection

from analysis import Phase
from domain.decision import Decision
from messages import parity, times
from messages.i18n import LazyText, _, comma_list, lazy, ngettext

BOARD_TITLE = lazy("Migrations")
HEAD = (
    lazy("Migration"),
    lazy("Decision"),
    lazy("Phase"),
    lazy("Canary: configured / observed"),
    lazy("Data until"),
    lazy("Next step"),
)
LOADING = lazy("Loading…")
NOT_READ = lazy("Could not be read. The server's log has the error.")
STALE = lazy("stale")
NEXT_STEPS: dict[Decision, LazyText] = {
    "continue": lazy("Shift more traffic, or finish."),
    "wait": lazy("Keep the weights until there is a verdict."),
    "hold": lazy("Do not shift more traffic. See Live."),
    "roll_back": lazy("Roll back: the command is on Live."),
    "no_data": lazy("See Data sources on Live."),
}
NOT_RUNNING = lazy("Not running: its configuration is invalid")


def summary(n: int, n_urgent: int) -> str:
    """ "50 migrations · 2 need action"."""
    parts = [ngettext("{n} migration", "{n} migrations", n).format(n=n)]
    if n_urgent:
        parts.append(ngettext("{n} needs action", "{n} need action", n_urgent).format(n=n_urgent))
    return " · ".join(parts)


def no_such_migration(slug: str) -> str:
    return _("No migration “{slug}”. Choose one of these.").format(slug=slug)


def phase(phase: Phase) -> str:
    """ "2 · 10% for 6h 10m"."""
    return _("{phase} for {duration}").format(
        phase=parity.phase_name(phase), duration=times.duration(phase.bake_time_s)
    )


def unavailable(sources: Collection[str]) -> str:
    return _("{subjects} unavailable").format(subjects=comma_list(sources))
