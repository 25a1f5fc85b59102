"""A complete migration.toml, and migrations and issues of changed copies of it."""

import tomllib
from pathlib import Path
from typing import Any

from domain import ConfigIssue, ConfigurationError, Migration
from domain.config.loader import parse_tables

CONFIG_PATH = Path("migration.toml")
ELB_ARN_PREFIX = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012"
ALB = f"{ELB_ARN_PREFIX}:loadbalancer/app/photo/50dc6c495c0c9188"
RULE = f"{ELB_ARN_PREFIX}:listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
EC2 = f"{ELB_ARN_PREFIX}:targetgroup/photo-ec2/73e2d6bc24d8a067"
BLUE = f"{ELB_ARN_PREFIX}:targetgroup/photo-ecs-blue/0f1e2d3c4b5a6978"
GREEN = f"{ELB_ARN_PREFIX}:targetgroup/photo-ecs-green/8796a5b4c3d2e1f0"

CONFIG_TOML = f"""
[migration]
name = "Photo service"
timezone = "Asia/Tokyo"
archive = "sqlite:///archive.db"
provisional_minutes = 3
settle_minutes = 15
slow_thresholds_s = [0.1, 0.3, 1.0]

[aws]
region = "ap-northeast-1"
load_balancer = "{ALB}"
rule = "{RULE}"
profile = "photo-readonly"

[fleets.baseline]
label = "EC2"
target_groups = ["{EC2}"]

[fleets.canary]
label = "ECS"
target_groups = ["{BLUE}", "{GREEN}"]
ecs_service = "photo/web"
codedeploy = "AppECS-photo/DgpECS-photo"

[mackerel]
service = "photo"
alb_host = "2u4PP3TJqbx"

[[criteria]]
metric = "error_rate"
margin = "0.05pp"
critical = true

[[criteria]]
metric = "latency_p95"
margin = "10%"
"""


def config_with(key: str, value: Any) -> dict[str, Any]:
    """CONFIG_TOML with the value at `key` ("criteria.0.margin") replaced or added; None removes the key."""
    tables = tomllib.loads(CONFIG_TOML)
    if not key:
        return tables
    *parents, name = key.split(".")
    table: Any = tables
    for parent in parents:
        table = table[int(parent)] if isinstance(table, list) else table.setdefault(parent, {})
    if isinstance(table, list):
        table[int(name)] = value
    elif value is None:
        del table[name]
    else:
        table[name] = value
    return tables


def make_migration(key: str = "", value: Any = None) -> Migration:
    return parse_tables(config_with(key, value), CONFIG_PATH)


def config_issues(tables: dict[str, Any]) -> tuple[ConfigIssue, ...]:
    """The issues of a document; () if it is valid."""
    try:
        parse_tables(tables, CONFIG_PATH)
    except ConfigurationError as error:
        return error.issues
    return ()
