"""The evidence file as a download: made when somebody asks for it, and not before."""

from functools import partial

import streamlit as st

from archive import ArchiveError
from domain import utc_now
from messages import evidence as words
from reports.evidence.render import evidence
from reports.evidence.window_latency import window_of
from services.endpoints import judge_logs, last_day
from services.evidence import case, file_name
from ui.app_context import House
from ui.parity.view import JudgementView


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
    window, now = view.phase.window, utc_now()
    try:
        events = here.archive.events(window)
        asked = window_of(
            view.phase, now_s=int(now.timestamp()) // 60 * 60, provisional_s=here.migration.provisional_minutes * 60
        )
        whole = here.archive.whole(asked, source) if asked else None
        routes = judge_logs(here.archive, here.migration, last_day(window))
    except ArchiveError:  # `read` tells of it
        events, whole, routes = (), None, None
    brought = here.archive.read(window, source, now=now)  # every series, not the judge's alone
    return evidence(
        case(here.migration, source, brought, events, view.phase, whole=whole, routes=routes, now=now), made_at=now
    )
