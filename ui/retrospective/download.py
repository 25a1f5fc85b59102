"""The download of the retrospective, which is made when the button is pressed."""

from functools import partial

import streamlit as st

from domain import utc_now
from messages import retrospective as text
from messages.i18n import current_language, in_language
from reports.retrospective.render import report_of, retrospective_file_name
from services.retrospective import Retrospective
from ui.app_context import AppContext


def report_button(app: AppContext, retrospective: Retrospective) -> None:
    """The report covers the whole migration, whatever range the chart shows."""
    st.download_button(
        str(text.REPORT_FILE),
        data=partial(_report_file, app, retrospective, current_language()),
        file_name=retrospective_file_name(app.migration.name, retrospective.outline),
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
        help=str(text.REPORT_EXPLAINED),
        disabled=app.archive.outage is not None,
    )


def _report_file(app: AppContext, retrospective: Retrospective, language: str) -> bytes:
    with in_language(language):
        return report_of(app.archive, app.migration, retrospective, now=utc_now()).html().encode()
