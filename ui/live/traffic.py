"""The weights: the split as a bar with the observed share, what is wrong with it, and all rules."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from analysis import SampleRatio
from analysis.series.sample_ratio import SampleRatioVerdict
from archive import SourceState
from domain import FLEETS, FleetName, Migration, Rule, Traffic
from messages import hero, numbers, releases
from messages import live as text
from messages import traffic as traffic_messages
from messages.errors import sources
from reports.templating import render
from services.live import TrafficStatus
from ui.app_context import AppContext
from ui.layout import format_ago

MAX_WEIGHTS_AGE_INTERVALS = 4  # of their polls

Fact = tuple[str, str]  # CSS class, text
TooltipFact = tuple[str, str, str]
_MATCHES: dict[SampleRatioVerdict, tuple[str, str]] = {
    "matches": ("", "✓"),
    "differs": ("warn", "⚠"),
    "not enough data": ("", "◐"),
}


def split_bar(app: AppContext, status: TrafficStatus, now: datetime, facts: Sequence[TooltipFact] = ()) -> Markup:
    """The configured and observed shares as a bar, whether they match, and `facts`."""
    traffic = status.traffic
    if traffic is None or traffic.split is None:
        return _no_split(app, status, facts)
    split, ratio = traffic.split, comparable_ratio(status)
    observed = ratio.observed_share if ratio else None
    match: tuple[TooltipFact, ...] = ()
    max_age_s = MAX_WEIGHTS_AGE_INTERVALS * app.collector.config.traffic_interval_s
    is_old = status.read_at is not None and now.timestamp() - status.read_at > max_age_s
    if ratio and not is_old and not _metrics_down(app, ratio):
        css, sign = _MATCHES[ratio.verdict]
        match = ((css, f"{sign} {hero.split(ratio.verdict)}", _sample_ratio_sentence(app.migration, traffic, ratio)),)
    if is_old and status.read_at is not None:
        facts = ("warn", text.weights_read(format_ago(status.read_at, now)), ""), *facts
    return render(
        "hero.split",
        title=text.TRAFFIC_TITLE,
        ends=[(fleet, app.migration.fleets[fleet].label, _shares(split, observed, fleet)) for fleet in FLEETS],
        bar=_bar(app.migration, split),
        observed=None if observed is None else ((1 - observed) * 100, text.observed_share(numbers.share(observed))),
        facts=[*match, *facts],
    )


def traffic_warnings(app: AppContext, status: TrafficStatus) -> None:
    """What is wrong with the split, the rules and the targets, a sentence each; nothing if nothing is."""
    if warnings := [fact for fact in _facts(app, status) if fact[0]]:
        st.html(render("live.traffic_facts", items=warnings))


def comparable_ratio(status: TrafficStatus) -> SampleRatio | None:
    """The sample ratio; None if some weight is on a group of neither fleet, because the observed share is one of two fleets."""
    split = status.traffic.split if status.traffic else None
    return None if split and any(share.fleet is None for share in split.weighted_shares) else status.sample_ratio


def _facts(app: AppContext, status: TrafficStatus) -> Iterator[Fact]:
    """What is known about the split, its targets and other rules; the CSS class is "warn" for what is wrong."""
    traffic = status.traffic
    if traffic is None or traffic.split is None:
        return
    split, states, ratio = traffic.split, app.source_states(), comparable_ratio(status)
    if ratio and not _metrics_down(app, ratio):
        yield "warn" if ratio.verdict == "differs" else "", _sample_ratio_sentence(app.migration, traffic, ratio)
    yield from _other_group_facts(states, split)
    yield from _other_rule_facts(traffic, split, app.migration)
    yield from _target_facts(traffic, split)
    yield "", traffic_messages.stickiness(split.stickiness_s)
    yield from (("", traffic_messages.header_rule(rule, app.migration)) for rule in traffic.header_rules)


def _no_split(app: AppContext, status: TrafficStatus, facts: Sequence[TooltipFact]) -> Markup:
    if app.sources.traffic is None:
        labels = [app.migration.fleets[fleet].label for fleet in FLEETS]
        share = status.observed_share
        observed = ""
        if share is not None:
            observed = text.observed_only(
                f"{labels[0]} {numbers.share(1 - share)} · {labels[1]} {numbers.share(share)}"
            )
        release = app.migration.release
        missing = text.weights_not_recorded(releases.shift(release.shift)) if release else text.WEIGHTS_WITHOUT_AWS
        return render("hero.no_split", item=f"{missing} {observed}")
    problems = [
        sources.format_problem(problem)
        for state in app.source_states()
        if state.source == app.sources.traffic.name
        for problem in state.problems
    ]
    reason = f"{problems[0].text} {problems[0].next_step}" if problems else ""
    return render("hero.no_split", item=text.no_weights(reason), css="warn", facts=facts)


def _shares(split: Rule, observed: float | None, fleet: FleetName) -> str:
    """A fleet's configured and observed share. `observed`: that of the canary."""
    configured = split.configured_shares.get(fleet)
    shares = [text.configured_share(numbers.share(float(configured)))] if configured is not None else []
    if observed is not None:
        shares.append(text.observed_share(numbers.share(observed if fleet == "canary" else 1 - observed)))
    return " · ".join(shares)


