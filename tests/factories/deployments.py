"""A migration with CodeDeploy and ECS, and clients of their fakes."""

from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from domain import Migration
from tests.factories.aws import aws_migration
from tests.fakes.deployments import (
    APPLICATION,
    BLUE,
    CLUSTER,
    DEPLOYMENT_GROUP,
    GREEN,
    REGION,
    SERVICE,
    group_arn,
)

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC


def clock() -> datetime:
    return datetime.fromtimestamp(NOON, UTC)


def deployments_migration(**canary: Any) -> Migration:
    fleet = {
        "target_groups": [group_arn(BLUE), group_arn(GREEN)],
        "ecs_service": f"{CLUSTER}/{SERVICE}",
        "codedeploy": f"{APPLICATION}/{DEPLOYMENT_GROUP}",
    }
    return aws_migration(canary=fleet | canary)


def no_retry_client(service: str, url: str = "http://127.0.0.1:9") -> Any:
    """A client that tries once."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5, connect_timeout=5)
    return boto3.client(service, region_name=REGION, endpoint_url=url, config=config)
