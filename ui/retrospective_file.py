"""The retrospective as a download: made when somebody asks for it, and not before."""

from functools import partial

import streamlit as st

from migration import utc_now
from reports.retrospect import Retrospect, overall
from reports.retrospective import Told, file_name, judgements
from ui.house import House
from words import retrospective as words


def report_button(here: House, found: Retrospect) -> None:
    """A button that hands out the report of what the page shows, whatever part of it the chart is zoomed to."""
    st.download_button(
        words.REPORT_FILE,
        data=partial(_made, here, found),
        file_name=file_name(here.migration.name, found.outline),
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
        help=words.REPORT_EXPLAINED,
    )


def _made(here: House, found: Retrospect) -> bytes:
    now, when = utc_now(), found.outline
    course = overall(here.archive, here.migration, when.source, when.window)
    judged = judgements(here.archive, here.migration, found, now=now)
    return Told(here.migration, found, course, judged, now).html().encode()
