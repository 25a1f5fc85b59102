"""What the tests of CodeDeploy and ECS share: a migration that names both, and clients of the loopback world."""

from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from domain import Migration
from tests.fakes.deployments import APPLICATION, BLUE, CLUSTER, ELB, GREEN, GROUP, REGION, SERVICE, group_arn

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
EC2_ARN = f"{ELB}targetgroup/photo-ec2/73e2d6bc24d8a067"


def clock() -> datetime:
    return datetime.fromtimestamp(NOON, UTC)


def migration(**canary: Any) -> Migration:
    fleet = {
        "label": "ECS",
        "target_groups": [group_arn(BLUE), group_arn(GREEN)],
        "ecs_service": f"{CLUSTER}/{SERVICE}",
        "codedeploy": f"{APPLICATION}/{GROUP}",
    }
    return Migration.model_validate(
        {
            "name": "Photo service",
            "aws": {"region": REGION, "load_balancer": f"{ELB}loadbalancer/app/photo/50dc6c495c0c9188"},
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": [EC2_ARN]},
                "canary": fleet | canary,
            },
        }
    )


def client(service: str, url: str = "http://127.0.0.1:9") -> Any:
    """A client that tries once."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5, connect_timeout=5)
    return boto3.client(service, region_name=REGION, endpoint_url=url, config=config)
