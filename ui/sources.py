"""The sources: the state of each, its last success, what to do about its problems, and a strip while some are unavailable."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from archive import SourceState
from messages import live as text
from messages import notifications, outage, states
from messages.errors.sources import Message, format_problem
from reports.templating import render
from services.channels import ChannelReport, channel_words
from sources.base import SUPPLEMENTARY, HealthState
from ui.app_context import AppContext
from ui.layout import format_ago, format_clock

UNAVAILABLE: tuple[HealthState, ...] = ("down", "denied")

SourceLine = tuple[str, str, str, str, Sequence[Message]]  # name, CSS class, state, last success, problems


def outage_strip(app: AppContext, decision_as_of: int | None, *, now: datetime) -> None:
    """Which of the sources are unavailable and since when, and how old the decision is (epoch seconds), at the top of the window while it is scrolled.

    An element stays if all sources are up: what follows keeps its position. Raises ArchiveError.
    """
    known = [state for state in app.source_states() if state.source not in app.batch_source_names]
    down = {state.source: state for state in known if state.state in UNAVAILABLE}
    if down.keys() <= SUPPLEMENTARY:
        st.html(render("outage.no_outage"))
        return
    succeeded = [state.last_success_at for state in down.values()]
    since = None if None in succeeded else min(filter(None, succeeded))
    as_of = "" if decision_as_of is None else outage.decision_as_of(format_clock(decision_as_of, app.migration, now))
    strip = outage.unavailable(
        [states.source_name(name) for name in down],
        len({state.source for state in known}),
        "" if since is None else format_clock(since, app.migration, now),
    )
    st.html(render("outage.strip", strip=strip, as_of=as_of))


def is_unavailable(app: AppContext, source: str) -> bool:
    """Whether the metrics of a source could not be read. Raises ArchiveError."""
    states = (state for state in app.source_states() if (state.source, state.role) == (source, "metrics"))
    return any(state.state in UNAVAILABLE for state in states)


def filling_progress(app: AppContext, source: str) -> tuple[int, int] | None:
    """(available, total) periods while the past of a source is being archived, or its newest hours without a backfill; None once it is complete.

    (0, 0) before the first step.
    """
    if not app.collector.config.backfill:
        return app.collector.progress(source)
    status = app.collector.backfill_status(source)
    if status is None:
        return (0, 0)
    return None if status.state == "done" else (status.available, status.total)


def sources_table(title: str, lines: Sequence[SourceLine], note: str) -> Markup:
    return render("live.sources", title=title, rows=lines, note=note)


def channel_line(report: ChannelReport, now: datetime) -> SourceLine:
    """A channel of the notifications: unavailable while a message waits that could not be sent."""
    is_failing = report.problem is not None
    label = str(states.STATE_LABELS["down" if is_failing else "up"])
    problems = [format_problem(report.problem)] if report.problem else []
    name = notifications.channel(states.source_name(report.channel))
    return name, "bad" if is_failing else "good", label, channel_words(report, now), problems


def source_line(state: SourceState, now: datetime) -> SourceLine:
    css = {"up": "good", "slow": "warn", "partial": "warn", "throttled": "warn"}.get(state.state, "bad")
    if state.source in SUPPLEMENTARY and css == "bad":
        css = "note"
    success = (
        text.last_success(format_ago(state.last_success_at, now))
        if state.last_success_at
        else str(text.NEVER_SUCCEEDED)
    )
    label = f"{states.STATE_LABELS[state.state]} · {text.elapsed(state.took_s)}"
    problems = [format_problem(problem) for problem in state.problems]
    return states.source_name(state.source), css, label, success, problems
