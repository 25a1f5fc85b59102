"""The example migration as a migration.toml, for a program that reads the fakes."""

from collections.abc import Mapping

from tests.fakes.elbv2 import REGION

P95 = """
[[criteria]]
metric = "latency_p95"
margin = "10%"
"""


def config_toml(
    load_balancer: str,
    target_groups: Mapping[str, str],
    *,
    archive: str,
    name: str = "Photo service",
    margin: str = "0.05pp",
    canary_lines: str = "",
    extra_tables: str = "",
    with_latency: bool = True,
    backfill: bool = True,
) -> str:
    """Two fleets behind one load balancer. `target_groups`: the ARNs of photo-ec2 and photo-ecs; `canary_lines`: further lines of that fleet's
    table; `with_latency`: with p95 as a criterion.
    """
    return f"""
[migration]
name = "{name}"
timezone = "Asia/Tokyo"
archive = "sqlite:///{archive}"
backfill = {str(backfill).lower()}

[aws]
region = "{REGION}"
load_balancer = "{load_balancer}"

[fleets.baseline]
label = "EC2"
target_groups = ["{target_groups["photo-ec2"]}"]

[fleets.canary]
label = "ECS"
target_groups = ["{target_groups["photo-ecs"]}"]
{canary_lines}
{extra_tables}
[[criteria]]
metric = "error_rate"
margin = "{margin}"
critical = true
{P95 if with_latency else ""}"""
