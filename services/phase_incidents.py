"""The incidents of a whole migration: numbered, with when they were detected and rolled back."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from analysis.parity.incidents import Incident
from domain.window import MINUTE_S
from services.evaluation import Evaluation
from services.retrospective import EvaluationsByWindow, MigrationOutline, Retrospective


@dataclass(frozen=True, slots=True)
class NumberedIncident:
    """The `number`-th incident of a migration, from 1, and the evaluation of its phase.

    `detected_s`, `rolled_back_s`: from its start to the first alert, and to the rollback that ended its phase; None without one.
    """

    number: int
    incident: Incident
    evaluation: Evaluation
    detected_s: int | None
    rolled_back_s: int | None


def numbered_incidents(retrospective: Retrospective, evaluations: EvaluationsByWindow) -> tuple[NumberedIncident, ...]:
    """Of the phases that are judged, in order of time."""
    found = sorted(_incidents(retrospective, evaluations), key=lambda item: item[0].window.start)
    return tuple(NumberedIncident(number, *item) for number, item in enumerate(found, start=1))


def first_incidents(outline: MigrationOutline, evaluations: EvaluationsByWindow) -> tuple[Incident, ...]:
    """In the order of their numbers, up to the first phase that is still to be judged: the numbers of these do not change any more."""
    known = takewhile(lambda phase: phase.is_one_sided or phase.window in evaluations, outline.phases)
    of_phases = [evaluations[phase.window].judgement.incidents for phase in known if phase.window in evaluations]
    return tuple(sorted((item for items in of_phases for item in items), key=lambda item: item.window.start))


def _incidents(
    retrospective: Retrospective, evaluations: EvaluationsByWindow
) -> Iterator[tuple[Incident, Evaluation, int | None, int | None]]:
    alerts = sorted(event.ts for event in retrospective.outline.events if event.kind == "alert")
    rollbacks = sorted(rollback.ts for rollback in retrospective.rollbacks)
    for row in retrospective.phase_rows:
        evaluation, end = evaluations.get(row.phase.window), row.phase.window.end + MINUTE_S
        if evaluation is None:
            continue
        for incident in evaluation.judgement.incidents:
            start = incident.window.start
            detected = next((ts - start for ts in alerts if start <= ts <= incident.window.end), None)
            yield incident, evaluation, detected, next((ts - start for ts in rollbacks if start <= ts <= end), None)
