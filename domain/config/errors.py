"""Configuration issues as values: key, code and parameters. messages/errors/config.py has their texts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic_core import ErrorDetails, PydanticCustomError

from domain.redaction import redact

ConfigIssueCode = Literal[
    "not_readable",  # the file itself: missing, a folder, no permission
    "not_utf8",
    "not_toml",
    "no_migrations",  # a folder without files, or an empty list
    "name_twice",
    "another_archive",
    "unknown_key",
    "renamed_key",
    "outside_its_table",  # a key of [migration] above it, or in another table
    "missing",
    "empty",
    "wrong_type",
    "out_of_range",
    "not_a_choice",
    "not_an_arn",
    "truncated_arn",
    "arn_of_another_kind",
    "arn_needed",  # a bare target group name, but there is an [aws]
    "not_a_region",
    "another_region",
    "rule_of_another_load_balancer",
    "group_of_another_load_balancer",
    "group_on_both_sides",
    "group_twice",
    "same_label",
    "not_a_pair",
    "no_source",
    "unknown_timezone",
    "not_a_day",
    "not_a_warm_up",
    "not_an_slo",
    "not_a_retention",
    "rollups_before_points",
    "not_an_archive",
    "archive_without_file",
    "archive_without_database",
    "archive_driver",
    "provisional_beyond_settled",
    "unknown_metric",
    "metric_twice",
    "threshold_not_asked",
    "margin_without_unit",
    "margin_of_nothing",
    "margin_of_another_unit",
    "ratio_without_points",
    "name_or_metric",  # a criterion has neither, or both
    "not_a_name",
    "name_of_a_metric",
    "query_of_a_metric",  # a metric that every migration has needs none
    "criterion_without_query",
    "query_of_another_source",  # an expression for CloudWatch, or a table for Mackerel
    "not_a_query",
    "not_a_math_id",
    "not_a_statistic",
    "not_a_quotient",  # of a criterion of the kind "rate"
    "not_counts",  # the two of such a quotient
    "bad_expression",
    "cloudwatch_without_aws",
    "margin_of_a_value",
    "too_many_criteria",
    "no_batch_service",
    "no_pattern",
    "not_a_path",
    "not_a_probe_header",
    "not_a_probe_host",
    "no_json_path",
    "not_a_json_path",
    "not_a_log_group",
    "shared_log_group",
    "not_a_pattern",
    "pattern_twice",
    "not_a_job",
    "job_twice",
    "rule_and_scheduler",
    "rule_in_a_zone",
    "no_logs_place",
    "release_without_groups",  # and without [fleets]
    "releases_without_aws",
    "another_service",  # than that of the fleet
    "no_release_service",
    "not_a_pair_of_groups",
    "not_a_commit_url",
    "not_a_bucket",
    "path_and_bucket",
    "prefix_without_bucket",
    "not_a_route",
    "route_twice",
    "not_a_network",
    "not_a_zone",
    "athena_and_path",
    "not_a_database",
    "not_a_workgroup",
    "not_an_output",
    "not_a_variable",
    "not_a_dashboard_url",
    "not_a_topic",
    "no_channel",
    "webhook_without_secret",
    "metrics_without_key",
    "sns_without_aws",
    "no_annotated_service",
    "not_a_host",
    "not_a_header",
    "not_a_secure_url",
    "not_a_member",
    "no_members",
    "key_of_method",
    "key_of_another_method",
    "another_sign_in",  # than another migration of the same process
    # ScheduleErrorCode of domain.cron
    "not_a_schedule",
    "rate_of_nothing",
    "rate_unit",
    "cron_fields",
    "cron_days",
    "cron_field",
]
ValueKind = Literal["text", "number", "whole number", "yes or no", "list", "table"]

MAX_VALUE_CHARS = 160

# Keys of earlier versions, with the present name.
RENAMED_KEYS = {"batches.stamped": "timestamp", "access_logs.most_routes": "max_routes", "access_logs.record": "ingest"}


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """An issue at `key` ("fleets.canary.target_groups.0"; "": the whole file). `params` are the parameters of its text, without credentials.

    `file`: its name, if the configuration is a folder; `entry`: which of [[migrations]] it is in, from 1; 0 if it is in none.
    """

    key: str
    code: ConfigIssueCode
    params: Mapping[str, str]
    file: str = ""
    entry: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", {name: redact(value) for name, value in self.params.items()})


class ConfigurationError(Exception):
    """An invalid configuration file: `path` and all its issues."""

    def __init__(self, path: Path, issues: tuple[ConfigIssue, ...]) -> None:
        super().__init__(f"{path}: " + "; ".join(f"{issue.key}: {issue.code}" for issue in issues))
        self.path, self.issues = path, issues


def config_error(code: ConfigIssueCode, **params: object) -> PydanticCustomError:
    """The error to raise in a pydantic validator. The parameter `at` is the full key, if the validator is not that key's own."""
    return PydanticCustomError(code, code, {key: str(value) for key, value in params.items()})


