"""All outside systems on loopback at once: Elastic Load Balancing, CloudWatch, CloudTrail, ECS with CodeDeploy, and Mackerel, with the same traffic."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from domain import Arn
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudtrail import FakeCloudTrail
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.deployments import APPLICATION, CLUSTER, DEPLOYMENT_GROUP, FakeDeployments, deployed_service
from tests.fakes.deployments import SERVICE as ECS_SERVICE
from tests.fakes.elbv2 import REGION, FakeElbv2
from tests.fakes.mackerel import ALB_HOST, API_KEY, SERVICE, FakeMackerel
from tests.fakes.traffic_model import TrafficModel

MACKEREL_TABLE = f'[mackerel]\nservice = "{SERVICE}"\nalb_host = "{ALB_HOST}"\n'
# boto3 needs some credentials to sign with, and must not look for others.
EXAMPLE_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True)
class FakeServices:
    """The running servers. CloudTrail has only the events that a test adds."""

    elbv2: FakeElbv2
    cloudwatch: FakeCloudWatch
    mackerel: FakeMackerel
    cloudtrail: FakeCloudTrail
    deployments: FakeDeployments

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a program that reads these servers."""
        return EXAMPLE_CREDENTIALS | {
            "AWS_ENDPOINT_URL_CLOUDWATCH": self.cloudwatch.url,
            "AWS_ENDPOINT_URL_CLOUDTRAIL": self.cloudtrail.url,
            "AWS_ENDPOINT_URL_ECS": self.deployments.url,
            "AWS_ENDPOINT_URL_CODEDEPLOY": self.deployments.url,
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.elbv2.url,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": self.elbv2.url,  # moto has EventBridge, too
            "AWS_ENDPOINT_URL_SCHEDULER": self.elbv2.url,
            "AWS_REGION": REGION,
            "MACKEREL_APIBASE": self.mackerel.url,
            "MACKEREL_APIKEY": API_KEY,
        }

    def config(self, archive: str, **options: Any) -> str:
        """A migration.toml for these servers; `options` of `config_toml`."""
        return config_toml(
            self.elbv2.load_balancer,
            self.elbv2.groups,
            archive=archive,
            canary_lines=f'ecs_service = "{CLUSTER}/{ECS_SERVICE}"\ncodedeploy = "{APPLICATION}/{DEPLOYMENT_GROUP}"',
            extra_tables=MACKEREL_TABLE,
            **options,
        )


@contextmanager
def fake_services(traffic_model: TrafficModel, *, port: int = 0) -> Iterator[FakeServices]:
    """Runs the servers, on free ports or from `port` on."""
    ports = [port and port + i for i in range(5)]
    with ExitStack() as stack:
        elbv2 = stack.enter_context(FakeElbv2(port=ports[0]))
        load_balancer = Arn.parse(elbv2.load_balancer)
        assert load_balancer
        cloudwatch = FakeCloudWatch(traffic_model, load_balancer=load_balancer.dimension, region=REGION, port=ports[1])
        yield FakeServices(
            elbv2,
            stack.enter_context(cloudwatch),
            stack.enter_context(FakeMackerel(traffic_model, port=ports[2])),
            stack.enter_context(FakeCloudTrail(port=ports[3])),
            stack.enter_context(deployed_service(elbv2.groups["photo-ecs"], elbv2.listener, port=ports[4])),
        )
