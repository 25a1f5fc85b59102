"""The weights on the Live page: the split as a bar with the observed share, what to know about it, and all rules."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from analysis import SampleRatio
from archive import SourceState
from domain import FLEETS, FleetName, Migration, Rule, Traffic
from messages import live as text
from messages import numbers
from messages import traffic as traffic_messages
from messages.errors import sources
from reports.templating import render
from services.live import TrafficStatus
from ui.app_context import AppContext
from ui.layout import format_ago

MAX_WEIGHTS_AGE_S = 60  # they are read every 15 s

Fact = tuple[str, str]  # CSS class, text


def traffic_section(app: AppContext, status: TrafficStatus, now: datetime, *, past: bool) -> None:
    """`past`: the charts show another time than the weights, and the section says so."""
    traffic = status.traffic
    if traffic is None or traffic.split is None:
        st.html(_no_split(app, status))
        return
    split, states = traffic.split, app.source_states()
    # The observed share is one of two fleets: it cannot be compared with the weights of three groups.
    ratio = None if any(share.fleet is None for share in split.weighted_shares) else status.sample_ratio
    facts = [
        *([("strong", text.WEIGHTS_NOW)] if past else []),
        *_sample_ratio_facts(app, states, traffic, ratio),
        *_other_group_facts(states, split),
        *_other_rule_facts(traffic, split, app.migration),
        *_target_facts(traffic, split),
        ("", traffic_messages.stickiness(split.stickiness_s)),
        *(("", traffic_messages.header_rule(rule, app.migration)) for rule in traffic.header_rules),
    ]
    if status.read_at is not None and now.timestamp() - status.read_at > MAX_WEIGHTS_AGE_S:
        facts.append(("warn", text.weights_read(format_ago(status.read_at, now))))
    observed = ratio.observed_share if ratio else None
    ends = [(fleet, app.migration.fleets[fleet].label, _shares(split, observed, fleet)) for fleet in FLEETS]
    arrow = None if observed is None else ((1 - observed) * 100, text.observed_share(numbers.share(observed)))
    st.html(render("live.traffic", ends=ends, bar=_bar(app.migration, split), observed=arrow, items=facts))


def _no_split(app: AppContext, status: TrafficStatus) -> Markup:
    if app.sources.traffic is None:
        labels = [app.migration.fleets[fleet].label for fleet in FLEETS]
        share = status.observed_share
        observed = ""
        if share is not None:
            observed = text.observed_only(
                f"{labels[0]} {numbers.share(1 - share)} · {labels[1]} {numbers.share(share)}"
            )
        return render("live.no_split", item=f"{text.WEIGHTS_WITHOUT_AWS} {observed}")
    problems = [
        sources.format_problem(problem)
        for state in app.source_states()
        if state.source == app.sources.traffic.name
        for problem in state.problems
    ]
    reason = f"{problems[0].text} {problems[0].next_step}" if problems else ""
    return render("live.no_split", item=text.no_weights(reason), css="warn")


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


def _sample_ratio_facts(
    app: AppContext, states: Sequence[SourceState], traffic: Traffic, ratio: SampleRatio | None
) -> Iterator[Fact]:
    # Without metrics the source is to blame, not the traffic: the list of sources says so.
    metrics_down = any(
        state.source in app.source_names and state.role == "metrics" and state.state in ("denied", "down")
        for state in states
    )
    if ratio is None or (ratio.observed_share is None and metrics_down):
        return
    sentence = traffic_messages.sample_ratio(
        ratio,
        label=app.migration.fleets.canary.label,
        sticky=traffic.split is not None and traffic.split.stickiness_s is not None,
        other_rules=traffic.deviating_rules,
    )
    yield "warn" if ratio.verdict == "differs" else "", sentence


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


def rules_section(status: TrafficStatus) -> None:
    """Every rule of every listener, with the one that splits the traffic marked."""
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
    st.html(render("live.rules", rows=rows))


def _forwards(rule: Rule) -> str:
    """Each target group with its weight and share; the action of a rule that forwards nothing."""
    total = sum(share.weight for share in rule.shares)
    shares = (
        f"{share.target_group} {share.weight}" + (f" ({numbers.share(share.weight / total)})" if total else "")
        for share in rule.shares
    )
    return " · ".join(shares) or rule.action
