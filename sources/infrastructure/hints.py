"""Collects hints one by one: what is in a hint is plain, of the expected kind, and there once."""

import re

from domain import Arn
from domain.arn import ArnKind
from domain.infrastructure import InfrastructureHints
from sources.infrastructure.base import is_plain

_FIELD_OF: dict[ArnKind, str] = {
    "load balancer": "load_balancer_arns",
    "listener": "listener_arns",
    "listener rule": "listener_rule_arns",
    "target group": "target_group_arns",
}
_REGION_OF_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:([a-z]{2,}(?:-[a-z]+)+-\d+):\d{12}:\S+")
REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
DEFAULT_CLUSTER = DEFAULT_SCHEDULE_GROUP = "default"


class HintsBuilder:
    """Every `add…` method ignores an empty or unusable value."""

    def __init__(self) -> None:
        self._region = ""
        self._fields: dict[str, dict[str, None]] = {}  # in the order in which they were added

    def add(self, field: str, value: str) -> None:
        if is_plain(value):
            self._fields.setdefault(field, {})[value] = None

    def add_region(self, region: str) -> None:
        """The first one counts."""
        if not self._region and REGION.fullmatch(region):
            self._region = region

    def add_region_of(self, arn: str) -> None:
        if match := _REGION_OF_ARN.fullmatch(arn):
            self.add_region(match[1])

    def add_elb(self, text: str) -> None:
        """An ARN of an Application Load Balancer, or of its listener, rule or target group; another ARN is ignored."""
        if arn := Arn.parse(text):
            self.add(_FIELD_OF[arn.kind], arn.text)
            self.add_region(arn.region)

    def add_service(self, cluster: str, service: str) -> None:
        """A service by its name or ARN, of a cluster by its name or ARN; "" if that is not known."""
        self.add_region_of(cluster)
        cluster = cluster.rpartition("/")[2]
        name = service.rpartition("/")[2]
        if not cluster and service.count("/") == 2:  # arn:aws:ecs:…:service/cluster/name
            cluster = service.split("/")[1]
        self.add("clusters", cluster)
        if name:
            self.add("services", f"{cluster}/{name}" if cluster else name)

    def add_deployment_group(self, application: str, group: str) -> None:
        self.add("codedeploy_applications", application)
        if group:
            self.add("codedeploy_deployment_groups", f"{application}/{group}" if application else group)

    def add_schedule(self, group: str, name: str) -> None:
        if name:
            self.add("schedule_rules", name if "/" in name else f"{group or DEFAULT_SCHEDULE_GROUP}/{name}")

    def hints(self, origin: str) -> InfrastructureHints:
        lists = {field: tuple(values) for field, values in self._fields.items()}
        return InfrastructureHints(region=self._region, origins=(origin,) if lists else (), **lists)
