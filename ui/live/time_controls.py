"""The controls of the Live page's time: the last hours, any range, a step to either side, and how often the page refreshes."""

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from domain import Migration, Window
from domain.window import MINUTE_S
from messages import frame as text
from messages import live
from ui.controls import selectbox, set_query, switch, window_control
from ui.url import (
    DEFAULT_REFRESH,
    DEFAULT_WINDOW,
    LAST_WEEK,
    MAX_WINDOW_DAYS,
    MAX_WINDOW_MINUTES,
    REFRESH_S,
    WINDOW_CHOICES,
    LiveParams,
    format_time,
)

_RANGE_KEYS = ("range_from_date", "range_from_time", "range_to_date", "range_to_time")


def time_controls(migration: Migration, params: LiveParams, window: Window, now: datetime) -> None:
    """`window`: what is shown."""
    choice = None if params.fixed_window else params.window_choice
    is_longest = window.minutes >= MAX_WINDOW_MINUTES
    if not migration.is_over:
        window_control(str(live.WINDOW), WINDOW_CHOICES, choice, default=DEFAULT_WINDOW)
    _button("←", str(text.EARLIER), "earlier", shifted(window, -1, now))
    _button("→", str(text.LATER), "later", shifted(window, 1, now) if params.fixed_window else None)
    _button("⊖", str(text.ZOOM_OUT), "zoom_out", None if is_longest else zoomed_out(window, now))
    _range_popover(migration, window)


def compare_control(params: LiveParams) -> None:
    switch("compare", LAST_WEEK, str(text.LAST_WEEK), str(text.LAST_WEEK_HELP), is_on=params.with_last_week)


def refresh_control(params: LiveParams) -> None:
    value = next(name for name, seconds in REFRESH_S.items() if seconds == params.refresh_s)
    selectbox("refresh", str(text.REFRESH), list(REFRESH_S), value, text.refresh, default=DEFAULT_REFRESH, width=110)


def _button(label: str, help_text: str, key: str, target: Window | None) -> None:
    """Shows `target`; disabled without one."""
    st.button(label, key=key, help=help_text, disabled=target is None, on_click=_show, args=(target,))


def _show(window: Window | None) -> None:
    if window:
        set_query(from_=format_time(window.start), to=format_time(window.end))


def shifted(window: Window, steps: int, now: datetime) -> Window:
    """A neighbour of the same length, that ends now at the latest."""
    length_s = window.end - window.start
    end = min(window.end + steps * length_s, _this_minute(now))
    return Window(end - length_s, end)


def zoomed_out(window: Window, now: datetime) -> Window:
    """Twice as long around the same middle, as far as there is time and the longest range allows."""
    minutes = min(window.minutes * 2, MAX_WINDOW_MINUTES)
    middle = (window.start + window.end) // 2
    end = min(middle // MINUTE_S * MINUTE_S + minutes * MINUTE_S // 2, _this_minute(now))
    end -= end % MINUTE_S
    return Window(end - minutes * MINUTE_S, end)


def _this_minute(now: datetime) -> int:
    return int(now.timestamp()) // MINUTE_S * MINUTE_S + MINUTE_S


def _range_popover(migration: Migration, window: Window) -> None:
    """A calendar: the first and last day and time of day, in the zone of the migration."""
    popover = st.popover(str(text.RANGE), key="range", on_change="rerun")
    if not popover.open:
        return
    first, last = (at.astimezone(migration.zone) for at in (window.starts_at, window.ends_at))
    with popover, st.form("range_form", border=False):
        left, right = st.columns(2)
        left.date_input(str(text.FROM_DATE), first.date(), key=_RANGE_KEYS[0])
        left.time_input(str(text.FROM_TIME), first.time(), key=_RANGE_KEYS[1], step=timedelta(minutes=1))
        right.date_input(str(text.TO_DATE), last.date(), key=_RANGE_KEYS[2])
        right.time_input(str(text.TO_TIME), last.time(), key=_RANGE_KEYS[3], step=timedelta(minutes=1))
        st.caption(text.zone(migration.zone.key, MAX_WINDOW_DAYS))
        st.form_submit_button(str(text.SHOW_RANGE), on_click=_show_range, args=(migration,))


def _show_range(migration: Migration) -> None:
    """An impossible range is refused as one in the address is, with its reason."""
    first_date, first_time, last_date, last_time = (st.session_state[key] for key in _RANGE_KEYS)
    set_query(from_=_format(migration, first_date, first_time), to=_format(migration, last_date, last_time))


def _format(migration: Migration, day: date, at: time) -> str:
    return format_time(int(datetime.combine(day, at, migration.zone).astimezone(UTC).timestamp()))
