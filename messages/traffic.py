"""Messages for the traffic split: observed shares, stickiness, health, header rules."""

from collections import Counter
from collections.abc import Sequence

from analysis import SampleRatio
from domain import Condition, Group, Migration, Rule, Share
from domain.traffic import BlueGreen
from messages import numbers, times
from messages.i18n import _, comma_list, lazy, plural

RULES_UNREAD = lazy(
    "Other rules could not be read: some requests may be sent elsewhere, whatever these weights (see Sources)."
)


STICKY = lazy("Stickiness delays weight changes: existing sessions stay on their fleet.")


def sample_ratio(ratio: SampleRatio, *, label: str, sticky: bool, other_rules: Sequence[Rule] = ()) -> str:
    """The canary's observed share against its configured one.

    `other_rules`: rules that send requests to the fleets in other shares, the first suspects of a difference.
    """
    if ratio.observed_share is None or ratio.lower is None or ratio.upper is None:
        return _("Too few minutes with requests yet to compare the observed share with the weights.")
    if ratio.verdict == "differs":
        text = _(
            "Split mismatch: {label} got {observed} of {requests} requests, configured {configured} (statistically significant). "
            "{causes}"
        )
    elif sticky and not ratio.lower <= ratio.expected_share <= ratio.upper:
        text = _(
            "Observed split within what sticky sessions allow: {label} {observed} of {requests} requests (configured {configured}). "
            "{sticky}"
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
            "Another rule sends its requests in other shares, and they are counted too: {rules}.",
            "Other rules send their requests in other shares, and they are counted too: {rules}.",
            len(other_rules),
            rules=comma_list(map(rule_name, other_rules)),
        )
        return f"{others} {STICKY}" if sticky else others
    if sticky:
        return str(STICKY)
    return _("The rule is not sticky: look for a group without healthy targets, or for a rule that could not be read.")


def other_groups(shares: Sequence[Share], *, total_weight: int) -> str:
    """Target groups with weight that belong to neither fleet, so that their requests are not counted. `total_weight`: of the rule."""
    return _("{share} goes to {groups}, which belongs to neither fleet: check target_groups").format(
        share=numbers.share(sum(share.weight for share in shares) / total_weight),
        groups=comma_list(share.target_group for share in shares),
    )


def unreachable_rules(rules: Sequence[Rule]) -> str:
    """Rules that no request reaches, so that their weights have no effect. At least one."""
    return plural(
        "No request reaches {rules}: an earlier rule takes them all, and these weights have no effect",
        "No request reaches {rules}: earlier rules take them all, and these weights have no effect",
        len(rules),
        rules=comma_list(map(rule_name, rules)),
    )


def other_splits(rules: Sequence[Rule], split: Rule, migration: Migration) -> str:
    """Rules with weight on both fleets beside `split`. At least one."""
    label = migration.fleets.canary.label
    return plural(
        "Another rule has weight on both fleets too: {rules}. The weights shown are those of {split}.",
        "Other rules have weight on both fleets too: {rules}. The weights shown are those of {split}.",
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
        return _("not sticky")
    return _("sticky: a visitor stays on one side for {duration}").format(duration=times.duration(stickiness_s))


def target_health(group: Group) -> str:
    """ "photo-ec2: 4/4 healthy", "photo-ecs-blue: 1/3 healthy (2 unhealthy: Target.Timeout)"."""
    if group.targets is None:
        return _("{group}: health not known").format(group=group.target_group)
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
        return _("A blue/green deployment could start now: one target group carries all the weight.")
    *names, last = (share.target_group for share in check.groups)
    return _(
        "A blue/green deployment would fail now, because {groups} and {last} carry weight at once, and it needs one target group that "
        "carries all. Before deploying, move all the weight to one fleet. A deployment that succeeds leaves the other one of the service's two "
        "target groups in service: afterwards give that one the old group's weight, and set the old weights again only if it was rolled back. "
        "`cli.py deployments` prints the commands."
    ).format(groups=comma_list(names), last=last)
