"""The download of the evidence file, which is made when the button is pressed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st
from streamlit.runtime.scriptrunner import StopException

from domain import utc_now
from messages import evidence as text
from messages.i18n import current_language, in_language
from reports.evidence.render import evidence_file_name, evidence_zip
from services.alarms import read_alarms
from services.criteria import with_criteria
from services.evaluation import JudgementInput
from services.evidence import EvidenceBundle, collect_evidence
from ui.app_context import AppContext
from ui.batches.view import batches_in
from ui.controls import page_checkpoint
from ui.endpoints.view import last_day_view
from ui.parity.view import JudgementView, phase_evaluation


def evidence_button(app: AppContext, view: JudgementView, source: str) -> None:
    st.download_button(
        str(text.FILE),
        data=partial(_evidence_file, app, view, source, current_language(), page_checkpoint()),
        file_name=evidence_file_name(app.migration.name, view.phase.judged_window),
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        help=str(text.FILE_EXPLAINED),
        disabled=app.archive.outage is not None,
    )


def _evidence_file(
    app: AppContext, view: JudgementView, source: str, language: str, checkpoint: Callable[[], None]
) -> bytes:
    """b"" if the page was closed meanwhile."""
    with in_language(language), suppress(StopException):
        return _build_evidence_file(app, view, source, checkpoint)
    return b""


def _build_evidence_file(app: AppContext, view: JudgementView, source: str, checkpoint: Callable[[], None]) -> bytes:
    now = utc_now()
    return evidence_zip(evidence_bundle(app, view, source, checkpoint, now=now), made_at=now)


def evidence_bundle(
    app: AppContext, view: JudgementView, source: str, checkpoint: Callable[[], None], *, now: datetime
) -> EvidenceBundle:
    """The evidence of the phase that is shown. `checkpoint` may raise to give up. Raises ArchiveError."""
    phase = view.phase
    result = app.archive.metrics.read(phase.judged_window, source, now=now)  # all series, not only the judge's
    result = with_criteria(app.archive, app.migration, result, now=now)
    if outage := app.archive.outage:
        raise outage.problem.as_error()  # what is left in memory is no evidence
    checkpoint()
    evaluation = phase_evaluation(app, view, now=now, with_all_routes=True)
    data = JudgementInput(
        result,
        phase,
        phase.number,
        (),
        now,
        view.counts,
        read_alarms(app.archive, app.migration, source, now=now),
        view.judged.context,
        last_day_view(app, phase.window),
        evaluation.circumstances,
    )
    batches = batches_in(app, result.window, "evidence")
    return collect_evidence(app.archive, app.migration, source, data, batches=batches, checkpoint=checkpoint)
