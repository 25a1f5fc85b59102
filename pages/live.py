"""Live: is it safe to go on, right now? The weights, both fleets in shared charts, and the state of the sources."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from domain import Criterion, Window, utc_now
from domain.window import MINUTE_S
from messages import frame
from messages import live as text
from messages.board import DEMO_RELEASES
from messages.i18n import current_language
from messages.setup import PAGE_TITLE as SETUP_TITLE
from services.freshness import provisional_from
from services.live import PanelName, TrafficStatus, as_of, missing_parts, with_lead_in
from sources.demo.scenario import episodes
from sources.demo.sources import demo_releases, program_anchor
from ui import events, layout
from ui.app_context import AppContext, get_app_context, is_first_start
from ui.chart_note import chart_note_form, choose_note_time
from ui.components import heartbeat, overlay_chart, page_tools
from ui.controls import (
    query_params,
    segmented_control,
    set_range,
    source_control,
)
from ui.decision import incidents_table
from ui.drain import last_phase_section
from ui.endpoints.view import request_last_days
from ui.hero import hero_section, show_in_tab
from ui.language import fragment
from ui.live import panels
from ui.live.deployments import deployments_section
from ui.live.next_step import next_step_section
from ui.live.past import past_section
from ui.live.probe import probe_section
from ui.live.sources import queries_section, sources_section
from ui.live.time_controls import compare_control, refresh_control, time_controls
from ui.live.traffic import rules_section, traffic_warnings
from ui.live.view import LiveChartOptions, LiveView, default_slow, known_events, live_view, slow_choices, traffic_view
from ui.live.waits import waits_section
from ui.parity.view import is_loading, judgement_view, live_trace, phase_evaluation
from ui.rollback import read_deployments
from ui.silent_criteria import silent_criteria_section
from ui.sources import outage_strip
from ui.style import is_kiosk, theme
from ui.url import DEFAULT_PERCENTILE, FAN, LiveParams, format_time, parse_live_params

INITIAL_WAIT_S = 1.5
PANEL_ROWS: tuple[tuple[PanelName, ...], ...] = (("error_rate", "latency"), ("slow", "requests"))


def render() -> None:
    """The whole page is one fragment, which refreshes without a run of the script."""
    app = get_app_context()
    layout.demo_banner(app.migration, _demo_text() if app.migration.demo and not app.parent else "")
    fragment(_content)


def _demo_text() -> Markup:
    links = Markup(" · ").join(
        Markup("<a href='?from={}&to={}' target='_self'>{}</a>").format(
            format_time(episode.window.start), format_time(episode.window.end), text.episode(episode.slug)
        )
        for episode in episodes(program_anchor())
    )
    releases = Markup("<a href='?migration={}' target='_self'>{}</a>").format(demo_releases().slug, DEMO_RELEASES)
    setup = Markup(" · <a href='setup' target='_self'>{}</a>").format(SETUP_TITLE) if is_first_start() else ""
    return Markup(" {} {} · {}{}").format(text.DEMO_TEXT, links, releases, setup)


def _content() -> None:
    app, now = get_app_context(), utc_now()
    params = parse_live_params(query_params(), zone=app.migration.zone, sources=app.source_names)
    if app.migration.release:
        params = params.of_release(app.migration.release, now)
    refresh_s = _refresh_s(app, params, now)
    heartbeat(refresh_s, now=now.timestamp())
    with layout.archive_state(app.migration, app.archive, str(text.ARCHIVE_ERROR)):
        _dashboard(app, params, now, refresh_s)


def _dashboard(app: AppContext, params: LiveParams, now: datetime, refresh_s: int) -> None:
    data_time = as_of(app.archive, params.source, now)
    until = provisional_from(app.migration, data_time.timestamp())
    slow_s = _slow_s(app)
    view = _read_view(app, params, data_time, slow_s)
    window = view.data.window

    judged = judgement_view(app, params.source, now=data_time)
    evaluation = phase_evaluation(app, judged, now=now)
    loading = is_loading(app, judged)
    layout.page_title(app.migration, str(text.LIVE_TITLE))
    outage_strip(app, None if params.fixed_window else evaluation.data_until, now=now)
    with st.container():
        if params.fixed_window:
            past_section(app, view, params.source, evaluation, now=now)
        else:
            show_in_tab(app.migration, evaluation, is_loading=loading)
            hero_section(app, params.source, evaluation, now=now, refresh_s=refresh_s, is_loading=loading)
    _controls(app, params, window, now)
    traffic = traffic_view(app, params.source, until=until)
    # Containers that may stay empty: what follows keeps its position, and is not recreated.
    with st.container():
        traffic_warnings(app, traffic)
    waits_section(app, params.fixed_window, now=now)
    window_events = known_events(app.archive, window)
    with st.container():
        events.kind_filter(window_events)
    with st.container():
        panels.missing_requests_note(app, view)
        panels.no_last_week_note(app, view)
        if not params.fixed_window and view.empty:
            panels.last_known_link(app, params, view, now)
    with st.container():
        if view.lane:
            overlay_chart(view.lane, key="event_lane", on_range=partial(set_range, app.migration, window))
    with st.container():
        chart_note_form(app)
    for row in PANEL_ROWS:
        for column, name in zip(st.columns(2), row, strict=True):
            with column:
                _panel(app, params, view, name, slow_s=slow_s)
    _own_panels(app, params, view, data_time)
    with st.container():
        events.events_table(app.migration, window_events, params.event_kinds, now=now)
    with st.container():
        if table := incidents_table(evaluation, now=now):
            st.html(table)
    deployments = read_deployments(app, params.source, traffic.traffic, until=until, now=now)
    deployments_section(app, deployments, traffic.traffic, now)
    next_step_section(app, evaluation, traffic.traffic, deployments.state, cache_key=judged.cache_key, now=data_time)
    last_phase_section(app, None if params.fixed_window else traffic.traffic, params.source, now=now)
    sources_section(app, params.source, view.data.result, now)
    _load_balancer_sections(app, traffic, now)
    queries_section(app, params.source, window)
    request_last_days(app, judged.phase.window, params.fixed_window, now=now)


def _load_balancer_sections(app: AppContext, traffic: TrafficStatus, now: datetime) -> None:
    """What its rules answer, and the rules."""
    probe_section(app, now=now)
    rules_section(app, traffic)


def _slow_s(app: AppContext) -> float:
    """The threshold of "slow" in the URL, or the default."""
    choices, default = slow_choices(app.migration), default_slow(app.migration)
    return choices.get(query_params().get("slow", default), choices[default])


def _read_view(app: AppContext, params: LiveParams, data_time: datetime, slow_s: float) -> LiveView:
    """The view from the archive. Requests what is missing; waits for it only if there is nothing to show yet."""
    window = params.window(data_time)
    trace = live_trace(app, params.source, params.fixed_window, now=data_time)
    percentiles = panels.drawn_percentiles(app, params)
    options = LiveChartOptions(percentiles, slow_s, theme(), current_language(), params.with_last_week)
    read = partial(live_view, app, params, window, options, trace=trace.rows, trace_key=trace.key)
    view = read()
    if view.last_week:
        if view.last_week.is_missing:
            app.collector.request_window(with_lead_in(view.last_week.window), params.source)
        for source in view.last_week.own_missing:
            app.collector.request_window(view.last_week.window, source)
    for source in view.data.own_missing:
        app.collector.request_window(window, source)
    if not view.data.result.missing:
        return view
    app.request_window(window, params.source)
    if not view.empty:
        return view
    app.collector.wait_until(
        lambda: not app.archive.metrics.read(window, params.source).missing, timeout_s=INITIAL_WAIT_S
    )
    return read()


def _controls(app: AppContext, params: LiveParams, window: Window, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        time_controls(app.migration, params, window, now)
        if not app.migration.release:
            compare_control(params)
        if params.fixed_window is None:  # a range of the past is not refreshed
            refresh_control(params)
        source_control(app.source_names, params.source)
        page_tools(frame.page_tools(), is_kiosk=is_kiosk())
    for name in params.invalid_params:
        layout.warning(str(text.INVALID_PARAMS[name]))


def _refresh_s(app: AppContext, params: LiveParams, now: datetime) -> int:
    """0: never. A fixed range does not change once its requests and criteria of one's own are known, but for what is still revised."""
    if not params.refresh_s or params.fixed_window is None:
        return params.refresh_s
    windows = [params.fixed_window]
    if params.with_last_week:
        windows.append(params.fixed_window.week_before(app.migration.zone))
    try:
        missing = [
            gap for window in windows for gap in missing_parts(app.archive, app.migration, params.source, window)
        ]
    except ArchiveError:
        return params.refresh_s
    final_until = provisional_from(app.migration, now.timestamp()) - app.migration.settle_minutes * MINUTE_S
    return params.refresh_s if any(gap.start < final_until for gap in missing) else 0


