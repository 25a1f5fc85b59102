"""The next step on Live: a closed section, computed when it is opened."""

from collections.abc import Hashable
from datetime import datetime, timedelta

import streamlit as st

from analysis.deployments.next_step import NextStep, is_same
from domain import Traffic
from domain.deployments import DeploymentState
from messages import deployments
from messages import next_step as text
from reports.templating import render
from services.evaluation import Evaluation
from services.next_step import gate, next_step
from ui.app_context import AppContext, cached_view
from ui.layout import note
from ui.rollback import command_to_copy


def next_step_section(
    app: AppContext,
    evaluation: Evaluation,
    traffic: Traffic | None,
    state: DeploymentState | None,
    *,
    cache_key: Hashable,
    now: datetime,
) -> None:
    """`cache_key`: of the judgement. Nothing of a release that has ended. Raises ArchiveError."""
    if app.migration.is_over:
        return
    expander = st.expander(str(text.TITLE), key="next_step", on_change="rerun")
    if not expander.open:
        return
    shares = traffic and (traffic.split_arn, tuple(sorted(traffic.configured_shares.items())))
    running = state and tuple((item.id, item.waits) for item in state.deployments if item.running)
    key = cache_key, evaluation.decision, shares, running
    with expander:
        _show(
            app,
            _cached_step(app, evaluation, traffic, state, evaluation.source, key, now.replace(second=0, microsecond=0)),
        )


def _show(app: AppContext, step: NextStep) -> None:
    migration = app.migration
    st.html(render("next_step.sentences", items=text.sentences(step, migration)))
    if step.rows:
        rows = [(is_same(row.share, step.recommended), text.cells(step, row, migration)) for row in step.rows]
        st.html(render("next_step.table", head=text.head(migration, gate(migration)), rows=rows))
        note(str(text.ASSUMPTION))
    if not step.is_change:
        return
    command_to_copy(text.command_title(step, migration), step.commands)
    if step.terraform:
        st.html(render("deployments.step", title=text.TERRAFORM))
        st.code(step.terraform, language="hcl", wrap_lines=True)
    if step.ecspresso:
        command_to_copy(str(text.ECSPRESSO), step.ecspresso)
    note(str(deployments.NEVER_RUN))


@cached_view(max_entries=8, ttl=timedelta(minutes=5))
def _cached_step(
    app: AppContext,
    _evaluation: Evaluation,
    _traffic: Traffic | None,
    _state: DeploymentState | None,
    source: str,
    cache_key: Hashable,
    minute: datetime,
) -> NextStep:
    return next_step(app.archive, app.migration, _evaluation, _traffic, _state, now=minute)
