"""A judgement in HTML: the strip on the Live page, and the table of criteria with their intervals and margins."""

from markupsafe import Markup

import analysis
from charts.interval_bar import interval_bar
from domain import Migration
from domain.window import MINUTE_S
from messages import parity, verdicts
from reports.templating import render


def verdict_strip(migration: Migration, judgement: analysis.Judgement, phase: analysis.Phase) -> Markup:
    """The overall verdict with its phase, and each criterion's verdict."""
    return render(
        "verdicts.strip",
        judgement=judgement,
        about=parity.about(phase.canary_share, phase.judged_window.minutes * MINUTE_S),
        criteria=[(result, _tooltip(migration, result)) for result in judgement.criteria],
    )


def _tooltip(migration: Migration, result: analysis.CriterionVerdict) -> str:
    """One criterion's interval and its reason, in sentences."""
    sentence = verdicts.sentence(result, migration.labels)
    return sentence if result.lower is None else f"{sentence} {verdicts.reason(result, migration.labels)}"


def criteria_table(migration: Migration, judgement: analysis.Judgement) -> Markup:
    """One row per criterion: both fleets' values, the interval in its margin, the verdict, the time to a decision."""
    fleets = migration.fleets
    return render(
        "verdicts.criteria_table",
        head=parity.table_head(fleets.baseline.label, fleets.canary.label),
        criteria=[
            (result, interval_bar(result), verdicts.reason(result, migration.labels)) for result in judgement.criteria
        ],
        note=parity.unexplained(judgement, migration.labels),
    )
