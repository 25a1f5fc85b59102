"""Endpoints: is every route equal, or do totals hide one that is broken? The worst first, from the access logs."""

from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from charts.route_scatter import routes_figure
from domain import Migration, Window, utc_now
from domain.route_templates import OTHER
from messages import endpoints as words
from messages import live as live_words
from messages import numbers, times
from services.endpoints import LogsJudged
from ui import app_context, layout
from ui.app_context import House
from ui.chart_payload import drawing
from ui.components import heartbeat, overlay_chart
from ui.controls import hold, parameters, put, select, switch
from ui.endpoints import ingest_progress, route, url, view
from ui.parity.view import current_phase

REFRESH_S = 60
COUNTING_REFRESH_S = 3


def render() -> None:
    """The page: one fragment, refreshed more often while logs are being counted."""
    here = app_context.house()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.demo_mark()))
    with suppress(ArchiveError):  # the page that follows says what is wrong with the archive
        window = _window(here, url.read(parameters(), zone=here.migration.zone), utc_now())
        ingest_progress.counting_of(here, window)
        ingest_progress.wait(here, window)
    st.fragment(partial(_board, here))()


def _window(here: House, address: url.Address, now: datetime) -> Window:
    phase = current_phase(here, now=now).window if address.choice == "phase" else Window.last(60, now=now)
    return address.window(phase, now=now)


def _board(here: House) -> None:
    now = utc_now()
    address, every_s = url.read(parameters(), zone=here.migration.zone), REFRESH_S
    with suppress(ArchiveError):
        if ingest_progress.under_way(here, _window(here, address, now)):
            every_s = COUNTING_REFRESH_S
    heartbeat(every_s, now=now.timestamp())
    with layout.needs_archive(words.ENDPOINTS_TITLE):
        window = _window(here, address, now)
        ingest_progress.counting_of(here, window)
        _tell(here, address, window, now)


def _tell(here: House, address: url.Address, window: Window, now: datetime) -> None:
    version = view.version_of(here, window, counting=ingest_progress.under_way(here, window), now=now)
    with st.spinner(words.judging(), show_time=False):
        told = view.logs_view(here, window, address.chosen, version)
    _head(here, address, told, window, now)
    ingest_progress.progress(here, window)
    if told is None:
        ingest_progress.nothing(here, window)
    elif not told.endpoints.routes:
        st.html(Markup("<div class='empty'>{}</div>").format(words.nothing_chosen()))
    elif address.route is not None and (
        one := next((each for each in told.endpoints.routes if each.route == address.route), None)
    ):
        found = view.route_view(here, window, one.route, address.chosen, version)
        route.detail(here, told, one, found, span=_span(here.migration, address, window, now), now=now)
    else:
        _overview(here, told, address, window, now)


def _span(migration: Migration, address: url.Address, window: Window, now: datetime) -> str:
    span = times.span(window.starts_at, window.ends_at, migration.zone, now=now)
    return words.span_of("" if address.fixed or address.choice == "phase" else address.choice, span)


def _head(here: House, address: url.Address, told: LogsJudged | None, window: Window, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(here.migration.name), width="content")
        st.segmented_control(
            words.window_label(),
            url.CHOICES,
            default=hold("window_choice", None if address.fixed else address.choice),
            key="window_choice",
            on_change=_choose_window,
            format_func=words.window,
            label_visibility="collapsed",
        )
        if address.fixed:
            label = times.span(window.starts_at, window.ends_at, here.migration.zone, now=now)
            st.button(live_words.leave_window(label), key="leave_window", on_click=put, kwargs={"from_": None, "to": None})  # fmt: skip
        chosen = address.chosen
        methods, hosts = (told.methods, told.hosts) if told else ((), ())
        for name, label, options, value, say, width in (
            ("method", words.method_label(), methods, chosen.method, words.method, 150),
            ("host", words.host_label(), hosts, chosen.host, words.host, 220),
            ("status", words.status_label(), url.STATUSES, f"{chosen.status}xx" if chosen.status else "", words.status, 190),
        ):  # fmt: skip
            # What was chosen stays a choice, though this window may not have it.
            every = tuple(dict.fromkeys(("", *options, value)))
            select(name, label, every, value, say, width=width)
        if address.route is not None:
            st.button(words.all_routes(), key="all_routes", on_click=put, kwargs={"route": None})
    if address.trouble:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.address_trouble()))
    if chosen.status:
        rate = chosen.status >= 4
        st.html(Markup("<p class='note'>{}</p>").format(words.of_status(chosen.status, rate=rate)))


def _choose_window() -> None:
    value = st.session_state["window_choice"]
    put(window=None if value == url.DEFAULT else value, from_=None, to=None)


def _overview(here: House, told: LogsJudged, address: url.Address, window: Window, now: datetime) -> None:
    migration, said = here.migration, parameters()
    if address.route is not None:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.no_such_route(address.route)))
    st.html(view.sentence(migration, told, _span(migration, address, window, now)))
    if hidden := view.banner(migration, told, said):
        st.html(hidden)
    _map(here, told, address)
    st.html(view.table(migration, told, address, said))
    many = len(told.endpoints.routes)
    if many > view.SHOWN:
        label = words.show_worst(view.SHOWN) if address.every else words.show_all(many)
        st.button(label, key="every_route", on_click=put, kwargs={"all": None if address.every else "1"})
    st.html(view.reading(told))


def _map(here: House, told: LogsJudged, address: url.Address) -> None:
    fleets, status = here.migration.fleets, address.chosen.status
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(words.map_explained(), words.map_title()))  # fmt: skip
        switch("map", words.map_choice_label(), list(url.MAPS), address.map, partial(words.map_choice, status=status))
    dots = [dot for dot in view.dots(told, address.map) if dot.route != OTHER]
    if not dots:
        st.html(Markup("<div class='empty'>{}</div>").format(words.nothing_on_map()))
        return
    margin = here.migration.margin_of("error_rate" if address.map == "errors" else "latency_p95")
    unit = "pp" if address.map == "errors" else "%"
    figure = routes_figure(
        dots,
        "dark" if layout.is_dark() else "light",
        axis=words.map_axis(address.map, fleets.baseline.label, fleets.canary.label, status=status),
        traffic=words.map_traffic(),
        suffix=unit,
        margin=margin.value if margin and margin.unit == unit else None,
    )
    worst = max(dots, key=lambda dot: abs(dot.difference))
    far = (numbers.points if address.map == "errors" else numbers.relative)(worst.difference / 100)
    alternative = f"{words.map_title()}. {words.map_alternative(len(dots), worst.route, far)}"
    overlay_chart(drawing(figure, alternative), key="routes_map", on_range=lambda _ends: None)
