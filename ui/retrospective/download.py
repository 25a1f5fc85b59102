"""The retrospective as a download: made when somebody asks for it, and not before."""

from functools import partial

import streamlit as st

from domain import utc_now
from messages import retrospective as words
from reports.retrospective.render import RetrospectiveReport, phase_judgements, retrospective_file_name
from services.retrospective import Retrospective, read_timeline
from ui.app_context import AppContext


def report_button(app: AppContext, retrospective: Retrospective) -> None:
    """A button that hands out the report of what the page shows, whatever part of it the chart is zoomed to."""
    st.download_button(
        words.REPORT_FILE,
        data=partial(_report_file, app, retrospective),
        file_name=retrospective_file_name(app.migration.name, retrospective.outline),
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
        help=words.REPORT_EXPLAINED,
    )


def _report_file(app: AppContext, retrospective: Retrospective) -> bytes:
    now, when = utc_now(), retrospective.outline
    course = read_timeline(app.archive, app.migration, when.source, when.window)
    judged = phase_judgements(app.archive, app.migration, retrospective, now=now)
    return RetrospectiveReport(app.migration, retrospective, course, judged, now).html().encode()
