"""Reads what a Mackerel organization has of a migration, before there is a configuration: its services, and the hosts of load balancers."""

import re

from domain.inventory import FoundMackerelHost, MackerelInventory
from sources.base import Problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.models import Host
from sources.mackerel.protocol import MackerelError
from sources.mackerel.queries import METRIC_NAMES, SOURCE

MAX_HOSTS = MAX_SERVICES = 20  # whose metric names are read
_GROUP_METRIC = re.compile(METRIC_NAMES["requests", "sum"].replace(".", r"\.").replace("{group}", "(.+)"))


def read_mackerel_inventory(api: MackerelApi) -> tuple[MackerelInventory | None, tuple[Problem, ...]]:
    """The services and the load balancers' hosts, None if they could not be read; and the problems."""
    try:
        organization = api.organization().name
        services = tuple(service.name for service in api.services())
        hosts = sorted(api.hosts(), key=lambda host: not _is_load_balancer(host))
        found = tuple(_read_host(api, host) for host in hosts[:MAX_HOSTS])
        names = tuple((name, frozenset(api.service_metric_names(name))) for name in services[:MAX_SERVICES])
    except MackerelError as error:
        return None, (error.to_problem(SOURCE),)
    found = tuple(host for host in found if host.target_groups)
    problems = (
        *_limit_problem("GET /api/v0/hosts/<hostId>/metric-names", MAX_HOSTS, sum(map(_is_load_balancer, hosts))),
        *_limit_problem("GET /api/v0/services/<serviceName>/metric-names", MAX_SERVICES, len(services)),
    )
    return MackerelInventory(organization, services, found, names), problems


def _is_load_balancer(host: Host) -> bool:
    """Whether Mackerel's AWS integration has made it of one."""
    return ".elb." in host.custom_identifier


def _limit_problem(operation: str, limit: int, total: int) -> tuple[Problem, ...]:
    """That there are more than are read."""
    return (Problem("incomplete", SOURCE, operation, str(limit), str(total)),) if total > limit else ()


def _read_host(api: MackerelApi, host: Host) -> FoundMackerelHost:
    matches = map(_GROUP_METRIC.fullmatch, api.host_metric_names(host.id))
    return FoundMackerelHost(host.id, host.name, tuple(host.roles), frozenset(match[1] for match in matches if match))
