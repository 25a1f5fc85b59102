"""Access logs in a configuration: what may stand there, and every mistake with its key."""

from typing import Any

import pytest

from tests.factories.config import config_issues, config_with, make_migration

# what stands under [access_logs], the mistake's key, its slug, particulars worth a look
ACCESS_LOG_ISSUES: list[tuple[dict[str, Any], str, str, dict[str, str]]] = [
    ({"pth": "logs"}, "access_logs.pth", "unknown_key", {"close": "path"}),
    ({"cache_gb": 0}, "access_logs.cache_gb", "out_of_range", {"limit": "1"}),
    ({"cache": ""}, "access_logs.cache", "empty", {}),
    ({"most_routes": 0}, "access_logs.most_routes", "out_of_range", {"limit": "1"}),
    ({"record": "always"}, "access_logs.record", "wrong_type", {"kind": "yes or no"}),
    ({"routes": "/a"}, "access_logs.routes", "wrong_type", {"kind": "list"}),
    ({"routes": ["photos/*"]}, "access_logs.routes", "not_a_route", {"given": "photos/*"}),
    ({"routes": ["/search?q=*"]}, "access_logs.routes", "not_a_route", {"given": "/search?q=*"}),
    ({"routes": ["/a/*", "/a/*"]}, "access_logs.routes", "route_twice", {"given": "/a/*"}),
    ({"bucket": "s3://photo-logs/alb"}, "access_logs.bucket", "not_a_bucket", {"given": "s3://photo-logs/alb"}),
    ({"bucket": "photo-logs", "path": "logs"}, "access_logs.bucket", "path_and_bucket", {"bucket": "photo-logs"}),
    ({"athena": {"databse": "x"}}, "access_logs.athena.databse", "unknown_key", {"close": "database"}),
    ({"athena": {"database": "Photo Logs"}}, "access_logs.athena.database", "not_a_database", {"given": "Photo Logs"}),
    ({"athena": {"workgroup": "a/b"}}, "access_logs.athena.workgroup", "not_a_workgroup", {"given": "a/b"}),
    ({"athena": {"output": "results"}}, "access_logs.athena.output", "not_an_output", {"given": "results"}),
    ({"athena": {"output": "s3://A_/x"}}, "access_logs.athena.output", "not_an_output", {"given": "s3://A_/x"}),
    ({"athena": {"max_usd": 0}}, "access_logs.athena.max_usd", "out_of_range", {"limit": "0"}),
    ({"athena": True}, "access_logs.athena", "wrong_type", {"kind": "table"}),
    ({"athena": {}, "path": "logs"}, "access_logs.athena", "athena_and_path", {"given": "logs"}),
    ({"prefix": "alb"}, "access_logs.prefix", "prefix_without_bucket", {"given": "alb"}),
]


def test_an_empty_table_means_what_the_load_balancer_says() -> None:
    found = make_migration("access_logs", {}).access_logs
    assert found
    assert (found.path, found.bucket, found.prefix, found.cache, found.cache_gb) == ("", "", "", "access-logs", 5)
    assert (found.routes, found.max_routes, found.ingest) == ((), 500, False)
    assert make_migration("aws.profile", "photo").access_logs is None


@pytest.mark.parametrize(("value", "key", "slug", "particulars"), ACCESS_LOG_ISSUES)
def test_a_mistake_says_where_and_what(value: Any, key: str, slug: str, particulars: dict[str, str]) -> None:
    (mistake,) = config_issues(config_with("access_logs", value))
    assert (mistake.key, mistake.code) == (key, slug)
    assert particulars.items() <= mistake.params.items()


def test_without_a_load_balancer_the_logs_are_on_this_machine() -> None:
    tables = config_with("aws", None)
    assert [(one.key, one.code) for one in config_issues(tables | {"access_logs": {"bucket": "photo-logs"}})] == [
        ("access_logs.path", "no_logs_place")
    ]
    assert config_issues(tables | {"access_logs": {"path": "logs"}}) == ()
