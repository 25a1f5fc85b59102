"""Messages of the board: several migrations, or the releases of one service."""

from collections.abc import Collection

from analysis import Phase
from domain.decision import Decision
from messages import parity, times
from messages.i18n import LazyText, _, comma_list, lazy, ngettext
from messages.live import LIVE_TITLE
from messages.retrospective import RETROSPECTIVE_TITLE

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


def no_such_release(slug: str, shown: str) -> str:
    return _("No migration or release “{slug}” is known here. This is {shown}.").format(slug=slug, shown=shown)


def phase(phase: Phase) -> str:
    """ "2 · 10% for 6h 10m"."""
    return _("{phase} for {duration}").format(
        phase=parity.phase_name(phase), duration=times.duration(phase.bake_time_s)
    )


def unavailable(sources: Collection[str]) -> str:
    return _("{subjects} unavailable").format(subjects=comma_list(sources))


# ---- releases

RELEASES_TITLE = lazy("Releases")
RELEASES_HEAD = (
    lazy("Release"),
    lazy("Decision"),
    lazy("Outcome"),
    lazy("Weight of the new revision"),
    lazy("Commit"),
    lazy("Pages"),
)
RELEASE_PAGES = (LIVE_TITLE, parity.PARITY_TITLE, RETROSPECTIVE_TITLE)
DEMO_RELEASES = lazy("releases of another service")
RELEASES_DEMO = lazy("A second service, which ECS releases by canary: each release is judged like a migration.")


def releases_summary(service: str, n: int) -> str:
    """ "photo/search · 4 releases"."""
    return f"{service} · " + ngettext("{n} release", "{n} releases", n).format(n=n)


def release_span(started: str, duration_s: float | None) -> str:
    """ "27 Nov 10:25 JST · 2h 15m"; without a duration while it runs."""
    return started if duration_s is None else f"{started} · {times.duration(duration_s)}"


def no_releases(service: str, since: str) -> str:
    return _("No deployment of {service} was found since {since}.").format(service=service, since=since)


NOT_FOLLOWED = lazy("Not followed: too many releases are running. It is followed while one of its pages is open.")


def loading_service(service: str) -> str:
    return _("Loading the deployments of {service}…").format(service=service)


def unread_service(service: str) -> str:
    return _("The deployments of {service} could not be read.").format(service=service)


def awaited_release(slug: str, service: str) -> str:
    return _("Loading the deployments of {service}. Release “{slug}” opens when it is found.").format(
        service=service, slug=slug
    )


def unread_release(slug: str, service: str) -> str:
    return _("Release “{slug}” is not known: the deployments of {service} could not be read.").format(
        slug=slug, service=service
    )


def no_release(slug: str, service: str) -> str:
    return _("No release “{slug}” of {service} is known. Choose one of these.").format(slug=slug, service=service)
