"""The progress of counting a window's access logs, and what to do if there are none."""

import streamlit as st
from markupsafe import Markup

from collector.access_log_ingest import IngestProgress
from domain import Window
from domain.window import MINUTE_S
from messages import access_log_ingest as text
from messages import times
from messages.errors import sources
from reports.templating import render
from ui import layout
from ui.app_context import AppContext

AUTO_INGEST_MINUTES = 1440  # the logs of a longer window are counted on request
INITIAL_WAIT_S = 2.0
MAX_PROBLEMS = 5
_REQUESTED_KEY = "requested_ingests"


def request_ingest(app: AppContext, window: Window) -> None:
    """Has the logs counted, unless the window is too long."""
    if app.sources.logs is not None and window.minutes <= AUTO_INGEST_MINUTES:
        app.collector.request_access_logs(window)


def is_ingesting(app: AppContext, window: Window) -> bool:
    """Whether more logs of this window will be counted soon."""
    if app.sources.logs is None:
        return False
    progress = app.collector.ingest_progress(window)
    if progress is None:
        return window.minutes <= AUTO_INGEST_MINUTES or _was_requested(window)
    # A window that was interrupted for a newer request is resumed; one with a problem is not.
    return progress.state in ("listing", "counting", "busy") or (progress.state == "stopped" and not progress.problems)


def wait_for_ingest(app: AppContext, window: Window) -> None:
    app.collector.wait_until(lambda: not is_ingesting(app, window), timeout_s=INITIAL_WAIT_S)


def progress_section(app: AppContext, window: Window) -> None:
    """A progress bar, the problems, and a button that starts counting a long window."""
    if app.sources.logs is None:
        return
    progress = app.collector.ingest_progress(window)
    if progress is None and window.minutes > AUTO_INGEST_MINUTES and not _was_requested(window):
        st.button(
            text.count_button(times.duration(window.minutes * MINUTE_S)),
            key="count_logs",
            on_click=_on_request,
            args=(app, window),
            help=str(text.COUNT_EXPLAINED),
        )
    elif progress is None or progress.state == "listing":
        st.progress(0.0, str(text.LISTING))
    elif progress.state == "busy":
        layout.note(str(text.BUSY))
    elif is_ingesting(app, window):
        share = progress.bytes_done / progress.bytes if progress.bytes else 0.0
        label = text.progress(progress.files_done, progress.files, progress.bytes_done, progress.bytes)
        st.progress(min(share, 1.0), label)
    if progress and (problems := _problems(progress)):
        st.html(problems)


def _problems(progress: IngestProgress) -> Markup:
    messages = [sources.format_problem(problem) for problem in dict.fromkeys(progress.problems)][:MAX_PROBLEMS]
    notes = [text.changed_files(progress.changed)] if progress.changed else []
    notes += [text.skipped_files(progress.skipped)] if progress.skipped else []
    notes += [text.skipped_lines(progress.skipped_lines)] if progress.skipped_lines else []
    return render("endpoints.ingest_problems", items=messages, note=" ".join(notes))


def empty_state(app: AppContext, window: Window) -> None:
    """If the window has no requests: why, and the next step."""
    if app.sources.logs is None:
        layout.configuration_example(str(text.NOT_CONFIGURED), str(text.NOT_CONFIGURED_TEXT), text.EXAMPLE)
        return
    progress = app.collector.ingest_progress(window)
    # Otherwise the progress bar, the button or the problem says why.
    if progress and not is_ingesting(app, window) and not progress.problems:
        layout.empty_state(str(text.NO_REQUESTS), str(text.NO_REQUESTS_TEXT))


def _was_requested(window: Window) -> bool:
    return window in st.session_state.get(_REQUESTED_KEY, ())


def _on_request(app: AppContext, window: Window) -> None:
    st.session_state[_REQUESTED_KEY] = (*st.session_state.get(_REQUESTED_KEY, ()), window)
    app.collector.request_access_logs(window)
