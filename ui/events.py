"""What happened, on any page with charts: which kinds are drawn (a control whose answer lives in the address), and all of it as a list in words."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from charts.base.events import EVENT_SYMBOLS
from domain import EVENT_KINDS, Event, EventKind, Migration
from messages import events as words
from messages import times
from ui.controls import query_params, set_query, sync_widget
from ui.url import format_event_kinds, parse_event_kinds

_WIDGET_KEY = "event_kinds"


def filter_by_kind(events: Sequence[Event], kinds: Collection[EventKind]) -> tuple[Event, ...]:
    """The events of the kinds that are to be drawn."""
    return tuple(event for event in events if event.kind in kinds)


def selected_kinds() -> frozenset[EventKind]:
    """The kinds that the address lets this page draw; all, where it makes no sense."""
    kinds = parse_event_kinds(query_params().get("events"))
    return frozenset(EVENT_KINDS) if kinds is None else kinds


def kind_filter(events: Sequence[Event]) -> None:
    """A row with the kinds of `events`, each to be left out and brought back; nothing where nothing happened."""
    there = [kind for kind in EVENT_KINDS if any(event.kind == kind for event in events)]
    if not there:
        return
    kinds = selected_kinds()
    st.pills(
        words.FILTER_LABEL(),
        there,
        default=sync_widget(_WIDGET_KEY, [kind for kind in there if kind in kinds]),
        selection_mode="multi",
        key=_WIDGET_KEY,
        on_change=_on_change,
        args=(there,),
        format_func=lambda kind: f"{EVENT_SYMBOLS[kind]} {words.kind(kind)}",
        label_visibility="collapsed",
    )


def _on_change(available: Sequence[EventKind]) -> None:
    # A kind that does not occur in this window stays as it was: shown or left out.
    kinds = (selected_kinds() - set(available)) | set(st.session_state[_WIDGET_KEY])
    set_query(events=format_event_kinds(kinds))


def events_table(migration: Migration, events: Sequence[Event], kinds: Collection[EventKind], *, now: datetime) -> None:
    """The events of the shown kinds in words, the newest first, for whoever cannot point at a line, or would rather read."""
    if not events:
        return
    drawn = filter_by_kind(events, kinds)
    rows = Markup("").join(_row(migration, event, now) for event in sorted(drawn, key=_newest_first))
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in words.LIST_HEAD())
    st.html(
        Markup(
            "<details class='rules'><summary>{}</summary><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></details>"
        ).format(words.list_title(len(drawn), len(events) - len(drawn)), head, rows)
    )


def _newest_first(event: Event) -> tuple[int, str, str]:
    return -event.ts, event.source, event.key


def _row(migration: Migration, event: Event, now: datetime) -> Markup:
    def clock(ts: int) -> str:
        return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=now)

    what = Markup("{} {}: {}").format(EVENT_SYMBOLS[event.kind], words.kind_singular(event.kind), words.title(event))
    if event.link.startswith("https://"):
        what = Markup("<a href='{}' target='_blank' rel='noopener'>{} ↗</a>").format(event.link, what)
    by = words.author(event.change) if event.change else ""
    more = "" if event.change else " ".join(event.detail.splitlines())
    cells = (words.when(event, clock), what, by, more)
    return Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in cells))
