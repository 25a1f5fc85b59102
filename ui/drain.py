"""Whether the old fleet is empty, on Live while the new one has all traffic, and on the Retrospective."""

from collections.abc import Hashable
from datetime import datetime, timedelta

import streamlit as st

from analysis.deployments.drain import Drain
from domain import Traffic, Window
from domain.window import MINUTE_S
from messages import deployments
from messages import drain as text
from reports.templating import render
from services.batches import batches_cache_key, read_batches
from services.drain import BATCH_HISTORY_MINUTES, callers_query, read_drain
from ui.app_context import AppContext, cached_view
from ui.components import heartbeat
from ui.layout import note
from ui.rollback import command_to_copy

READING_REFRESH_S = 2
TONES = {"safe": ("good", "✓"), "not_safe": ("bad", "✕"), "unknown": ("warn", "?")}


def last_phase_section(app: AppContext, traffic: Traffic | None, source: str, *, now: datetime) -> None:
    """`drain_section` while the canary has all traffic by the split. `traffic`: None if it is unknown, or of the past. Raises ArchiveError."""
    with st.container():  # what follows keeps its position
        if traffic and traffic.configured_shares.get("canary") == 1:
            drain_section(app, source, now=now)


def drain_section(app: AppContext, source: str, *, now: datetime) -> None:
    """The answer in a line, and in an expander what stands against it, and the commands. Nothing of a release. Raises ArchiveError."""
    migration = app.migration
    if migration.release or migration.is_release_board:
        return
    drain = _drain(app, source, now.replace(second=0, microsecond=0))
    css, sign = TONES[drain.verdict]
    st.html(render("drain.summary", css=css, sign=sign, sentence=text.summary(drain, migration, now=now)))
    expander = st.expander(text.title(migration), key="drain", on_change="rerun")
    if not expander.open:
        return
    with expander:
        notes = [
            text.as_of(drain, migration, now=now),
            text.required(drain),
            str(text.NOT_SEEN),
            *([] if drain.batches_checked else [str(text.NO_BATCHES)]),
        ]
        st.html(
            render(
                "drain.details",
                obstacles=[text.obstacle(item, migration, now=now) for item in drain.obstacles],
                facts=[text.last_request(group, drain, migration, now=now) for group in drain.groups],
                rules=text.rule_rows(drain.uses),
                changes=text.change_rows(drain.groups, migration, now=now),
                callers=_callers(app, drain, now),
                notes=notes,
            )
        )
        for command in drain.commands:
            command_to_copy(text.purpose(command), command.command)
        if drain.commands:
            note(str(deployments.NEVER_RUN))


def _callers(app: AppContext, drain: Drain, now: datetime) -> tuple[list[tuple[str, ...]], str] | None:
    """Rows and a note on who still calls the old fleet, which are read in the background; None if it is not called, or logs are not configured."""
    lookups, query = app.caller_lookups, callers_query(app.archive, drain)
    if lookups is None or query is None:
        return None
    found = lookups.result(query)
    if found is None:
        heartbeat(READING_REFRESH_S if lookups.is_reading else 0, now=now.timestamp(), key="callers")
        return ([], str(text.READING_CALLERS)) if lookups.is_reading else None
    return text.caller_rows(found, app.migration, now=now), text.callers_note(found, app.migration, now=now)


def _drain(app: AppContext, source: str, minute: datetime) -> Drain:
    def read() -> Drain:
        latest = app.archive.events.latest_traffic()
        key = app.archive.change_counter(source), hash(latest[0]) if latest else 0, _batches_key(app)
        return _cached_drain(app, source, minute, key)

    return app.archive.last_view("drain", source, None, read)


def _batches_key(app: AppContext) -> Hashable:
    if app.batches is None:
        return None
    return batches_cache_key(app.batches.archive, [item.name for item in app.batches.sources])


@cached_view(max_entries=8, ttl=timedelta(minutes=5))
def _cached_drain(app: AppContext, source: str, minute: datetime, cache_key: Hashable) -> Drain:
    batches = None
    if app.batches and app.migration.batches:
        end = int(minute.timestamp())
        window = Window(end - BATCH_HISTORY_MINUTES * MINUTE_S, end)
        names = [item.name for item in app.batches.sources]
        batches = read_batches(app.batches.archive, app.migration.batches, names, window)
    return read_drain(app.archive, app.migration, source, batches, now=minute)
