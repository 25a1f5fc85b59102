"""The Live page's parts in HTML: the split as a bar, the head of each chart, what stands where a chart cannot, and the sources."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

import analysis
from archive import SourceState
from domain import FLEETS, FleetName, Migration, Rule, Traffic, Window
from messages import live as words
from messages import numbers, states, times
from messages import traffic as traffic_words
from messages.errors import sources as problems
from sources.base import SUPPLEMENTARY
from ui.app_context import AppContext
from ui.controls import query_params
from ui.live import links
from ui.live.view import LiveView, Panel, TrafficView
from ui.url import LiveParams, format_time

UNANSWERED_ALERT_SHARE = 0.001  # below one in a thousand it may be requests in flight, or web sockets

SOURCE_DELAY_MINUTES = {"cloudwatch": 5, "mackerel": 12}  # Mackerel itself asks CloudWatch every five minutes
MAX_WEIGHTS_AGE_S = 60  # they are read every 15 s


def traffic_section(app: AppContext, view: TrafficView, now: datetime, *, past: bool) -> None:
    """The split as it is told now, as one bar, with what was seen beside it, and what a reader must know before trusting it.

    `past`: the charts show another time, and the panel says that it does not.
    """
    migration = app.migration
    if view.traffic is None or view.traffic.split is None:
        st.html(Markup("<section class='traffic'>{}</section>").format(_no_split(app, view)))
        return
    split, states_now = view.traffic.split, app.archive.events.source_states()
    # What was seen is a share of both fleets: where others carry weight too, it cannot stand beside what they were told.
    ratio = None if any(share.fleet is None for share in split.weighted_shares) else view.sample_ratio
    # Without numbers it is the source that is to blame, not the traffic: its own line says so.
    stuck = any(
        state.source in app.source_names and state.role == "metrics" and state.state in ("denied", "down")
        for state in states_now
    )
    # A split that was found is shown without the rules that could not be read; what they do to it nobody knows.
    unread = any(
        problem.operation.endswith(":DescribeRules") and problem.kind not in ("not_found", "no_split")
        for state in states_now
        for problem in state.problems
    )
    st.html(
        Markup(
            "<section class='traffic' aria-label='{}'><div class='ends'>{}{}</div>{}<div class='facts'>{}</div></section>"
        ).format(
            words.TRAFFIC_TITLE(),
            _fleet_label(migration, split, ratio, "baseline"),
            _fleet_label(migration, split, ratio, "canary"),
            _share_bar(migration, split, ratio),
            _traffic_facts(
                migration,
                view.traffic,
                split,
                ratio,
                view.read_at,
                now,
                past=past,
                metrics_down=stuck,
                rules_unreadable=unread,
            ),
        )
    )


def rules_section(view: TrafficView) -> None:
    """Every rule of every listener, for whoever wants to see how the split comes about."""
    if view.traffic is not None:
        body = _rules_table(view.traffic)
        st.html(Markup("<details class='rules'><summary>{}</summary>{}</details>").format(words.RULES_TITLE(), body))


def _rules_table(traffic: Traffic) -> Markup:
    """Every rule of every listener, the one that splits the traffic marked."""
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in words.RULES_HEAD())
    rows = Markup("").join(
        Markup("<tr class='{}'><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
            "split" if rule.arn == traffic.split_arn else "",
            rule.listener,
            rule.priority,
            ", ".join(traffic_words.rule_condition(one) for one in rule.conditions) or words.ANY_REQUEST(),
            _forwards(rule),
            traffic_words.stickiness(rule.stickiness_s) if rule.shares else "",
        )
        for rule in traffic.rules
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, rows)


def _forwards(rule: Rule) -> str:
    total = sum(share.weight for share in rule.shares)
    said = (
        f"{share.target_group} {share.weight}" + (f" ({numbers.share(share.weight / total)})" if total else "")
        for share in rule.shares
    )
    return " · ".join(said) or rule.action


def _no_split(app: AppContext, view: TrafficView) -> str | Markup:
    if app.sources.traffic is None:
        return f"{words.WEIGHTS_WITHOUT_AWS()} {_observed_only(app, view)}"
    state = next(
        (state for state in app.archive.events.source_states() if state.source == app.sources.traffic.name), None
    )
    trouble = state.problems[0] if state and state.problems else None
    said = problems.format_problem(trouble) if trouble else None
    return Markup("<span class='warn'>{}</span>").format(
        words.no_weights(f"{said.text} {said.next_step}" if said else "")
    )


def _observed_only(app: AppContext, view: TrafficView) -> str:
    fleets = app.migration.fleets
    if view.observed_share is None:
        return ""
    return words.observed_only(
        f"{fleets.baseline.label} {numbers.share(1 - view.observed_share)} · {fleets.canary.label} {numbers.share(view.observed_share)}"
    )


def _fleet_label(
    migration: Migration, split: Rule, sample_ratio: analysis.SampleRatio | None, fleet: FleetName
) -> Markup:
    told = split.configured_shares.get(fleet)
    seen = sample_ratio.observed_share if sample_ratio else None
    if seen is not None and fleet == "baseline":
        seen = 1 - seen
    parts = [words.configured_share(numbers.share(float(told)))] if told is not None else []
    parts += [words.observed_share(numbers.share(seen))] if seen is not None else []
    return Markup("<span class='{}-end'><b>{}</b> {}</span>").format(
        fleet, migration.fleets[fleet].label, " · ".join(parts)
    )


def _share_bar(migration: Migration, split: Rule, sample_ratio: analysis.SampleRatio | None) -> Markup:
    told = split.configured_shares
    strangers = 1 - sum(told.values()) if told else 0
    pieces = [(fleet, migration.fleets[fleet].label, float(told[fleet])) for fleet in FLEETS if told.get(fleet)]
    if strangers:
        pieces.insert(1, ("stranger", "", float(strangers)))  # type: ignore[arg-type]
    bar = Markup("").join(
        Markup("<i class='{}' style='width:{:.2f}%' title='{}'></i>").format(
            kind, share * 100, f"{label} {numbers.share(share)}"
        )
        for kind, label, share in pieces
    )
    mark = Markup("")
    if sample_ratio and sample_ratio.observed_share is not None:
        place = (1 - sample_ratio.observed_share) * 100
        mark = Markup("<div class='seen' title='{}'><i style='left:{:.2f}%'></i></div>").format(
            words.observed_share(numbers.share(sample_ratio.observed_share)), place
        )
    return Markup("<div class='bar'>{}</div>{}").format(bar, mark)


def _traffic_facts(
    migration: Migration,
    traffic: Traffic,
    split: Rule,
    sample_ratio: analysis.SampleRatio | None,
    read_at: int | None,
    now: datetime,
    *,
    past: bool,
    metrics_down: bool,
    rules_unreadable: bool,
) -> Markup:
    said: list[str | Markup] = [Markup("<b>{}</b>").format(words.WEIGHTS_NOW())] if past else []
    if sample_ratio and (sample_ratio.observed_share is not None or not metrics_down):
        sentence = traffic_words.sample_ratio(
            label=migration.fleets.canary.label,
            configured=sample_ratio.expected_share,
            observed=sample_ratio.observed_share,
            requests=sample_ratio.requests,
            differs=sample_ratio.verdict == "differs",
            sticky=split.stickiness_s is not None,
        )
        said.append(
            Markup("<span class='{}'>{}</span>").format("warn" if sample_ratio.verdict == "differs" else "", sentence)
        )
    if strangers := [share for share in split.weighted_shares if share.fleet is None]:
        sentence = traffic_words.other_groups(
            strangers, total_weight=sum(share.weight for share in split.weighted_shares)
        )
        said.append(Markup("<span class='warn'>{}</span>").format(sentence))
    if rules_unreadable:
        said.append(Markup("<span class='warn'>{}</span>").format(traffic_words.RULES_UNREAD()))
    weighed = {share.target_group for share in split.shares if share.weight}
    for group in traffic.groups:
        # Without a target, what the weights send there ends in a 503 of the load balancer's own, and in no fleet's count.
        bad = (
            group.targets is None
            or group.healthy < len(group.targets)
            or (group.target_group in weighed and not group.healthy)
        )
        text = traffic_words.target_health(group)
        said.append(Markup("<span class='{}'>{}</span>").format("warn" if bad else "", text))
    said.append(traffic_words.stickiness(split.stickiness_s))
    said += [traffic_words.header_rule(rule, migration) for rule in traffic.header_rules]
    if read_at is not None and now.timestamp() - read_at > MAX_WEIGHTS_AGE_S:
        age = times.ago(datetime.fromtimestamp(read_at, UTC), now=now)
        said.append(Markup("<span class='warn'>{}</span>").format(words.weights_read(age)))
    return Markup("").join(Markup("<span>{}</span>").format(one) for one in said if one)


def panel_head(app: AppContext, params: LiveParams, view: LiveView, panel: Panel, *, slow_s: float) -> None:
    """A chart's name, its newest settled values of both fleets, their difference, and where the same graph can be seen."""
    migration, zone = app.migration, app.migration.zone
    title = words.panel_title(panel.name, percentile=params.percentile, threshold=numbers.threshold(slow_s))
    pieces = [Markup("<h2 title='{}'>{}</h2>").format(words.panel_explained(panel.name), title)]
    if panel.latest:
        pieces += [_latest_value(migration, panel, panel.latest, fleet) for fleet in FLEETS]
        if panel.quantity != "count":
            pieces.append(Markup("<span>{}</span>").format(format_difference(panel.quantity, panel.latest.difference)))
        if panel.name == "error_rate":
            pieces.append(_unanswered(migration, panel))
            if panel.alb_5xx is not None and panel.alb_5xx >= UNANSWERED_ALERT_SHARE:
                pieces.append(
                    Markup("<span class='bad'>{}</span>").format(words.alb_5xx(numbers.percent(panel.alb_5xx)))
                )
        until = panel.latest.end
        period_s = next((each_s for part, each_s in view.result.periods if part.start < until <= part.end), 60)
        at = datetime.fromtimestamp(panel.latest.end - period_s, UTC)
        fresh_s = 60 * (migration.provisional_minutes + _delay_minutes(params.source)) + 2 * period_s
        old = view.window.end - panel.latest.end > fresh_s
        clock = times.clock(at, zone, now=view.window.ends_at)
        if panel.latest.end - panel.latest.start > period_s:
            # The zone stands on the axis below: a head has to share its line with a switch.
            clock = words.pooled_span(times.duration(panel.latest.end - panel.latest.start), clock.rpartition(" ")[0])
        pieces.append(Markup("<span class='{}'>{}</span>").format("warn" if old else "note", clock))
    link = links.chart_link(
        migration, params.source, panel.name, view.window, percentile=params.percentile, slow_s=slow_s
    )
    if link:
        place = words.open_graph(states.source_name(params.source))
        arrow = Markup("<a href='{}' target='_blank' rel='noopener' title='{}' aria-label='{}'>↗</a>").format(
            link, place, place
        )
        pieces.append(arrow)
    if panel.multi_group and panel.name == "latency":
        pieces.append(Markup("<span class='note'>{}</span>").format(words.SEVERAL_GROUPS()))
    st.html(Markup("<div class='panel-head'>{}</div>").format(Markup("").join(pieces)))


