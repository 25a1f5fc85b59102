"""The [access_logs] table: defaults, and the need for a location."""

from tests.factories.config import config_issues, config_with, make_migration


def test_an_empty_table_has_the_defaults() -> None:
    logs = make_migration("access_logs", {}).access_logs
    assert logs
    assert (logs.path, logs.bucket, logs.prefix, logs.cache, logs.cache_gb) == ("", "", "", "access-logs", 5)
    assert (logs.routes, logs.max_routes, logs.ingest) == ((), 500, False)
    assert make_migration("aws.profile", "photo").access_logs is None


def test_without_aws_the_logs_must_be_local() -> None:
    tables = config_with("aws", None)
    issues = config_issues(tables | {"access_logs": {"bucket": "photo-logs"}})
    assert [(issue.key, issue.code) for issue in issues] == [("access_logs.path", "no_logs_place")]
    assert config_issues(tables | {"access_logs": {"path": "logs"}}) == ()
