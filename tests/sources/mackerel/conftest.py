"""A loopback Mackerel with a load balancer's host, and a client of it that retries without delay."""

from collections.abc import Iterator

import pytest

from sources.mackerel.client import MackerelApi
from tests.factories.mackerel import TRAFFIC, noon
from tests.fakes.mackerel import API_KEY, FakeMackerel


@pytest.fixture
def fake_mackerel() -> Iterator[FakeMackerel]:
    with FakeMackerel(TRAFFIC, clock=noon) as fake:
        yield fake


@pytest.fixture
def api(fake_mackerel: FakeMackerel) -> Iterator[MackerelApi]:
    client = MackerelApi(API_KEY, fake_mackerel.url, backoff_s=0)
    yield client
    client.close()
