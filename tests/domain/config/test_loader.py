"""Loading migration.toml: valid files, and every issue with its key."""

import tomllib
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from domain import ConfigIssue, ConfigIssueCode, ConfigurationError, Migration, load
from domain.config.loader import parse_tables
from tests.factories.config import BLUE, CONFIG_TOML, GREEN, config_issues, config_with, make_migration
from tests.factories.config_issues import ALL_ISSUES


def test_a_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_text(CONFIG_TOML, encoding="utf-8")
    migration = load(path)
    assert migration.name == "Photo service"
    assert migration.zone == ZoneInfo("Asia/Tokyo")
    assert migration.key == "Photo service @ app/photo/50dc6c495c0c9188"
    assert migration.fleets["baseline"].names == ("photo-ec2",)
    assert migration.fleets["canary"].names == ("photo-ecs-blue", "photo-ecs-green")
    assert [arn.dimension for arn in migration.fleets["baseline"].arns] == ["targetgroup/photo-ec2/73e2d6bc24d8a067"]
    assert [(c.metric, str(c.margin), c.better, c.critical) for c in migration.criteria] == [
        ("error_rate", "0.05 pp", "lower", True),
        ("latency_p95", "10%", "lower", False),
    ]
    assert str(migration.margin_of("latency_p95")) == "10%"
    assert migration.margin_of("latency_p99") is None
    assert not migration.demo


@pytest.mark.parametrize(
    ("text", "budget", "days"),
    [("99.9% over 30d", 0.001, 30), ("99.95 % over 7 d", 0.0005, 7), ("99% over 90d", 0.01, 90)],
)
def test_a_service_level_objective(text: str, budget: float, days: int) -> None:
    assert make_migration().slo is None
    slo = make_migration("migration.slo", text).slo
    assert slo is not None and (slo.budget, slo.days) == (pytest.approx(budget), days)
    assert str(slo) == text.replace(" %", "%").replace(" d", "d")


def test_the_shortest_file_with_mackerel_only() -> None:
    migration = parse_tables(
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
    assert (migration.timezone, migration.archive) == ("UTC", "sqlite:///archive.db")
    assert (migration.provisional_minutes, migration.settle_minutes, migration.slow_thresholds_s) == (
        3,
        15,
        (0.1, 0.3, 1.0),
    )
    assert migration.key == "Photo @ mackerel:photo"
    assert migration.fleets.canary.names == ("photo-ecs",) and migration.fleets.canary.arns == ()


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "ap-southeast-7"),
        ("aws-cn", "cn-northwest-1"),
        ("aws-us-gov", "us-gov-east-1"),
        ("aws-eusc", "eusc-de-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
    ],
)
def test_regions_of_every_partition(partition: str, region: str) -> None:
    text = CONFIG_TOML.replace("arn:aws:", f"arn:{partition}:").replace("ap-northeast-1", region)
    aws = parse_tables(tomllib.loads(text), Path("migration.toml")).aws
    assert aws and (aws.region, aws.load_balancer_arn.partition) == (region, partition)


def test_thresholds_are_sorted_and_unique() -> None:
    assert make_migration("migration.slow_thresholds_s", [1, 0.3, 0.3, 0.25]).slow_thresholds_s == (0.25, 0.3, 1.0)


def test_thresholds_have_microseconds() -> None:
    migration = make_migration("migration.slow_thresholds_s", [0.1234567, 0.123457, 0.00001, 60])
    assert migration.slow_thresholds_s == (0.00001, 0.123457, 60.0)


@pytest.mark.parametrize(
    ("metric", "threshold_s"),
    [("slow_0.01ms", 0.00001), ("slow_0.1234567s", 0.123457), ("slow_12.345678s", 12.345678), ("slow_10s", 10.0)],
)
def test_a_slow_metric_finds_its_threshold_whatever_its_digits(metric: str, threshold_s: float) -> None:
    config = config_with("migration.slow_thresholds_s", [threshold_s])
    config["criteria"][1] |= {"metric": metric, "margin": "1pp"}
    criterion = parse_tables(config, Path("migration.toml")).criteria[1]
    assert criterion.slow_threshold_s == threshold_s


def test_spellings_of_a_slow_metric_are_normalized() -> None:
    migration = make_migration("criteria.1.metric", "slow_300ms")
    assert migration.criteria[1].metric == "slow_0.3s"
    assert migration.criteria[1].slow_threshold_s == 0.3
    assert migration.criteria[0].slow_threshold_s is None
    assert migration.margin_of("slow_0.3s") is not None


