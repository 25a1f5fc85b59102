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
from ui.app_context import House
from ui.controls import parameters
from ui.live import links
from ui.live.view import LiveView, Panel, TrafficView
from ui.url import LiveAddress, written

ALARMING_UNANSWERED = 0.001  # below one in a thousand it may be requests in flight, or web sockets

LATE_MINUTES = {"cloudwatch": 5, "mackerel": 12}  # Mackerel itself asks CloudWatch every five minutes
OLD_WEIGHTS_S = 60  # they are read every 15 s


def traffic(here: House, view: TrafficView, now: datetime, *, past: bool) -> None:
    """The split as it is told now, as one bar, with what was seen beside it, and what a reader must know before trusting it.

    `past`: the charts show another time, and the panel says that it does not.
    """
    migration = here.migration
    if view.traffic is None or view.traffic.split is None:
        st.html(Markup("<section class='traffic'>{}</section>").format(_no_split(here, view)))
        return
    split, states_now = view.traffic.split, here.archive.states()
    # What was seen is a share of both fleets: where others carry weight too, it cannot stand beside what they were told.
    ratio = None if any(share.fleet is None for share in split.live) else view.ratio
    # Without numbers it is the source that is to blame, not the traffic: its own line says so.
    stuck = any(
        state.source in here.source_names and state.role == "metrics" and state.state in ("denied", "down")
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
            words.traffic_title(),
            _end(migration, split, ratio, "baseline"),
            _end(migration, split, ratio, "canary"),
            _bar(migration, split, ratio),
            _facts(migration, view.traffic, split, ratio, view.seen_at, now, past=past, stuck=stuck, unread=unread),
        )
    )


def rules(view: TrafficView) -> None:
    """Every rule of every listener, for whoever wants to see how the split comes about."""
    if view.traffic is not None:
        body = _rules(view.traffic)
        st.html(Markup("<details class='rules'><summary>{}</summary>{}</details>").format(words.rules_title(), body))


