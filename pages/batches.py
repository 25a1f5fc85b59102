"""Batches: did every job run on schedule and take as long as usual? The worst first, each job's history, and both schedulers."""

from datetime import datetime
from functools import partial

import streamlit as st

from domain import FLEETS, utc_now
from domain.window import MINUTE_S
from messages import batches as text
from messages import live
from services.batches import BatchView
from ui import layout
from ui.app_context import AppContext, get_app_context
from ui.batches import view as batches
from ui.batches.detail import job_detail
from ui.batches.handover import handover_section
from ui.batches.run_work import work_table
from ui.components import page_actions
from ui.controls import follow_link, query_param, query_params, segmented_control, set_query
from ui.language import fragment

REFRESH_S = 60  # runs are read every five minutes
INITIAL_WAIT_S = 1.5


def render() -> None:
    app = get_app_context()
    layout.demo_banner(app.migration)
    fragment(partial(_content, app), run_every=REFRESH_S)


def _content(app: AppContext) -> None:
    page_actions("", follow_link)
    now, query = utc_now(), query_params()
    choice = query.get("window", batches.DEFAULT_WINDOW)
    choice = choice if choice in batches.WINDOW_CHOICES else batches.DEFAULT_WINDOW
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.page_title(app.migration, str(text.BATCHES_TITLE))
        if app.batches is not None:
            segmented_control(
                "window",
                str(text.WINDOW_LABEL),
                batches.WINDOW_CHOICES,
                choice,
                text.window_length,
                default=batches.DEFAULT_WINDOW,
            )
            if "job" in query:
                st.button(str(text.ALL_JOBS), key="all_jobs", on_click=set_query, kwargs={"job": None})
    archive = app.batches.archive if app.batches else app.archive
    with layout.archive_state(app.migration, archive, str(live.ARCHIVE_ERROR)):
        view = _read_view(app, choice, now)
        if view is None:
            layout.configuration_example(str(text.NOT_CONFIGURED), str(text.NOT_CONFIGURED_TEXT), text.EXAMPLE)
        else:
            _show(app, view, choice, now)


def _show(app: AppContext, view: BatchView, choice: str, now: datetime) -> None:
    name = query_params().get("job")
    job = view.job(name) if name is not None else None
    if name is not None and job is None:
        layout.warning(text.no_such_job(name))
    if job:
        job_detail(app.migration, view, job, now)
    elif any(report.schedulers or report.job for report in view.jobs):
        st.html(batches.headline(view, choice))
        if not view.complete:
            layout.note(_why_incomplete(app))
        shown = query_param("show", batches.SHOWN_CHOICES)
        n_problems = len(batches.problems(view))
        segmented_control(
            "show",
            str(text.SHOW_LABEL),
            batches.SHOWN_CHOICES,
            shown,
            lambda name: text.shown_jobs(name, n_problems if name else len(view.jobs)),
        )
        if shown and not n_problems:
            layout.empty_state(str(text.NO_PROBLEMS))
        table = batches.jobs_table(app.migration, view, choice, now, problems_only=bool(shown))
        st.html(table + batches.legend(view))
        handover_section(app.migration, view.jobs, now)
        work = work_table(app.migration, view, view.jobs, now)
        if comparison := work + batches.schedulers_table(app.migration, view.jobs, now):
            st.html(comparison)
    else:
        _empty_state(app, view)
    st.html(batches.sources(app, now))


def _read_view(app: AppContext, choice: str, now: datetime) -> BatchView | None:
    """The view up to this minute. Requests what is missing; waits for it only if there is nothing to show yet."""
    read = partial(batches.batch_view, app, choice, now_s=int(now.timestamp()) // MINUTE_S * MINUTE_S)
    view = read()
    if view is None or app.batches is None or view.complete:
        return view
    for source in app.batches.sources:
        app.batches.collector.request_window(view.window, source.name)

    def is_complete() -> bool:
        newest = read()
        return newest is not None and newest.complete

    if not any(job.schedulers for job in view.jobs):
        app.batches.collector.wait_until(is_complete, timeout_s=INITIAL_WAIT_S)
    return read()


def _empty_state(app: AppContext, view: BatchView) -> None:
    settings = app.migration.batches
    if settings is None:
        return
    if not view.complete:
        layout.empty_state(_why_incomplete(app))
        return
    patterns = [pattern for kind in reversed(FLEETS) for pattern in settings.patterns(kind).values()]
    layout.empty_state(
        text.no_metrics_yet(app.migration.batch_service), text.no_metrics_yet_next_step(", ".join(patterns))
    )


def _why_incomplete(app: AppContext) -> str:
    """Whether the runs are being read, or their source does not answer."""
    states = {state.source: state.state for state in app.source_states()}
    is_down = app.batches is not None and states.get(app.batches.sources[0].name) in ("denied", "down", "throttled")
    return str(text.PARTLY_UNREAD if is_down else text.READING)
