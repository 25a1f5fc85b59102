"""Controls whose answer lives in the address, which is the only memory a page has."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_HELD, _PAGE = "address", "page"
_Value = TypeVar("_Value")


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


def parameter(name: str, choices: Sequence[str]) -> str:
    """What the address says of `name`; the first of the choices where it says nothing that is one."""
    said = parameters().get(name, "")
    return said if said in choices else choices[0]


def put(**chosen: str | None) -> None:
    """Writes what was chosen into the address, which is the only memory a page has. None takes a parameter out."""
    held = parameters() | {name.rstrip("_"): value for name, value in chosen.items()}
    st.session_state[_HELD] = {name: value for name, value in held.items() if value is not None}
    st.query_params.from_dict(st.session_state[_HELD])


def hold(key: str, value: _Value) -> _Value:
    """Makes a switch show what the address says, which is also to be its default: a browser that lost the switch in between has only that.

    Told only where it differs: telling a switch its old value would undo a click on its way here.
    """
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return value


def _choose(name: str, key: str, default: str) -> None:
    value = st.session_state[key]
    put(**{name: None if value == default else value})


def switch(
    name: str, label: str, options: Sequence[str], value: str, say: Callable[[str], str] = str, *, default: str = ""
) -> None:
    """A row of choices whose answer lives in the address as `name`; the default is left out of it."""
    key = f"{name}_choice"
    st.segmented_control(
        label,
        options,
        default=hold(key, value if value in options else None),
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
    st.selectbox(
        label,
        options,
        index=options.index(hold(key, value)),
        key=key,
        on_change=partial(_choose, name, key, default or options[0]),
        format_func=say,
        label_visibility="collapsed",
        width=width,
    )
