"""Reads everything that a team names: an ecspresso configuration, Terraform states, CloudFormation stacks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sources.aws.client import AwsAccess
from sources.infrastructure.base import HintsResult, InfrastructureError, InfrastructureIssue
from sources.infrastructure.cloudformation import read_cloudformation
from sources.infrastructure.ecspresso import read_ecspresso
from sources.infrastructure.state_location import display_location
from sources.infrastructure.state_readers import read_state
from sources.infrastructure.terraform_state import TerraformState, state_hints


def read_infrastructure(
    access: AwsAccess,
    *,
    ecspresso: Sequence[Path] = (),
    tfstate: Sequence[str] = (),
    cloudformation: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> HintsResult:
    """The hints of all, in this order, so that an ecspresso configuration decides about the region. Never raises.

    `tfstate`: paths and URLs (state_location.parse_location). The configurations' templates are rendered with these states, too.
    """
    states, of_states = list[TerraformState](), list[HintsResult]()
    for location in tfstate:
        state, result = _read_state(location, access, environment)
        states += [state] if state else []
        of_states.append(result)

    def read(location: str) -> TerraformState:
        return read_state(location, access, environment)

    results = [read_ecspresso(path, environment, read, states) for path in ecspresso] + of_states
    merged = HintsResult()
    for result in results:
        merged = merged.merge(result)
    in_region = AwsAccess(access.region or merged.hints.region, access.profile)
    for stack in cloudformation:
        merged = merged.merge(read_cloudformation(stack, in_region))
    return merged


def _read_state(
    location: str, access: AwsAccess, environment: Mapping[str, str]
) -> tuple[TerraformState | None, HintsResult]:
    origin = display_location(location)
    try:
        state = read_state(location, access, environment)
    except InfrastructureError as error:
        return None, error.result()
    hints = state_hints(state, origin)
    issues = () if hints.origins else (InfrastructureIssue("nothing_found", origin),)
    return state, HintsResult(hints, issues)
