"""Messages for the traffic split: observed shares, stickiness, health, header rules."""

from collections import Counter
from collections.abc import Sequence

from analysis import SampleRatio
from domain import Condition, Group, Migration, Rule, Share
from domain.traffic import BlueGreen
from messages import numbers, times
from messages.i18n import _, comma_list, lazy, plural

RULES_UNREAD = lazy("Some listener rules could not be read; requests may be routed elsewhere. See Data sources.")


STICKY = lazy("Stickiness delays weight changes: existing sessions stay on their fleet.")


def sample_ratio(ratio: SampleRatio, *, label: str, sticky: bool, other_rules: Sequence[Rule] = ()) -> str:
    """The canary's observed share against its configured one.

    `other_rules`: rules that send requests to the fleets in other shares, the first suspects of a difference.
    """
    if ratio.observed_share is None or ratio.lower is None or ratio.upper is None:
        return _("Too few minutes to compare observed and configured split.")
    if ratio.verdict == "differs":
        text = _(
            "Split mismatch: {label} got {observed} of {requests} requests, configured {configured} (statistically significant). "
            "{causes}"
        )
    elif sticky and not ratio.lower <= ratio.expected_share <= ratio.upper:
        text = _(
            "Observed split is within the range of sticky sessions: {label} {observed} of {requests} requests (configured {configured}). {sticky}"
        )
    else:
        text = _("Observed split matches weights: {label} {observed} of {requests} requests (configured {configured}).")
    return text.format(
        label=label,
        configured=numbers.share(ratio.expected_share),
        observed=numbers.share(ratio.observed_share),
        requests=numbers.count(ratio.requests),
        causes=_causes(other_rules, sticky=sticky),
        sticky=STICKY,
    )


def _causes(other_rules: Sequence[Rule], *, sticky: bool) -> str:
    """Why the observed share may differ from the weights, the likeliest first."""
    if other_rules:
        others = plural(
            "Another rule routes requests in other shares, and they are counted: {rules}.",
            "Other rules route requests in other shares, and they are counted: {rules}.",
            len(other_rules),
            rules=comma_list(map(rule_name, other_rules)),
        )
        return f"{others} {STICKY}" if sticky else others
    if sticky:
        return str(STICKY)
    return _("Stickiness is off: check for a target group without healthy targets, or an unread rule.")


def other_groups(shares: Sequence[Share], *, total_weight: int) -> str:
    """Target groups with weight that belong to neither fleet, so that their requests are not counted. `total_weight`: of the rule."""
    return _("{share} goes to {groups}, an unassigned target group: check target_groups").format(
        share=numbers.share(sum(share.weight for share in shares) / total_weight),
        groups=comma_list(share.target_group for share in shares),
    )


def unreachable_rules(rules: Sequence[Rule]) -> str:
    """Rules that no request reaches, so that their weights have no effect. At least one."""
    return plural(
        "{rules} is never reached: an earlier rule matches all requests, so these weights have no effect",
        "{rules} are never reached: earlier rules match all requests, so these weights have no effect",
        len(rules),
        rules=comma_list(map(rule_name, rules)),
    )


def other_splits(rules: Sequence[Rule], split: Rule, migration: Migration) -> str:
    """Rules with weight on both fleets beside `split`. At least one."""
    label = migration.fleets.canary.label
    return plural(
        "Another rule splits traffic between the fleets: {rules}. Weights shown: {split}.",
        "Other rules split traffic between the fleets: {rules}. Weights shown: {split}.",
        len(rules),
        rules=comma_list(
            _("{rule}: {label} {share}").format(
                rule=rule_name(rule), label=label, share=numbers.share(float(rule.configured_shares["canary"]))
            )
            for rule in rules
        ),
        split=rule_name(split),
    )


def rule_name(rule: Rule) -> str:
    """ "HTTPS:443 10 (X-Canary: ecs)", "HTTPS:443 default"."""
    conditions = comma_list(map(rule_condition, rule.conditions))
    name = f"{rule.listener} {rule.priority}".strip()
    return f"{name} ({conditions})" if conditions else name


def stickiness(stickiness_s: int | None) -> str:
    if stickiness_s is None:
        return _("Stickiness off")
    return _("Stickiness {duration}").format(duration=times.duration(stickiness_s))


def target_health(group: Group) -> str:
    """ "photo-ec2: 4/4 healthy", "photo-ecs-blue: 1/3 healthy (2 unhealthy: Target.Timeout)"."""
    if group.targets is None:
        return _("{group}: health unknown").format(group=group.target_group)
    if not group.targets:
        return _("{group}: no targets").format(group=group.target_group)
    text = _("{group}: {healthy}/{all} healthy").format(
        group=group.target_group, healthy=group.healthy, all=len(group.targets)
    )
    others = Counter(
        f"{target.state}: {target.reason}" if target.reason else target.state
        for target in group.targets
        if target.state != "healthy"
    )
    unhealthy = comma_list(f"{number} {state}" for state, number in sorted(others.items()))
    return f"{text} ({unhealthy})" if unhealthy else text


def header_rule(rule: Rule, migration: Migration) -> str:
    """ "X-Canary: ecs → ECS always"; with other target groups "X-Canary: ecs → ECS 50.0%, photo-old 50.0%"."""
    (fleet,) = rule.fleets
    conditions, label = comma_list(map(rule_condition, rule.conditions)), migration.fleets[fleet].label
    others = [share for share in rule.weighted_shares if share.fleet is None]
    if not others:
        return _("{conditions} → {label} always").format(conditions=conditions, label=label)
    total = sum(share.weight for share in rule.weighted_shares)
    parts = [(label, float(rule.configured_shares[fleet]))]
    parts += [(share.target_group, share.weight / total) for share in others]
    shares = comma_list(f"{name} {numbers.share(share)}" for name, share in parts)
    return _("{conditions} → {shares}").format(conditions=conditions, shares=shares)


def rule_condition(condition: Condition) -> str:
    """ "X-Canary: ecs", "path-pattern: /api/* or /v2/*"."""
    return f"{condition.name or condition.field}: {_(' or ').join(condition.patterns)}"


def blue_green(check: BlueGreen) -> str:
    """Why a blue/green deployment would fail now, and the fix."""
    if not check.blocked:
        return _("Blue/green deployment possible: one target group has all weight.")
    *names, last = (share.target_group for share in check.groups)
    return _(
        "Blue/green is blocked while traffic is split ({groups} and {last} weighted): it needs one target group with all weight. Before deploying, move "
        "all weight to one fleet. A successful deployment leaves the other of the service's two target groups in service: give it the old group's weight; "
        "restore the old weights only after a rollback. `cli.py deployments` prints the commands."
    ).format(groups=comma_list(names), last=last)
