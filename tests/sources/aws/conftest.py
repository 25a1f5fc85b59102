"""Fixtures of the AWS sources."""

from collections.abc import Iterator

import pytest

from tests.fakes.deployments import FakeDeployments


@pytest.fixture
def server() -> Iterator[FakeDeployments]:
    """CodeDeploy and ECS."""
    with FakeDeployments() as server:
        yield server