def _latest_value(migration: Migration, panel: Panel, latest: analysis.LatestValues, fleet: FleetName) -> Markup:
    text = f"{migration.fleets[fleet].label} {format_value(panel.quantity, getattr(latest, fleet))}"
    if fleet in latest.low_sample:
        return Markup("<span class='note' title='{}'>{} ?</span>").format(words.LOW_SAMPLE(), text)
    return Markup("<span class='{}'>{}</span>").format(fleet, text)


def _unanswered(migration: Migration, panel: Panel) -> Markup:
    """The share of requests that nobody answered, always beside the errors: no fleet's own 5xx count holds them."""
    found = panel.components.get("unanswered")
    shares = {fleet: getattr(found, fleet) if found else None for fleet in FLEETS}
    alarming = any(share is not None and share >= UNANSWERED_ALERT_SHARE for share in shares.values())
    said = " · ".join(f"{migration.fleets[fleet].label} {numbers.percent(share)}" for fleet, share in shares.items())
    return Markup("<span class='{}'>{}</span>").format("bad" if alarming else "note", words.unanswered(said))


def format_value(quantity: analysis.Quantity, number: float | None) -> str:
    """A reading with its unit."""
    say = {"rate": numbers.percent, "latency": numbers.milliseconds, "count": numbers.count}[quantity]
    return say(number)


