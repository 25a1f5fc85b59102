"""Live: is it safe to go on, right now? The weights, both fleets on shared charts, and whether the numbers can be trusted."""

from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from charts.base.palette import Theme
from domain import Migration, Window, utc_now
from domain.series import PERCENTILES
from messages import live as words
from messages import states, times
from sources.demo.sources import episodes, program_anchor
from ui import app_context, events, layout, verdicts
from ui.app_context import AppContext
from ui.components import heartbeat, overlay_chart, top_line
from ui.controls import query_params, segmented_control, set_query, sync_widget
from ui.live import panels
from ui.live import view as live
from ui.live.deployments import deployments_section
from ui.parity.view import judgement_view
from ui.url import (
    DEFAULT_PERCENTILE,
    DEFAULT_WINDOW,
    WINDOW_CHOICES,
    LiveParams,
    format_time,
    parse_live_params,
    range_from_drag,
)

REFRESH_S = 15
INITIAL_WAIT_S = 1.5
PAST_S = 3600  # a fixed window that ended longer ago does not get older on screen


def render() -> None:
    """The whole page is one fragment: it refreshes alone, and nothing that did not change is drawn again."""
    here = app_context.get_app_context()
    if here.migration.demo:
        _demo_banner()
    st.fragment(_content)()


def _params(app: AppContext) -> LiveParams:
    return parse_live_params(query_params(), zone=app.migration.zone, sources=app.source_names)


def _on_window_change() -> None:
    value = st.session_state["choice"]
    set_query(window=None if value == DEFAULT_WINDOW else value, from_=None, to=None)


def _head(app: AppContext, params: LiveParams, view: live.LiveView, now: datetime) -> None:
    migration = app.migration
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(migration.name), width="content")
        st.segmented_control(
            words.WINDOW(),
            WINDOW_CHOICES,
            default=sync_widget("choice", None if params.fixed_window else params.window_choice),
            key="choice",
            on_change=_on_window_change,
            label_visibility="collapsed",
        )
        if params.fixed_window:
            label = times.span(params.fixed_window.starts_at, params.fixed_window.ends_at, migration.zone, now=now)
            st.button(
                words.leave_window(label), key="leave_window", on_click=set_query, kwargs={"from_": None, "to": None}
            )
        if len(app.source_names) > 1:
            segmented_control("source", words.SOURCE(), app.source_names, params.source, states.source_name)
        on = sync_widget("live", params.auto_refresh)
        st.toggle(words.LIVE_TITLE, on, key="live", on_change=_on_auto_refresh_change, help=words.live_help(REFRESH_S))
        with st.container(width="stretch"):
            _top_line(app, params, view, now)
    for trouble in params.invalid_params:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.invalid_param(trouble)))


def _on_auto_refresh_change() -> None:
    set_query(live=None if st.session_state["live"] else "off")


def _demo_banner() -> None:
    links = Markup(" · ").join(
        Markup("<a href='?from={}&to={}' target='_self'>{}</a>").format(
            format_time(episode.window.start), format_time(episode.window.end), words.episode(episode.slug)
        )
        for episode in episodes(program_anchor())
    )
    st.html(Markup("<div class='demo'><b>{}</b> {} {}</div>").format(words.DEMO_MARK(), words.DEMO_TEXT(), links))


def _content() -> None:
    here, now = app_context.get_app_context(), utc_now()
    address = _params(here)
    heartbeat(REFRESH_S if address.auto_refresh else 0, now=now.timestamp())
    with layout.show_archive_errors(words.ARCHIVE_ERROR()):
        _dashboard(here, address, now)


