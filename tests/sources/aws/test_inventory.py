"""The inventory of a region: what is found on loopback, and that a denied service leaves out its own part only."""

from collections.abc import Iterator
from typing import Any

import pytest

from domain.infrastructure import InfrastructureHints
from domain.inventory import FoundDeploymentGroup, FoundTrigger
from messages.errors.sources import format_problem
from sources.aws import calls
from sources.aws.client import AwsAccess, create_client
from sources.aws.inventory import AwsReading, read_aws_inventory
from tests.fakes.deployments import APPLICATION, CLUSTER, DEPLOYMENT_GROUP, SERVICE
from tests.fakes.deployments import service as service_payload
from tests.fakes.elbv2 import EXPIRED, REGION, access_denied
from tests.fakes.services import FakeServices, fake_services
from tests.fakes.traffic_model import SteadyTraffic

pytestmark = pytest.mark.xdist_group("elbv2")
GROUP_DENIED = (400, "AccessDeniedException", "User is not authorized")


@pytest.fixture(scope="module")
def services() -> Iterator[FakeServices]:
    with fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as running:
        running.elbv2.client("events").put_rule(Name="photo-thumbnails", ScheduleExpression="rate(1 hour)")
        function = f"arn:aws:lambda:{REGION}:123456789012:function:photo-thumbnails:live"
        running.elbv2.client("events").put_targets(Rule="photo-thumbnails", Targets=[{"Id": "1", "Arn": function}])
        running.elbv2.client("events").put_rule(Name="on-change", EventPattern='{"source": ["aws.ecs"]}')
        yield running


