"""One request of the Endpoints page, found by its trace id: which fleet and target answered, and how."""

from datetime import datetime

import streamlit as st

from domain.trace_ids import TraceId, new_trace_id, parse_trace_id
from domain.window import HOUR_S
from messages import trace as text
from messages.errors import sources
from messages.traffic import rule_condition
from reports.templating import render
from services.trace import TraceLookups, curl_commands
from ui import layout
from ui.app_context import AppContext
from ui.components import heartbeat
from ui.controls import search_input, set_query
from ui.endpoints.url import MAX_TRACE_LENGTH

SEARCH_REFRESH_S = 1
_NEW_ID_KEY = "new_trace_id"
_EXAMPLE_DIGITS = "4bf92f3577b34da6a3ce929d"


def entry_section(app: AppContext, *, now: datetime) -> None:
    """Below the routes: where a trace id is entered, and a request with a new one to copy."""
    layout.panel_title(str(text.TITLE), tooltip=str(text.EXPLAINED))
    _entry(app, "", now)
    expander = st.expander(str(text.BY_SPLIT), key="new_trace", on_change="rerun")
    if not expander.open:  # only then the browser loads what draws commands
        return
    with expander:
        latest = app.archive.events.latest_traffic()
        for item in curl_commands(_new_id(now), latest[0] if latest else None):
            if item.rule:
                layout.note(text.by_rule(", ".join(map(rule_condition, item.rule.conditions))))
            st.code(item.command, language="bash", wrap_lines=True)
        layout.note(str(text.LATER))


def trace_page(app: AppContext, lookups: TraceLookups, written: str, *, now: datetime) -> None:
    """The page for `?trace=`. Searches in the background, and reruns until something is known."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.page_title(app.migration, str(text.TITLE))
        _entry(app, written, now)
        st.button(str(text.BACK), key="all_routes", on_click=set_query, kwargs={"trace": None})
    trace_id = parse_trace_id(written)
    if trace_id is None:
        layout.warning(str(text.INVALID))
        return
    result = lookups.result(trace_id, now=now)
    heartbeat(0 if result else SEARCH_REFRESH_S, now=now.timestamp(), key="trace")
    if result is None:
        layout.empty_state(str(text.SEARCHING))
        return
    st.html(
        render(
            "endpoints.traced_request",
            trace_id=trace_id.text,
            state=result.state,
            headline=text.headline(result, app.migration, now=now),
            rows=[text.cells(request, app.migration, now=now) for request in result.requests],
            notes=text.notes(result, app.migration, now=now),
            problems=[sources.format_problem(problem) for problem in result.problems],
        )
    )


def _entry(app: AppContext, written: str, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        search_input("trace", str(text.INPUT_LABEL), written, max_chars=MAX_TRACE_LENGTH, width=420)
        if app.migration.demo and not written:
            hour = int(now.timestamp()) // HOUR_S * HOUR_S - HOUR_S
            example = TraceId(f"1-{hour:08x}-{_EXAMPLE_DIGITS}").text
            st.button(str(text.EXAMPLE), key="example_trace", on_click=set_query, kwargs={"trace": example})


def _new_id(now: datetime) -> TraceId:
    """The same one for a while, so that the command on the page does not change while it is copied."""
    known: TraceId | None = st.session_state.get(_NEW_ID_KEY)
    if known is None or now.timestamp() - known.ts > HOUR_S:
        known = new_trace_id(int(now.timestamp()))
        st.session_state[_NEW_ID_KEY] = known
    return known
