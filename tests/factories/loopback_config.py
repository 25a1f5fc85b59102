"""The example migration as a migration.toml, for whoever points the program at a loopback world."""

from collections.abc import Mapping

from tests.fakes.elbv2 import REGION

P95 = """
[[criteria]]
metric = "latency_p95"
margin = "10%"
"""


def config_toml(
    load_balancer: str,
    groups: Mapping[str, str],
    *,
    archive: str,
    name: str = "Photo service",
    margin: str = "0.05pp",
    canary_lines: str = "",
    extra_tables: str = "",
    with_latency: bool = True,
    backfill: bool = True,
) -> str:
    """Two fleets behind one load balancer. `groups`: ARNs of the target groups photo-ec2 and photo-ecs; `canary`: more lines of that fleet's table;
    `tables`: more tables; `latency`: whether p95 is a criterion too; `backfill`: whether the past is asked for.
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
target_groups = ["{groups["photo-ec2"]}"]

[fleets.canary]
label = "ECS"
target_groups = ["{groups["photo-ecs"]}"]
{canary_lines}
{extra_tables}
[[criteria]]
metric = "error_rate"
margin = "{margin}"
critical = true
{P95 if with_latency else ""}"""
