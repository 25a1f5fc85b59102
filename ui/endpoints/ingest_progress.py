"""How far the access logs of a window are counted, and what to do where nothing is."""

import streamlit as st
from markupsafe import Markup

from collector.access_log_ingest import IngestProgress
from domain import Window
from domain.window import MINUTE_S
from messages import access_log_ingest as words
from messages import times
from messages.errors import sources
from ui.app_context import AppContext

AUTO_INGEST_MINUTES = 1440  # of a longer window the logs are counted when somebody says so
INITIAL_WAIT_S = 2.0
MAX_PROBLEMS = 5


def request_ingest(app: AppContext, window: Window) -> IngestProgress | None:
    """How far the window is counted, which is wished for where it is short enough; None where nobody wished, or there are no logs to be had."""
    if app.sources.logs is None:
        return None
    if window.minutes <= AUTO_INGEST_MINUTES:
        app.collector.request_access_logs(window)
    return app.collector.ingest_progress(window)


def is_ingesting(app: AppContext, window: Window) -> bool:
    """Whether more of this window's logs will be counted soon."""
    if app.sources.logs is None:
        return False
    found = app.collector.ingest_progress(window)
    if found is None:
        return window.minutes <= AUTO_INGEST_MINUTES or _was_requested(window)
    # One that was stopped for a newer wish has its turn again; one that met a problem has not.
    return found.state in ("listing", "counting", "busy") or (found.state == "stopped" and not found.problems)


def wait_for_ingest(app: AppContext, window: Window) -> None:
    """Waits a moment for logs that are counted at once."""
    app.collector.wait_until(lambda: not is_ingesting(app, window), timeout_s=INITIAL_WAIT_S)


def progress_section(app: AppContext, window: Window) -> None:
    """The bar while logs are counted, what went wrong, and for a long window the button that begins it."""
    if app.sources.logs is None:
        return
    found = app.collector.ingest_progress(window)
    if found is None:
        if window.minutes > AUTO_INGEST_MINUTES and not _was_requested(window):
            length = times.duration(window.minutes * MINUTE_S)
            st.button(words.count_button(length), key="count_logs", on_click=_on_request, args=(app, window), help=words.COUNT_EXPLAINED())  # fmt: skip
        elif is_ingesting(app, window):
            st.progress(0.0, words.LISTING())
        return
    if found.state == "listing":
        st.progress(0.0, words.LISTING())
    elif found.state != "busy" and is_ingesting(app, window):
        part = found.bytes_done / found.bytes if found.bytes else 0.0
        st.progress(min(part, 1.0), words.progress(found.files_done, found.files, found.bytes_done, found.bytes))
    elif found.state == "busy":
        st.html(Markup("<p class='note'>{}</p>").format(words.BUSY()))
    if troubles := _problems(found):
        st.html(troubles)


def _problems(progress: IngestProgress) -> Markup:
    every = [sources.format_problem(problem) for problem in dict.fromkeys(progress.problems)][:MAX_PROBLEMS]
    said = [words.changed_files(progress.changed)] if progress.changed else []
    said += [words.skipped_files(progress.skipped)] if progress.skipped else []
    return Markup("").join(
        Markup("<div class='trouble'><b>{}</b> {}<br>→ {}</div>").format(one.title, one.text, one.next_step)
        for one in every
    ) + (Markup("<p class='note'>{}</p>").format(" ".join(said)) if said else Markup(""))


def empty_state(app: AppContext, window: Window) -> None:
    """Where there is no request to show: why, and the next step."""
    if app.sources.logs is None:
        st.html(
            Markup("<section class='below'><h2>{}</h2><p>{}</p></section>").format(
                words.NOT_CONFIGURED(), words.NOT_CONFIGURED_TEXT()
            )
        )
        st.code(words.EXAMPLE, language="toml")
        return
    found = app.collector.ingest_progress(window)
    if found is None or is_ingesting(app, window) or found.problems:
        return  # the bar, the button or the problem says it all
    st.html(
        Markup("<div class='empty'><div><b>{}</b><br>{}</div></div>").format(
            words.NO_REQUESTS(), words.NO_REQUESTS_TEXT()
        )
    )


def _was_requested(window: Window) -> bool:
    return window in st.session_state.get("counted", ())


def _on_request(app: AppContext, window: Window) -> None:
    st.session_state["counted"] = (*st.session_state.get("counted", ()), window)
    app.collector.request_access_logs(window)
