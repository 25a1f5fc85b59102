"""Evidence that an old fleet is empty."""

from dataclasses import replace

from analysis.batches.jobs import JobReport
from analysis.deployments.drain import DrainEvidence, OldGroup
from domain.window import DAY_S
from tests.factories.traffic import EC2, make_rule, make_traffic

UNTIL = 1_795_464_000
REQUIRED_S = DAY_S
QUIET = OldGroup(EC2, UNTIL - 2 * DAY_S, UNTIL - 2 * DAY_S, 0, True)
CANARY_ONLY = make_rule(ec2=0, green=100)


def evidence(**changes: object) -> DrainEvidence:
    """Nothing stands against the removal, but for what `changes`."""
    empty = DrainEvidence(
        groups=(QUIET,),
        traffic=make_traffic(CANARY_ONLY),
        busiest_hour=UNTIL - DAY_S,
        jobs=(JobReport("thumbnails", None, "ok", scheduler="canary"),),
        until=UNTIL,
        required_s=REQUIRED_S,
    )
    return replace(empty, **changes)  # type: ignore[arg-type]
