"""A migration with CodeDeploy and ECS, and clients of their fakes."""

from datetime import UTC, datetime
from typing import Any
from unittest import mock

from domain import Aws, Migration
from sources.aws.client import create_client
from tests.factories.aws import aws_migration
from tests.factories.config import ALB
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
    """The program's own client, which tries once."""
    with mock.patch.dict("os.environ", {"AWS_ENDPOINT_URL": url}):
        return create_client(service, Aws(region=REGION, load_balancer=ALB), read_timeout_s=5, max_attempts=1)
