"""Messages about probes: the same request to both fleets, and where their answers differ."""

from collections.abc import Mapping, Sequence
from statistics import median

from domain import Migration
from domain.probe import ProbeError, ProbeRefusal, ProbeResult, ProbeState, SideResult
from messages import numbers
from messages.command_help import command_help
from messages.i18n import _, comma_list, lazy, plural

COMMAND = command_help(
    lazy("Compare what both fleets answer to the same request"),
    lazy(
        "GET and HEAD only, to the configured load balancer only, at most two requests a second, redirects not followed. Each result is kept in the archive."
    ),
    exit_codes={
        0: lazy("Both fleets answered the same to every probe."),
        1: lazy("Answers differ, have another status than expected, or could not be read."),
        3: lazy("Nothing was sent: no [[probe]], refused, invalid option or configuration, or archive unavailable."),
    },
    examples="""
        cli.py probe
        cli.py probe --dry-run
        cli.py probe --json | jq '.probes[] | {path, state, differences}'
    """,
)
DRY_RUN = lazy("Show what would be sent, and to which address, without sending it.")
TITLE = lazy("Probes")
EXPLAINED = lazy(
    "The same request to both fleets, each through the rule that leads to it. What varies within one fleet (times, ids, tokens) is not compared."
)
HEAD = (lazy("request"), lazy("result"), lazy("difference"), lazy("status"), lazy("time (median, max.)"))
NOT_CONFIGURED = lazy("No probe is configured. Add [[probe]] with a path to migration.toml; see docs/probe.md.")
CONFIRM = lazy("Send them now")
RUN = lazy("Send the probes")
NOT_STORED = lazy("Then send the probes again: a result was not stored.")
NOT_YET = lazy("not sent yet")
SIGNS: Mapping[ProbeState, str] = {"same": "✓", "different": "▲", "unexpected": "✕", "failed": "✕", "refused": "–"}
MAX_SHOWN = 5


def state(name: ProbeState) -> str:
    return {
        "same": _("same answers"),
        "different": _("answers differ"),
        "unexpected": _("another status than expected"),
        "failed": _("could not be read"),
        "refused": _("not sent"),
    }[name]


def refusal(name: ProbeRefusal, earlier_rule: str = "") -> str:
    return {
        "": "",
        "no_traffic": _("The load balancer's rules could not be read."),
        "no_header_rule": _("No rule of the load balancer leads this request to one fleet alone."),
        "not_told_apart": _("Without a header rule, a fleet can be reached alone only while it has all of the weight."),
        "other_path": _("The rule is for other paths."),
        "regex_header": _("The rule's header is a regular expression: set `header` to a value that matches it."),
        "foreign_host": _("The host is not one of the load balancer."),
        "no_dns": _("The load balancer's name is unknown or has no address."),
        "earlier_rule": _(
            "Rule {rule} (listener and priority) is evaluated first and takes this request, or may: the answer could be of another fleet. "
            "Narrow that rule's conditions, or give the rule of the probe a lower priority number."
        ).format(rule=earlier_rule),
    }[name]


def error(name: ProbeError) -> str:
    return {
        "": "",
        "unreachable": _("unreachable"),
        "timeout": _("no complete answer in time"),
        "tls": _("TLS failed"),
        "too_large": _("larger than 2 MB"),
        "bad_reply": _("unreadable"),
    }[name]


def asks(n_requests: int, host: str) -> str:
    """Before the requests are sent."""
    return plural(
        "Sends {n} request to {host}, at most two a second.",
        "Sends {n} requests to {host}, at most two a second.",
        n_requests,
        host=host,
    )


def progress(done: int, total: int) -> str:
    return _("Sending: {done} of {total}").format(done=numbers.count(done), total=numbers.count(total))


def differences(result: ProbeResult) -> list[str]:
    """ "header cache-control: EC2 private, ECS no-store", the first ones."""
    shown = [
        _("{feature}: {baseline} → {canary}").format(
            feature=item.feature, baseline=item.baseline or '""', canary=item.canary or '""'
        )
        for item in result.differences[:MAX_SHOWN]
    ]
    more = len(result.differences) - MAX_SHOWN
    return [*shown, *([_("and {n} more").format(n=numbers.count(more))] if more > 0 else [])]


def ignored(result: ProbeResult) -> str:
    """What is not compared; "" if everything is."""
    if not result.ignored:
        return ""
    more = [f"+{numbers.count(len(result.ignored) - MAX_SHOWN)}"] if len(result.ignored) > MAX_SHOWN else []
    return _("varies within a fleet, not compared: {names}").format(
        names=comma_list([*result.ignored[:MAX_SHOWN], *more])
    )


def statuses(side: SideResult, migration: Migration) -> str:
    """ "EC2 200 ×5"."""
    parts = [f"{status} ×{numbers.count(count)}" for status, count in side.statuses]
    parts += [f"{error(name)} ×{numbers.count(count)}" for name, count in side.errors]
    return f"{migration.labels[side.fleet]} {comma_list(parts)}"


def latency(side: SideResult, migration: Migration) -> str:
    """ "EC2 61 ms, 80 ms"."""
    if not side.seconds:
        return f"{migration.labels[side.fleet]} {numbers.NONE}"
    values = (f"{numbers.count(round(seconds * 1000))} ms" for seconds in (median(side.seconds), side.seconds[-1]))
    return f"{migration.labels[side.fleet]} {comma_list(values)}"


def headline(results: Sequence[ProbeResult]) -> str:
    """ "2 of 3 probes: same answers"."""
    same = sum(result.state == "same" for result in results)
    return plural(
        "{same} of {n} probe has the same answers from both fleets",
        "{same} of {n} probes have the same answers from both fleets",
        len(results),
        same=numbers.count(same),
    )
