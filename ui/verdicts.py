"""The criteria of a judgement in HTML: a table with their intervals and margins."""

from collections.abc import Mapping
from datetime import tzinfo

from markupsafe import Markup

import analysis
from charts.interval_bar import interval_bar
from domain import FleetName, Migration
from messages import parity, verdicts
from reports.templating import render

# The CSS class of each verdict.
TONES: dict[analysis.Verdict, str] = {
    "parity": "good",
    "improvement": "good",
    "regression": "bad",
    "undecided": "warn",
    "not enough data": "note",
}


def criterion_tooltip(result: analysis.CriterionVerdict, labels: Mapping[FleetName, str], zone: tzinfo) -> str:
    """One criterion's interval and its reason, in sentences."""
    sentence = verdicts.sentence(result, labels)
    return sentence if result.lower is None else f"{sentence} {verdicts.reason(result, labels, zone)}"


Routes = tuple[
    str, list[tuple[analysis.Verdict, int]], analysis.Verdict
]  # URL, numbers by verdict, the weightiest verdict


def criteria_table(migration: Migration, judgement: analysis.Judgement, routes: Routes | None = None) -> Markup:
    """One row per criterion: both fleets' values, the interval in its margin, the verdict, the time to a decision; and one of all routes."""
    fleets = migration.fleets
    return render(
        "verdicts.criteria_table",
        head=parity.table_head(fleets.baseline.label, fleets.canary.label),
        criteria=[
            (
                result,
                interval_bar(result),
                verdicts.reason(result, migration.labels, migration.zone),
                verdicts.worst_hour(result, migration.zone),
            )
            for result in judgement.criteria
        ],
        note=parity.unexplained(judgement, migration.labels),
        routes=routes,
    )