def format_difference(quantity: analysis.Quantity, number: float | None) -> str:
    """A difference with its sign and unit."""
    return numbers.points(number) if quantity == "rate" else numbers.signed_milliseconds(number)


def supported_percentiles(app: AppContext, source: str, offered: Sequence[str]) -> list[str]:
    """The percentiles that a source can know."""
    lacks = app.metric_source(source).unsupported_metrics()
    return [percentile for percentile in offered if f"latency.{percentile}" not in lacks]


def last_known_link(app: AppContext, params: LiveParams, view: LiveView, now: datetime) -> None:
    """Where nothing of the window is there: how far the archive goes, and the way there."""
    newest = app.archive.metrics.latest_ts(params.source)
    if newest is None or newest >= view.window.start:
        return
    until = newest // 60 * 60 + 60
    at = datetime.fromtimestamp(newest, UTC)
    text, leads = words.last_known(times.clock(at, app.migration.zone, now=now), times.ago(at, now=now))
    window = {"from": format_time(until - view.window.minutes * 60), "to": format_time(until)}
    there = {name: value for name, value in query_params().items() if name != "window"} | window
    st.html(Markup("<p class='note'>{} <a href='?{}' target='_self'>{}</a></p>").format(text, urlencode(there), leads))


def empty_panel(app: AppContext, params: LiveParams, view: LiveView, panel: Panel) -> None:
    """What stands where a chart cannot, and why."""
    label = states.source_name(params.source)
    lacks = app.metric_source(params.source).unsupported_metrics()
    progress = app.collector.progress(params.source)
    state = _source_state(app, params.source)
    if panel.name == "slow" and "latency.within" in lacks:
        text = words.unsupported_metric(label, "latency.within", with_cloudwatch="cloudwatch" in app.source_names)
    elif panel.name == "latency" and f"latency.{params.percentile}" in lacks:
        text = words.unsupported_metric(label, f"latency.{params.percentile}")
    elif panel.name == "error_rate" and not view.result.frame.empty and view.result.unknown:
        text = words.errors_unread(label)
    elif view.result.missing and state and state.state in ("denied", "down", "throttled"):
        text = words.no_rows_source_down(label)
    elif view.result.missing and progress:
        text = words.reading(label, *progress)
    elif view.result.missing:
        text = words.no_rows_yet(label)
    else:
        text = words.NO_TRAFFIC()
    st.html(Markup("<div class='empty'>{}</div>").format(text))