def closest(word: str, known: Iterable[str]) -> str:
    """The known word most similar to a misspelt one, or ""."""
    return next(iter(get_close_matches(word.lower(), tuple(known), n=1, cutoff=0.6)), "")


# The key in its table that a check of the whole table reports.
_KEY_OF_CODE: dict[str, str] = {
    "another_region": "region",
    "rule_of_another_load_balancer": "rule",
    "margin_of_another_unit": "margin",
    "ratio_without_points": "max_ratio",
    "margin_of_a_value": "margin",
    "name_or_metric": "name",
    "name_of_a_metric": "name",
    "query_of_a_metric": "metric",
    "criterion_without_query": "baseline",
    "query_of_another_source": "baseline",
    "not_a_quotient": "baseline",
    "not_counts": "baseline",
    "rule_in_a_zone": "timezone",
    "no_channel": "slack",
    "webhook_without_secret": "webhook_secret",
    "metrics_without_key": "mackerel_key",
    "path_and_bucket": "bucket",
    "prefix_without_bucket": "prefix",
    "athena_and_path": "athena",
    "no_members": "viewers",
}
_KIND_OF_PYDANTIC_TYPE: dict[str, ValueKind] = {
    "string_type": "text",
    "int_type": "whole number",
    "int_parsing": "whole number",
    "int_from_float": "whole number",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "yes or no",
    "bool_parsing": "yes or no",
    "tuple_type": "list",
}


def issue_from_pydantic(error: ErrorDetails, key: str, closest_key: Callable[[], str]) -> ConfigIssue:
    """pydantic's error at `key` as an issue; `closest_key` returns the known key most similar to a misspelt one."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind in get_args(ConfigIssueCode):
        params = {name: str(value) for name, value in context.items()}
        below = f".{_KEY_OF_CODE[kind]}" if kind in _KEY_OF_CODE else ""
        return ConfigIssue(params.get("at", key + below), cast(ConfigIssueCode, kind), params)
    code: ConfigIssueCode
    given = repr(error["input"])[:MAX_VALUE_CHARS]
    match kind:
        case "extra_forbidden" if key in RENAMED_KEYS:
            code, params = "renamed_key", {"new": RENAMED_KEYS[key]}
        case "extra_forbidden":
            code, params = "unknown_key", {"close": closest_key()}
        case "missing":
            code, params = "missing", {}
        case "too_short" | "string_too_short":
            code, params = "empty", {}
        case "literal_error":
            code, params = "not_a_choice", {"given": given, "choices": str(context["expected"])}
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            bound, limit = next(iter(context.items()))
            code, params = (
                "out_of_range",
                {"given": given, "bound": bound, "limit": f"{Decimal(str(limit)).normalize():f}"},
            )
        case _:
            code, params = "wrong_type", {"given": given, "kind": _KIND_OF_PYDANTIC_TYPE.get(kind, "table")}
    return ConfigIssue(key, code, params)
