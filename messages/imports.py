"""Messages of `import mackerel`: the pairs of graphs, what was not read, and where criteria were written."""

from messages.command_help import command_help
from messages.i18n import _, lazy, ngettext
from sources.mackerel.dashboards import UnreadReason

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
NOTHING_NEW = lazy("Nothing to write: these criteria are configured already.")
_REASONS: dict[UnreadReason, object] = {
    "query": lazy("a PromQL query; no API of Mackerel reads labelled metrics"),
    "role_slots": lazy("roleSlots(); no API returns former hosts of a role"),
    "no_pair": lazy("no two aliases that name the two fleets"),
    "invalid": lazy("the expression is invalid"),
}


def found(n_pairs: int, n_dashboards: int) -> str:
    return _("Pairs: {pairs} · dashboards: {dashboards}").format(pairs=n_pairs, dashboards=n_dashboards)


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
