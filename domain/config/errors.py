"""What can be wrong in a configuration, as values: where, what kind of wrong, and the particulars that messages/errors/config.py needs to say it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic_core import ErrorDetails, PydanticCustomError

ConfigIssueCode = Literal[
    "not_readable",  # the file itself: not there, a folder, no permission
    "not_utf8",
    "not_toml",
    "unknown_key",
    "outside_its_table",  # a key of [migration] above it, or in another table
    "missing",
    "empty",
    "wrong_type",
    "out_of_range",
    "not_a_choice",
    "not_an_arn",
    "arn_of_another_kind",
    "arn_needed",  # a bare target group name, where AWS is to be asked
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
    "no_batch_service",
    "no_pattern",
    "not_a_pattern",
    "pattern_twice",
    "not_a_job",
    "job_twice",
    "rule_and_scheduler",
    "rule_in_a_zone",
    "no_logs_place",
    "not_a_bucket",
    "path_and_bucket",
    "prefix_without_bucket",
    "not_a_route",
    "route_twice",
    "athena_and_path",
    "not_a_database",
    "not_a_workgroup",
    "not_an_output",
    # why a text is no schedule: domain.cron
    "not_a_schedule",
    "rate_of_nothing",
    "rate_unit",
    "cron_fields",
    "cron_days",
    "cron_field",
]
ValueKind = Literal["text", "number", "whole number", "yes or no", "list", "table"]

MAX_VALUE_CHARS = 160  # so many characters of what was given are kept


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """One thing wrong in the configuration: `key` as in "fleets.canary.target_groups.0", "" where it is about the whole file."""

    key: str
    code: ConfigIssueCode
    params: Mapping[str, str]


class ConfigurationError(Exception):
    """A configuration that cannot be used: `path` and every `Mistake` in it."""

    def __init__(self, path: Path, issues: tuple[ConfigIssue, ...]) -> None:
        super().__init__(f"{path}: " + "; ".join(f"{mistake.key}: {mistake.code}" for mistake in issues))
        self.path, self.issues = path, issues


def config_error(code: ConfigIssueCode, **params: object) -> PydanticCustomError:
    """A mistake, raised from inside a pydantic validator. `at` names its key where the validator stands above it."""
    return PydanticCustomError(code, code, {key: str(value) for key, value in params.items()})


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that a misspelt one most resembles, or ""."""
    return next(iter(get_close_matches(word.lower(), tuple(known), n=1, cutoff=0.6)), "")


def closest_zone(name: str, known: Iterable[str]) -> str:
    """The time zone that was probably meant: "asia/tokio" and "Tokyo" are Asia/Tokyo. "" where nothing is close."""
    spellings = {
        spelt: zone
        for zone in sorted(known)
        if "/" in zone
        for spelt in (zone.lower(), zone.lower().rpartition("/")[2])
    }
    return spellings.get(closest(name.replace(" ", "_"), spellings), "")


# The key below a table that a check of the whole table is about.
_KEY_OF_CODE: dict[str, str] = {
    "another_region": "region",
    "rule_of_another_load_balancer": "rule",
    "margin_of_another_unit": "margin",
    "rule_in_a_zone": "timezone",
    "path_and_bucket": "bucket",
    "prefix_without_bucket": "prefix",
    "athena_and_path": "athena",
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
    """pydantic's error at `key` as ours; `close` finds what a misspelt key most resembles."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind in get_args(ConfigIssueCode):
        said = {name: str(value) for name, value in context.items()}
        below = f".{_KEY_OF_CODE[kind]}" if kind in _KEY_OF_CODE else ""
        return ConfigIssue(said.get("at", key + below), cast(ConfigIssueCode, kind), said)
    given = repr(error["input"])[:MAX_VALUE_CHARS]
    match kind:
        case "extra_forbidden":
            return ConfigIssue(key, "unknown_key", {"close": closest_key()})
        case "missing":
            return ConfigIssue(key, "missing", {})
        case "too_short" | "string_too_short":
            return ConfigIssue(key, "empty", {})
        case "literal_error":
            return ConfigIssue(key, "not_a_choice", {"given": given, "choices": str(context["expected"])})
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            bound, limit = next(iter(context.items()))
            return ConfigIssue(key, "out_of_range", {"given": given, "bound": bound, "limit": f"{limit:g}"})
    return ConfigIssue(key, "wrong_type", {"given": given, "kind": _KIND_OF_PYDANTIC_TYPE.get(kind, "table")})