@pytest.mark.parametrize("margin", ["0.05pp", "0.05 pp", "20ms", "10%", "7.5 %"])
def test_margins_may_have_a_space(margin: str) -> None:
    metric = "error_rate" if margin.endswith("pp") else "latency_p99"
    tables = config_with("criteria.1", {"metric": metric, "margin": margin})
    del tables["criteria"][0]
    assert not config_issues(tables)


def test_allowed_hosts_are_normalized() -> None:
    migration = make_migration("server", {"allowed_hosts": ["Dashboard.Example.COM.", "[2001:DB8::0:1]", "10.0.0.5"]})
    assert migration.server.allowed_hosts == ("dashboard.example.com", "2001:db8::1", "10.0.0.5")
    assert make_migration().server.allowed_hosts == ()


def test_an_archive_may_be_an_sqlite_file() -> None:
    url = "sqlite:////var/lib/migration/archive.db"
    assert make_migration("migration.archive", url).archive == url


@pytest.mark.parametrize(("changed_key", "value", "key", "code", "params"), ALL_ISSUES)
def test_each_issue_has_its_key_and_params(
    changed_key: str, value: Any, key: str, code: str, params: dict[str, str]
) -> None:
    (issue,) = config_issues(config_with(changed_key, value))
    assert (issue.key, issue.code) == (key, code)
    assert params.items() <= issue.params.items()


def test_a_source_is_needed() -> None:
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


def test_issues_contain_no_password() -> None:
    for url in ("postgresql://me:secret@db/m", "postgresql+psycopg://me:secret@db/", "mysql://me:secret@db/m"):
        (issue,) = config_issues(config_with("migration.archive", url))
        assert "secret" not in str(issue)


def test_a_misspelt_key_is_not_reported_as_missing_as_well() -> None:
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


def test_all_issues_are_reported_at_once() -> None:
    tables = config_with("migration.timezone", "JST")
    tables["aws"]["region"] = "Tokyo"
    tables["criteria"][0]["margin"] = "5"
    tables["fleets"]["canary"]["target_groups"] = [GREEN, "x_y"]
    assert [(issue.key, issue.code) for issue in config_issues(tables)] == [
        ("migration.timezone", "unknown_timezone"),
        ("aws.region", "not_a_region"),
        ("fleets.canary.target_groups", "not_an_arn"),
        ("criteria.0.margin", "margin_without_unit"),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[migration\n", "not_toml"),
        (b'name = "a"\nname = "b"', "not_toml"),
        ("name = 'é'".encode("latin-1"), "not_utf8"),
        (b"since = 0001", "not_toml"),
        (b"a = " + b"[" * 5_000 + b"]" * 5_000, "not_toml"),
        (b"migration" + b".a" * 5_000 + b" = 1", "not_toml"),
        (b"a = " + b"9" * 5_000, "not_toml"),
    ],
)
def test_files_that_cannot_be_read_as_toml(tmp_path: Path, content: bytes, code: ConfigIssueCode) -> None:
    path = tmp_path / "migration.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert [(issue.key, issue.code) for issue in caught.value.issues] == [("", code)]
    assert caught.value.path == path


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_bytes(b"\xef\xbb\xbf" + CONFIG_TOML.encode())
    assert load(path).name == "Photo service"


def test_a_missing_file_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "migration.toml")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_a_device_or_an_endless_file_raises_os_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        load(Path("/dev/zero"))
    path = tmp_path / "migration.toml"
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(OSError, match="larger than 1000000 bytes"):
        load(path)


def test_every_code_is_tested() -> None:
    tested = {code for _, _, _, code, _ in ALL_ISSUES}
    tested |= {"no_source", "not_toml", "not_utf8", "not_readable", "no_batch_service", "no_logs_place"}
    tested |= {"cloudwatch_without_aws", "bad_expression"}  # test_criteria.py, test_registry.py
    tested |= {"release_without_groups", "releases_without_aws", "no_release_service"}  # test_releases.py
    tested |= {"sns_without_aws", "no_annotated_service"}  # test_notify.py
    tested |= {"no_migrations", "name_twice", "another_archive", "another_sign_in"}  # test_several.py
    assert tested == set(get_args(ConfigIssueCode))


def test_a_constructed_migration_is_validated() -> None:
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


def test_a_dumped_migration_validates_to_the_same() -> None:
    migration = make_migration()
    assert Migration.model_validate(migration.model_dump()) == migration
