"""The [releases] table: with fleets, and alone."""

from typing import Any

from domain.config.loader import parse_tables
from tests.factories.config import BLUE, CONFIG_PATH, GREEN, config_issues, config_with, make_migration


def board_tables(**keys: Any) -> dict[str, Any]:
    """A configuration of releases alone; None removes a key."""
    tables = {key: value for key, value in config_with("", None).items() if key in ("migration", "aws")}
    releases = {"service": "photo/web", "target_groups": [BLUE, GREEN]} | keys
    return tables | {"releases": {key: value for key, value in releases.items() if value is not None}}


def codes(tables: dict[str, Any]) -> list[tuple[str, str]]:
    return [(issue.key, issue.code) for issue in config_issues(tables)]


def test_with_fleets_the_canary_has_the_releases() -> None:
    migration = make_migration("releases", {})
    assert (migration.release_fleet, migration.is_release_board) == ("canary", False)
    assert make_migration().releases is None


def test_groups_beside_fleets_are_no_board() -> None:
    assert not make_migration("releases", {"target_groups": [BLUE, GREEN]}).is_release_board


def test_a_service_of_the_baseline_is_its_own() -> None:
    tables = config_with("releases", {"service": "photo/old"})
    tables["fleets"]["baseline"]["ecs_service"] = "photo/old"
    assert parse_tables(tables, CONFIG_PATH).release_fleet == "baseline"


def test_releases_alone_are_a_board_of_releases() -> None:
    migration = parse_tables(board_tables(codedeploy="app/group"), CONFIG_PATH)
    assert migration.is_release_board
    assert migration.labels == {"baseline": "photo-ecs-blue", "canary": "photo-ecs-green"}
    assert migration.fleets.baseline.target_groups + migration.fleets.canary.target_groups == (BLUE, GREEN)
    assert (migration.fleets.canary.ecs_service, migration.fleets.canary.codedeploy) == ("photo/web", "app/group")


def test_releases_alone_need_their_groups_and_a_service() -> None:
    assert codes(board_tables(target_groups=None)) == [("releases.target_groups", "release_without_groups")]
    assert codes(board_tables(service=None)) == [("releases.service", "no_release_service")]
    assert codes(board_tables(service="web")) == [("releases.service", "not_a_pair")]
    assert codes(board_tables(target_groups=[BLUE])) == [("releases.target_groups", "not_a_pair_of_groups")]


def test_a_fleet_without_a_service_has_no_releases() -> None:
    tables = config_with("releases", {})
    del tables["fleets"]["canary"]["ecs_service"], tables["fleets"]["canary"]["codedeploy"]
    assert codes(tables) == [("releases.service", "no_release_service")]


def test_releases_need_aws() -> None:
    tables = config_with("releases", {})
    del tables["aws"]
    assert codes(tables) == [("releases", "releases_without_aws")]


def test_both_groups_are_behind_the_load_balancer() -> None:
    elsewhere = GREEN.replace("ap-northeast-1", "us-east-1")
    issues = codes(config_with("releases", {"target_groups": [BLUE, elsewhere]}))
    assert issues == [("releases.target_groups.1", "group_of_another_load_balancer")]


def test_a_release_cannot_be_configured() -> None:
    assert codes(config_with("release", {"id": "x"})) == [("release", "unknown_key")]
    assert codes(config_with("migration.release", {"id": "x"})) == [("migration.release", "unknown_key")]
