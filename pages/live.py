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
from sources.demo.sources import anchor_of_program, episodes
from ui import app_context, events, layout, verdicts
from ui.app_context import House
from ui.components import heartbeat, overlay_chart, top_line
from ui.controls import hold, parameters, put, switch
from ui.live import panels
from ui.live import view as live
from ui.live.deployments import deployments
from ui.parity.view import judgement_view
from ui.url import DEFAULT_PERCENTILE, DEFAULT_WINDOW, WINDOW_CHOICES, LiveAddress, dragged, read_live, written

REFRESH_S = 15
FIRST_WAIT_S = 1.5
PAST_S = 3600  # a fixed window that ended longer ago does not get older on screen


def render() -> None:
    """The whole page is one fragment: it refreshes alone, and nothing that did not change is drawn again."""
    here = app_context.house()
    if here.migration.demo:
        _demo_banner()
    st.fragment(_board)()


def _address(here: House) -> LiveAddress:
    return read_live(parameters(), zone=here.migration.zone, sources=here.source_names)


def _choose_window() -> None:
    value = st.session_state["choice"]
    put(window=None if value == DEFAULT_WINDOW else value, from_=None, to=None)


def _head(here: House, address: LiveAddress, view: live.LiveView, now: datetime) -> None:
    migration = here.migration
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(migration.name), width="content")
        st.segmented_control(
            words.window(),
            WINDOW_CHOICES,
            default=hold("choice", None if address.fixed else address.choice),
            key="choice",
            on_change=_choose_window,
            label_visibility="collapsed",
        )
        if address.fixed:
            label = times.span(address.fixed.starts_at, address.fixed.ends_at, migration.zone, now=now)
            st.button(words.leave_window(label), key="leave_window", on_click=put, kwargs={"from_": None, "to": None})
        if len(here.source_names) > 1:
            switch("source", words.source(), here.source_names, address.source, states.source_name)
        on = hold("live", address.live)
        st.toggle(words.LIVE_TITLE, on, key="live", on_change=_toggle_live, help=words.live_help(REFRESH_S))
        with st.container(width="stretch"):
            _top_line(here, address, view, now)
    for trouble in address.troubles:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.address_trouble(trouble)))


def _toggle_live() -> None:
    put(live=None if st.session_state["live"] else "off")


def _demo_banner() -> None:
    links = Markup(" · ").join(
        Markup("<a href='?from={}&to={}' target='_self'>{}</a>").format(
            written(episode.window.start), written(episode.window.end), words.episode(episode.slug)
        )
        for episode in episodes(anchor_of_program())
    )
    st.html(Markup("<div class='demo'><b>{}</b> {} {}</div>").format(words.demo_mark(), words.demo_text(), links))


def _board() -> None:
    here, now = app_context.house(), utc_now()
    address = _address(here)
    heartbeat(REFRESH_S if address.live else 0, now=now.timestamp())
    with layout.needs_archive(words.archive_trouble()):
        _watch(here, address, now)


def _watch(here: House, address: LiveAddress, now: datetime) -> None:
    moment = live.moment(here, address.source, now)
    window, settled = address.window(moment), _settled(here.migration, moment)
    slow_choices = live.slow_choices(here.migration)
    slow = parameters().get("slow", live.default_slow(here.migration))
    slow_s = slow_choices.get(slow, slow_choices[live.default_slow(here.migration)])
    theme: Theme = "dark" if layout.is_dark() else "light"
    view = live.live_view(here, address, window, slow_s=slow_s, theme=theme)
    if view.brought.missing:
        here.want(window, address.source)
        if all(panel.drawing is None for panel in view.panels.values()):
            # Most sources answer before a reader would wonder; a page that has something to show waits for none.
            read = partial(here.archive.read, window, address.source)
            here.keeper.wait_until(lambda: not read().missing, timeout_s=FIRST_WAIT_S)
            view = live.live_view(here, address, window, slow_s=slow_s, theme=theme)

    _head(here, address, view, now)
    traffic = live.traffic_view(here, address.source, until=settled)
    panels.traffic(here, traffic, now, past=_is_past(address, now))
    deployments(here, address.source, traffic.traffic, now, until=settled)
    judged = judgement_view(here, address.source, now=moment)
    st.html(verdicts.strip(here.migration, judged.judgement, judged.phase))
    happened = here.archive.events(window)
    with st.container():  # there in any case, so that what comes after it keeps its place, and is not built anew
        events.choice(happened)
    with st.container():
        if not address.fixed and all(panel.drawing is None for panel in view.panels.values()):
            panels.last_known(here, address, view, now)
    rows: tuple[tuple[live.PanelName, ...], ...] = (("error_rate", "latency"), ("slow", "requests"))
    for row in rows:
        for column, name in zip(st.columns(2), row, strict=True):
            with column:
                _panel(here, address, view, name, window, slow_s=slow_s)
    with st.container():
        events.listing(here.migration, happened, address.kinds, now=now)
    panels.sources(here, address, view, now)
    panels.rules(traffic)
    panels.queries(here, address, window)


def _is_past(address: LiveAddress, now: datetime) -> bool:
    return address.fixed is not None and now.timestamp() - address.fixed.end > PAST_S


def _settled(migration: Migration, now: datetime) -> int:
    return int(now.timestamp()) // 60 * 60 - migration.provisional_minutes * 60


def _top_line(here: House, address: LiveAddress, view: live.LiveView, now: datetime) -> None:
    zone = here.migration.zone
    until = view.brought.data_until
    said = words.top_line(paused=not address.live)
    top_line(
        {
            **said,
            "now": now.timestamp(),
            "data_until": until,
            "past": _is_past(address, now),
            "until": words.data_until(times.clock(datetime.fromtimestamp(until, UTC), zone, now=now)) if until else "",
            "refresh": REFRESH_S if address.live else 0,
            "stale": panels.is_stale(address.source, view, now, here.migration) and not address.fixed,
        }
    )


def _panel(
    here: House, address: LiveAddress, view: live.LiveView, name: live.PanelName, window: Window, *, slow_s: float
) -> None:
    panel = view.panels[name]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        panels.head(here, address, view, panel, slow_s=slow_s)
        if name == "latency":
            offered = panels.percentiles(here, address.source, PERCENTILES)
            switch("percentile", words.percentile(), offered, address.percentile, default=DEFAULT_PERCENTILE)
        choices = live.slow_choices(here.migration)
        if name == "slow" and len(choices) > 1 and "latency.within" not in here.metric(address.source).lacks():
            chosen = next(text for text, seconds in choices.items() if seconds == slow_s)
            switch("slow", words.threshold(), list(choices), chosen, default=live.default_slow(here.migration))
    if panel.drawing is None:
        panels.empty(here, address, view, panel)
        return
    overlay_chart(panel.drawing, key=f"chart_{name}", on_range=partial(_dragged, here.migration, window))


def _dragged(migration: Migration, window: Window, ends: list[str]) -> None:
    """A drag on any chart makes its stretch the window of all; a double click goes back to the last hours."""
    if not ends:
        put(from_=None, to=None)
        return
    offset = window.ends_at.astimezone(migration.zone).utcoffset()
    found = dragged(ends, utc_offset_s=int(offset.total_seconds()) if offset else 0)
    if found is not None:
        put(from_=written(found.start), to=written(found.end))
