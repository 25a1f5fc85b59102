"""The phases of a migration as CSV."""

from domain import FLEETS
from messages.parity import phase_name
from reports.csv_table import table_csv
from reports.judgement_json import iso_time
from services.retrospective import EvaluationsByWindow, Retrospective

COLUMNS = (
    "number",
    "name",
    "start",
    "end",
    "canary_share",
    "bake_time_s",
    *(f"{name}_{fleet}" for name in ("requests", "errors", "error_rate") for fleet in FLEETS),
    *(f"p95_{fleet}_s" for fleet in FLEETS),
    "verdict",
    "decision",
    "outcome",
    "incidents",
)


def phases_csv(retrospective: Retrospective, evaluations: EvaluationsByWindow) -> bytes:
    """One row per phase, in order. Times are UTC, rates and shares fractions; what is not judged yet is empty."""
    rows = []
    for row in retrospective.phase_rows:
        phase, evaluation = row.phase, evaluations.get(row.phase.window)
        values: dict[str, object] = {
            "number": phase.number,
            "name": phase_name(phase),
            "start": iso_time(phase.window.start),
            "end": iso_time(phase.window.end),
            "canary_share": phase.canary_share,
            "bake_time_s": phase.bake_time_s,
            "verdict": evaluation.judgement.verdict if evaluation else None,
            "decision": evaluation.decision.decision if evaluation else None,
            "outcome": phase.outcome,
            "incidents": len(evaluation.judgement.incidents) if evaluation else None,
        }
        for fleet in FLEETS:
            p95 = row.p95[fleet]
            values |= {f"requests_{fleet}": row.requests[fleet], f"errors_{fleet}": row.errors[fleet]}
            values |= {f"error_rate_{fleet}": row.error_rate(fleet), f"p95_{fleet}_s": p95.value if p95 else None}
        rows.append(values)
    return table_csv(rows, COLUMNS)
