"""The downloads of the retrospective, which are made when a button is pressed. They cover the whole migration, whatever range the chart shows."""

from functools import partial

import streamlit as st

from domain import utc_now
from messages import retrospective as text
from messages.i18n import current_language, in_language
from reports.retrospective.phases_csv import phases_csv
from reports.retrospective.render import report_of, retrospective_file_name
from services.retrospective import MigrationOutline, known_evaluations
from ui.app_context import AppContext
from ui.batches.view import batches_in
from ui.retrospective.view import retrospective_view


def report_button(app: AppContext, outline: MigrationOutline) -> None:
    st.download_button(
        str(text.REPORT_FILE),
        data=partial(_report_file, app, outline, current_language()),
        file_name=retrospective_file_name(app.migration.name, outline),
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
        help=str(text.REPORT_EXPLAINED),
        disabled=app.archive.outage is not None,
    )


def csv_button(app: AppContext, outline: MigrationOutline) -> None:
    st.download_button(
        text.CSV_LABEL,
        data=partial(_csv_file, app, outline, current_language()),
        file_name=retrospective_file_name(app.migration.name, outline).replace(".html", ".csv"),
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        help=str(text.CSV_EXPLAINED),
        disabled=app.archive.outage is not None,
    )


def _report_file(app: AppContext, outline: MigrationOutline, language: str) -> bytes:
    with in_language(language):
        retrospective, batches = retrospective_view(app, outline), batches_in(app, outline.window, "retrospective")
        return report_of(app.archive, app.migration, retrospective, batches, now=utc_now()).html().encode()


def _csv_file(app: AppContext, outline: MigrationOutline, language: str) -> bytes:
    """With the verdicts that are known."""
    retrospective = retrospective_view(app, outline)
    with in_language(language):
        return phases_csv(retrospective, known_evaluations(app.archive, app.migration, outline, now=utc_now()))
