"""Controls whose answer lives in the address, which is the only memory a page has."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_HELD, _PAGE = "address", "page"


def enter(page: str) -> None:
    """Called before a page is run. Another page has another address: nothing of the one before is held."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state.pop(_HELD, None)


def parameters() -> dict[str, str]:
    """What the address says.

    Held here once it was read: a press brings the address as the browser knew it, and a busy browser presses again before it has heard of the
    answer to the press before. Going back and forward is the browser's word.
    """
    context = get_script_run_ctx()
    if _HELD not in st.session_state or (context and context.is_history_navigation):
        st.session_state[_HELD] = st.query_params.to_dict()
    return dict(st.session_state[_HELD])


def put(**chosen: str | None) -> None:
    """Writes what was chosen into the address, which is the only memory a page has. None takes a parameter out."""
    held = parameters() | {name.rstrip("_"): value for name, value in chosen.items()}
    st.session_state[_HELD] = {name: value for name, value in held.items() if value is not None}
    st.query_params.from_dict(st.session_state[_HELD])


def hold(key: str, value: object) -> None:
    """Makes a switch show what the address says. Told only where it differs: telling a switch its old value would undo a click on its way here."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def _choose(name: str, key: str, default: str) -> None:
    value = st.session_state[key]
    put(**{name: None if value == default else value})


def switch(
    name: str, label: str, options: Sequence[str], value: str, say: Callable[[str], str] = str, *, default: str = ""
) -> None:
    """A row of choices whose answer lives in the address as `name`; the default is left out of it."""
    key = f"{name}_choice"
    hold(key, value)
    st.segmented_control(
        label,
        options,
        key=key,
        on_change=partial(_choose, name, key, default or options[0]),
        required=True,
        format_func=say,
        label_visibility="collapsed",
    )


def select(
    name: str,
    label: str,
    options: Sequence[str],
    value: str,
    say: Callable[[str], str] = str,
    *,
    default: str = "",
    width: int = 340,
) -> None:
    """The same as `switch` where there may be many choices, or long ones: a list that opens."""
    key = f"{name}_choice"
    hold(key, value)
    st.selectbox(
        label,
        options,
        key=key,
        on_change=partial(_choose, name, key, default or options[0]),
        format_func=say,
        label_visibility="collapsed",
        width=width,
    )
