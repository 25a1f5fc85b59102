"""Parsed ARNs of load balancers, listeners, listener rules and target groups."""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Self, get_args

ArnKind = Literal["load balancer", "listener", "listener rule", "target group"]
ArnPart = Literal[
    "prefix",
    "partition",
    "service",
    "region",
    "account",
    "type",
    "name",
    "load_balancer_id",
    "listener_id",
    "rule_id",
    "id",
]

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


def _start_of(*literals: str) -> str:
    """A pattern of every start of these texts."""
    return "|".join(start for literal in literals for start in accumulate(literal, initial=""))


# The parts of an ARN in order: the part, its pattern, that of its start, and the separator behind it.
_Part = tuple[ArnPart, str, str, str]
_HEX = "[0-9a-f]{16,17}", "[0-9a-f]{0,17}"
_FIRST_PARTS: tuple[_Part, ...] = (
    ("prefix", "arn", _start_of("arn"), ":"),
    ("partition", "aws[a-z-]*", _start_of("aws"), ":"),
    ("service", "elasticloadbalancing", _start_of("elasticloadbalancing"), ":"),
    ("region", r"[a-z]{2,}(-[a-z]+)+-\d+", "[a-z0-9-]*", ":"),
    ("account", r"\d{12}", r"\d{0,12}", ":"),
)
_OF_LOAD_BALANCER: tuple[_Part, ...] = (
    ("type", "app", _start_of("app", "net", "gwy"), "/"),
    ("name", r"[^/\s]+", r"[^/\s]*", "/"),
    ("load_balancer_id", *_HEX, "/"),
    ("listener_id", *_HEX, "/"),
    ("rule_id", *_HEX, "/"),
)


def _parts(resource_type: str, *parts: _Part) -> tuple[_Part, ...]:
    return (*_FIRST_PARTS, ("type", resource_type, _start_of(resource_type), "/"), *parts)


_PARTS: dict[ArnKind, tuple[_Part, ...]] = {
    "load balancer": _parts("loadbalancer", *_OF_LOAD_BALANCER[:3]),
    "listener": _parts("listener", *_OF_LOAD_BALANCER[:4]),
    "listener rule": _parts("listener-rule", *_OF_LOAD_BALANCER),
    "target group": _parts("targetgroup", _OF_LOAD_BALANCER[1], ("id", *_HEX, "/")),
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


@dataclass(frozen=True, slots=True)
class TruncatedArn:
    """The start of an ARN of `kind`. `missing`: the absent parts, in order; of the first one it has the start if `in_part`."""

    kind: ArnKind
    missing: tuple[ArnPart, ...]
    in_part: bool

    @classmethod
    def parse(cls, text: str, expected: ArnKind) -> Self | None:
        """The truncated ARN, of the `expected` kind if it may be one; None if the text is not the start of an ARN."""
        kinds = (expected, *get_args(ArnKind)) if text.strip() else ()
        return next((truncated for kind in kinds if (truncated := cls._parse(text.strip(), kind))), None)

    @classmethod
    def _parse(cls, text: str, kind: ArnKind) -> Self | None:
        parts = _PARTS[kind]
        for position, (_, pattern, start, separator) in enumerate(parts):
            part, ended, text = text.partition(separator)
            whole = re.fullmatch(pattern, part)
            if ended and whole:
                continue
            if ended or not re.fullmatch(start, part):
                return None
            missing = tuple(dict.fromkeys(name for name, *_ in parts[position + bool(whole) :]))
            return cls(kind, missing, bool(part) and not whole) if missing else None
        return None