def _source_state(app: AppContext, source: str) -> SourceState | None:
    return next((state for state in app.archive.events.source_states() if state.source == source), None)


def is_stale(source: str, view: LiveView, now: datetime, migration: Migration) -> bool:
    """Whether the newest number is older than even a slow source explains."""
    until = view.result.data_until
    return until is None or now.timestamp() - until > 60 * (migration.provisional_minutes + _delay_minutes(source))


def _delay_minutes(source: str) -> int:
    return SOURCE_DELAY_MINUTES.get(source, SOURCE_DELAY_MINUTES["cloudwatch"])


def sources_section(app: AppContext, params: LiveParams, view: LiveView, now: datetime) -> None:
    """One line a source: its state in a word, how long it took, when it last answered well, and what to do where it does not.

    Then the archive, if it cannot be written, what the chosen source cannot know, and in which resolution it answered.
    """
    told = [state for state in app.archive.events.source_states() if state.source not in app.batch_source_names]
    rows = Markup("").join(source_row(state, now) for state in told)
    every = [source.name for source in app.sources.metrics] + [source.name for source in app.sources.events]
    every += [app.sources.traffic.name] if app.sources.traffic else []
    for name in dict.fromkeys(name for name in every if name not in {state.source for state in told}):
        rows += _source_row(
            states.source_name(name), "warn", words.AWAITING_FIRST_ANSWER(), words.NEVER_SUCCEEDED(), ()
        )
    trouble = view.result.archive_problem or app.collector.problem
    if trouble:
        said = problems.format_archive_problem(trouble.kind, trouble.detail)
        rows += _source_row(states.source_name("archive"), "bad", states.label("down"), "", [said])
    label = states.source_name(params.source)
    notes = [_resolution(app.migration, view, now)]
    lacking, with_cloudwatch = app.metric_source(params.source).unsupported_metrics(), "cloudwatch" in app.source_names
    notes += dict.fromkeys(words.unsupported_metric(label, what, with_cloudwatch=with_cloudwatch) for what in lacking)
    rows += Markup("<tr><th></th><td></td><td>{}</td></tr>").format(" ".join(notes))
    st.html(
        Markup("<section class='below'><h2>{}</h2><table class='sources'>{}</table></section>").format(
            words.SOURCES_TITLE(), rows
        )
    )


