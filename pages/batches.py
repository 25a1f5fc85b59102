"""Batches: did every job run when it was due, and as it usually does? The problems first, each job's history, and cron beside what came after."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from domain import FLEETS, utc_now
from messages import batches as words
from messages import live as live_words
from messages.errors import sources
from services.batches import BatchView
from ui import app_context, layout
from ui.app_context import AppContext
from ui.batches import view as batches
from ui.batches.detail import job_detail
from ui.controls import query_params, segmented_control, set_query

REFRESH_S = 60  # runs are read every five minutes
INITIAL_WAIT_S = 1.5


def render() -> None:
    """The page: one fragment that looks again every minute."""
    here = app_context.get_app_context()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.DEMO_MARK()))
    st.fragment(partial(_content, here), run_every=REFRESH_S)()


def _content(app: AppContext) -> None:
    now = utc_now()
    said = query_params()
    choice = said.get("window", batches.DEFAULT_WINDOW)
    choice = choice if choice in batches.WINDOW_CHOICES else batches.DEFAULT_WINDOW
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(app.migration.name), width="content")
        if app.batches is not None:
            segmented_control(
                "window",
                words.WINDOW_LABEL(),
                batches.WINDOW_CHOICES,
                choice,
                words.window_length,
                default=batches.DEFAULT_WINDOW,
            )
            if "job" in said:
                st.button(words.ALL_JOBS(), key="all_jobs", on_click=set_query, kwargs={"job": None})
    try:
        view = _read_view(app, choice, now)
    except ArchiveError as error:
        layout.error_page(live_words.ARCHIVE_ERROR(), [sources.format_archive_problem(error.kind, error.detail)])
        return
    if view is None:
        _not_configured()
        return
    job = view.job(said["job"]) if "job" in said else None
    if "job" in said and job is None:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.no_such_job(said["job"])))
    if job:
        job_detail(app, view, job, now)
    elif any(one.schedulers or one.job for one in view.jobs):
        st.html(batches.headline(view, choice))
        if not view.complete:
            st.html(Markup("<p class='note'>{}</p>").format(_why_incomplete(app)))
        table = batches.jobs_table(app.migration, view, choice, now)
        st.html(table + batches.legend(view) + batches.eras_table(app.migration, view.jobs, now))
    else:
        _empty_state(app, view)
    st.html(batches.sources_table(app, now))


def _read_view(app: AppContext, choice: str, now: datetime) -> BatchView | None:
    """The view of this minute; what it lacks is asked for, and a source that answers at once is waited for."""
    now_s = int(now.timestamp()) // 60 * 60
    view = batches.batch_view(app, choice, now_s=now_s)
    room = app.batches
    if view is None or room is None or view.complete:
        return view
    for source in room.sources:
        room.collector.request_window(view.window, source.name)
    if not any(job.schedulers for job in view.jobs):

        def read() -> bool:
            found = batches.batch_view(app, choice, now_s=now_s)
            return found is not None and found.complete

        room.collector.wait_until(read, timeout_s=INITIAL_WAIT_S)
    return batches.batch_view(app, choice, now_s=now_s)


def _not_configured() -> None:
    """No [batches]: what to write, ready to be copied."""
    st.html(
        Markup("<section class='below'><h2>{}</h2><p>{}</p></section>").format(
            words.NOT_CONFIGURED(), words.NOT_CONFIGURED_TEXT()
        )
    )
    st.code(words.EXAMPLE, language="toml")


def _empty_state(app: AppContext, view: BatchView) -> None:
    settings = app.migration.batches
    if settings is None:
        return
    if not view.complete:
        st.html(Markup("<div class='empty'>{}</div>").format(_why_incomplete(app)))
        return
    patterns = [pattern for era in reversed(FLEETS) for pattern in settings.patterns(era).values()]
    st.html(
        Markup("<div class='empty'><div><b>{}</b><br>{}</div></div>").format(
            words.no_metrics_yet(app.migration.batch_service), words.no_metrics_yet_next_step(", ".join(patterns))
        )
    )


def _why_incomplete(app: AppContext) -> str:
    """Whether the runs are on their way, or the source that knows them does not answer."""
    states = {state.source: state.state for state in app.archive.events.source_states()}
    stuck = app.batches is not None and states.get(app.batches.sources[0].name) in ("denied", "down", "throttled")
    return words.PARTLY_UNREAD() if stuck else words.READING()
