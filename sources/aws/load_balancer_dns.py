"""The DNS name of the configured load balancer: the only place to which probes are sent."""

from typing import Any

from domain import Migration
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.base import Problem

_DESCRIBE = "DescribeLoadBalancers"
PERMISSION = f"elasticloadbalancing:{_DESCRIBE}"
SOURCE = "load_balancer"


def load_balancer_dns(migration: Migration, *, client: Any = None) -> str | Problem:
    """The name, in lower case, or why it is not known. Raises ValueError without [aws]."""
    aws = aws_of(migration, "A probe")
    operations = {_DESCRIBE: Operation(result_key="LoadBalancers", item_key="DNSName")}
    session = ApiSession(SOURCE, "elasticloadbalancing", operations, ClientProvider("elbv2", aws, client))
    balancers = session.fetch_all(_DESCRIBE, about=aws.load_balancer, LoadBalancerArns=[aws.load_balancer])
    if isinstance(balancers, Problem):
        return balancers
    name = next((str(balancer["DNSName"]).lower() for balancer in balancers), "")
    return name or Problem("not_found", SOURCE, PERMISSION, aws.load_balancer)
