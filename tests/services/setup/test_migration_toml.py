"""The file that is written: what the program loads from it is what was proposed, whatever the names are."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.setup.discovery import propose
from domain import Migration
from domain.inventory import FoundTrigger
from messages.i18n import in_language
from services.setup.migration_toml import migration_toml, parse_toml
from tests.factories.inventory import (
    balancer_arn,
    deployment_group,
    group,
    group_arn,
    mackerel,
    photo_inventory,
    service,
)

PATH = Path("migration.toml")
PROPOSAL = propose(
    photo_inventory(
        target_groups=(group("photo-ec2", "instance"), group("photo-ecs"), group("photo-green")),
        services=(service("photo/web", "photo-ecs", controller="CODE_DEPLOY"),),
        deployment_groups=(deployment_group("AppECS-photo/Dgp", "photo-ecs", "photo-green"),),
        mackerel=mackerel("photo", "admin"),
    )
)
TEXT = """\
# Written by cli.py init: each value has the reason why it was chosen. docs/configuration.md explains every key.

[migration]
# The name on all pages: that of the load balancer. Any text will do.
name = "photo"
# The zone of all times: that of ap-northeast-1.
timezone = "Asia/Tokyo"

[aws]
region = "ap-northeast-1"
# the only load balancer that was found
load_balancer = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188"
# forwards with the weights photo-ec2 90, photo-ecs 10
# for all visitors alike
# the only rule with several target groups
rule = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:listener-rule/app/photo/50dc6c495c0c9188/0000000000000001/0000000000000001"

[fleets.baseline]
label = "EC2"
# its targets are EC2 instances
# no ECS service registers its tasks here
target_groups = [
  "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ec2/73e2d6bc24d8a067",
]

[fleets.canary]
label = "ECS"
# the ECS service photo/web registers its tasks here
# the CodeDeploy deployment group AppECS-photo/Dgp moves traffic between these groups
target_groups = [
  "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ecs/73e2d6bc24d8a067",
  "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-green/73e2d6bc24d8a067",
]
# photo/web · desired tasks: 4 · task definition: web:42
ecs_service = "photo/web"
# The deployment group of photo/web.
codedeploy = "AppECS-photo/Dgp"

[mackerel]
# has the name of the load balancer or of the ECS service
# the host photo-alb has metrics of these target groups
service = "photo"
alb_host = "2u4PP3TJqbx"

# What parity means is your decision, fixed before the comparison. Without [[criteria]] default margins apply:
# [[criteria]]
# metric = "error_rate"
# margin = "0.05pp"
# critical = true
# [[criteria]]
# metric = "latency_p95"
# margin = "10%"
# critical = true
"""


def load(toml: str) -> Migration:
    return parse_toml(toml, PATH)


def test_the_whole_text() -> None:
    assert migration_toml(PROPOSAL) == TEXT


def test_what_is_loaded_is_what_was_proposed() -> None:
    migration = load(migration_toml(PROPOSAL))
    assert (migration.name, migration.timezone) == ("photo", "Asia/Tokyo")
    assert migration.aws and PROPOSAL.rule
    assert (migration.aws.load_balancer, migration.aws.rule) == (balancer_arn("photo"), PROPOSAL.rule.arn)
    assert migration.fleets.baseline.target_groups == (group_arn("photo-ec2"),)
    assert migration.fleets.canary.target_groups == (group_arn("photo-ecs"), group_arn("photo-green"))
    assert migration.fleets.canary.ecs_service == "photo/web"
    assert migration.fleets.canary.codedeploy == "AppECS-photo/Dgp"
    assert migration.mackerel and migration.mackerel.service == "photo"
    assert migration.mackerel.alb_host == "2u4PP3TJqbx"


def test_the_commented_criteria_are_valid() -> None:
    lines = migration_toml(PROPOSAL).splitlines()
    head = lines.index("# [[criteria]]")
    text = "\n".join([*lines[:head], *(line.removeprefix("# ") for line in lines[head:])])
    assert [(item.metric, item.critical) for item in load(text).criteria] == [
        ("error_rate", True),
        ("latency_p95", True),
    ]


def test_without_rule_mackerel_and_known_zone() -> None:
    proposal = replace(propose(photo_inventory(rules=())), region="eu-west-1")
    tables = tomllib.loads(migration_toml(replace(proposal, profile="photo-readonly")))
    assert tables["aws"] == {
        "region": "eu-west-1",
        "profile": "photo-readonly",
        "load_balancer": balancer_arn("photo"),
    }
    assert tables["migration"] == {"name": "photo"}
    assert "mackerel" not in tables
    assert "# Without [mackerel]: MACKEREL_APIKEY is not set." in migration_toml(proposal)


def test_batches() -> None:
    triggers = (
        FoundTrigger("rule", "photo-thumbnails", "thumbnails"),
        FoundTrigger("scheduler", "photo/digest", "digest"),
    )
    names = frozenset(f"batch.{job}.{metric}" for job in ("thumbnails", "digest") for metric in ("duration", "success"))
    found = replace(mackerel("photo", "admin"), metric_names=(("admin", frozenset()), ("photo", names)))
    batches = load(migration_toml(propose(photo_inventory(mackerel=found, triggers=triggers)))).batches
    assert batches and (batches.service, batches.duration, batches.success) == (
        "photo",
        "batch.{job}.duration",
        "batch.{job}.success",
    )
    assert [(job.name, job.rule, job.scheduler, job.function_name or job.function) for job in batches.jobs] == [
        ("digest", "", "photo/digest", "digest"),
        ("thumbnails", "photo-thumbnails", "", "thumbnails"),
    ]


def test_the_comments_are_in_the_language_of_the_reader() -> None:
    with in_language("ja"):
        toml = migration_toml(PROPOSAL)
    assert "# ターゲットはEC2インスタンスです" in toml
    assert load(toml) == load(TEXT)


@pytest.mark.parametrize("name", ['a"b\\c', "a\nb = 1", "\x7f\x00\x1b[2J", "表😀", "'''", "# no comment", "\u2028x"])
def test_names_are_quoted(name: str) -> None:
    assert load(migration_toml(replace(PROPOSAL, name=name))).name == name.strip()


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())


@given(
    name=_NAMES,
    label=_NAMES,
    service_name=_NAMES,
    host=_NAMES,
    profile=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_name_is_loaded_as_it_was_proposed(
    name: str, label: str, service_name: str, host: str, profile: str
) -> None:
    """And nothing from outside ends its string or its comment."""
    assert PROPOSAL.mackerel.host
    found = replace(PROPOSAL.mackerel, service=service_name, host=replace(PROPOSAL.mackerel.host, id=host, name=label))
    canary = replace(PROPOSAL.canary, label=f"{label}!", service=service(f"{name}/{label}", "photo-ecs"))
    proposal = replace(PROPOSAL, name=name, profile=profile, mackerel=found, canary=canary)
    tables = tomllib.loads(migration_toml(proposal))
    assert set(tables) == {"migration", "aws", "fleets", "mackerel"}
    assert tables["migration"]["name"] == name
    assert tables["aws"].get("profile", "") == profile
    assert tables["fleets"]["canary"]["label"] == f"{label}!"
    assert tables["fleets"]["canary"]["ecs_service"] == f"{name}/{label}"
    assert tables["mackerel"] == {"service": service_name, "alb_host": host}
