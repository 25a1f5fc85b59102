"""How far the access logs of a window are counted, and what to do where nothing is."""

import streamlit as st
from markupsafe import Markup

from collector.access_log_ingest import Counting
from domain import Window
from domain.window import MINUTE_S
from messages import access_log_ingest as words
from messages import times
from messages.errors import sources
from ui.app_context import House

AUTOMATIC_MINUTES = 1440  # of a longer window the logs are counted when somebody says so
FIRST_WAIT_S = 2.0
MOST_TROUBLES = 5


def counting_of(here: House, window: Window) -> Counting | None:
    """How far the window is counted, which is wished for where it is short enough; None where nobody wished, or there are no logs to be had."""
    if here.sources.logs is None:
        return None
    if window.minutes <= AUTOMATIC_MINUTES:
        here.keeper.want_logs(window)
    return here.keeper.counting(window)


def under_way(here: House, window: Window) -> bool:
    """Whether more of this window's logs will be counted soon."""
    if here.sources.logs is None:
        return False
    found = here.keeper.counting(window)
    if found is None:
        return window.minutes <= AUTOMATIC_MINUTES or _asked_for(window)
    # One that was stopped for a newer wish has its turn again; one that met a problem has not.
    return found.state in ("listing", "counting", "busy") or (found.state == "stopped" and not found.problems)


def wait(here: House, window: Window) -> None:
    """Waits a moment for logs that are counted at once."""
    here.keeper.wait_until(lambda: not under_way(here, window), timeout_s=FIRST_WAIT_S)


def progress(here: House, window: Window) -> None:
    """The bar while logs are counted, what went wrong, and for a long window the button that begins it."""
    if here.sources.logs is None:
        return
    found = here.keeper.counting(window)
    if found is None:
        if window.minutes > AUTOMATIC_MINUTES and not _asked_for(window):
            length = times.duration(window.minutes * MINUTE_S)
            st.button(words.ask_count(length), key="count_logs", on_click=_ask, args=(here, window), help=words.ask_count_text())  # fmt: skip
        elif under_way(here, window):
            st.progress(0.0, words.listing())
        return
    if found.state == "listing":
        st.progress(0.0, words.listing())
    elif found.state != "busy" and under_way(here, window):
        part = found.bytes_done / found.bytes if found.bytes else 0.0
        st.progress(min(part, 1.0), words.counting(found.files_done, found.files, found.bytes_done, found.bytes))
    elif found.state == "busy":
        st.html(Markup("<p class='note'>{}</p>").format(words.busy()))
    if troubles := _troubles(found):
        st.html(troubles)


def _troubles(found: Counting) -> Markup:
    every = [sources.say(problem) for problem in dict.fromkeys(found.problems)][:MOST_TROUBLES]
    said = [words.changed(found.changed)] if found.changed else []
    said += [words.foreign(found.foreign)] if found.foreign else []
    return Markup("").join(
        Markup("<div class='trouble'><b>{}</b> {}<br>→ {}</div>").format(one.title, one.text, one.next_step)
        for one in every
    ) + (Markup("<p class='note'>{}</p>").format(" ".join(said)) if said else Markup(""))


def nothing(here: House, window: Window) -> None:
    """Where there is no request to show: why, and the next step."""
    if here.sources.logs is None:
        st.html(
            Markup("<section class='below'><h2>{}</h2><p>{}</p></section>").format(
                words.not_configured(), words.not_configured_text()
            )
        )
        st.code(words.EXAMPLE, language="toml")
        return
    found = here.keeper.counting(window)
    if found is None or under_way(here, window) or found.problems:
        return  # the bar, the button or the problem says it all
    st.html(
        Markup("<div class='empty'><div><b>{}</b><br>{}</div></div>").format(
            words.nothing_counted(), words.nothing_counted_text()
        )
    )


def _asked_for(window: Window) -> bool:
    return window in st.session_state.get("counted", ())


def _ask(here: House, window: Window) -> None:
    st.session_state["counted"] = (*st.session_state.get("counted", ()), window)
    here.keeper.want_logs(window)
