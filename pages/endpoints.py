"""Endpoints: is every route equal, or do totals hide one that is broken? The worst first, from the access logs."""

from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from archive.log_judging import LogsJudged
from charts.routes import routes_figure
from migration import Migration, Window, utc_now
from migration.routes import OTHER
from ui import endpoints, house, log_counting, page, route
from ui import endpoints_address as url
from ui.components import heartbeat, overlay_chart
from ui.controls import hold, parameters, put, select, switch
from ui.drawing import drawing
from ui.house import House
from ui.parity import current_phase
from words import endpoints as words
from words import live as live_words
from words import numbers, times

REFRESH_S = 60
COUNTING_REFRESH_S = 3


def render() -> None:
    """The page: one fragment, refreshed more often while logs are being counted."""
    here = house.house()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.demo_mark()))
    with suppress(ArchiveError):  # the page that follows says what is wrong with the archive
        window = _window(here, url.read(parameters(), zone=here.migration.zone), utc_now())
        log_counting.counting_of(here, window)
        log_counting.wait(here, window)
    st.fragment(partial(_board, here))()


def _window(here: House, address: url.Address, now: datetime) -> Window:
    phase = current_phase(here, now=now).window if address.choice == "phase" else Window.last(60, now=now)
    return address.window(phase, now=now)


def _board(here: House) -> None:
    now = utc_now()
    address, every_s = url.read(parameters(), zone=here.migration.zone), REFRESH_S
    with suppress(ArchiveError):
        if log_counting.under_way(here, _window(here, address, now)):
            every_s = COUNTING_REFRESH_S
    heartbeat(every_s, now=now.timestamp())
    with page.needs_archive(words.ENDPOINTS_TITLE):
        window = _window(here, address, now)
        log_counting.counting_of(here, window)
        _tell(here, address, window, now)


def _tell(here: House, address: url.Address, window: Window, now: datetime) -> None:
    version = endpoints.version_of(here, window, counting=log_counting.under_way(here, window), now=now)
    with st.spinner(words.judging(), show_time=False):
        told = endpoints.logs_view(here, window, address.chosen, version)
    _head(here, address, told, window, now)
    log_counting.progress(here, window)
    if told is None:
        log_counting.nothing(here, window)
    elif not told.endpoints.routes:
        st.html(Markup("<div class='empty'>{}</div>").format(words.nothing_chosen()))
    elif address.route is not None and (
        one := next((each for each in told.endpoints.routes if each.route == address.route), None)
    ):
        found = endpoints.route_view(here, window, one.route, address.chosen, version)
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
    st.html(endpoints.sentence(migration, told, _span(migration, address, window, now)))
    if hidden := endpoints.banner(migration, told, said):
        st.html(hidden)
    _map(here, told, address)
    st.html(endpoints.table(migration, told, address, said))
    many = len(told.endpoints.routes)
    if many > endpoints.SHOWN:
        label = words.show_worst(endpoints.SHOWN) if address.every else words.show_all(many)
        st.button(label, key="every_route", on_click=put, kwargs={"all": None if address.every else "1"})
    st.html(endpoints.reading(told))


def _map(here: House, told: LogsJudged, address: url.Address) -> None:
    fleets, status = here.migration.fleets, address.chosen.status
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(words.map_explained(), words.map_title()))  # fmt: skip
        switch("map", words.map_choice_label(), list(url.MAPS), address.map, partial(words.map_choice, status=status))
    dots = [dot for dot in endpoints.dots(told, address.map) if dot.route != OTHER]
    if not dots:
        st.html(Markup("<div class='empty'>{}</div>").format(words.nothing_on_map()))
        return
    margin = here.migration.margin_of("error_rate" if address.map == "errors" else "latency_p95")
    unit = "pp" if address.map == "errors" else "%"
    figure = routes_figure(
        dots,
        "dark" if page.is_dark() else "light",
        axis=words.map_axis(address.map, fleets.baseline.label, fleets.canary.label, status=status),
        traffic=words.map_traffic(),
        suffix=unit,
        margin=margin.value if margin and margin.unit == unit else None,
    )
    worst = max(dots, key=lambda dot: abs(dot.difference))
    far = (numbers.points if address.map == "errors" else numbers.relative)(worst.difference / 100)
    alternative = f"{words.map_title()}. {words.map_alternative(len(dots), worst.route, far)}"
    overlay_chart(drawing(figure, alternative), key="routes_map", on_range=lambda _ends: None)
