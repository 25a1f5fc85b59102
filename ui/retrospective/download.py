"""The retrospective as a download: made when somebody asks for it, and not before."""

from functools import partial

import streamlit as st

from domain import utc_now
from messages import retrospective as words
from reports.retrospective.render import Told, file_name, judgements
from services.retrospective import Retrospect, overall
from ui.app_context import House


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
