"""Parsed ARNs of load balancers, listeners, listener rules and target groups."""

import re
from dataclasses import dataclass
from typing import Literal, Self

ArnKind = Literal["load balancer", "listener", "listener rule", "target group"]

# arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ec2/73e2d6bc24d8a067
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12}):(?P<resource>\S+)"
)
_RESOURCES: dict[ArnKind, re.Pattern[str]] = {
    "load balancer": re.compile(r"loadbalancer/(?P<tail>app/(?P<name>[^/]+)/[0-9a-f]{16,17})"),
    "listener": re.compile(r"listener/(?P<tail>app/(?P<name>[^/]+)/[0-9a-f]{16,17}/[0-9a-f]{16,17})"),
    "listener rule": re.compile(
        r"listener-rule/(?P<tail>app/(?P<name>[^/]+)/[0-9a-f]{16,17}/[0-9a-f]{16,17}/[0-9a-f]{16,17})"
    ),
    "target group": re.compile(r"(?P<tail>targetgroup/(?P<name>[^/]+)/[0-9a-f]{16,17})"),
}
# Those of the isolated partitions (aws-iso, …) are not public.
_CONSOLE_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-eusc": "console.amazonaws-eusc.eu",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN of Elastic Load Balancing. `dimension` is its CloudWatch dimension value: `app/photo/50dc…`, `targetgroup/photo-ec2/73e2…`."""

    text: str
    kind: ArnKind
    partition: str
    region: str
    account: str
    name: str
    dimension: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The ARN, or None if the text is not an ARN of one of the four kinds."""
        text = text.strip()
        arn = _ARN.fullmatch(text)
        if not arn or arn["service"] != "elasticloadbalancing":
            return None
        for kind, pattern in _RESOURCES.items():
            if match := pattern.fullmatch(arn["resource"]):
                return cls(text, kind, arn["partition"], arn["region"], arn["account"], match["name"], match["tail"])
        return None

    @property
    def console_host(self) -> str:
        """The host of the partition's AWS console; "" if it is not known."""
        return _CONSOLE_HOSTS.get(self.partition, "")

    @property
    def load_balancer_path(self) -> str:
        """`app/photo/50dc…`, the load balancer of a listener or rule; "" for a target group."""
        return "" if self.kind == "target group" else "/".join(self.dimension.split("/")[:3])