def _panel(app: AppContext, params: LiveParams, view: LiveView, name: PanelName, *, slow_s: float) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        panels.panel_head(app, params, view, name, slow_s=slow_s)
        if name == "latency":
            offered = [*panels.supported_percentiles(app, params.source), FAN]
            segmented_control(
                "percentile",
                str(text.PERCENTILE),
                offered,
                params.percentile_choice,
                text.percentile,
                default=DEFAULT_PERCENTILE,
            )
        choices = slow_choices(app.migration)
        unsupported = app.metric_source(params.source).unsupported_metrics()
        if name == "slow" and len(choices) > 1 and "latency.within" not in unsupported:
            choice = next(name for name, seconds in choices.items() if seconds == slow_s)
            segmented_control("slow", str(text.THRESHOLD), list(choices), choice, default=default_slow(app.migration))
    chart = view.charts[name]
    if chart is None:
        panels.empty_panel(app, params, view, name)
    else:
        _chart(app, view, chart, key=f"chart_{name}")


def _own_panels(app: AppContext, params: LiveParams, view: LiveView, now: datetime) -> None:
    if not params.fixed_window:
        silent_criteria_section(app, params.source, now=now)
    own = app.migration.own_criteria
    for pair in (own[first : first + 2] for first in range(0, len(own), 2)):
        for column, criterion in zip(st.columns(2), pair, strict=False):
            with column:
                _own_panel(app, view, criterion)


def _own_panel(app: AppContext, view: LiveView, criterion: Criterion) -> None:
    panels.own_panel_head(app, view, criterion)
    chart = view.own_charts[criterion.name]
    if chart is None:
        layout.empty_state(str(text.OWN_EMPTY))
    else:
        _chart(app, view, chart, key=f"chart_own_{app.migration.own_criteria.index(criterion)}")


def _chart(app: AppContext, view: LiveView, chart: bytes, *, key: str) -> None:
    migration, window = app.migration, view.data.window
    overlay_chart(
        chart,
        key=key,
        on_range=partial(set_range, migration, window),
        on_note=partial(choose_note_time, migration, window),
    )
