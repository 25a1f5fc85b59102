"""JavaScript components: a chart that is redrawn in place, a line that counts seconds, a heartbeat, and the document's language."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from messages.streamlit import streamlit_texts
from ui.agents import is_agent, show_chart_as_text
from ui.assets import OVERLAY_CHART_JS

_DIRECTORY = Path(__file__).parent

_chart = st.components.v2.component(
    "overlay_chart",
    html="""
        <div class='chart'>
            <div class='chart-values'></div>
            <div class='chart-plot' tabindex='0'><div class='overlay-chart'></div><i class='selection' hidden></i><i class='crosshair' hidden></i></div>
            <div class='chart-tools' hidden>
                <button type='button' class='chart-png'></button>
                <button type='button' class='chart-note' hidden></button>
                <details class='chart-table'><summary></summary><div role='region' tabindex='0'></div></details>
            </div>
        </div>
    """,
    # The script itself would be sent for each chart in every refresh. A module that Streamlit imports from a blob has no base for its imports.
    js=f"""
        const chart = await import(new URL("{OVERLAY_CHART_JS.url}", document.baseURI));
        export default chart.default;
    """,
    isolate_styles=False,
)
_top_line = st.components.v2.component(
    "top_line",
    html="<div class='top-line' role='timer' aria-live='off'></div>",
    js=(_DIRECTORY / "top_line.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_page_language = st.components.v2.component(
    "page_language", js=(_DIRECTORY / "page_language.js").read_text(encoding="utf-8")
)
_page_actions = st.components.v2.component(
    "page_actions", js=(_DIRECTORY / "page_actions.js").read_text(encoding="utf-8")
)
_page_tools = st.components.v2.component(
    "page_tools",
    html="<div class='page-tools'><button type='button'></button><button type='button'></button></div>",
    js=(_DIRECTORY / "page_tools.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_heartbeat = st.components.v2.component("heartbeat", js=(_DIRECTORY / "heartbeat.js").read_text(encoding="utf-8"))


def overlay_chart(
    chart: bytes,
    *,
    key: str,
    on_range: Callable[[list[str]], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> None:
    """A figure (ui.chart_payload). `on_range` gets the ends of a drag, or of a range by keyboard, as the axis writes them, or [] after a double
    click; `on_note` the time that is to have a note.

    st.plotly_chart recreates a chart when its data changes, which flickers and loses the zoom; this one is updated in place.
    """

    def on_range_change() -> None:
        if on_range:
            on_range(list(st.session_state[key].range or []))

    def on_note_change() -> None:
        if on_note and (at := st.session_state[key].note):
            on_note(str(at))

    if is_agent():
        show_chart_as_text(chart)
        return
    _chart(key=key, data=chart, on_range_change=on_range_change, on_note_change=on_note_change)


def top_line(texts: dict[str, Any], *, key: str = "top_line") -> None:
    """The age of the data and the time to the next refresh. `texts`: see top_line.js; times are epoch seconds."""
    if is_agent():
        st.text(texts["until"] or texts["nothing"])
        return
    _top_line(key=key, data=texts)


def heartbeat(interval_s: float, *, now: float, key: str = "heartbeat") -> None:
    """Reruns the current fragment every `interval_s` after `now`; never for 0. Call it first.

    st.fragment's run_every can only be changed by running the whole script, and clicks around such a run get lost.
    """
    _heartbeat(key=key, data={"every": interval_s, "now": now}, on_beat_change=lambda: None)


def page_language(language: str, *, chosen: str, migration: str, key: str = "page_language") -> None:
    """`chosen`, `migration`: the language and the migration to keep in links; "" if there is nothing to keep."""
    data = {"language": language, "chosen": chosen, "migration": migration, "streamlit": streamlit_texts()}
    _page_language(key=key, data=data)


def page_actions(copied: str, on_query: Callable[[str], None], *, key: str = "page_actions") -> None:
    """Links with data-soft call `on_query` with their query string instead of loading the page again; buttons with data-copy copy it.

    `copied`: the label of such a button after a click. Call it once on a page.
    """

    def on_query_change() -> None:
        if query := st.session_state[key].query:
            on_query(str(query))

    _page_actions(key=key, data={"copied": copied}, on_query_change=on_query_change)


def page_tools(texts: dict[str, Any], *, is_kiosk: bool, key: str = "page_tools") -> None:
    """Buttons that copy the address and show the page as a kiosk. `texts`: see page_tools.js."""
    _page_tools(key=key, data={**texts, "is_kiosk": is_kiosk})
