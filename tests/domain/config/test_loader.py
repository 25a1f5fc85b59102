"""The configuration: what is right is read, and every mistake is answered with its key."""

from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from domain import ConfigIssue, ConfigIssueCode, ConfigurationError, Migration, load
from tests.domain.config.test_access_logs import ACCESS_LOG_ISSUES as OF_LOGS
from tests.domain.config.test_batches import BATCH_ISSUES as OF_BATCHES
from tests.factories.config import (
    ALB,
    BLUE,
    CONFIG_TOML,
    EC2,
    ELB_ARN_PREFIX,
    GREEN,
    RULE,
    config_issues,
    config_with,
    make_migration,
)

OTHER_REGION = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/photo-ecs/0f1e2d3c4b5a6978"
OTHER_ACCOUNT = "arn:aws:elasticloadbalancing:ap-northeast-1:210987654321:targetgroup/photo-ecs/0f1e2d3c4b5a6978"
OTHER_RULE = f"{ELB_ARN_PREFIX}:listener-rule/app/other/aaaaaaaaaaaaaaaa/f2f7dc8efc522ab2/9683b2d02a6cabee"
NLB = f"{ELB_ARN_PREFIX}:loadbalancer/net/photo/50dc6c495c0c9188"


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_text(CONFIG_TOML, encoding="utf-8")
    found = load(path)
    assert found.name == "Photo service"
    assert found.zone == ZoneInfo("Asia/Tokyo")
    assert found.key == "Photo service @ app/photo/50dc6c495c0c9188"
    assert found.fleets["baseline"].names == ("photo-ec2",)
    assert found.fleets["canary"].names == ("photo-ecs-blue", "photo-ecs-green")
    assert [arn.dimension for arn in found.fleets["baseline"].arns] == ["targetgroup/photo-ec2/73e2d6bc24d8a067"]
    assert [(one.metric, str(one.margin), one.better, one.critical) for one in found.criteria] == [
        ("error_rate", "0.05 pp", "lower", True),
        ("latency_p95", "10%", "lower", False),
    ]
    assert str(found.margin_of("latency_p95")) == "10%"
    assert found.margin_of("latency_p99") is None
    assert not found.demo


def test_the_shortest_file_with_a_mackerel_key_alone() -> None:
    from domain.config.loader import parse_tables

    found = parse_tables(
        {
            "migration": {"name": "Photo"},
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": ["photo-ec2"]},
                "canary": {"label": "ECS", "target_groups": ["photo-ecs"]},
            },
            "mackerel": {"service": "photo"},
        },
        Path("migration.toml"),
    )
    assert (found.timezone, found.archive) == ("UTC", "sqlite:///archive.db")
    assert (found.provisional_minutes, found.settle_minutes, found.slow_thresholds_s) == (3, 15, (0.1, 0.3, 1.0))
    assert found.key == "Photo @ mackerel:photo"
    assert found.fleets.canary.names == ("photo-ecs",) and found.fleets.canary.arns == ()


def test_thresholds_are_put_in_order_and_counted_once() -> None:
    assert make_migration("migration.slow_thresholds_s", [1, 0.3, 0.3, 0.25]).slow_thresholds_s == (0.25, 0.3, 1.0)


def test_slow_criteria_are_one_metric_however_they_are_spelt() -> None:
    found = make_migration("criteria.1.metric", "slow_300ms")
    assert found.criteria[1].metric == "slow_0.3s"
    assert found.criteria[1].slow_threshold_s == 0.3
    assert found.criteria[0].slow_threshold_s is None
    assert found.margin_of("slow_0.3s") is not None


@pytest.mark.parametrize("margin", ["0.05pp", "0.05 pp", "20ms", "10%", "7.5 %"])
def test_margins_may_have_a_space(margin: str) -> None:
    metric = "error_rate" if margin.endswith("pp") else "latency_p99"
    tables = config_with("criteria.1", {"metric": metric, "margin": margin})
    del tables["criteria"][0]
    assert not config_issues(tables)


def test_archives_are_sqlite_files() -> None:
    url = "sqlite:////var/lib/migration/archive.db"
    assert make_migration("migration.archive", url).archive == url


