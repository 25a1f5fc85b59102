"""The evidence file as a download: made when somebody asks for it, and not before."""

from functools import partial

import streamlit as st

from archive import ArchiveError
from domain import utc_now
from messages import evidence as words
from reports.evidence.render import evidence_zip
from reports.evidence.window_latency import latency_window
from services.endpoints import judge_logs, last_day
from services.evidence import build_bundle, evidence_file_name
from ui.app_context import AppContext
from ui.parity.view import JudgementView


def evidence_button(app: AppContext, view: JudgementView, source: str) -> None:
    """A button that hands out the evidence file of what the page shows."""
    st.download_button(
        words.FILE,
        data=partial(_evidence_file, app, view, source),
        file_name=evidence_file_name(app.migration.name, view.phase.window),
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        help=words.FILE_EXPLAINED,
    )


def _evidence_file(app: AppContext, view: JudgementView, source: str) -> bytes:
    window, now = view.phase.window, utc_now()
    try:
        events = app.archive.events.read(window)
        asked = latency_window(
            view.phase, now_s=int(now.timestamp()) // 60 * 60, provisional_s=app.migration.provisional_minutes * 60
        )
        whole = app.archive.metrics.window_latency(asked, source) if asked else None
        routes = judge_logs(app.archive, app.migration, last_day(window))
    except ArchiveError:  # `read` tells of it
        events, whole, routes = (), None, None
    brought = app.archive.metrics.read(window, source, now=now)  # every series, not the judge's alone
    return evidence_zip(
        build_bundle(
            app.migration, source, brought, events, view.phase, window_latency=whole, endpoints=routes, now=now
        ),
        made_at=now,
    )