def _bar(migration: Migration, split: Rule) -> list[tuple[str, float, str]]:
    """CSS class, width in percent, and tooltip of each part: the fleets with weight, groups of neither fleet between them."""
    shares = split.configured_shares
    parts: list[tuple[str, float, str]] = [
        (fleet, float(shares[fleet]), migration.fleets[fleet].label) for fleet in FLEETS if shares.get(fleet)
    ]
    other = float(1 - sum(shares.values())) if shares else 0
    if other:
        parts.insert(1, ("other-group", other, ""))
    return [(css, share * 100, f"{label} {numbers.share(share)}") for css, share, label in parts]


def _metrics_down(app: AppContext, ratio: SampleRatio) -> bool:
    """Whether the source is to blame that nothing was observed, and not the traffic: the list of sources says so."""
    return ratio.observed_share is None and any(
        state.source in app.source_names and state.role == "metrics" and state.state in ("denied", "down")
        for state in app.source_states()
    )


def _sample_ratio_sentence(migration: Migration, traffic: Traffic, ratio: SampleRatio) -> str:
    return traffic_messages.sample_ratio(
        ratio,
        label=migration.fleets.canary.label,
        sticky=traffic.split is not None and traffic.split.stickiness_s is not None,
        other_rules=traffic.deviating_rules,
    )


def _other_group_facts(states: Sequence[SourceState], split: Rule) -> Iterator[Fact]:
    """Weight on groups of neither fleet, and rules that could not be read: both take traffic away from the split."""
    if others := [share for share in split.weighted_shares if share.fleet is None]:
        total = sum(share.weight for share in split.weighted_shares)
        yield "warn", traffic_messages.other_groups(others, total_weight=total)
    if any(
        problem.operation.endswith(":DescribeRules") and problem.kind not in ("not_found", "no_split")
        for state in states
        for problem in state.problems
    ):
        yield "warn", str(traffic_messages.RULES_UNREAD)


def _other_rule_facts(traffic: Traffic, split: Rule, migration: Migration) -> Iterator[Fact]:
    if traffic.other_splits:
        yield "warn", traffic_messages.other_splits(traffic.other_splits, split, migration)
    if traffic.unreachable_splits:
        yield "warn", traffic_messages.unreachable_rules(traffic.unreachable_splits)


def _target_facts(traffic: Traffic, split: Rule) -> Iterator[Fact]:
    weighted = {share.target_group for share in split.shares if share.weight}
    for group in traffic.groups:
        # Requests to a group without targets end in a 503 of the load balancer, which no fleet's metrics count.
        bad = (
            group.targets is None
            or group.healthy < len(group.targets)
            or (group.target_group in weighted and not group.healthy)
        )
        yield "warn" if bad else "", traffic_messages.target_health(group)


def rules_section(app: AppContext, status: TrafficStatus) -> None:
    """What is known about the split, and every rule of every listener, with the one that splits the traffic marked."""
    if status.traffic is None:
        return
    rows = [
        (
            rule.arn == status.traffic.split_arn,
            (
                rule.listener,
                rule.priority,
                ", ".join(map(traffic_messages.rule_condition, rule.conditions)) or text.ANY_REQUEST,
                _forwards(rule),
                traffic_messages.stickiness(rule.stickiness_s) if rule.shares else "",
            ),
        )
        for rule in status.traffic.rules
    ]
    st.html(render("live.rules", items=list(_facts(app, status)), rows=rows))


def _forwards(rule: Rule) -> str:
    """Each target group with its weight and share; the action of a rule that forwards nothing."""
    total = sum(share.weight for share in rule.shares)
    shares = (
        f"{share.target_group} {share.weight}" + (f" ({numbers.share(share.weight / total)})" if total else "")
        for share in rule.shares
    )
    return " · ".join(shares) or rule.action