def _rules(traffic: Traffic) -> Markup:
    """Every rule of every listener, the one that splits the traffic marked."""
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in words.rules_head())
    rows = Markup("").join(
        Markup("<tr class='{}'><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
            "split" if rule.arn == traffic.split_arn else "",
            rule.listener,
            rule.priority,
            ", ".join(traffic_words.condition(one) for one in rule.conditions) or words.any_request(),
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


def _no_split(here: House, view: TrafficView) -> str | Markup:
    if here.sources.traffic is None:
        return f"{words.weights_without_aws()} {_seen_alone(here, view)}"
    state = next((state for state in here.archive.states() if state.source == here.sources.traffic.name), None)
    trouble = state.problems[0] if state and state.problems else None
    said = problems.say(trouble) if trouble else None
    return Markup("<span class='warn'>{}</span>").format(
        words.no_weights(f"{said.text} {said.next_step}" if said else "")
    )


def _seen_alone(here: House, view: TrafficView) -> str:
    fleets = here.migration.fleets
    if view.seen is None:
        return ""
    return words.seen_alone(
        f"{fleets.baseline.label} {numbers.share(1 - view.seen)} · {fleets.canary.label} {numbers.share(view.seen)}"
    )


def _end(migration: Migration, split: Rule, ratio: analysis.SampleRatio | None, fleet: FleetName) -> Markup:
    told = split.told.get(fleet)
    seen = ratio.seen if ratio else None
    if seen is not None and fleet == "baseline":
        seen = 1 - seen
    parts = [words.told(numbers.share(float(told)))] if told is not None else []
    parts += [words.seen(numbers.share(seen))] if seen is not None else []
    return Markup("<span class='{}-end'><b>{}</b> {}</span>").format(
        fleet, migration.fleets[fleet].label, " · ".join(parts)
    )


def _bar(migration: Migration, split: Rule, ratio: analysis.SampleRatio | None) -> Markup:
    told = split.told
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
    if ratio and ratio.seen is not None:
        place = (1 - ratio.seen) * 100
        mark = Markup("<div class='seen' title='{}'><i style='left:{:.2f}%'></i></div>").format(
            words.seen(numbers.share(ratio.seen)), place
        )
    return Markup("<div class='bar'>{}</div>{}").format(bar, mark)


def _facts(
    migration: Migration,
    traffic: Traffic,
    split: Rule,
    ratio: analysis.SampleRatio | None,
    seen_at: int | None,
    now: datetime,
    *,
    past: bool,
    stuck: bool,
    unread: bool,
) -> Markup:
    said: list[str | Markup] = [Markup("<b>{}</b>").format(words.weights_now())] if past else []
    if ratio and (ratio.seen is not None or not stuck):
        sentence = traffic_words.observed(
            label=migration.fleets.canary.label,
            told=ratio.told,
            seen=ratio.seen,
            requests=ratio.requests,
            material=ratio.verdict == "differs",
            sticky=split.stickiness_s is not None,
        )
        said.append(Markup("<span class='{}'>{}</span>").format("warn" if ratio.verdict == "differs" else "", sentence))
    if strangers := [share for share in split.live if share.fleet is None]:
        sentence = traffic_words.strangers(strangers, whole=sum(share.weight for share in split.live))
        said.append(Markup("<span class='warn'>{}</span>").format(sentence))
    if unread:
        said.append(Markup("<span class='warn'>{}</span>").format(traffic_words.rules_unread()))
    weighed = {share.target_group for share in split.shares if share.weight}
    for group in traffic.groups:
        # Without a target, what the weights send there ends in a 503 of the load balancer's own, and in no fleet's count.
        bad = (
            group.targets is None
            or group.healthy < len(group.targets)
            or (group.target_group in weighed and not group.healthy)
        )
        text = traffic_words.healthy(group)
        said.append(Markup("<span class='{}'>{}</span>").format("warn" if bad else "", text))
    said.append(traffic_words.stickiness(split.stickiness_s))
    said += [traffic_words.door(rule, migration) for rule in traffic.doors]
    if seen_at is not None and now.timestamp() - seen_at > OLD_WEIGHTS_S:
        age = times.ago(datetime.fromtimestamp(seen_at, UTC), now=now)
        said.append(Markup("<span class='warn'>{}</span>").format(words.weights_read(age)))
    return Markup("").join(Markup("<span>{}</span>").format(one) for one in said if one)


def head(here: House, address: LiveAddress, view: LiveView, panel: Panel, *, slow_s: float) -> None:
    """A chart's name, its newest settled values of both fleets, their difference, and where the same graph can be seen."""
    migration, zone = here.migration, here.migration.zone
    title = words.panel_title(panel.name, percentile=address.percentile, threshold=numbers.threshold(slow_s))
    pieces = [Markup("<h2 title='{}'>{}</h2>").format(words.panel_explained(panel.name), title)]
    if panel.reading:
        pieces += [_reading(migration, panel, panel.reading, fleet) for fleet in FLEETS]
        if panel.quantity != "count":
            pieces.append(Markup("<span>{}</span>").format(difference(panel.quantity, panel.reading.difference)))
        if panel.name == "error_rate":
            pieces.append(_unanswered(migration, panel))
            if panel.alb_5xx is not None and panel.alb_5xx >= ALARMING_UNANSWERED:
                pieces.append(
                    Markup("<span class='bad'>{}</span>").format(words.alb_5xx(numbers.percent(panel.alb_5xx)))
                )
        until = panel.reading.until
        period_s = next((each_s for part, each_s in view.brought.periods if part.start < until <= part.end), 60)
        at = datetime.fromtimestamp(panel.reading.until - period_s, UTC)
        fresh_s = 60 * (migration.provisional_minutes + _patience(address.source)) + 2 * period_s
        old = view.window.end - panel.reading.until > fresh_s
        clock = times.clock(at, zone, now=view.window.ends_at)
        if panel.reading.until - panel.reading.at > period_s:
            # The zone stands on the axis below: a head has to share its line with a switch.
            clock = words.pooled(times.duration(panel.reading.until - panel.reading.at), clock.rpartition(" ")[0])
        pieces.append(Markup("<span class='{}'>{}</span>").format("warn" if old else "note", clock))
    link = links.chart_link(
        migration, address.source, panel.name, view.window, percentile=address.percentile, slow_s=slow_s
    )
    if link:
        place = words.open_graph(states.source_name(address.source))
        arrow = Markup("<a href='{}' target='_blank' rel='noopener' title='{}' aria-label='{}'>↗</a>").format(
            link, place, place
        )
        pieces.append(arrow)
    if panel.mixed and panel.name == "latency":
        pieces.append(Markup("<span class='note'>{}</span>").format(words.several_groups()))
    st.html(Markup("<div class='panel-head'>{}</div>").format(Markup("").join(pieces)))


def _reading(migration: Migration, panel: Panel, reading: analysis.Reading, fleet: FleetName) -> Markup:
    text = f"{migration.fleets[fleet].label} {value(panel.quantity, getattr(reading, fleet))}"
    if fleet in reading.low:
        return Markup("<span class='note' title='{}'>{} ?</span>").format(words.too_few(), text)
    return Markup("<span class='{}'>{}</span>").format(fleet, text)


def _unanswered(migration: Migration, panel: Panel) -> Markup:
    """The share of requests that nobody answered, always beside the errors: no fleet's own 5xx count holds them."""
    found = panel.parts.get("unanswered")
    shares = {fleet: getattr(found, fleet) if found else None for fleet in FLEETS}
    alarming = any(share is not None and share >= ALARMING_UNANSWERED for share in shares.values())
    said = " · ".join(f"{migration.fleets[fleet].label} {numbers.percent(share)}" for fleet, share in shares.items())
    return Markup("<span class='{}'>{}</span>").format("bad" if alarming else "note", words.unanswered(said))


def value(quantity: analysis.Quantity, number: float | None) -> str:
    """A reading with its unit."""
    say = {"rate": numbers.percent, "latency": numbers.milliseconds, "count": numbers.count}[quantity]
    return say(number)


def difference(quantity: analysis.Quantity, number: float | None) -> str:
    """A difference with its sign and unit."""
    return numbers.points(number) if quantity == "rate" else numbers.signed_milliseconds(number)


def percentiles(here: House, source: str, offered: Sequence[str]) -> list[str]:
    """The percentiles that a source can know."""
    lacks = here.metric(source).lacks()
    return [percentile for percentile in offered if f"latency.{percentile}" not in lacks]


def last_known(here: House, address: LiveAddress, view: LiveView, now: datetime) -> None:
    """Where nothing of the window is there: how far the archive goes, and the way there."""
    newest = here.archive.newest(address.source)
    if newest is None or newest >= view.window.start:
        return
    until = newest // 60 * 60 + 60
    at = datetime.fromtimestamp(newest, UTC)
    text, leads = words.last_known(times.clock(at, here.migration.zone, now=now), times.ago(at, now=now))
    window = {"from": written(until - view.window.minutes * 60), "to": written(until)}
    there = {name: value for name, value in parameters().items() if name != "window"} | window
    st.html(Markup("<p class='note'>{} <a href='?{}' target='_self'>{}</a></p>").format(text, urlencode(there), leads))


def empty(here: House, address: LiveAddress, view: LiveView, panel: Panel) -> None:
    """What stands where a chart cannot, and why."""
    label = states.source_name(address.source)
    lacks = here.metric(address.source).lacks()
    progress = here.keeper.progress(address.source)
    state = _state(here, address.source)
    if panel.name == "slow" and "latency.within" in lacks:
        text = words.lacks(label, "latency.within", with_cloudwatch="cloudwatch" in here.source_names)
    elif panel.name == "latency" and f"latency.{address.percentile}" in lacks:
        text = words.lacks(label, f"latency.{address.percentile}")
    elif panel.name == "error_rate" and not view.brought.frame.empty and view.brought.unknown:
        text = words.errors_unread(label)
    elif view.brought.missing and state and state.state in ("denied", "down", "throttled"):
        text = words.no_rows_and_trouble(label)
    elif view.brought.missing and progress:
        text = words.reading(label, *progress)
    elif view.brought.missing:
        text = words.no_rows_yet(label)
    else:
        text = words.no_traffic()
    st.html(Markup("<div class='empty'>{}</div>").format(text))


def _state(here: House, source: str) -> SourceState | None:
    return next((state for state in here.archive.states() if state.source == source), None)


def is_stale(source: str, view: LiveView, now: datetime, migration: Migration) -> bool:
    """Whether the newest number is older than even a slow source explains."""
    until = view.brought.data_until
    return until is None or now.timestamp() - until > 60 * (migration.provisional_minutes + _patience(source))


def _patience(source: str) -> int:
    return LATE_MINUTES.get(source, LATE_MINUTES["cloudwatch"])


def sources(here: House, address: LiveAddress, view: LiveView, now: datetime) -> None:
    """One line a source: its state in a word, how long it took, when it last answered well, and what to do where it does not.

    Then the archive, if it cannot be written, what the chosen source cannot know, and in which resolution it answered.
    """
    told = [state for state in here.archive.states() if state.source not in here.batch_source_names]
    rows = Markup("").join(source_row(state, now) for state in told)
    every = [source.name for source in here.sources.metrics] + [source.name for source in here.sources.events]
    every += [here.sources.traffic.name] if here.sources.traffic else []
    for name in dict.fromkeys(name for name in every if name not in {state.source for state in told}):
        rows += _row(states.source_name(name), "warn", words.asked_first(), words.never_good(), ())
    trouble = view.brought.archive_problem or here.keeper.problem
    if trouble:
        said = problems.say_archive(trouble.kind, trouble.detail)
        rows += _row(states.source_name("archive"), "bad", states.label("down"), "", [said])
    label = states.source_name(address.source)
    notes = [_resolution(here.migration, view, now)]
    lacking, with_cloudwatch = here.metric(address.source).lacks(), "cloudwatch" in here.source_names
    notes += dict.fromkeys(words.lacks(label, what, with_cloudwatch=with_cloudwatch) for what in lacking)
    rows += Markup("<tr><th></th><td></td><td>{}</td></tr>").format(" ".join(notes))
    st.html(
        Markup("<section class='below'><h2>{}</h2><table class='sources'>{}</table></section>").format(
            words.sources_title(), rows
        )
    )


def _resolution(migration: Migration, view: LiveView, now: datetime) -> str:
    """Which period serves which part of the window."""
    periods, zone = view.brought.periods, migration.zone
    if len({period_s for _, period_s in periods}) < 2:
        return " ".join(words.resolution(times.duration(period_s)) for _, period_s in periods[:1])
    return words.resolutions(
        (times.duration(period_s), times.span(part.starts_at, part.ends_at, zone, now=now))
        for part, period_s in periods
    )


def queries(here: House, address: LiveAddress, window: Window) -> None:
    """Every query behind the page with its place in the CloudWatch console; only worked out while somebody has it open."""
    if address.source != "cloudwatch":
        return
    opened = st.expander(words.queries_title(), key="queries", on_change="rerun")
    if not opened.open:
        return
    rows = Markup("").join(
        Markup("<tr><td>{}</td><td>{}</td><td><a href='{}' target='_blank' rel='noopener'>{}</a></td></tr>").format(
            series.target_group or words.load_balancer(), asked, link, words.open_in("CloudWatch")
        )
        for series, asked, link in links.queries(here.migration, address.source, window)
    )
    with opened:
        st.html(Markup("<div class='rules'><table>{}</table></div>").format(rows))


def source_row(state: SourceState, now: datetime) -> Markup:
    """One line of the sources: how it is, when it last answered well, and what to do."""
    tone = {"up": "good", "slow": "warn", "throttled": "warn"}.get(state.state, "bad")
    if state.source in SUPPLEMENTARY and tone == "bad":
        tone = "note"
    at = datetime.fromtimestamp(state.last_good_at, UTC) if state.last_good_at else None
    good = words.last_good(times.ago(at, now=now)) if at else words.never_good()
    said = [problems.say(problem) for problem in state.problems]
    label = f"{states.label(state.state)} {words.took(state.took_s)}"
    return _row(states.source_name(state.source), tone, label, good, said)


def _row(name: str, tone: str, label: str, good: str, said: Sequence[problems.Said]) -> Markup:
    troubles = Markup("").join(
        Markup("<span class='next'><b>{}</b> {} → {}</span>").format(one.title, one.text, one.next_step) for one in said
    )
    return Markup("<tr><th>{}</th><td><span class='{}'>{}</span></td><td>{}{}</td></tr>").format(
        name, tone, label, good, troubles
    )
