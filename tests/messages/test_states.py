"""Names of sources and labels of their states."""

from typing import get_args

import pytest

from messages import states
from sources.base import HealthState


@pytest.mark.parametrize("state", get_args(HealthState))
def test_each_state_of_a_source_has_a_label(state: HealthState) -> None:
    labels = {"up": "OK", "down": "unavailable", "denied": "access denied"}
    assert str(states.STATE_LABELS[state]) == labels.get(state, state)


def test_names_of_sources() -> None:
    assert states.source_name("load_balancer") == "Elastic Load Balancing"
    assert states.source_name("codedeploy") == "CodeDeploy"
    assert states.source_name("unknown") == "unknown"
