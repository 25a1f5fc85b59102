"""Reads AWS and Mackerel by the credentials at hand, for the command and for the page."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from domain.infrastructure import InfrastructureHints
from domain.inventory import Inventory
from sources.aws.client import AwsAccess, default_region
from sources.aws.inventory import AwsReading, read_aws_inventory
from sources.infrastructure.base import HintsResult
from sources.infrastructure.reader import read_infrastructure
from sources.mackerel.client import MackerelApi
from sources.mackerel.inventory import read_mackerel_inventory


def read_hints(
    region: str, profile: str, *, ecspresso: Sequence[Path], tfstate: Sequence[str], cloudformation: Sequence[str]
) -> HintsResult:
    """What the files, states and stacks name. `region`: of S3 and of the stacks; "": that of the files, else of the environment."""
    files = read_infrastructure(AwsAccess(region, profile), ecspresso=ecspresso, tfstate=tfstate)
    if not cloudformation:
        return files
    of_stacks = AwsAccess(region or files.hints.region or default_region(profile), profile)
    return files.merge(read_infrastructure(of_stacks, cloudformation=cloudformation))


def read_inventory(
    region: str,
    *,
    profile: str = "",
    load_balancer: str = "",
    hints: InfrastructureHints | None = None,
    deadline_s: float = 60.0,
    on_progress: Callable[[str], None] = lambda _source: None,
) -> AwsReading:
    """What was found, and the problems of what was not. Mackerel is read if MACKEREL_APIKEY is set."""
    reading = read_aws_inventory(
        AwsAccess(region, profile),
        load_balancer=load_balancer,
        hints=hints,
        deadline_s=deadline_s,
        on_progress=on_progress,
    )
    if not (os.environ.get("MACKEREL_APIKEY") and reading.inventory.target_groups):
        return reading
    on_progress("mackerel")
    with closing(MackerelApi.from_environment()) as api:
        mackerel, problems = read_mackerel_inventory(api)
    inventory: Inventory = replace(
        reading.inventory,
        mackerel=mackerel,
        unread=reading.inventory.unread | {problem.source for problem in problems},
    )
    return AwsReading(inventory, (*reading.problems, *problems))
