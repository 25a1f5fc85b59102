"""Small pieces of JavaScript that Streamlit has no widget for: a chart that is redrawn in place, a line that counts seconds, a heartbeat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_DIRECTORY = Path(__file__).parent
PLOTLYJS_URL = "/assets/plotly-{version}.min.js"

_chart = st.components.v2.component(
    "overlay_chart",
    html="<div class='overlay-chart' style='width:100%'></div>",
    js=(_DIRECTORY / "overlay_chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_top_line = st.components.v2.component(
    "top_line",
    html="<div class='top-line' role='timer' aria-live='off'></div>",
    js=(_DIRECTORY / "top_line.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_heartbeat = st.components.v2.component("heartbeat", js=(_DIRECTORY / "heartbeat.js").read_text(encoding="utf-8"))


def overlay_chart(chart: bytes, *, key: str, on_range: Callable[[list[str]], None]) -> None:
    """A drawn figure (`ui.live.view.drawing`). `on_range` hears the ends of a drag as the axis spells them, or [] for a double click.

    st.plotly_chart builds a chart anew whenever its data change, which flickers and forgets a zoom; this one is changed in place.
    """

    def on_range_change() -> None:
        on_range(list(st.session_state[key].range or []))

    _chart(key=key, data=chart, on_range_change=on_range_change)


def top_line(texts: dict[str, Any], *, key: str = "top_line") -> None:
    """The line that counts. `words`: see top_line.js; times are epoch seconds."""
    _top_line(key=key, data=texts)


def heartbeat(interval_s: int, *, now: float) -> None:
    """First thing in a fragment: runs it again `every_s` after `now`, or not at all for 0.

    st.fragment's run_every is settled by a run of the whole script, and Streamlit loses what a reader presses around one: its queue forgets
    what that run drew when a fragment's run follows, the browser forgets the switches that were not drawn.
    """
    _heartbeat(key="heartbeat", data={"every": interval_s, "now": now}, on_beat_change=lambda: None)
