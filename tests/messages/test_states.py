"""Every state has a label and a sentence."""

from typing import get_args

import pytest

from messages import states
from sources.base import HealthState


@pytest.mark.parametrize("state", get_args(HealthState))
def test_every_state_of_a_source(state: HealthState) -> None:
    assert states.label(state) == state
    assert states.explain(state).startswith("It ") and states.explain(state).endswith(".")


@pytest.mark.parametrize("state", states.TARGET_STATES)
def test_every_state_of_a_target(state: str) -> None:
    assert states.target_label(state).islower()
    assert states.explain_target(state).endswith(".")


def test_words_that_elastic_load_balancing_may_yet_invent() -> None:
    assert states.target_label("dreaming") == "dreaming"
    assert states.explain_target("dreaming") == "Elastic Load Balancing calls it “dreaming”."


def test_names_of_sources() -> None:
    assert states.source_name("load_balancer") == "Elastic Load Balancing"
    assert states.source_name("codedeploy") == "CodeDeploy"
    assert states.source_name("a source to come") == "a source to come"
