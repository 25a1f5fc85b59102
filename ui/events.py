"""What happened, on any page with charts: which kinds are drawn (a control whose answer lives in the address), and all of it as a list in words."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from charts.base.events import MARKS
from domain import EVENT_KINDS, Event, EventKind, Migration
from messages import events as words
from messages import times
from ui.controls import hold, parameters, put
from ui.url import read_kinds, written_kinds

_KEY = "event_kinds"


def shown(events: Sequence[Event], kinds: Collection[EventKind]) -> tuple[Event, ...]:
    """The events of the kinds that are to be drawn."""
    return tuple(event for event in events if event.kind in kinds)


def chosen_kinds() -> frozenset[EventKind]:
    """The kinds that the address lets this page draw; all, where it makes no sense."""
    kinds = read_kinds(parameters().get("events"))
    return frozenset(EVENT_KINDS) if kinds is None else kinds


def choice(events: Sequence[Event]) -> None:
    """A row with the kinds of `events`, each to be left out and brought back; nothing where nothing happened."""
    there = [kind for kind in EVENT_KINDS if any(event.kind == kind for event in events)]
    if not there:
        return
    kinds = chosen_kinds()
    st.pills(
        words.shown(),
        there,
        default=hold(_KEY, [kind for kind in there if kind in kinds]),
        selection_mode="multi",
        key=_KEY,
        on_change=_choose,
        args=(there,),
        format_func=lambda kind: f"{MARKS[kind]} {words.kind(kind)}",
        label_visibility="collapsed",
    )


def _choose(there: Sequence[EventKind]) -> None:
    # A kind that does not occur in this window stays as it was: shown or left out.
    kinds = (chosen_kinds() - set(there)) | set(st.session_state[_KEY])
    put(events=written_kinds(kinds))


def listing(migration: Migration, events: Sequence[Event], kinds: Collection[EventKind], *, now: datetime) -> None:
    """The events of the shown kinds in words, the newest first, for whoever cannot point at a line, or would rather read."""
    if not events:
        return
    drawn = shown(events, kinds)
    rows = Markup("").join(_row(migration, event, now) for event in sorted(drawn, key=_newest_first))
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in words.list_head())
    st.html(
        Markup(
            "<details class='rules'><summary>{}</summary><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></details>"
        ).format(words.listed(len(drawn), len(events) - len(drawn)), head, rows)
    )


def _newest_first(event: Event) -> tuple[int, str, str]:
    return -event.ts, event.source, event.key


def _row(migration: Migration, event: Event, now: datetime) -> Markup:
    def clock(ts: int) -> str:
        return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=now)

    what = Markup("{} {}: {}").format(MARKS[event.kind], words.one(event.kind), words.title(event))
    if event.link.startswith("https://"):
        what = Markup("<a href='{}' target='_blank' rel='noopener'>{} ↗</a>").format(event.link, what)
    by = words.author(event.change) if event.change else ""
    more = "" if event.change else " ".join(event.detail.splitlines())
    cells = (words.when(event, clock), what, by, more)
    return Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in cells))
