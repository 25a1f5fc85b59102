"""The evidence file as a download: made when somebody asks for it, and not before."""

from functools import partial

import streamlit as st

from archive import ArchiveError
from migration import utc_now
from reports.case import case, file_name
from reports.evidence import evidence
from ui.house import House
from ui.parity import JudgementView
from words import evidence as words


def evidence_button(here: House, view: JudgementView, source: str) -> None:
    """A button that hands out the evidence file of what the page shows."""
    st.download_button(
        words.FILE,
        data=partial(_made, here, view, source),
        file_name=file_name(here.migration.name, view.phase.window),
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        help=words.FILE_EXPLAINED,
    )


def _made(here: House, view: JudgementView, source: str) -> bytes:
    try:
        events = here.archive.events(view.phase.window)
    except ArchiveError:  # the evidence is in what was read before; only the lines on its charts are not
        events = ()
    now = utc_now()
    return evidence(case(here.migration, source, view.brought, events, view.phase, now=now), made_at=now)
