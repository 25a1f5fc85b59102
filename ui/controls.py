"""Controls whose values are query parameters of the URL: a reload or a shared link shows the same page."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar
from urllib.parse import parse_qsl

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx

from domain import Migration, Window
from messages import live, states, times
from ui.url import format_time, range_from_drag

_QUERY_KEY, _PAGE_KEY, _MIGRATION_KEY = "query_params", "page", "migration"
_Value = TypeVar("_Value")


def on_page_change(page: str, *, kept: Mapping[str, str]) -> None:
    """Call before a page runs: drops the query parameters of the previous page, but for those in `kept`, unless they are empty."""
    if st.session_state.get(_PAGE_KEY) != page:
        st.session_state[_PAGE_KEY] = page
        st.session_state.pop(_QUERY_KEY, None)
    if missing := {name: value for name, value in kept.items() if value and value != query_params().get(name)}:
        set_query(**missing)


def page_checkpoint() -> Callable[[], None]:
    """To be called during a long computation for the page that runs now, in any thread: raises StopException once the browser has closed it.

    Streamlit itself only looks between elements.
    """
    context = get_script_run_ctx()

    def stop_if_closed() -> None:
        if context and runtime.exists() and not runtime.get_instance().is_active_session(context.session_id):
            raise StopException

    return stop_if_closed


def query_params() -> dict[str, str]:
    """The query parameters of the URL.

    They are kept in the session: with each click, the browser sends the URL that it had before the answer to the previous click arrived.
    Only after going back or forward is the browser's URL the current one.
    """
    context = get_script_run_ctx()
    if _QUERY_KEY not in st.session_state or (context and context.is_history_navigation):
        st.session_state[_QUERY_KEY] = st.query_params.to_dict()
    return dict(st.session_state[_QUERY_KEY])


def choose_migration(find: Callable[[str], object | None]) -> str:
    """The migration that the URL names, else the one that was shown last in this session; "" if there is none, or no such one."""
    asked = query_params().get("migration")
    if asked is not None:
        show_migration(asked if find(asked) else "")
    return chosen_migration()


def show_migration(slug: str) -> str:
    """Makes it the migration of this session."""
    st.session_state[_MIGRATION_KEY] = slug
    return slug


def chosen_migration() -> str:
    """The slug of the migration that this session shows; "" if there is no choice."""
    return st.session_state.get(_MIGRATION_KEY) or ""


def query_param(name: str, choices: Sequence[str]) -> str:
    """The value of a query parameter; the first choice if it is missing or not a choice."""
    value = query_params().get(name, "")
    return value if value in choices else choices[0]


def set_query(**changes: str | None) -> None:
    """Changes query parameters; None removes one. A trailing underscore in a name is ignored (`from_`)."""
    params = query_params() | {name.rstrip("_"): value for name, value in changes.items()}
    st.session_state[_QUERY_KEY] = {name: value for name, value in params.items() if value is not None}
    st.query_params.from_dict(st.session_state[_QUERY_KEY])


def follow_link(url: str) -> None:
    """Shows what a link to this page ("?…") leads to."""
    kept = {"migration": slug} if (slug := chosen_migration()) else {}
    st.session_state[_QUERY_KEY] = kept | dict(parse_qsl(url.removeprefix("?"), keep_blank_values=True))
    st.query_params.from_dict(st.session_state[_QUERY_KEY])


def axis_offset_s(migration: Migration, window: Window) -> int:
    """The UTC offset of the time axis of a chart of `window`, in seconds."""
    offset = window.ends_at.astimezone(migration.zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def set_range(migration: Migration, window: Window, ends: list[str]) -> None:
    """After a drag on a chart of `window`: shows the dragged range. `ends` as the axis writes them; [] (a double click) removes the range."""
    if not ends:
        set_query(from_=None, to=None)
        return
    dragged = range_from_drag(ends, utc_offset_s=axis_offset_s(migration, window))
    if dragged is not None:
        set_query(from_=format_time(dragged.start), to=format_time(dragged.end))


def sync_widget(key: str, value: _Value) -> _Value:
    """Sets a widget to the value of the URL. Returns it as the widget's default, for a browser that lost the widget's state.

    The state is set only if it differs: setting the same value would undo a click that is on its way.
    """
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return value


def _on_change(name: str, key: str, default: str, **removed: None) -> None:
    value = st.session_state[key]
    set_query(**{name: None if value == default else value}, **removed)


def segmented_control(
    name: str,
    label: str,
    options: Sequence[str],
    value: str,
    format_func: Callable[[str], str] = str,
    *,
    default: str = "",
    **removed: None,
) -> None:
    """A row of choices for the query parameter `name`, which is removed for the default, as are the parameters `removed` at each choice."""
    key = f"{name}_choice"
    st.segmented_control(
        label,
        options,
        default=sync_widget(key, value if value in options else None),
        key=key,
        on_change=partial(_on_change, name, key, default or options[0], **removed),
        required=True,
        format_func=format_func,
        label_visibility="collapsed",
    )


def selectbox(
    name: str,
    label: str,
    options: Sequence[str],
    value: str,
    format_func: Callable[[str], str] = str,
    *,
    default: str = "",
    width: int = 340,
) -> None:
    """The same as a drop-down list, for many or long choices."""
    key = f"{name}_choice"
    st.selectbox(
        label,
        options,
        index=options.index(sync_widget(key, value)),
        key=key,
        on_change=partial(_on_change, name, key, default or options[0]),
        format_func=format_func,
        label_visibility="collapsed",
        width=width,
    )


def switch(name: str, value: str, label: str, help_text: str, *, is_on: bool) -> None:
    """A switch for the query parameter `name`, which has `value` while it is on."""
    key = f"{name}_choice"

    def on_change() -> None:
        set_query(**{name: value if st.session_state[key] else None})

    st.toggle(label, value=sync_widget(key, is_on), key=key, on_change=on_change, help=help_text, width="content")


def search_input(name: str, label: str, value: str, *, max_chars: int, width: int = 260) -> None:
    """A text for the query parameter `name`, entered with Enter; the first page of what it finds is shown."""
    key = f"{name}_text"
    st.text_input(
        label,
        value=sync_widget(key, value),
        key=key,
        max_chars=max_chars,
        placeholder=label,
        icon=":material/search:",
        on_change=partial(_on_change, name, key, "", page=None),
        label_visibility="collapsed",
        width=width,
    )


def window_control(
    label: str, options: Sequence[str], value: str | None, *, default: str, format_func: Callable[[str], str] = str
) -> None:
    """A row of window lengths. None: the URL has a range (`from`, `to`), which a choice replaces."""
    key = "window_choice"
    st.segmented_control(
        label,
        options,
        default=sync_widget(key, value),
        key=key,
        on_change=partial(_on_change, "window", key, default, from_=None, to=None),
        format_func=format_func,
        label_visibility="collapsed",
    )


def leave_range_button(migration: Migration, window: Window, now: datetime) -> None:
    """Shows the range of the URL; a click removes it."""
    label = times.span(window.starts_at, window.ends_at, migration.zone, now=now)
    st.button(live.leave_window(label), key="leave_window", on_click=set_query, kwargs={"from_": None, "to": None})


def source_control(names: Sequence[str], source: str) -> None:
    """Switches between metric sources, if there are several."""
    if len(names) > 1:
        segmented_control("source", str(live.SOURCE), names, source, states.source_name)
