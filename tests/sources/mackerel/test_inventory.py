"""What is found in a Mackerel organization before there is a configuration, and where its limits are met."""

import pytest

from messages.errors.sources import format_problem
from sources.mackerel import inventory
from sources.mackerel.client import MackerelApi
from sources.mackerel.inventory import read_mackerel_inventory
from tests.fakes.mackerel import FakeMackerel
from tests.fakes.traffic_model import SteadyTraffic


def test_hosts_and_services_beyond_the_limits_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMackerel(SteadyTraffic(lambda _: {"photo-ec2": 1.0})) as server:
        api = MackerelApi(server.key, server.url)
        found, problems = read_mackerel_inventory(api)
        assert found and found.hosts and problems == ()
        monkeypatch.setattr(inventory, "MAX_HOSTS", 0)
        monkeypatch.setattr(inventory, "MAX_SERVICES", 1)
        limited, problems = read_mackerel_inventory(api)
        api.close()
    assert limited and limited.hosts == () and len(limited.metric_names) == 1
    assert limited.services == found.services  # all names
    assert [format_problem(problem).text for problem in problems] == [
        "The metric names of 0 load balancers in Mackerel were read, of 1.",
        f"The metric names of 1 Mackerel services were read, of {len(found.services)}.",
    ]