# key, what is put there (None: taken out), the mistake's key, its slug, particulars worth a look
CONFIG_ISSUES: list[tuple[str, Any, str, str, dict[str, str]]] = [
    ("migration.timezon", "Asia/Tokyo", "migration.timezon", "unknown_key", {"close": "timezone"}),
    ("migration.demo", True, "migration.demo", "unknown_key", {"close": ""}),
    ("migration.aws", {"region": "x"}, "migration.aws", "outside_its_table", {"table": "aws"}),
    ("timezone", "UTC", "timezone", "outside_its_table", {"table": "migration"}),
    ("mackrel", {"service": "photo"}, "mackrel", "unknown_key", {"close": "mackerel"}),
    ("xyz", 1, "xyz", "unknown_key", {"close": ""}),
    ("aws.regoin", "us-east-1", "aws.regoin", "unknown_key", {"close": "region"}),
    ("fleets.canari", {}, "fleets.canari", "unknown_key", {"close": "canary"}),
    ("fleets.canary.target_group", [], "fleets.canary.target_group", "unknown_key", {"close": "target_groups"}),
    ("mackerel.albhost", "x", "mackerel.albhost", "unknown_key", {"close": "alb_host"}),
    ("criteria.0.margn", "1pp", "criteria.0.margn", "unknown_key", {"close": "margin"}),
    ("migration", None, "migration.name", "missing", {}),
    ("migration.name", None, "migration.name", "missing", {}),
    ("fleets", None, "fleets", "missing", {}),
    ("fleets.canary", None, "fleets.canary", "missing", {}),
    ("fleets.baseline.label", None, "fleets.baseline.label", "missing", {}),
    ("aws.load_balancer", None, "aws.load_balancer", "missing", {}),
    ("criteria.1.margin", None, "criteria.1.margin", "missing", {}),
    ("migration.name", " ", "migration.name", "empty", {}),
    ("fleets.canary.label", "", "fleets.canary.label", "empty", {}),
    ("fleets.canary.target_groups", [], "fleets.canary.target_groups", "empty", {}),
    ("migration.slow_thresholds_s", [], "migration.slow_thresholds_s", "empty", {}),
    ("migration", [{"name": "Photo"}], "migration", "wrong_type", {"kind": "table"}),
    ("migration.name", 3, "migration.name", "wrong_type", {"kind": "text", "given": "3"}),
    ("migration.settle_minutes", "soon", "migration.settle_minutes", "wrong_type", {"kind": "whole number"}),
    ("migration.settle_minutes", 1.5, "migration.settle_minutes", "wrong_type", {"kind": "whole number"}),
    ("migration.slow_thresholds_s", 0.3, "migration.slow_thresholds_s", "wrong_type", {"kind": "list"}),
    ("migration.slow_thresholds_s", ["fast"], "migration.slow_thresholds_s.0", "wrong_type", {"kind": "number"}),
    ("aws", "ap-northeast-1", "aws", "wrong_type", {"kind": "table"}),
    ("fleets.canary.target_groups", BLUE, "fleets.canary.target_groups", "wrong_type", {"kind": "list"}),
    ("criteria", {"metric": "error_rate"}, "criteria", "wrong_type", {"kind": "list"}),
    ("criteria.0.critical", "very", "criteria.0.critical", "wrong_type", {"kind": "yes or no"}),
    ("criteria.0.better", "faster", "criteria.0.better", "not_a_choice", {"choices": "'lower' or 'higher'"}),
    ("migration.settle_minutes", 0, "migration.settle_minutes", "out_of_range", {"bound": "ge", "limit": "1"}),
    ("migration.provisional_minutes", 61, "migration.provisional_minutes", "out_of_range", {"limit": "60"}),
    ("migration.slow_thresholds_s", [0], "migration.slow_thresholds_s.0", "out_of_range", {"bound": "gt"}),
    ("migration.slow_thresholds_s", [float("nan")], "migration.slow_thresholds_s.0", "out_of_range", {}),
    ("migration.provisional_minutes", 16, "migration.provisional_minutes", "provisional_beyond_settled", {"settled": "15"}),
    ("migration.since", "1 September", "migration.since", "not_a_day", {"given": "1 September"}),
    ("migration.since", datetime(2026, 9, 1, 12), "migration.since", "not_a_day", {}),
    ("migration.since", 20260901, "migration.since", "not_a_day", {}),
    ("migration.timezone", "Asia/Tokio", "migration.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    ("migration.timezone", "tokyo", "migration.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    ("migration.timezone", "New York", "migration.timezone", "unknown_timezone", {"close": "America/New_York"}),
    ("migration.timezone", "JST", "migration.timezone", "unknown_timezone", {"close": ""}),
    ("migration.archive", "archive.db", "migration.archive", "not_an_archive", {"given": "archive.db"}),
    ("migration.archive", "mysql://reader@db/m", "migration.archive", "not_an_archive", {}),
    ("migration.archive", "postgresql://me:secret@db/m", "migration.archive", "archive_driver", {"given": "postgresql"}),
    (
        "migration.archive",
        "postgresql+psycopg://me:secret@db",
        "migration.archive",
        "archive_without_database",
        {"given": "postgresql+psycopg://db"},
    ),
    ("migration.archive", "sqlite://", "migration.archive", "archive_without_file", {}),
    ("migration.archive", "sqlite:///:memory:", "migration.archive", "archive_without_file", {}),
    ("aws.region", "Tokyo", "aws.region", "not_a_region", {"given": "Tokyo"}),
    ("aws.region", "us-east-1", "aws.region", "another_region", {"given": "us-east-1", "found": "ap-northeast-1"}),
    ("aws.load_balancer", "photo", "aws.load_balancer", "not_an_arn", {"kind": "load balancer", "given": "photo"}),
    ("aws.load_balancer", NLB, "aws.load_balancer", "not_an_arn", {"kind": "load balancer"}),
    ("aws.load_balancer", EC2, "aws.load_balancer", "arn_of_another_kind", {"found": "target group"}),
    ("aws.rule", ALB, "aws.rule", "arn_of_another_kind", {"kind": "listener rule", "found": "load balancer"}),
    ("aws.rule", OTHER_RULE, "aws.rule", "rule_of_another_load_balancer", {"load_balancer": "app/photo/50dc6c495c0c9188"}),
    ("fleets.canary.target_groups.1", RULE, "fleets.canary.target_groups", "arn_of_another_kind", {"kind": "target group"}),
    ("fleets.canary.target_groups.0", "photo_ecs", "fleets.canary.target_groups", "not_an_arn", {"kind": "target group"}),
    ("fleets.canary.target_groups.1", "photo-ecs", "fleets.canary.target_groups.1", "arn_needed", {"given": "photo-ecs"}),
    (
        "fleets.canary.target_groups.1",
        OTHER_REGION,
        "fleets.canary.target_groups.1",
        "group_of_another_load_balancer",
        {"found": "us-east-1, 123456789012", "home": "ap-northeast-1, 123456789012"},
    ),
    (
        "fleets.baseline.target_groups.0",
        OTHER_ACCOUNT,
        "fleets.baseline.target_groups.0",
        "group_of_another_load_balancer",
        {"found": "ap-northeast-1, 210987654321"},
    ),
    ("fleets.canary.target_groups.1", BLUE, "fleets.canary.target_groups", "group_twice", {"given": BLUE}),
    ("fleets.canary.target_groups.1", EC2, "fleets", "group_on_both_sides", {"given": "photo-ec2"}),
    ("fleets.canary.label", "EC2", "fleets.canary.label", "same_label", {"given": "EC2"}),
    ("fleets.canary.ecs_service", "web", "fleets.canary.ecs_service", "not_a_pair", {"given": "web"}),
    ("fleets.canary.codedeploy", "a/b/c", "fleets.canary.codedeploy", "not_a_pair", {}),
    ("criteria.0.metric", "eror_rate", "criteria.0.metric", "unknown_metric", {"close": "error_rate"}),
    ("criteria.1.metric", "error_rate", "criteria.1.metric", "metric_twice", {"given": "error_rate"}),
    ("criteria.0.metric", "slow_2s", "criteria.0.metric", "threshold_not_asked", {"threshold": "2"}),
    ("criteria.0.margin", "0.05", "criteria.0.margin", "margin_without_unit", {"given": "0.05"}),
    ("criteria.0.margin", 0.05, "criteria.0.margin", "margin_without_unit", {"given": "0.05"}),
    ("criteria.0.margin", "-1pp", "criteria.0.margin", "margin_without_unit", {"given": "-1pp"}),
    ("criteria.0.margin", "0pp", "criteria.0.margin", "margin_of_nothing", {"given": "0pp"}),
    ("criteria.0.margin", "20ms", "criteria.0.margin", "margin_of_another_unit", {"fits": "pp / %"}),
    ("criteria.1.margin", "1pp", "criteria.1.margin", "margin_of_another_unit", {"fits": "ms / %"}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "value", "key", "slug", "particulars"), CONFIG_ISSUES)
def test_every_mistake_names_its_key(change: str, value: Any, key: str, slug: str, particulars: dict[str, str]) -> None:
    (mistake,) = config_issues(config_with(change, value))
    assert (mistake.key, mistake.code) == (key, slug)
    assert particulars.items() <= mistake.params.items()


def test_no_source_at_all() -> None:
    tables = config_with("aws", None)
    del tables["mackerel"]
    assert config_issues(tables) == (ConfigIssue("", "no_source", {}),)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://photo@db.example.com/archive",
        "postgresql+psycopg://photo:se%2Fcret@db:5433/archive?sslmode=verify-full",
        "postgresql+psycopg:///archive",
    ],
)
def test_an_archive_may_be_in_postgresql(url: str) -> None:
    assert make_migration("migration.archive", url).archive == url


