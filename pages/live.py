"""Live: is it safe to go on, right now? The weights, both fleets in shared charts, and the state of the sources."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from domain import utc_now
from messages import live as text
from messages.i18n import current_language
from services.freshness import is_stale, provisional_from
from services.live import PanelName, as_of
from sources.demo.scenario import episodes
from sources.demo.sources import program_anchor
from ui import events, layout
from ui.app_context import AppContext, get_app_context
from ui.components import heartbeat, overlay_chart, top_line
from ui.controls import (
    leave_range_button,
    query_params,
    segmented_control,
    set_query,
    set_range,
    source_control,
    sync_widget,
    window_control,
)
from ui.decision import decision_hero, incidents_table
from ui.endpoints.view import request_last_day
from ui.language import fragment
from ui.live import panels
from ui.live.alarms import alarm_band, alarm_status
from ui.live.deployments import deployments_section
from ui.live.sources import queries_section, sources_section
from ui.live.traffic import rules_section, traffic_section
from ui.live.view import LiveChartOptions, LiveView, default_slow, live_view, slow_choices, traffic_view
from ui.parity.view import judgement_view, phase_evaluation
from ui.url import DEFAULT_PERCENTILE, DEFAULT_WINDOW, WINDOW_CHOICES, LiveParams, format_time, parse_live_params

REFRESH_S = 15
INITIAL_WAIT_S = 1.5
PAST_S = 3600  # the age of a range that ended longer ago is not shown
PANEL_ROWS: tuple[tuple[PanelName, ...], ...] = (("error_rate", "latency"), ("slow", "requests"))


def render() -> None:
    """The whole page is one fragment, which refreshes without a run of the script."""
    app = get_app_context()
    layout.demo_banner(app.migration, _demo_text() if app.migration.demo else "")
    fragment(_content)


def _demo_text() -> Markup:
    links = Markup(" · ").join(
        Markup("<a href='?from={}&to={}' target='_self'>{}</a>").format(
            format_time(episode.window.start), format_time(episode.window.end), text.episode(episode.slug)
        )
        for episode in episodes(program_anchor())
    )
    return Markup(" {} {}").format(text.DEMO_TEXT, links)


def _content() -> None:
    app, now = get_app_context(), utc_now()
    params = parse_live_params(query_params(), zone=app.migration.zone, sources=app.source_names)
    heartbeat(REFRESH_S if params.auto_refresh else 0, now=now.timestamp())
    with layout.archive_state(app.migration, app.archive, str(text.ARCHIVE_ERROR)):
        _dashboard(app, params, now)


def _dashboard(app: AppContext, params: LiveParams, now: datetime) -> None:
    data_time = as_of(app.archive, params.source, now)
    until = provisional_from(app.migration, data_time.timestamp())
    slow_s = _slow_s(app)
    view = _read_view(app, params, data_time, slow_s)
    window = view.data.window

    _head(app, params, view, now)
    judged = judgement_view(app, params.source, now=data_time)
    evaluation = phase_evaluation(app, judged, now=now)
    st.html(decision_hero(evaluation, rollback="#rollback", past=_is_past(params, now)))
    alarms = alarm_status(app, params.source, data_time)
    # Containers that may stay empty: what follows keeps its position, and is not recreated.
    with st.container():
        alarm_band(app, alarms, now)
    traffic = traffic_view(app, params.source, until=until)
    traffic_section(app, traffic, now, past=_is_past(params, now))
    deployments_section(
        app,
        params.source,
        traffic.traffic,
        now,
        until=until,
        with_rollback=bool(alarms.alarms) or evaluation.decision.decision == "roll_back",
    )
    with st.container():
        if table := incidents_table(evaluation, now=now):
            st.html(table)
    window_events = app.archive.events.read(window)
    with st.container():
        events.kind_filter(window_events)
    with st.container():
        panels.missing_requests_note(app, view)
        if not params.fixed_window and view.empty:
            panels.last_known_link(app, params, view, now)
    for row in PANEL_ROWS:
        for column, name in zip(st.columns(2), row, strict=True):
            with column:
                _panel(app, params, view, name, slow_s=slow_s)
    with st.container():
        events.events_table(app.migration, window_events, params.event_kinds, now=now)
    sources_section(app, params.source, view.data.result, now)
    rules_section(traffic)
    queries_section(app, params.source, window)
    request_last_day(app, judged.phase.window, now=now)


def _slow_s(app: AppContext) -> float:
    """The threshold of "slow" in the URL, or the default."""
    choices, default = slow_choices(app.migration), default_slow(app.migration)
    return choices.get(query_params().get("slow", default), choices[default])


def _read_view(app: AppContext, params: LiveParams, data_time: datetime, slow_s: float) -> LiveView:
    """The view from the archive. Requests what is missing; waits for it only if there is nothing to show yet."""
    window = params.window(data_time)
    read = partial(
        live_view, app, params, window, LiveChartOptions(params.percentile, slow_s, layout.theme(), current_language())
    )
    view = read()
    if not view.data.result.missing:
        return view
    app.request_window(window, params.source)
    if not view.empty:
        return view
    app.collector.wait_until(
        lambda: not app.archive.metrics.read(window, params.source).missing, timeout_s=INITIAL_WAIT_S
    )
    return read()


def _head(app: AppContext, params: LiveParams, view: LiveView, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.page_title(app.migration.name)
        choice = None if params.fixed_window else params.window_choice
        window_control(str(text.WINDOW), WINDOW_CHOICES, choice, default=DEFAULT_WINDOW)
        if params.fixed_window:
            leave_range_button(app.migration, params.fixed_window, now)
        source_control(app.source_names, params.source)
        on = sync_widget("live", params.auto_refresh)
        st.toggle(
            str(text.LIVE_TITLE), on, key="live", on_change=_on_auto_refresh_change, help=text.live_help(REFRESH_S)
        )
        with st.container(width="stretch"):
            _top_line(app, params, view, now)
    for name in params.invalid_params:
        layout.warning(str(text.INVALID_PARAMS[name]))


def _on_auto_refresh_change() -> None:
    set_query(live=None if st.session_state["live"] else "off")


def _is_past(params: LiveParams, now: datetime) -> bool:
    return params.fixed_window is not None and now.timestamp() - params.fixed_window.end > PAST_S


def _top_line(app: AppContext, params: LiveParams, view: LiveView, now: datetime) -> None:
    until = view.data.result.data_until
    top_line(
        {
            **text.top_line(paused=not params.auto_refresh),
            "now": now.timestamp(),
            "data_until": until,
            "past": _is_past(params, now),
            "until": text.data_until(layout.format_clock(until, app.migration, now)) if until else "",
            "refresh": REFRESH_S if params.auto_refresh else 0,
            "stale": is_stale(app.migration, params.source, until, now) and not params.fixed_window,
        }
    )


def _panel(app: AppContext, params: LiveParams, view: LiveView, name: PanelName, *, slow_s: float) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        panels.panel_head(app, params, view, name, slow_s=slow_s)
        if name == "latency":
            offered = panels.supported_percentiles(app, params.source)
            segmented_control(
                "percentile", str(text.PERCENTILE), offered, params.percentile, default=DEFAULT_PERCENTILE
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
        overlay_chart(chart, key=f"chart_{name}", on_range=partial(set_range, app.migration, view.data.window))
