"""URLs of the AWS console: metric graphs, ECS services and CodeDeploy deployments."""

from collections.abc import Iterable
from datetime import UTC, datetime

from domain import FLEETS, Aws, Migration, Series, Window
from sources.aws.client import aws_of
from sources.aws.cloudwatch_queries import cloudwatch_metric


def console_url(aws: Aws, path: str) -> str:
    """`path` in the console of the configured partition and region; "" if the partition's console is not known."""
    host = aws.load_balancer_arn.console_host
    return f"https://{aws.region}.{host}/{path}?region={aws.region}" if host else ""


def metrics_url(migration: Migration, selected: Iterable[Series], window: Window, period_s: int) -> str:
    """The CloudWatch graph of these series over `window` in periods of `period_s` seconds; "" as `console_url`. Raises ValueError without [aws]."""
    aws, lines = aws_of(migration, "CloudWatch"), []
    if not (host := aws.load_balancer_arn.console_host):
        return ""
    for series in selected:
        metric = cloudwatch_metric(migration, series)
        dimensions = [text for pair in metric.dimensions.items() for text in pair]
        fleet = migration.fleets[series.fleet].label if series.fleet in FLEETS else ""
        label = " ".join(filter(None, (fleet, series.target_group, metric.name, metric.stat)))
        lines.append([metric.namespace, metric.name, *dimensions, {"stat": metric.stat, "label": label}])
    graph = {
        "metrics": lines,
        "view": "timeSeries",
        "stacked": False,
        "region": aws.region,
        "period": period_s,
        "start": _format_utc(window.starts_at),
        "end": _format_utc(window.ends_at),
    }
    return f"https://{host}/cloudwatch/home?region={aws.region}#metricsV2:graph={_jsurl(graph)}"


def _format_utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _jsurl(value: object) -> str:
    """The console's encoding of `graph=`: JSON with ~ for commas and colons, ~'text, and *2f for a byte that is not allowed in a URL."""
    match value:
        case bool():
            return "~true" if value else "~false"
        case int():
            return f"~{value}"
        case str():
            return "~'" + "".join(_escape(character) for character in value)
        case dict():
            return "~(" + "~".join(f"{key}{_jsurl(item)}" for key, item in value.items()) + ")"
        case list():
            return "~(" + "".join(_jsurl(item) for item in value) + ")"
    raise TypeError(f"{value!r} cannot be encoded in a URL")


def _escape(character: str) -> str:
    if character.isascii() and (character.isalnum() or character in "-_."):
        return character
    if character == "$":
        return "!"
    if ord(character) > 0xFFFF:  # JavaScript strings are UTF-16: a surrogate pair
        high, low = divmod(ord(character) - 0x10000, 0x400)
        return f"**{0xD800 + high:04x}**{0xDC00 + low:04x}"
    return f"*{ord(character):02x}" if ord(character) < 0x100 else f"**{ord(character):04x}"
