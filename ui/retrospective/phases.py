"""The phases of a migration: the table at first with the verdicts that are known, then with each as soon as it is computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis import Phase
from archive import ArchiveError
from domain import Window, utc_now
from messages import retrospective as text
from messages.errors.sources import format_archive_problem
from reports.templating import render
from services.evaluation import Evaluation
from services.retrospective import Retrospective, evaluate_phase
from ui.app_context import AppContext
from ui.components import heartbeat
from ui.controls import page_checkpoint, query_params
from ui.language import fragment
from ui.retrospective import tables

NEXT_AFTER_S = 0.2
RETRY_AFTER_S = 15.0  # while the archive cannot be read


@dataclass
class _Judging:
    """The evaluations so far, by window of the phase. `is_drawn`: the page was shown with them, so that the next one may take its time."""

    evaluations: dict[Window, Evaluation]
    is_drawn: bool = False


def phases_section(
    app: AppContext,
    retrospective: Retrospective,
    evaluations: Mapping[Window, Evaluation],
    tiles: DeltaGenerator,
    *,
    is_filling: bool,
) -> None:
    """The incidents and the table, and the numbers in `tiles`, a placeholder above them. `evaluations`: those that are known.

    `is_filling`: the archive is not complete yet, so that there may be more.

    The fragment judges one phase in each of its runs, after the page was drawn: clicks wait for one phase at most, and a closed page ends it.

    Raises ArchiveError.
    """
    judging = _Judging(dict(evaluations))
    compared = _compared(retrospective)
    complete = not is_filling and all(phase.window in judging.evaluations for phase in compared)
    tiles.html(tables.tiles(app.migration, retrospective, judging.evaluations, complete=complete))
    fragment(partial(_phases, app, retrospective, judging, is_filling=is_filling))


def _compared(retrospective: Retrospective) -> list[Phase]:
    """The phases with a verdict: in the others one fleet had all the weight."""
    return [row.phase for row in retrospective.phase_rows if not row.phase.is_one_sided]


def _phases(app: AppContext, retrospective: Retrospective, judging: _Judging, *, is_filling: bool) -> None:
    now, source = utc_now(), retrospective.outline.source
    timer, incidents, table, progress = st.container(), st.empty(), st.empty(), st.empty()
    compared, ledger = _compared(retrospective), app.archive.sign_offs.read()

    def show() -> bool:
        """Whether all phases are judged."""
        known = judging.evaluations
        n_judged = sum(phase.window in known for phase in compared)
        all_judged = n_judged == len(compared)
        incidents.html(
            tables.incident_list(app.migration, retrospective, known, all_judged=all_judged, is_filling=is_filling)
        )
        table.html(tables.phases_table(app.migration, retrospective, known, query_params(), ledger=ledger, now=now))
        if all_judged:
            progress.empty()
        else:
            progress.progress(n_judged / len(compared), text.judging(n_judged + 1, len(compared)))
        return all_judged

    is_complete, interval_s = show(), NEXT_AFTER_S
    if judging.is_drawn and not is_complete:
        phase = next(phase for phase in compared if phase.window not in judging.evaluations)
        try:
            judging.evaluations[phase.window] = evaluate_phase(
                app.archive, app.migration, source, phase, now=now, checkpoint=page_checkpoint()
            )
        except ArchiveError as error:
            interval_s = RETRY_AFTER_S
            progress.html(render("layout.errors", items=[format_archive_problem(error.kind, error.detail)]))
        else:
            if is_complete := show():
                st.rerun(scope="app")  # a fragment cannot change the numbers above the chart
    judging.is_drawn = True
    with timer:
        heartbeat(0 if is_complete else interval_s, now=now.timestamp(), key="judging")