def test_a_password_is_never_repeated() -> None:
    for url in ("postgresql://me:secret@db/m", "postgresql+psycopg://me:secret@db/", "mysql://me:secret@db/m"):
        (mistake,) = config_issues(config_with("migration.archive", url))
        assert "secret" not in str(mistake)


def test_what_stands_under_a_misspelt_name_is_not_missing_as_well() -> None:
    tables = config_with("migration.name", None)
    tables["migration"]["nmae"] = "Photo service"
    assert config_issues(tables) == (ConfigIssue("migration.nmae", "unknown_key", {"close": "name"}),)
    tables = config_with("fleets.canary.target_groups", None)
    tables["fleets"]["canary"]["target_group"] = [BLUE]
    assert config_issues(tables) == (
        ConfigIssue("fleets.canary.target_group", "unknown_key", {"close": "target_groups"}),
    )
    tables = config_with("migration.name", None) | {"name": "Photo service"}
    assert config_issues(tables) == (ConfigIssue("name", "outside_its_table", {"table": "migration"}),)
    tables = config_with("", None)
    tables["fleet"] = tables.pop("fleets")
    assert config_issues(tables) == (ConfigIssue("fleet", "unknown_key", {"close": "fleets"}),)


def test_all_mistakes_are_told_at_once() -> None:
    tables = config_with("migration.timezone", "JST")
    tables["aws"]["region"] = "Tokyo"
    tables["criteria"][0]["margin"] = "5"
    tables["fleets"]["canary"]["target_groups"] = [GREEN, "x_y"]
    assert [(one.key, one.code) for one in config_issues(tables)] == [
        ("migration.timezone", "unknown_timezone"),
        ("aws.region", "not_a_region"),
        ("fleets.canary.target_groups", "not_an_arn"),
        ("criteria.0.margin", "margin_without_unit"),
    ]


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"[migration\n", "not_toml"),
        (b'name = "a"\nname = "b"', "not_toml"),
        ("name = 'é'".encode("latin-1"), "not_utf8"),
    ],
)
def test_files_that_cannot_be_read_as_toml(tmp_path: Path, content: bytes, slug: ConfigIssueCode) -> None:
    path = tmp_path / "migration.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert [(one.key, one.code) for one in caught.value.issues] == [("", slug)]
    assert caught.value.path == path


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_bytes(b"\xef\xbb\xbf" + CONFIG_TOML.encode())
    assert load(path).name == "Photo service"


def test_a_file_that_is_not_there_is_the_callers_to_tell(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "migration.toml")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_every_slug_is_tested_here() -> None:
    tested = {slug for _, _, _, slug, _ in CONFIG_ISSUES} | {slug for _, _, slug, _ in (*OF_BATCHES, *OF_LOGS)}
    tested |= {"no_source", "not_toml", "not_utf8", "not_readable", "no_batch_service", "no_logs_place"}
    assert tested == set(get_args(ConfigIssueCode))


def test_a_migration_that_the_program_makes_itself_is_checked_as_well() -> None:
    with pytest.raises(ValueError, match="no_source"):
        Migration.model_validate(
            {
                "name": "Photo",
                "fleets": {
                    "baseline": {"label": "EC2", "target_groups": ["a"]},
                    "canary": {"label": "ECS", "target_groups": ["b"]},
                },
            }
        )


def test_a_copy_is_a_migration(tmp_path: Path) -> None:
    found = make_migration()
    assert Migration.model_validate(found.model_dump()) == found
