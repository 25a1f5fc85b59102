"""Incidents of the canary, and an evaluation that has them."""

from dataclasses import replace

from analysis import CriterionVerdict, Judgement
from analysis.parity.incidents import Incident
from domain import Window
from services.decision import NO_CIRCUMSTANCES, Circumstances
from services.evaluation import Evaluation
from tests.factories.app_context import NOW
from tests.factories.config import make_migration

START = int(NOW.timestamp()) - 7200
MIGRATION = make_migration()
INCIDENT = Incident(
    "errors",
    Window(START, START + 300),
    ("canary",),
    {"baseline": 3000, "canary": 3000},
    {"baseline": 3, "canary": 2900},
)
EARLIER = replace(INCIDENT, window=Window(START - 3600, START - 3300))


def evaluation_with(*incidents: Incident, circumstances: Circumstances = NO_CIRCUMSTANCES) -> Evaluation:
    results = tuple(CriterionVerdict(criterion, "parity", "inside_margin") for criterion in MIGRATION.criteria)
    judgement = Judgement("parity", results, incidents=incidents)
    return Evaluation(
        judgement,
        Window(START - 7200, START + 3600),
        MIGRATION.name,
        "cloudwatch",
        MIGRATION.labels,
        MIGRATION.zone,
        circumstances=circumstances,
    )
