"""Events on any page with charts: a filter by kind, which is a query parameter, and a table."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

import streamlit as st

from charts.base.events import EVENT_SYMBOLS
from domain import EVENT_KINDS, Event, EventKind, Migration
from messages import events as text
from reports.templating import render
from ui.controls import query_params, set_query, sync_widget
from ui.layout import format_clock
from ui.url import format_event_kinds, parse_event_kinds

_WIDGET_KEY = "event_kinds"


def filter_by_kind(events: Sequence[Event], kinds: Collection[EventKind]) -> tuple[Event, ...]:
    return tuple(event for event in events if event.kind in kinds)


def selected_kinds() -> frozenset[EventKind]:
    """The kinds in the URL; all, if it names none that exists."""
    kinds = parse_event_kinds(query_params().get("events"))
    return frozenset(EVENT_KINDS) if kinds is None else kinds


def kind_filter(events: Sequence[Event]) -> None:
    """One switch per kind that occurs in `events`."""
    available = [kind for kind in EVENT_KINDS if any(event.kind == kind for event in events)]
    if not available:
        return
    kinds = selected_kinds()
    st.pills(
        str(text.FILTER_LABEL),
        available,
        default=sync_widget(_WIDGET_KEY, [kind for kind in available if kind in kinds]),
        selection_mode="multi",
        key=_WIDGET_KEY,
        on_change=_on_change,
        args=(available,),
        format_func=lambda kind: f"{EVENT_SYMBOLS[kind]} {text.KINDS[kind]}",
        label_visibility="collapsed",
    )


def _on_change(available: Sequence[EventKind]) -> None:
    # A kind that does not occur in this window stays shown or hidden.
    kinds = (selected_kinds() - set(available)) | set(st.session_state[_WIDGET_KEY])
    set_query(events=format_event_kinds(kinds))


def events_table(migration: Migration, events: Sequence[Event], kinds: Collection[EventKind], *, now: datetime) -> None:
    """The events of the shown kinds, newest first."""
    if not events:
        return
    shown = sorted(filter_by_kind(events, kinds), key=lambda event: (-event.ts, event.source, event.key))
    clock = partial(format_clock, migration=migration, now=now)
    rows = [
        (
            text.when(event, clock),
            f"{EVENT_SYMBOLS[event.kind]} {text.kind_and_title(event, migration.labels)}",
            event.link if event.link.startswith("https://") else "",
            text.author(event.change) if event.change else "",
            "" if event.change else " ".join(text.detail(event).splitlines()),
        )
        for event in shown
    ]
    st.html(render("events.table", title=text.list_title(len(shown), len(events) - len(shown)), rows=rows))
