"""The sign-offs of a phase, and the form with which an approver signs its evidence."""

from dataclasses import dataclass, replace
from datetime import datetime

import streamlit as st

from domain import Window
from domain.decision import Decision
from domain.sign_offs import LedgerRow
from messages import sign_offs as text
from reports.evidence.manifest import evidence_digest
from reports.evidence.render import evidence_file_name, evidence_zip, signed_files
from reports.sign_offs import sign_off_rows
from reports.templating import render
from services.evaluation import Evaluation
from services.sign_off import Signature, phase_margin_changes, refusal, sign
from ui import layout
from ui.app_context import AppContext
from ui.controls import page_checkpoint
from ui.identity import current_identity
from ui.parity.evidence_button import evidence_bundle
from ui.parity.view import JudgementView
from ui.retrospective.entries import author_input, confirmation, form_key, save_entry, show_invalid

FORM = "sign_off"
_SHOWN, _FILE = "sign_off_shown", "sign_off_file"


@dataclass(frozen=True, slots=True)
class _SignedFile:
    """The evidence file of a signature of this session."""

    phase_start: int
    window: Window
    content: bytes


def sign_off_section(
    app: AppContext, view: JudgementView, evaluation: Evaluation, source: str, *, now: datetime
) -> None:
    """The signatures, what is wrong with the ledger, and the form. Raises ArchiveError."""
    ledger, zone = app.archive.sign_offs.read(), app.migration.zone
    rows = sign_off_rows(ledger.of_window(view.phase.window), zone, now=now)
    st.html(render("sign_offs.sign_offs", rows=rows, ledger=ledger))
    confirmation(FORM)
    _signed_file(app, view)
    if not current_identity(app).may("approver"):
        sign_in = app.migration.sign_in
        layout.note(str(text.NO_APPROVERS if sign_in and not sign_in.approvers else text.ONLY_APPROVERS))
    elif app.archive.outage is None:
        _form(app, view, evaluation, source, now)


def _signed_file(app: AppContext, view: JudgementView) -> None:
    file: _SignedFile | None = st.session_state.get(_FILE)
    if file and file.phase_start == view.phase.window.start:
        st.download_button(
            str(text.FILE),
            data=file.content,
            file_name=evidence_file_name(app.migration.name, file.window),
            mime="application/zip",
            on_click="ignore",
            icon=":material/download:",
            help=str(text.FILE_EXPLAINED),
            key="signed_file",
        )


def _form(app: AppContext, view: JudgementView, evaluation: Evaluation, source: str, now: datetime) -> None:
    # What was on the page when the button was pressed: this run may have newer data.
    shown = st.session_state.get(_SHOWN)
    st.session_state[_SHOWN] = (view.phase.window.start, evaluation.decision.decision)
    with st.expander(str(text.FORM)), st.form(key := form_key(FORM), border=False):
        changes, recorded_since = phase_margin_changes(app.archive, evaluation, now=now)
        phase_start, zone = view.phase.window.start, app.migration.zone
        for sentence in text.margin_notes(changes, recorded_since, phase_start, zone, now=now):
            layout.note(sentence)
        first, second = st.columns([1, 2])
        name = author_input(app, str(text.NAME), first, key=key)
        comment = second.text_input(str(text.COMMENT), max_chars=500, key=f"{key}_comment")
        if not st.form_submit_button(str(text.SIGN)):
            return
        identity = current_identity(app)
        signature = Signature(name, comment, identity.email, verified=identity.is_signed_in)
        _sign(app, view, source, signature, shown=shown, now=now)


def _sign(
    app: AppContext,
    view: JudgementView,
    source: str,
    signature: Signature,
    *,
    shown: tuple[int, Decision] | None,
    now: datetime,
) -> None:
    """Builds the evidence and signs it, or says why not. `shown`: the start of the phase and the decision that were on the page."""
    with st.spinner(str(text.BUILDING)):
        bundle = evidence_bundle(app, view, source, page_checkpoint(), now=now)
        evaluation, phase_start = bundle.evaluation, view.phase.window.start
        read = shown[1] if shown and shown[0] == phase_start else None
        if why := refusal(evaluation, signature, shown=read):
            decided = evaluation.decision.decision
            st.session_state[_SHOWN] = (phase_start, decided)  # the message names it
            show_invalid(text.refused(why, decided))
            return
        digest = evidence_digest(signed_files(bundle))

    def add() -> LedgerRow:
        row = sign(app.archive, evaluation, signature, evidence_sha256=digest, now=now)
        signed = replace(bundle, ledger=app.archive.sign_offs.read())
        content = evidence_zip(signed, made_at=now)
        st.session_state[_FILE] = _SignedFile(phase_start, evaluation.window, content)
        return row

    save_entry(FORM, str(text.TITLE), add, done=str(text.SIGNED))
