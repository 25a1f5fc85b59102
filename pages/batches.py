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
from ui.app_context import House
from ui.batches import view as batches
from ui.batches.detail import detail
from ui.controls import parameters, put, switch

REFRESH_S = 60  # runs are read every five minutes
FIRST_WAIT_S = 1.5


def render() -> None:
    """The page: one fragment that looks again every minute."""
    here = app_context.house()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.demo_mark()))
    st.fragment(partial(_board, here), run_every=REFRESH_S)()


def _board(here: House) -> None:
    now = utc_now()
    said = parameters()
    choice = said.get("window", batches.DEFAULT_CHOICE)
    choice = choice if choice in batches.CHOICES else batches.DEFAULT_CHOICE
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(here.migration.name), width="content")
        if here.batches is not None:
            switch("window", words.window_label(), batches.CHOICES, choice, words.days, default=batches.DEFAULT_CHOICE)
            if "job" in said:
                st.button(words.all_jobs(), key="all_jobs", on_click=put, kwargs={"job": None})
    try:
        view = _view(here, choice, now)
    except ArchiveError as error:
        layout.trouble(live_words.archive_trouble(), [sources.say_archive(error.kind, error.detail)])
        return
    if view is None:
        _not_configured()
        return
    job = view.job(said["job"]) if "job" in said else None
    if "job" in said and job is None:
        st.html(Markup("<div class='demo warn'>{}</div>").format(words.no_such_job(said["job"])))
    if job:
        detail(here, view, job, now)
    elif any(one.eras or one.job for one in view.jobs):
        st.html(batches.sentence(view, choice))
        if not view.complete:
            st.html(Markup("<p class='note'>{}</p>").format(_why_incomplete(here)))
        table = batches.table(here.migration, view, choice, now)
        st.html(table + batches.legend(view) + batches.eras(here.migration, view.jobs, now))
    else:
        _nothing_yet(here, view)
    st.html(batches.sources(here, now))


def _view(here: House, choice: str, now: datetime) -> BatchView | None:
    """The view of this minute; what it lacks is asked for, and a source that answers at once is waited for."""
    now_s = int(now.timestamp()) // 60 * 60
    view = batches.batch_view(here, choice, now_s=now_s)
    room = here.batches
    if view is None or room is None or view.complete:
        return view
    for source in room.sources:
        room.keeper.want(view.window, source.name)
    if not any(job.eras for job in view.jobs):

        def read() -> bool:
            found = batches.batch_view(here, choice, now_s=now_s)
            return found is not None and found.complete

        room.keeper.wait_until(read, timeout_s=FIRST_WAIT_S)
    return batches.batch_view(here, choice, now_s=now_s)


def _not_configured() -> None:
    """No [batches]: what to write, ready to be copied."""
    st.html(
        Markup("<section class='below'><h2>{}</h2><p>{}</p></section>").format(words.no_table(), words.no_table_text())
    )
    st.code(words.EXAMPLE, language="toml")


def _nothing_yet(here: House, view: BatchView) -> None:
    settings = here.migration.batches
    if settings is None:
        return
    if not view.complete:
        st.html(Markup("<div class='empty'>{}</div>").format(_why_incomplete(here)))
        return
    patterns = [pattern for era in reversed(FLEETS) for pattern in settings.patterns(era).values()]
    st.html(
        Markup("<div class='empty'><div><b>{}</b><br>{}</div></div>").format(
            words.nothing_yet(here.migration.batch_service), words.nothing_yet_next(", ".join(patterns))
        )
    )


def _why_incomplete(here: House) -> str:
    """Whether the runs are on their way, or the source that knows them does not answer."""
    states = {state.source: state.state for state in here.archive.states()}
    stuck = here.batches is not None and states.get(here.batches.sources[0].name) in ("denied", "down", "throttled")
    return words.not_read() if stuck else words.reading()
