"""URLs of the AWS console."""

import re

import pytest

from domain import Migration, Series, Window
from sources.aws.cloudwatch_queries import all_series
from sources.aws.console import console_url, metrics_url
from tests.factories.aws import aws_migration

WINDOW = Window(1_767_354_600, 1_767_355_080)  # 2026-01-02 11:50 to 11:58 UTC


def create_migration(partition: str = "aws", region: str = "ap-northeast-1", label: str = "EC2") -> Migration:
    return aws_migration(f"arn:{partition}:elasticloadbalancing:{region}:123456789012", baseline={"label": label})


def latency_series(migration: Migration, stat: str) -> list[Series]:
    return [series for series in all_series(migration) if (series.metric, series.stat) == ("latency", stat)]


def unescape_url(url: str) -> str:
    return re.sub(r"\*([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), url.replace("**2192", "→"))


def test_one_url_shows_both_fleets_in_one_graph() -> None:
    migration = create_migration()
    url = metrics_url(migration, latency_series(migration, "p95"), WINDOW, 60)
    assert re.fullmatch(r"https://[A-Za-z0-9~'()*!?=:#/._-]+", url)  # only characters that are allowed in a URL
    assert unescape_url(url) == (
        "https://console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#metricsV2:graph=~(metrics~("
        "~(~'AWS/ApplicationELB~'TargetResponseTime~'LoadBalancer~'app/photo/50dc6c495c0c9188"
        "~'TargetGroup~'targetgroup/photo-ec2/73e2d6bc24d8a067~(stat~'p95~label~'EC2 photo-ec2 TargetResponseTime p95))"
        "~(~'AWS/ApplicationELB~'TargetResponseTime~'LoadBalancer~'app/photo/50dc6c495c0c9188"
        "~'TargetGroup~'targetgroup/photo-ecs/943f017f100becff~(stat~'p95~label~'ECS photo-ecs TargetResponseTime p95)))"
        "~view~'timeSeries~stacked~false~region~'ap-northeast-1~period~60"
        "~start~'2026-01-02T11:50:00.000Z~end~'2026-01-02T11:58:00.000Z)"
    )


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "console.amazonaws-eusc.eu"),
    ],
)
def test_host_of_each_partition(partition: str, region: str, host: str) -> None:
    migration = create_migration(partition, region)
    url = metrics_url(migration, latency_series(migration, "p95"), WINDOW, 60)
    assert url.startswith(f"https://{host}/cloudwatch/home?region={region}#")
    assert migration.aws
    assert console_url(migration.aws, "ecs/v2") == f"https://{region}.{host}/ecs/v2?region={region}"


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
        ("aws-iso-f", "us-isof-south-1"),
        ("aws-of-a-later-year", "xx-north-10"),
    ],
)
def test_no_link_leads_to_the_console_of_another_partition(partition: str, region: str) -> None:
    migration = create_migration(partition, region)
    assert migration.aws
    assert console_url(migration.aws, "ecs/v2") == ""
    assert metrics_url(migration, latency_series(migration, "p95"), WINDOW, 60) == ""


def test_label_in_any_script_is_encoded() -> None:
    migration = create_migration(label="旧 $1 😀")
    url = metrics_url(migration, latency_series(migration, "within_0.3s"), WINDOW, 60)
    assert "label~'**65e7*20!1*20**d83d**de00*20photo-ec2" in url
    assert "~(stat~'PR*28*3a0.3*29~" in url
