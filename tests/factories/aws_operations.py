"""Which operations of AWS boto3 is asked for, whatever client they go through."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.client import BaseClient

# Services whose actions have another prefix than the name that their requests are signed with, and actions with another name than their operation.
_PREFIXES = {"monitoring": "cloudwatch"}
_ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}


@contextmanager
def recorded_actions() -> Iterator[set[str]]:
    """The IAM actions of all calls of this process meanwhile, answered or not: "ecs:DescribeServices"."""
    actions = set[str]()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(client: Any, operation: str, params: Any) -> Any:
        service = client.meta.service_model.signing_name
        action = f"{_PREFIXES.get(service, service)}:{operation}"
        actions.add(_ACTIONS.get(action, action))
        return call(client, operation, params)

    with mock.patch.object(BaseClient, "_make_api_call", record):
        yield actions
