"""Controls whose answer lives in the address, which is the only memory a page has."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st


def put(**parameters: str | None) -> None:
    """Writes what was chosen into the address, which is the only memory a page has. None takes a parameter out."""
    for name, value in parameters.items():
        name = name.rstrip("_")
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value


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