@pytest.fixture(autouse=True)
def environment(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in services.environment.items():
        monkeypatch.setenv(name, value)
    clients: dict[str, Any] = {}

    def cached_client(service: str, aws: Any) -> Any:  # without retries
        return clients.setdefault(service, create_client(service, aws, max_attempts=1))

    monkeypatch.setattr(calls, "create_client", cached_client)
    yield
    services.elbv2.reset()
    services.deployments.errors.clear()
    services.deployments.page_size = 100


def read(**options: Any) -> AwsReading:
    return read_aws_inventory(AwsAccess(REGION), **options)


def problems(reading: AwsReading) -> list[tuple[str, str, str]]:
    return [(problem.source, problem.kind, problem.operation) for problem in reading.problems]


def test_everything_is_found(services: FakeServices) -> None:
    steps: list[str] = []
    reading = read(on_progress=steps.append)
    inventory = reading.inventory
    assert problems(reading) == []
    assert [item.name for item in inventory.load_balancers] == ["photo"]
    assert inventory.load_balancers[0].dns_name.endswith(".elb.amazonaws.com")
    assert {item.name: (item.target_type, item.load_balancer_arns) for item in inventory.target_groups} == {
        name: ("ip", (services.elbv2.load_balancer,)) for name in ("photo-ec2", "photo-ecs")
    }
    assert [[(share.target_group, share.weight) for share in rule.shares] for rule in inventory.rules] == [
        [],
        [("photo-ec2", 90), ("photo-ecs", 10)],
    ]
    (service,) = inventory.services
    assert (service.name, service.desired, service.task_definition) == (f"{CLUSTER}/{SERVICE}", 4, "web:42")
    assert services.elbv2.groups["photo-ecs"] in service.target_group_arns
    assert inventory.deployment_groups == (
        FoundDeploymentGroup(
            f"{APPLICATION}/{DEPLOYMENT_GROUP}", (f"{CLUSTER}/{SERVICE}",), ("photo-ecs", "photo-ecs-green")
        ),
    )
    assert inventory.triggers == (FoundTrigger("rule", "photo-thumbnails", "photo-thumbnails"),)
    assert steps == ["load_balancer", "ecs", "codedeploy", "eventbridge"]


def test_lists_are_read_to_their_last_page(services: FakeServices) -> None:
    services.elbv2.page_size = services.deployments.page_size = 1
    inventory = read().inventory
    assert len(inventory.target_groups) == 2
    assert len(inventory.rules) == 2
    assert len(inventory.services) == len(inventory.deployment_groups) == 1


@pytest.mark.parametrize("operation", ["ListClusters", "ListServices", "DescribeServices"])
def test_a_denied_ecs_leaves_the_rest(services: FakeServices, operation: str) -> None:
    services.deployments.errors[operation] = GROUP_DENIED
    reading = read()
    assert problems(reading) == [("ecs", "denied", f"ecs:{operation}")]
    assert reading.inventory.services == ()
    assert "ecs" in reading.inventory.unread
    assert len(reading.inventory.deployment_groups) == 1  # its pair names the target groups, too
    assert len(reading.inventory.rules) == 2


def test_a_hinted_cluster_is_read_if_the_list_is_denied(services: FakeServices) -> None:
    services.deployments.errors["ListClusters"] = GROUP_DENIED
    assert [item.name for item in read(hints=InfrastructureHints(clusters=(CLUSTER,))).inventory.services] == [
        "photo/web"
    ]


def test_a_denied_codedeploy_leaves_the_rest(services: FakeServices) -> None:
    services.deployments.errors["ListApplications"] = GROUP_DENIED
    reading = read()
    assert problems(reading) == [("codedeploy", "denied", "codedeploy:ListApplications")]
    assert len(reading.inventory.services) == 1
    hinted = read(hints=InfrastructureHints(codedeploy_applications=(APPLICATION,)))
    assert len(hinted.inventory.deployment_groups) == 1


def test_codedeploy_is_not_asked_if_no_service_is_deployed_by_it(services: FakeServices) -> None:
    payload = service_payload("ECS", loadBalancers=[{"targetGroupArn": services.elbv2.groups["photo-ecs"]}])
    services.deployments.services, before = [payload], services.deployments.services
    services.deployments.calls.clear()
    assert read().inventory.deployment_groups == ()
    services.deployments.services = before
    assert "ListApplications" not in services.deployments.calls


def test_denied_target_groups_are_those_of_the_rules(services: FakeServices) -> None:
    services.elbv2.errors["DescribeTargetGroups"] = access_denied("DescribeTargetGroups")
    reading = read()
    assert problems(reading) == [("load_balancer", "denied", "elasticloadbalancing:DescribeTargetGroups")]
    assert {(item.name, item.load_balancer_arns) for item in reading.inventory.target_groups} == {
        (name, (services.elbv2.load_balancer,)) for name in ("photo-ec2", "photo-ecs")
    }
    assert len(reading.inventory.services) == 1


def test_a_denied_list_of_load_balancers_needs_an_arn(services: FakeServices) -> None:
    services.elbv2.errors["DescribeLoadBalancers"] = access_denied("DescribeLoadBalancers")
    assert read().inventory.load_balancers == ()
    found = read(load_balancer=services.elbv2.load_balancer).inventory
    assert [item.name for item in found.load_balancers] == ["photo"]
    assert len(found.rules) == 2


def test_denied_rules_are_the_default_actions(services: FakeServices) -> None:
    services.elbv2.errors["DescribeRules"] = access_denied("DescribeRules")
    rules = read().inventory.rules
    assert [len(rule.shares) for rule in rules] == [0, 2]


@pytest.mark.parametrize("name", ["photo", "arn"])
def test_one_load_balancer_by_name_or_arn(services: FakeServices, name: str) -> None:
    selected = services.elbv2.load_balancer if name == "arn" else name
    assert [item.name for item in read(load_balancer=selected).inventory.load_balancers] == ["photo"]


def test_an_unknown_name_is_a_problem() -> None:
    assert problems(read(load_balancer="shop")) == [
        ("load_balancer", "not_found", "elasticloadbalancing:DescribeLoadBalancers")
    ]


def test_expired_credentials_are_one_problem_and_nothing_else_is_asked(services: FakeServices) -> None:
    services.elbv2.errors["*"] = EXPIRED
    services.deployments.calls.clear()
    assert problems(read()) == [("load_balancer", "expired_token", "elasticloadbalancing:DescribeLoadBalancers")]
    assert services.deployments.calls == []


def test_after_the_deadline_no_further_call_is_begun(services: FakeServices) -> None:
    services.elbv2.calls.clear()
    reading = read(deadline_s=0.0)
    assert "DescribeListeners" not in services.elbv2.calls
    assert ("load_balancer", "timeout", "elasticloadbalancing:DescribeListeners") in problems(reading)
    assert reading.inventory.rules == reading.inventory.services == ()


def test_each_limit_is_a_problem_with_both_numbers(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_LOAD_BALANCERS", "MAX_CLUSTERS", "MAX_TRIGGERS"):
        monkeypatch.setattr(f"sources.aws.inventory.{name}", 1)
    assert problems(read()) == []  # of each there is one
    for name in ("MAX_LOAD_BALANCERS", "MAX_CLUSTERS", "MAX_TRIGGERS"):
        monkeypatch.setattr(f"sources.aws.inventory.{name}", 0)
    reading = read()
    assert reading.inventory.rules == reading.inventory.services == reading.inventory.triggers == ()
    assert [(problem.source, problem.operation, format_problem(problem).text) for problem in reading.problems] == [
        (
            "load_balancer",
            "elasticloadbalancing:DescribeRules",
            "The listener rules of 0 load balancers were read, of 1 candidates.",
        ),
        ("ecs", "ecs:ListServices", "The services of 0 ECS clusters were read, of 1."),
        (
            "eventbridge",
            "events:ListTargetsByRule",
            "The targets of 0 scheduled EventBridge rules were read, of 1.",
        ),
    ]


def test_rules_that_a_file_names_are_read_first(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.aws.inventory.MAX_TRIGGERS", 1)
    events = services.elbv2.client("events")
    events.put_rule(Name="photo-cleanup", ScheduleExpression="rate(1 hour)")
    function = f"arn:aws:lambda:{REGION}:123456789012:function:photo-cleanup"
    events.put_targets(Rule="photo-cleanup", Targets=[{"Id": "1", "Arn": function}])
    try:
        found, hinted = read(), read(hints=InfrastructureHints(schedule_rules=("photo-cleanup",)))
    finally:
        events.remove_targets(Rule="photo-cleanup", Ids=["1"])
        events.delete_rule(Name="photo-cleanup")
    assert [trigger.name for trigger in found.inventory.triggers] == ["photo-thumbnails"]
    assert [trigger.name for trigger in hinted.inventory.triggers] == ["photo-cleanup"]
