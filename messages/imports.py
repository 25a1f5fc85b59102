"""Messages of `import mackerel` and of the same on the page: the pairs of graphs, what was not read, and where criteria were written."""

from messages.command_help import command_help
from messages.errors.sources import shorten
from messages.i18n import _, lazy, ngettext
from sources.mackerel.dashboards import Discovery, ExpressionMonitor, Pair, ReadDashboard, UnreadReason

_EXIT_CODES = {
    0: lazy("Listed or written."),
    1: lazy("Invalid configuration, or Mackerel or the file is unavailable."),
    2: lazy("Invalid option, or no such pair."),
}
GROUP = command_help(
    lazy("Find criteria on other dashboards"), exit_codes=_EXIT_CODES, examples="cli.py import mackerel"
)
MACKEREL = command_help(
    lazy("Find criteria on Mackerel's dashboards"),
    lazy(
        "Lists the graphs of which two aliased series name the two fleets, and writes them as [[criteria]]. Margins are first guesses: the "
        "threshold of a monitor with the same expression, else 10%. Only reads Mackerel."
    ),
    exit_codes=_EXIT_CODES,
    examples="""
        cli.py import mackerel
        cli.py import mackerel --take 1 --take 3
        cli.py import mackerel --take all --write migration.toml
    """,
)
TAKE_HELP = lazy("The number of a pair to write, or all. May be repeated.")
WRITE_HELP = lazy("Append the criteria to this file instead of printing them. Default of --take: all.")
PAIR_HEAD = (lazy("no."), lazy("criterion"), lazy("margin"), lazy("dashboard"))
DEMO = lazy("The demo has no Mackerel. Use --config with a migration.toml.")
NO_PAIRS = lazy("No graph has two aliased series that name the two fleets.")
NO_DASHBOARDS = lazy(
    "This organization has no custom dashboard. Use the API key of the organization that has it, or write [[criteria]] by hand: "
    "docs/configuration.md#criteria-of-your-own."
)
NOTHING_NEW = lazy("Nothing to write: these criteria are configured already.")
_REASONS: dict[UnreadReason, object] = {
    "query": lazy("a PromQL query; no API of Mackerel reads labelled metrics"),
    "role_slots": lazy("roleSlots(); no API returns former hosts of a role"),
    "no_pair": lazy("no two aliases that name the two fleets"),
    "invalid": lazy("the expression is invalid"),
}


def found(discovery: Discovery) -> str:
    return _("Pairs: {pairs} · dashboards: {dashboards} · expression monitors: {monitors}").format(
        pairs=len(discovery.pairs), dashboards=len(discovery.dashboards), monitors=len(discovery.monitors)
    )


def of_dashboard(dashboard: ReadDashboard) -> str:
    return _("Dashboard: {title} · expression and query graphs: {graphs} · pairs: {pairs}").format(
        title=dashboard.title or _("untitled"), graphs=dashboard.n_graphs, pairs=dashboard.n_pairs
    )


def of_expression_monitor(monitor: ExpressionMonitor) -> str:
    return _("Monitor: {name} · threshold: {threshold} · {expression}").format(
        name=monitor.name or _("untitled"), threshold=monitor.threshold or "–", expression=shorten(monitor.expression)
    )


def judged_as(kind: str, better: str) -> str:
    """The kind and the better direction of a pair."""
    kinds = {"rate": _("counts"), "value": _("paired minutes")}
    directions = {"lower": _("lower is better"), "higher": _("higher is better"), "equal": _("equal is better")}
    return f"{kinds[kind]}, {directions[better]}"


def of_monitor(name: str) -> str:
    return _("threshold of {monitor}").format(monitor=name)


def unread(title: str, dashboard: str, reason: UnreadReason) -> str:
    return _("Not read: {title} ({dashboard}): {reason}").format(
        title=title or _("untitled"), dashboard=dashboard, reason=_REASONS[reason]
    )


def no_such_pair(given: str, n_pairs: int) -> str:
    return _("No pair “{given}”. Use 1 to {n}, or all.").format(given=given, n=n_pairs)


def written(n: int, path: str) -> str:
    return ngettext("{n} criterion appended to {path}", "{n} criteria appended to {path}", n).format(n=n, path=path)


TITLE = lazy("Import criteria from Mackerel")
EXPLAINED = lazy(
    "Finds the graphs of your custom dashboards of which two aliased series name the two fleets, draws each as an overlay, and gives its "
    "[[criteria]]. Only reads: copy the result into the configuration and restart. Margins are first guesses."
)
PAGE_DEMO = lazy("The demo has no Mackerel. Start with a migration.toml and MACKEREL_APIKEY to import your graphs.")
READ = lazy("Read dashboards")
READ_AGAIN = lazy("Read again")
READING = lazy("Reading dashboards")
READING_GRAPHS = lazy("Reading graphs")
READ_NOTHING = lazy("No values in the last 3 hours.")
PAGE_LABEL = lazy("Pairs")
TOML_TITLE = lazy("Add this to the configuration, then restart")
DOWNLOAD = lazy("Download")
NONE_TAKEN = lazy("Take a graph to see its [[criteria]].")
ALL_CONFIGURED = lazy("All pairs that were found are configured already.")
LISTED_TITLE = lazy("Dashboards, monitors and graphs that were not read")


def progress(label: object, done: int, total: int) -> str:
    return _("{label}: {done} of {total}").format(label=label, done=done, total=total)


def page_range(first: int, last: int, total: int) -> str:
    return _("{first}–{last} of {total}").format(first=first, last=last, total=total)


def described(pair: Pair) -> str:
    """How a pair is judged, its margin and where the margin comes from."""
    parts = [judged_as(pair.kind, pair.better), _("margin {margin}").format(margin=f"±{pair.margin}")]
    return " · ".join([*parts, of_monitor(pair.monitor)] if pair.monitor else parts)


def n_more(n: int) -> str:
    return ngettext("and {n} more", "and {n} more", n).format(n=n)


def chart_explained(name: str) -> str:
    """The text of a pair's chart for a reader who does not see it."""
    return _("{name}: both fleets' values in each minute of the last 3 hours.").format(name=name)