def _dashboard(app: AppContext, params: LiveParams, now: datetime) -> None:
    moment = live.as_of(app, params.source, now)
    window, settled = params.window(moment), _provisional_from(app.migration, moment)
    slow_choices = live.slow_choices(app.migration)
    slow = query_params().get("slow", live.default_slow(app.migration))
    slow_s = slow_choices.get(slow, slow_choices[live.default_slow(app.migration)])
    theme: Theme = "dark" if layout.is_dark() else "light"
    view = live.live_view(app, params, window, slow_s=slow_s, theme=theme)
    if view.result.missing:
        app.request_window(window, params.source)
        if all(panel.chart is None for panel in view.panels.values()):
            # Most sources answer before a reader would wonder; a page that has something to show waits for none.
            read = partial(app.archive.metrics.read, window, params.source)
            app.collector.wait_until(lambda: not read().missing, timeout_s=INITIAL_WAIT_S)
            view = live.live_view(app, params, window, slow_s=slow_s, theme=theme)

    _head(app, params, view, now)
    traffic = live.traffic_view(app, params.source, until=settled)
    panels.traffic_section(app, traffic, now, past=_is_past(params, now))
    deployments_section(app, params.source, traffic.traffic, now, until=settled)
    judged = judgement_view(app, params.source, now=moment)
    st.html(verdicts.verdict_strip(app.migration, judged.judgement, judged.phase))
    happened = app.archive.events.read(window)
    with st.container():  # there in any case, so that what comes after it keeps its place, and is not built anew
        events.kind_filter(happened)
    with st.container():
        if not params.fixed_window and all(panel.chart is None for panel in view.panels.values()):
            panels.last_known_link(app, params, view, now)
    rows: tuple[tuple[live.PanelName, ...], ...] = (("error_rate", "latency"), ("slow", "requests"))
    for row in rows:
        for column, name in zip(st.columns(2), row, strict=True):
            with column:
                _panel(app, params, view, name, window, slow_s=slow_s)
    with st.container():
        events.events_table(app.migration, happened, params.event_kinds, now=now)
    panels.sources_section(app, params, view, now)
    panels.rules_section(traffic)
    panels.queries_section(app, params, window)


def _is_past(params: LiveParams, now: datetime) -> bool:
    return params.fixed_window is not None and now.timestamp() - params.fixed_window.end > PAST_S


def _provisional_from(migration: Migration, now: datetime) -> int:
    return int(now.timestamp()) // 60 * 60 - migration.provisional_minutes * 60


def _top_line(app: AppContext, params: LiveParams, view: live.LiveView, now: datetime) -> None:
    zone = app.migration.zone
    until = view.result.data_until
    said = words.top_line(paused=not params.auto_refresh)
    top_line(
        {
            **said,
            "now": now.timestamp(),
            "data_until": until,
            "past": _is_past(params, now),
            "until": words.data_until(times.clock(datetime.fromtimestamp(until, UTC), zone, now=now)) if until else "",
            "refresh": REFRESH_S if params.auto_refresh else 0,
            "stale": panels.is_stale(params.source, view, now, app.migration) and not params.fixed_window,
        }
    )


def _panel(
    app: AppContext, params: LiveParams, view: live.LiveView, name: live.PanelName, window: Window, *, slow_s: float
) -> None:
    panel = view.panels[name]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        panels.panel_head(app, params, view, panel, slow_s=slow_s)
        if name == "latency":
            offered = panels.supported_percentiles(app, params.source, PERCENTILES)
            segmented_control("percentile", words.PERCENTILE(), offered, params.percentile, default=DEFAULT_PERCENTILE)
        choices = live.slow_choices(app.migration)
        if (
            name == "slow"
            and len(choices) > 1
            and "latency.within" not in app.metric_source(params.source).unsupported_metrics()
        ):
            chosen = next(text for text, seconds in choices.items() if seconds == slow_s)
            segmented_control(
                "slow", words.THRESHOLD(), list(choices), chosen, default=live.default_slow(app.migration)
            )
    if panel.chart is None:
        panels.empty_panel(app, params, view, panel)
        return
    overlay_chart(panel.chart, key=f"chart_{name}", on_range=partial(_on_range, app.migration, window))


def _on_range(migration: Migration, window: Window, ends: list[str]) -> None:
    """A drag on any chart makes its stretch the window of all; a double click goes back to the last hours."""
    if not ends:
        set_query(from_=None, to=None)
        return
    offset = window.ends_at.astimezone(migration.zone).utcoffset()
    found = range_from_drag(ends, utc_offset_s=int(offset.total_seconds()) if offset else 0)
    if found is not None:
        set_query(from_=format_time(found.start), to=format_time(found.end))
