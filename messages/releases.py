"""Messages about releases, and those of the command."""

from collections.abc import Mapping

from analysis import Judgement
from domain import FleetName
from domain.config.releases import ReleaseSpan
from domain.deployments import PlannedShift
from domain.releases import HoursIssue, Release, ReleaseIssue
from domain.window import HOUR_S
from messages import numbers, times, verdicts
from messages.command_help import USAGE_ERROR, command_help
from messages.deployments import OUTCOMES
from messages.i18n import LazyText, _, lazy

COMMAND = command_help(
    lazy("List the releases of a service with their decisions"),
    lazy(
        "Each deployment of the service of [releases] is a release, judged like a migration from its old revision to its new one. "
        "Its name in the last column is for --migration of the other commands."
    ),
    exit_codes={
        0: lazy("The releases were read."),
        1: lazy("Not read, or a permission was denied; invalid configuration, or archive unavailable."),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py releases
        cli.py releases --json | jq -r '.releases[0].evaluation.decision'
    """,
)
LAST = lazy("How many releases, the newest first.")
HEAD = lazy("started"), lazy("revisions"), lazy("outcome"), lazy("decision"), lazy("commit"), lazy("--migration")
NONE_KNOWN = lazy("No deployment of the service is known.")
NOT_CONFIGURED = lazy("This migration has no [releases] in its configuration.")
ISSUES: dict[ReleaseIssue, LazyText] = {
    "no_load_balancer": lazy("Not judged: the service has no load balancer."),
    "not_parallel": lazy("Not judged: a rolling update, nothing served in parallel."),
    "unknown_group": lazy("Not judged: its target groups are not configured. Name both under [releases]."),
    "revisions_unread": lazy("Not judged: its revisions could not be read."),
}
HOURS_ISSUES: dict[HoursIssue, LazyText] = {
    "running": lazy("Its first hour begins when the deployment has ended."),
    "no_release_before": lazy("There is no earlier release to compare its first hour with."),
    "no_time_between": lazy("It began when the release before it ended: there is no first hour to compare with."),
    "other_weights": lazy("Its first hour had other weights than that of the release before, or they changed."),
}
WEIGHTS_NOT_RECORDED = lazy("weights not recorded")
WEIGHTS_OF_THE_PAST = lazy(
    "The release has ended: the weights of now are those of a later one. `weights --history` has its own."
)


def revisions(release: Release) -> str:
    """ "web:41 → web:42"."""
    names = (side.task_definition or "?" for side in (release.baseline, release.canary))
    return " → ".join(names)


def opening(labels: Mapping[FleetName, str], span: str, release: ReleaseSpan, *, is_recorded: bool) -> str:
    """ "web:41 → web:42 · 21 Nov 14:00–14:48 JST · rolled back · planned: 10% for 5 min, then 100%"."""
    opening = f"{labels['baseline']} → {labels['canary']} · {span} · {OUTCOMES[release.outcome]}"
    parts = opening, shift(release.shift), "" if is_recorded else str(WEIGHTS_NOT_RECORDED)
    return " · ".join(filter(None, parts))


def shift(planned: PlannedShift | None) -> str:
    """ "planned: 10% for 5 min, then 100%"; "" if it is unknown."""
    if planned is None:
        return ""
    texts = {
        "all_at_once": _("planned: 100% at once"),
        "canary": _("planned: {share} for {duration}, then 100%"),
        "linear": _("planned: {share} more every {duration}"),
    }
    return texts[planned.kind].format(
        share=numbers.configured_share(planned.percent / 100), duration=times.duration(planned.minutes * 60)
    )


def outcome(release: Release) -> str:
    """ "rolled back: alarm"."""
    return ": ".join(filter(None, (str(OUTCOMES[release.outcome]), release.reason)))


def same_weight(judgement: Judgement, before: str, length_s: int) -> str:
    """ "✓ parity, weaker evidence: its first hour against that of web:41"."""
    verdict = judgement.verdict
    text = _("{verdict}, weaker evidence: its first hour against that of {before}")
    if length_s < HOUR_S:
        text = _("{verdict}, weaker evidence: its first {duration} against those of {before}")
    sign = f"{verdicts.SIGNS[verdict]} {verdicts.label(verdict)}"
    return text.format(verdict=sign, before=before, duration=times.duration(length_s))


def without_comparison(issue: ReleaseIssue, hours: HoursIssue) -> str:
    """ "Not judged: a rolling update, nothing served in parallel. There is no earlier release to compare its first hour with."."""
    return f"{ISSUES[issue]} {HOURS_ISSUES[hours]}"


def not_judged(slug: str, issue: ReleaseIssue) -> str:
    return f"{slug}: {ISSUES[issue]}"