def _resolution(migration: Migration, view: LiveView, now: datetime) -> str:
    """Which period serves which part of the window."""
    periods, zone = view.result.periods, migration.zone
    if len({period_s for _, period_s in periods}) < 2:
        return " ".join(words.resolution(times.duration(period_s)) for _, period_s in periods[:1])
    return words.resolutions(
        (times.duration(period_s), times.span(part.starts_at, part.ends_at, zone, now=now))
        for part, period_s in periods
    )


def queries_section(app: AppContext, params: LiveParams, window: Window) -> None:
    """Every query behind the page with its place in the CloudWatch console; only worked out while somebody has it open."""
    if params.source != "cloudwatch":
        return
    opened = st.expander(words.QUERIES_TITLE(), key="queries", on_change="rerun")
    if not opened.open:
        return
    rows = Markup("").join(
        Markup("<tr><td>{}</td><td>{}</td><td><a href='{}' target='_blank' rel='noopener'>{}</a></td></tr>").format(
            series.target_group or words.LOAD_BALANCER(), asked, link, words.open_in("CloudWatch")
        )
        for series, asked, link in links.console_queries(app.migration, params.source, window)
    )
    with opened:
        st.html(Markup("<div class='rules'><table>{}</table></div>").format(rows))


def source_row(state: SourceState, now: datetime) -> Markup:
    """One line of the sources: how it is, when it last answered well, and what to do."""
    tone = {"up": "good", "slow": "warn", "throttled": "warn"}.get(state.state, "bad")
    if state.source in SUPPLEMENTARY and tone == "bad":
        tone = "note"
    at = datetime.fromtimestamp(state.last_success_at, UTC) if state.last_success_at else None
    good = words.last_success(times.ago(at, now=now)) if at else words.NEVER_SUCCEEDED()
    said = [problems.format_problem(problem) for problem in state.problems]
    label = f"{states.label(state.state)} {words.elapsed(state.took_s)}"
    return _source_row(states.source_name(state.source), tone, label, good, said)


def _source_row(name: str, tone: str, label: str, last_success: str, problems: Sequence[problems.Message]) -> Markup:
    troubles = Markup("").join(
        Markup("<span class='next'><b>{}</b> {} → {}</span>").format(one.title, one.text, one.next_step)
        for one in problems
    )
    return Markup("<tr><th>{}</th><td><span class='{}'>{}</span></td><td>{}{}</td></tr>").format(
        name, tone, label, last_success, troubles
    )
