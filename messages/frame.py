"""Messages of the frame around all pages, and of the controls of the Live page's time."""

from messages.i18n import _, lazy, lazy_pgettext

OPENING = lazy("Opening the archive…")
RANGE = lazy("Range…")
FROM_DATE, FROM_TIME = lazy("From"), lazy("From, time of day")
TO_DATE, TO_TIME = lazy("To"), lazy("To, time of day")
SHOW_RANGE = lazy("Show range")
EARLIER, LATER = lazy("Earlier"), lazy("Later")
ZOOM_OUT = lazy("Zoom out")
LAST_WEEK = lazy("Same time last week")
LAST_WEEK_HELP = lazy("A faint line in each chart: both fleets together, at the same time a week before.")
REFRESH = lazy("Refresh")
OFF = lazy("off")
METHOD_TITLE = lazy_pgettext("statistics", "Method")
METHOD = lazy(
    "95% CI, anytime-valid: it holds at every look, however often the page is opened. Minutes of both fleets are paired, so that shared bursts "
    "cancel. Parity: the whole CI lies within the margin. The margins are those of the configuration. Formulas and error rates: docs/MATH.md."
)

# By the path of the page: what it answers, for agents, which choose a page by it.
PAGE_HELP = {
    "": lazy(
        "Is it safe to continue, now? The decision with its reasons, the split, both fleets in charts, deployments, next step, state of the sources."
    ),
    "parity": lazy(
        "Are the two fleets equal, and how strong is the evidence? Each criterion with its 95% CI and margin, and the latency of the whole window."
    ),
    "endpoints": lazy("Which route is broken? Both fleets for each route of the access logs, the worst first."),
    "batches": lazy("Did every scheduled job run? Due times and runs, before and after it moved."),
    "retrospective": lazy(
        "What happened, and what did it cost? Phases, weight changes, rollbacks, incidents and notes."
    ),
    "board": lazy("Which of several migrations needs action? One line for each, the most urgent first."),
    "setup": lazy("Which load balancer, rule and target groups does the account have? The migration.toml for them."),
    "releases": lazy("Which release was safe? One line for each deployment of the service."),
}


def refresh(choice: str) -> str:
    """ "⟳ 15s"; "⟳ off"."""
    return f"⟳ {OFF if choice == 'off' else choice}"


def until_now(start: str) -> str:
    """Of a phase that goes on: "16:52 JST – now"."""
    return _("{start} – now").format(start=start)


def sources_ok(n: int, n_all: int) -> str:
    """ "Data sources · 5/5 OK"."""
    return _("Data sources · {n}/{all} OK").format(n=n, all=n_all)


def zone(name: str, days: int) -> str:
    return _("Times are {zone}. At most {days} days.").format(zone=name, days=days)


def page_tools() -> dict[str, str]:
    """The texts of components/page_tools.js."""
    return {
        "copy": _("Copy link"),
        "copied": _("✓ Copied"),
        "not_copied": _("Copy failed"),
        "kiosk": _("Kiosk"),
        "kiosk_help": _("Large type, dark, without controls. Escape leaves it."),
    }
