"""Controls whose answer lives in the address, which is the only memory a page has."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_QUERY_KEY, _PAGE_KEY = "address", "page"
_Value = TypeVar("_Value")


def on_page_change(page: str) -> None:
    """Called before a page is run. Another page has another address: nothing of the one before is held."""
    if st.session_state.get(_PAGE_KEY) != page:
        st.session_state[_PAGE_KEY] = page
        st.session_state.pop(_QUERY_KEY, None)


def query_params() -> dict[str, str]:
    """What the address says.

    Held here once it was read: a press brings the address as the browser knew it, and a busy browser presses again before it has heard of the
    answer to the press before. Going back and forward is the browser's word.
    """
    context = get_script_run_ctx()
    if _QUERY_KEY not in st.session_state or (context and context.is_history_navigation):
        st.session_state[_QUERY_KEY] = st.query_params.to_dict()
    return dict(st.session_state[_QUERY_KEY])


def query_param(name: str, choices: Sequence[str]) -> str:
    """What the address says of `name`; the first of the choices where it says nothing that is one."""
    said = query_params().get(name, "")
    return said if said in choices else choices[0]


def set_query(**changes: str | None) -> None:
    """Writes what was chosen into the address, which is the only memory a page has. None takes a parameter out."""
    held = query_params() | {name.rstrip("_"): value for name, value in changes.items()}
    st.session_state[_QUERY_KEY] = {name: value for name, value in held.items() if value is not None}
    st.query_params.from_dict(st.session_state[_QUERY_KEY])


def sync_widget(key: str, value: _Value) -> _Value:
    """Makes a switch show what the address says, which is also to be its default: a browser that lost the switch in between has only that.

    Told only where it differs: telling a switch its old value would undo a click on its way here.
    """
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return value


def _on_change(name: str, key: str, default: str) -> None:
    value = st.session_state[key]
    set_query(**{name: None if value == default else value})


def segmented_control(
    name: str,
    label: str,
    options: Sequence[str],
    value: str,
    format_func: Callable[[str], str] = str,
    *,
    default: str = "",
) -> None:
    """A row of choices whose answer lives in the address as `name`; the default is left out of it."""
    key = f"{name}_choice"
    st.segmented_control(
        label,
        options,
        default=sync_widget(key, value if value in options else None),
        key=key,
        on_change=partial(_on_change, name, key, default or options[0]),
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
    """The same as `switch` where there may be many choices, or long ones: a list that opens."""
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
